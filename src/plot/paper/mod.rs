//! Figures for a paper: all sources in one figure, at the size at which it is printed. Letters have at least 6 points, and colours
//! are legible in grey.

mod changes;
mod rates;
mod rows;

use super::font::ROBOTO;
use super::scene::{Anchor, Item, Line, Medium, Scene, Text};
use super::{Figure, Subject};
use crate::report::Differences;
use crate::text::{OneLine, shortened};
use crate::units::Rate;

/// The default width in points: a column of a paper.
pub const COLUMN: f64 = 3.5 * 72.0;
/// The least and the largest width and height, in points.
pub const SIZES: [f64; 2] = [1.5 * 72.0, 40.0 * 72.0];
/// The default number of rows.
const ROWS: usize = 20;

/// The size of letters in points.
const LETTERS: f64 = 6.5;
const TITLE: f64 = 8.0;
/// The height of a line of text.
const LINE: f64 = 8.5;
/// The least height of a row, so that names do not overlap.
const ROW: f64 = 7.5;
/// The blank around a figure, and between its parts.
const MARGIN: f64 = 3.0;
const GAP: f64 = 8.0;
/// The thickness of thin lines.
const THIN: f64 = 0.5;

/// How figures for a paper look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Paper {
    /// The width in points. The default is that of a column.
    pub width: Option<f64>,
    /// The height in points. By default, it follows from the rows.
    pub height: Option<f64>,
    /// The most rows.
    pub rows: PaperRows,
    /// The title.
    pub title: PaperTitle,
}

/// The rows of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PaperRows {
    /// Twenty, or as many as the height has room for.
    #[default]
    Fitting,
    /// So many.
    Top(usize),
    /// All.
    All,
}

/// The title of a figure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PaperTitle {
    /// The subject.
    #[default]
    Subject,
    /// This text.
    Own(String),
    /// None, because the paper has a caption.
    None,
}

/// The subject of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperFigure {
    /// Tracepoints or groups over time.
    Rows(Figure),
    /// Events per second over time.
    Rates,
    /// The changes between sources.
    Changes,
}

impl PaperFigure {
    /// All figures.
    pub const ALL: [PaperFigure; 4] = [
        PaperFigure::Rows(Figure::Tracepoints),
        PaperFigure::Rows(Figure::Groups),
        PaperFigure::Rates,
        PaperFigure::Changes,
    ];

    /// Its name, as it is in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            PaperFigure::Rows(figure) => figure.rows(),
            PaperFigure::Rates => "rates",
            PaperFigure::Changes => "differences",
        }
    }

    fn title(self) -> &'static str {
        match self {
            PaperFigure::Rows(Figure::Tracepoints) => "Tracepoints over time",
            PaperFigure::Rows(Figure::Groups) => "Groups of tracepoints over time",
            PaperFigure::Rates => "Recorded events per second",
            PaperFigure::Changes => "Changed rates of tracepoints",
        }
    }
}

/// Why a figure has no room.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoRoom {
    /// The figure is too low for its rows.
    #[error(
        "a height of {height:.0} points has room for {fit} rows, not for {rows}; use `--rows top:{fit}`, or a larger `--size`"
    )]
    Rows {
        /// Its height in points.
        height: f64,
        /// The rows that fit.
        fit: usize,
        /// The rows that were asked for.
        rows: usize,
    },
    /// The figure is too low for anything.
    #[error("a height of {height:.0} points is too low for the figure `{figure}`; use a larger `--size`")]
    Height {
        /// Its height in points.
        height: f64,
        /// The name of the figure.
        figure: &'static str,
    },
    /// The figure is too narrow for its sources.
    #[error(
        "a width of {width:.0} points has no room for {sources} sources side by side; use `--size {inches:.1}in`, or fewer sources"
    )]
    Width {
        /// Its width in points.
        width: f64,
        /// The number of sources.
        sources: usize,
        /// A width in inches that has room.
        inches: f64,
    },
}

