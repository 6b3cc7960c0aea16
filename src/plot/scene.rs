//! The items of a plot and their places. [`svg`](super::svg) and [`png`](super::png) draw the same scene.

use super::density::Density;
use super::style::{FONT_SIZE, Style};
use super::ticks::ticks;
use super::{MOST_POINTS, Plot, Row, StateSpan};
use crate::os::cpus::{Cpu, named};
use crate::text::{OneLine, shortened};
use crate::units::{Grouped, Plural, Seconds};
use std::borrow::Cow;
use std::time::Duration;

/// The width of the whole plot and of its parts, in units of the SVG.
const WIDTH: f64 = 1200.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 66.0;
const RIGHT: f64 = 22.0;
/// The height of the strip of states above the rows.
const STRIP: f64 = 24.0;
/// The height that all rows fill together, as far as the limits of a row allow.
const HEIGHT: f64 = 620.0;
const LEAST_HEIGHT: f64 = 60.0;
/// The least distance between two labels.
const LABEL_HEIGHT: f64 = 11.0;
/// The approximate width of a letter in a label.
const LETTER: f64 = 5.2;
const LONGEST_LABEL: usize = 46;

/// A picture: items on a background of one colour. Later items cover earlier ones.
pub struct Scene {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) items: Vec<Item>,
    pub(super) medium: Medium,
}

/// Where a scene is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    /// On a screen, on which a unit is a pixel of CSS. The SVG also has dark colours.
    Screen,
    /// On paper, on which a unit is a point: a 72nd of an inch.
    Paper,
}

impl Scene {
    /// Points per unit.
    pub(super) fn points(&self) -> f64 {
        match self.medium {
            Medium::Screen => 72.0 / 96.0,
            Medium::Paper => 1.0,
        }
    }

    /// Pixels of a PNG per unit, and per inch.
    pub(super) fn pixels(&self) -> (f64, f64) {
        match self.medium {
            Medium::Screen => (1.5, 144.0),
            Medium::Paper => (300.0 / 72.0, 300.0),
        }
    }
}

/// The name of a rule in `plot.css`, which defines the colours.
pub(super) type Class = Cow<'static, str>;

/// An item of a picture. Lengths are in units of the SVG, and `y` points down.
pub(super) enum Item {
    /// Items whose places are relative to this point.
    Group {
        x: f64,
        y: f64,
        items: Vec<Item>,
    },
    Rect {
        class: Class,
        area: Area,
    },
    /// Areas with stripes over what is drawn there.
    Hatch {
        class: Class,
        areas: Vec<Area>,
    },
    Line(Line),
    Text(Text),
    /// Rows of points. Each row has runs of columns.
    Points {
        class: Class,
        /// The height of a point.
        size: f64,
        /// The middle of each row, and its runs, ordered by their start.
        rows: Vec<(f64, Vec<Stroke>)>,
    },
    /// A colour for each place, by [`Density::levels`]. Places of level 0 are transparent.
    Density {
        area: Area,
        columns: usize,
        levels: Vec<u8>,
    },
    /// A gradient of colours from left to right, at equal distances.
    Ramp {
        area: Area,
        colours: Vec<[u8; 3]>,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

pub(super) struct Line {
    pub class: Class,
    pub x: f64,
    pub y: f64,
    pub is_down: bool,
    pub length: f64,
    /// Its thickness. The default is 1.
    pub thickness: Option<f64>,
}

pub(super) struct Text {
    pub class: Class,
    pub x: f64,
    /// The position of its base line.
    pub y: f64,
    /// The size of its letters, if it differs from that of its class.
    pub size: Option<f64>,
    pub anchor: Anchor,
    pub text: String,
    /// A paler number after the text.
    pub number: Option<String>,
}

/// The part of a text that its `x` refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Consecutive columns that have events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    pub x: f64,
    pub length: f64,
}

impl Text {
    /// The size of its letters, with the style of its class.
    pub(super) fn size_in(&self, style: Style) -> f64 {
        style.font_size.or(self.size).unwrap_or(FONT_SIZE)
    }

    /// The text and its number, as they are set: a blank separates them. Without a number, trailing blanks are dropped.
    pub(super) fn parts(&self) -> (String, &str) {
        let number = self.number.as_deref().unwrap_or_default();
        let name = if number.is_empty() { self.text.trim_end().to_owned() } else { format!("{} ", self.text) };
        (name.trim_start().to_owned(), number)
    }

    pub(super) fn new(class: impl Into<Class>, x: f64, y: f64, anchor: Anchor, text: impl Into<String>) -> Self {
        Text { class: class.into(), x, y, size: None, anchor, text: text.into(), number: None }
    }
}

impl Line {
    pub(super) fn new(class: &'static str, x: f64, y: f64, is_down: bool, length: f64) -> Self {
        Line { class: class.into(), x, y, is_down, length, thickness: None }
    }
}

impl Item {
    pub(super) fn rect(class: impl Into<Class>, x: f64, y: f64, width: f64, height: f64) -> Self {
        Item::Rect { class: class.into(), area: Area { x, y, width, height } }
    }
}

impl Plot<'_> {
    /// The scene of the plot.
    pub fn scene(&self) -> Scene {
        let rows = self.rows.len().max(1) as f64;
        let row_height = ((2.0 * HEIGHT / rows).round() / 2.0).clamp(1.0, 36.0);
        let plot_height = (rows * row_height).max(LEAST_HEIGHT);
        let row_height = plot_height / rows;
        let chosen = self.labels(row_height);
        let letters = |row: &Row| short(&row.name).chars().count() + number(row).len() + 1;
        let longest = chosen.iter().map(|row| letters(&self.rows[*row])).max().unwrap_or(0).max(10);
        let left = (20.0 + LETTER * longest as f64).round();
        let plot_width = (WIDTH - left - RIGHT).floor();
        let top = if self.subject.states.is_empty() { TOP } else { TOP + STRIP };
        let bottom = top + plot_height;
        let area = Area { x: left, y: top, width: plot_width, height: plot_height };
        let y = |row: usize| bottom - (row as f64 + 0.5) * row_height;

        let events = self.events();
        let activity = &self.subject.activity;
        let span_ns = activity.span().map_or(0, |(first, last)| last - first);
        let x = |ns: u64| left + ns as f64 / span_ns.max(1) as f64 * plot_width;
        let are_points = events <= MOST_POINTS;
        let density = Density::new(self, plot_width as usize * if are_points { 2 } else { 1 });

        let title =
            format!("{}: {} over time", shortened(&OneLine(self.subject.label).to_string(), 100), self.figure.rows());
        let subtitle = self.subtitle(events);
        let mut items = vec![
            Item::Text(Text::new("title", 16.0, 27.0, Anchor::Start, title.clone())),
            Item::Text(Text { size: Some(12.0), ..Text::new("dim", 16.0, 46.0, Anchor::Start, subtitle.clone()) }),
        ];
        items.extend(
            self.shades(row_height)
                .map(|(start, length)| Item::rect("shade", left, bottom - start, plot_width, length)),
        );
        for tick in ticks(span_ns, 10) {
            let x = x(tick.at_ns);
            items.push(Item::Line(Line::new("grid", x, top, true, plot_height)));
            items.push(Item::Text(Text::new("text", x, bottom + 15.0, Anchor::Middle, tick.label)));
        }
        let gaps = spans(activity.gaps().iter().map(|gap| (x(gap.from_ns), x(gap.to_ns))));
        let losses = spans(activity.losses().iter().map(|loss| (x(loss.from.0), x(loss.to.0))));
        let unwatched = spans(self.subject.unwatched.iter().map(|stretch| (x(stretch.from.0), x(stretch.to.0))));
        for (class, spans) in [("gap", gaps), ("unwatched", unwatched), ("lost", losses)] {
            items.extend(spans.into_iter().map(|run| Item::rect(class, run.x, top, run.length, plot_height)));
        }
        let detached = self.thinned_areas(true, x, (bottom, row_height)).into_iter();
        items.extend(detached.map(|area| Item::Rect { class: "detached".into(), area }));
        for span in self.subject.states {
            let (run, text) = strip(span, x);
            items.push(Item::rect(span.colour(), run.x, top - 21.0, run.length, 16.0));
            if !text.is_empty() {
                let middle = run.x + run.length / 2.0;
                items.push(Item::Text(Text::new("state-name", middle, top - 9.0, Anchor::Middle, text)));
            }
        }
        for row in chosen {
            let (of_row, y) = (&self.rows[row], y(row));
            let class = if of_row.events > 0 { "text" } else { "dim" };
            items.push(Item::Text(Text {
                number: Some(number(of_row)),
                ..Text::new(class, left - 7.0, y + 3.8, Anchor::End, short(&of_row.name))
            }));
            items.push(Item::Line(Line::new("frame", left - 4.0, y, false, 4.0)));
        }
        if are_points {
            let size = (row_height * 0.7).clamp(1.5, 9.0).min(row_height.max(1.5));
            let rows = (0..self.rows.len()).map(|row| (y(row), runs(density.row(row), left)));
            let rows: Vec<_> = rows.filter(|(_, runs)| !runs.is_empty()).collect();
            items.push(Item::Points { class: "point".into(), size, rows });
        } else {
            items.push(Item::Density { area, columns: density.width, levels: density.levels() });
        }
        let thinned = self.thinned_areas(false, x, (bottom, row_height));
        if !thinned.is_empty() {
            items.push(Item::Hatch { class: "thinned".into(), areas: thinned });
        }
        items.push(Item::Rect { class: "frame".into(), area });
        let end = left + plot_width;
        items.push(Item::Text(Text::new("dim", end, bottom + 30.0, Anchor::End, "seconds from the start")));
        let mut below = self.notes(are_points);
        if !are_points {
            let column = Duration::from_nanos((span_ns as f64 / plot_width) as u64);
            below.push(Item::Group { x: plot_width - 330.0, y: 0.0, items: key(&density, column) });
        }
        items.push(Item::Group { x: left, y: bottom + 46.0, items: below });
        // The height is a whole number of pixels, in a PNG too.
        let height = ((bottom + BOTTOM) / 2.0).ceil() * 2.0;
        Scene { title, subtitle, width: WIDTH, height, items, medium: Medium::Screen }
    }