impl Paper {
    /// A figure. `None` if there is nothing to show: no event, or no change.
    ///
    /// # Errors
    /// If its size has no room for it.
    pub fn figure(
        &self,
        figure: PaperFigure,
        subjects: &[Subject<'_>],
        differences: Option<&Differences>,
    ) -> Result<Option<Scene>, NoRoom> {
        match figure {
            PaperFigure::Rows(of) => rows::scene(self, figure, of, subjects),
            PaperFigure::Rates => rates::scene(self, figure, subjects),
            PaperFigure::Changes => {
                differences.map_or(Ok(None), |differences| changes::scene(self, figure, differences))
            }
        }
    }

    fn width(&self) -> f64 {
        self.width.unwrap_or(COLUMN)
    }

    /// The number of rows, and the height of each. `around` is the height of everything else.
    fn rows(&self, all: usize, around: f64, figure: PaperFigure) -> Result<(usize, f64), NoRoom> {
        let asked = match self.rows {
            PaperRows::Fitting => ROWS.min(all),
            PaperRows::Top(rows) => rows.min(all),
            PaperRows::All => all,
        };
        let Some(height) = self.height else { return Ok((asked, ROW + 0.5)) };
        let fit = ((height - around) / ROW).floor().max(0.0) as usize;
        match self.rows {
            _ if fit == 0 => Err(NoRoom::Height { height, figure: figure.name() }),
            PaperRows::Top(_) | PaperRows::All if fit < asked => Err(NoRoom::Rows { height, fit, rows: asked }),
            _ => {
                let rows = asked.min(fit);
                Ok((rows, (height - around) / rows as f64))
            }
        }
    }

    /// The lines of the title, and where the figure begins below them.
    fn title(&self, figure: PaperFigure) -> (Vec<Item>, f64) {
        let title = match &self.title {
            PaperTitle::Subject => figure.title(),
            PaperTitle::Own(title) => title,
            PaperTitle::None => return (Vec::new(), MARGIN),
        };
        let lines = lines(&OneLine(title).to_string(), TITLE, self.width() - 2.0 * MARGIN);
        let y = |line: usize| MARGIN + TITLE * 0.85 + line as f64 * (TITLE + 2.0);
        let end = y(lines.len().max(1) - 1) + 4.0;
        let line = |(number, line): (usize, String)| {
            Item::Text(Text { size: Some(TITLE), ..Text::new("ink", MARGIN, y(number), Anchor::Start, line) })
        };
        (lines.into_iter().enumerate().map(line).collect(), end)
    }

    fn scene(&self, figure: PaperFigure, subjects: &str, height: f64, items: Vec<Item>) -> Scene {
        Scene {
            title: figure.title().to_owned(),
            subtitle: subjects.to_owned(),
            width: self.width(),
            height: self.height.unwrap_or(height),
            items,
            medium: Medium::Paper,
        }
    }
}

/// The width of a text in points.
fn width(text: &str, size: f64) -> f64 {
    f64::from(ROBOTO.set(text, size as f32).width)
}

/// As much of a text as fits.
fn fitting(text: &str, size: f64, room: f64) -> String {
    let text = OneLine(text).to_string();
    let letters = (0..=text.chars().count()).rev().map(|letters| shortened(&text, letters));
    let mut fits = letters.filter(|text| width(text, size) <= room);
    fits.next().unwrap_or_default()
}

/// The names of rows. If one has no room, all are without their groups.
fn row_names<'a>(names: impl Iterator<Item = &'a str> + Clone, room: f64) -> Vec<String> {
    let has_room = |name: &str| width(&OneLine(name).to_string(), LETTERS) <= room;
    let is_short = !names.clone().all(has_room);
    let shown = |name: &'a str| if is_short { name.split_once(':').map_or(name, |(_, name)| name) } else { name };
    names.map(|name| fitting(shown(name), LETTERS, room)).collect()
}

/// The lines of a text. A word that is wider than the room is cut.
fn lines(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines = Vec::<String>::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= room => *line += &format!(" {word}"),
            _ => lines.push(fitting(word, size, room)),
        }
    }
    lines
}

fn text(x: f64, y: f64, anchor: Anchor, text: impl Into<String>) -> Item {
    Item::Text(Text { size: Some(LETTERS), ..Text::new("ink", x, y, anchor, text) })
}

fn line(class: &'static str, x: f64, y: f64, is_down: bool, length: f64) -> Item {
    Item::Line(Line { thickness: Some(THIN), ..Line::new(class, x, y, is_down, length) })
}

/// A frame of thin lines.
fn frame(x: f64, y: f64, width: f64, height: f64) -> [Item; 4] {
    [
        line("edge", x, y, false, width),
        line("edge", x, y + height, false, width),
        line("edge", x, y, true, height),
        line("edge", x + width, y, true, height),
    ]
}

/// The labels, without those that would touch the one before, or an end of the picture. The places are those of their middles.
fn apart(labels: Vec<(f64, String)>, (left, right): (f64, f64)) -> Vec<(f64, String)> {
    let mut end = left;
    labels
        .into_iter()
        .filter(|(x, label)| {
            let half = width(label, LETTERS) / 2.0;
            let fits = x - half >= end && x + half <= right;
            if fits {
                end = x + half + 3.0;
            }
            fits
        })
        .collect()
}

/// A rate in a few letters.
fn short_rate(rate: f64) -> String {
    let (number, unit) = match rate {
        1e6.. => (rate / 1e6, "M"),
        1e4.. => (rate / 1e3, "k"),
        _ => return Rate(rate).to_string(),
    };
    let digits = if number.fract().abs() < 0.05 { 0 } else { 1 };
    format!("{number:.digits$}{unit}")
}

#[cfg(test)]
mod tests;