    fn events(&self) -> u64 {
        self.rows.iter().map(|row| row.events).sum()
    }

    fn subtitle(&self, events: u64) -> String {
        let summary = &self.subject.summary;
        let hit = self.rows.iter().filter(|row| row.events > 0).count();
        let mut parts = vec![format!("{} of {} {}", Plural(events, "event"), Grouped(hit as u64), self.figure.rows())];
        if let Some(kernel) = &summary.kernel {
            parts.push(format!("Linux {}", OneLine(&shortened(kernel, 60))));
        }
        if !summary.cpus.is_empty() {
            parts.push(Plural(summary.cpus.len() as u64, "CPU").to_string());
        }
        if let Some(started) = &summary.started {
            parts.push(OneLine(started.get(..19).unwrap_or(started)).to_string().replace('T', " ") + " UTC");
        }
        parts.join(" · ")
    }

    /// The rows that get a label: the busiest ones, and if there is room, rows without events in this source.
    fn labels(&self, row_height: f64) -> Vec<usize> {
        let apart = (LABEL_HEIGHT / row_height).ceil().max(1.0) as usize;
        let mut by_events: Vec<usize> = (0..self.rows.len()).collect();
        by_events.sort_by_key(|row| (std::cmp::Reverse(self.rows[*row].events), *row));
        let mut free = vec![true; self.rows.len()];
        let mut chosen = Vec::new();
        for row in by_events {
            if free[row] {
                chosen.push(row);
                let (first, last) = (row.saturating_sub(apart - 1), (row + apart - 1).min(free.len() - 1));
                free[first..=last].fill(false);
            }
        }
        chosen
    }

    /// Every second group of rows: the distance of its upper end from the bottom, and its height.
    fn shades(&self, row_height: f64) -> impl Iterator<Item = (f64, f64)> {
        let group = |row: &Row| row.name.split(':').next().unwrap_or_default().to_owned();
        let lengths = self.rows.chunk_by(move |a, b| group(a) == group(b)).map(<[Row]>::len);
        let mut end = 0;
        let groups = lengths.map(move |length| {
            end += length;
            (end as f64 * row_height, length as f64 * row_height)
        });
        groups.step_by(2)
    }

    /// The legend of the marks. Places are relative to its left end.
    fn notes(&self, are_points: bool) -> Vec<Item> {
        let mut notes = Vec::new();
        let mut x = 0.0;
        let mut add = |mark: &'static str, text: String, letters: usize| {
            match mark {
                "" => {}
                "point" => {
                    notes.push(Item::Line(Line { thickness: Some(3.0), ..Line::new(mark, x + 4.0, 0.0, false, 4.0) }))
                }
                "thinned" => {
                    let area = Area { x, y: -6.0, width: 12.0, height: 12.0 };
                    notes.push(Item::Hatch { class: mark.into(), areas: vec![area] });
                }
                _ => notes.push(Item::rect(mark, x, -6.0, 12.0, 12.0)),
            }
            notes.push(Item::Text(Text::new("text", x + 17.0, 4.0, Anchor::Start, text)));
            x += 30.0 + LETTER * letters as f64;
        };
        if are_points {
            add("point", "an event".to_owned(), 8);
        }
        let (activity, events) = (&self.subject.activity, &self.subject.summary.events);
        let within = activity.lost_within();
        if within > 0 {
            let text = format!("{} lost, of any tracepoint", Plural(within, "event"));
            let letters = text.chars().count();
            add("lost", text, letters);
        }
        for (mark, text) in ["thinned", "detached"].into_iter().zip(self.thinned_notes()) {
            if let Some(text) = text {
                let letters = text.chars().count();
                add(mark, text, letters);
            }
        }
        let mut cpus: Vec<Cpu> = self.subject.unwatched.iter().map(|stretch| stretch.cpu).collect();
        cpus.dedup();
        if !cpus.is_empty() {
            let text = format!("{} not watched", named(&cpus));
            let letters = text.chars().count();
            add("unwatched", text, letters);
        }
        if !activity.gaps().is_empty() {
            add("gap", "no CPU recorded anything".to_owned(), 27);
        }
        if events.late > 0 {
            add("", format!("{} late, not shown", Plural(events.late, "event")), 30);
        }
        notes
    }
}

fn number(row: &Row) -> String {
    row.number.map(|number| number.to_string()).unwrap_or_default()
}

/// The key that shows the number of events for each colour.
fn key(density: &Density, column: Duration) -> Vec<Item> {
    let most = Plural(density.most.round().max(1.0) as u64, "event");
    let area = Area { x: 142.0, y: -5.0, width: 80.0, height: 10.0 };
    vec![
        Item::Text(Text::new("text", 138.0, 4.0, Anchor::End, "few")),
        Item::Ramp { area, colours: (0..=8).map(|n| Density::colour(1 + n * 31)).collect() },
        Item::Text(Text::new("text", 226.0, 4.0, Anchor::Start, format!("{most} in {}", Seconds(column)))),
    ]
}

/// A stretch of one state, with as much of its name as fits.
fn strip(span: &StateSpan, x: impl Fn(u64) -> f64) -> (Stroke, String) {
    let (start, end) = (x(span.from_ns), x(span.to_ns));
    let letters = ((end - start - 6.0) / LETTER).max(0.0) as usize;
    let text = if letters < 3 { String::new() } else { shortened(&OneLine(&span.label).to_string(), letters) };
    (Stroke { x: start, length: end - start }, text)
}

/// Shortens a name so that it fits next to the axis.
fn short(name: &str) -> String {
    shortened(name, LONGEST_LABEL)
}

/// Draws stretches as bands that are wide enough to be seen. Bands that touch are joined.
pub(super) fn spans(stretches: impl Iterator<Item = (f64, f64)>) -> Vec<Stroke> {
    const LEAST: f64 = 1.5;
    let mut stretches: Vec<_> = stretches.collect();
    stretches.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut spans = Vec::<Stroke>::new();
    for (start, end) in stretches {
        match spans.last_mut() {
            Some(last) if start <= last.x + last.length + 0.5 => last.length = last.length.max(end - last.x),
            _ => spans.push(Stroke { x: start, length: (end - start).max(LEAST) }),
        }
    }
    spans
}

/// The points of a row. Each is half a unit wide, and neighbours are joined.
fn runs(row: &[f32], left: f64) -> Vec<Stroke> {
    let mut runs = Vec::new();
    let mut column = 0;
    for run in row.chunk_by(|a, b| (*a > 0.0) == (*b > 0.0)) {
        if run[0] > 0.0 {
            // A single event is wide enough to be seen.
            runs.push(Stroke { x: left + column as f64 * 0.5, length: (run.len() as f64 * 0.5).max(1.5) });
        }
        column += run.len();
    }
    runs
}
