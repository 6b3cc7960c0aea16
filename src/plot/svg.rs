//! A plot as SVG, and that as PNG.

use super::density::Density;
use super::ticks::ticks;
use super::{MOST_POINTS, Plot, Row, StateSpan};
use crate::units::{Count, Grouped, OneLine, Seconds, shortened};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use std::fmt::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Its labels are drawn with this font in a PNG, on any machine.
const FONT: &[u8] = include_bytes!("font/RobotoCondensed-Regular.ttf");

/// Pixels of a PNG for each unit of the SVG.
const SCALE: f32 = 1.5;

/// Width of the whole, and of its parts, in units of the SVG.
const WIDTH: f64 = 1200.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 66.0;
const RIGHT: f64 = 22.0;
/// Above the rows, for the states over time.
const STRIP: f64 = 24.0;
/// The height that rows fill together, if each can be as high as that.
const HEIGHT: f64 = 620.0;
const LEAST_HEIGHT: f64 = 60.0;
/// Labels are this far apart at least.
const LABEL_HEIGHT: f64 = 11.0;
/// A label's letter is about so wide.
const LETTER: f64 = 5.2;
const LONGEST_LABEL: usize = 46;

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The SVG was not understood.
    #[error("its SVG is wrong: {0}")]
    Svg(#[from] usvg::Error),
    /// It has no size that can be drawn.
    #[error("{0} × {1} pixels cannot be drawn")]
    Size(u32, u32),
    /// It could not be encoded.
    #[error("it cannot be encoded: {0}")]
    Png(#[from] png::EncodingError),
}

#[derive(Template)]
#[template(path = "plot/plot.svg")]
struct Document {
    title: String,
    subtitle: String,
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    plot_width: f64,
    plot_height: f64,
    /// Two neighbouring groups of rows differ in shade: those that are shaded.
    shades: Vec<Span>,
    labels: Vec<Label>,
    /// x and text.
    ticks: Vec<(f64, String)>,
    gaps: Vec<Span>,
    losses: Vec<Span>,
    /// The states over time, if they are known: where, class and text.
    states: Vec<(Span, String, String)>,
    /// Rows of points, as paths.
    points: Vec<String>,
    point_size: f64,
    /// How dense events are, as a PNG in base64.
    density: Option<String>,
    /// For the key: the colours, and the most in one place.
    key: Option<(Vec<Stop>, String)>,
    notes: Vec<Note>,
}

struct Span {
    start: f64,
    length: f64,
}

struct Label {
    y: f64,
    class: &'static str,
    name: String,
    number: String,
}

struct Stop {
    percent: u32,
    colour: String,
}

struct Note {
    /// The class of its mark; none for plain text.
    mark: &'static str,
    text: String,
    x: f64,
}

impl Plot<'_> {
    /// The plot as SVG. It stands by itself, and is legible on light and dark.
    pub fn svg(&self) -> String {
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
        let y = |row: usize| top + plot_height - (row as f64 + 0.5) * row_height;

        let events = self.events();
        let span_ns = self.subject.activity.span().map_or(0, |(first, last)| last - first);
        let x = |ns: u64| left + ns as f64 / span_ns.max(1) as f64 * plot_width;
        let are_points = events <= MOST_POINTS;
        let density = Density::new(self, plot_width as usize * if are_points { 2 } else { 1 });
        let point_size = (row_height * 0.7).clamp(1.5, 9.0).min(row_height.max(1.5));
        let points = match are_points {
            true => {
                let paths = (0..self.rows.len()).map(|row| path(density.row(row), left, y(row)));
                paths.filter(|path| !path.is_empty()).collect()
            }
            false => Vec::new(),
        };
        let column = Duration::from_nanos((span_ns as f64 / plot_width) as u64);
        let document = Document {
            title: format!(
                "{}: {} over time",
                shortened(&OneLine(self.subject.label).to_string(), 100),
                self.figure.rows()
            ),
            subtitle: self.subtitle(events),
            width: WIDTH,
            // Whole pixels, in a PNG too.
            height: ((top + plot_height + BOTTOM) / 2.0).ceil() * 2.0,
            left,
            top,
            plot_width,
            plot_height,
            shades: self
                .shades(row_height)
                .map(|(start, length)| Span { start: top + plot_height - start, length })
                .collect(),
            labels: chosen
                .iter()
                .map(|row| {
                    let of_row = &self.rows[*row];
                    let class = if of_row.events > 0 { "text" } else { "dim" };
                    Label { y: y(*row), class, name: short(&of_row.name), number: number(of_row) }
                })
                .collect(),
            ticks: ticks(span_ns, 10).into_iter().map(|tick| (x(tick.at_ns), tick.label)).collect(),
            gaps: spans(self.subject.activity.gaps().iter().map(|gap| (x(gap.from_ns), x(gap.to_ns)))),
            losses: spans(self.subject.activity.losses().iter().map(|loss| (x(loss.from.0), x(loss.to.0)))),
            states: self.subject.states.iter().map(|span| strip(span, x)).collect(),
            points,
            point_size,
            density: (!are_points).then(|| STANDARD.encode(image(&density, self.rows.len()))),
            key: (!are_points).then(|| {
                let stops = (0..=8u32).map(|n| Stop { percent: n * 100 / 8, colour: css(colour((1 + n * 31) as u8)) });
                let most = Count(density.most.round().max(1.0) as u64, "event");
                (stops.collect(), format!("{most} in {}", Seconds(column)))
            }),
            notes: self.notes(are_points),
        };
        document.render().expect("text is written into memory")
    }

    fn events(&self) -> u64 {
        self.rows.iter().map(|row| row.events).sum()
    }

    fn subtitle(&self, events: u64) -> String {
        let summary = &self.subject.summary;
        let hit = self.rows.iter().filter(|row| row.events > 0).count();
        let mut parts = vec![format!("{} of {} {}", Count(events, "event"), Grouped(hit as u64), self.figure.rows())];
        if let Some(kernel) = &summary.kernel {
            parts.push(format!("Linux {}", OneLine(&shortened(kernel, 60))));
        }
        if !summary.cpus.is_empty() {
            parts.push(Count(summary.cpus.len() as u64, "CPU").to_string());
        }
        if let Some(started) = &summary.started {
            parts.push(OneLine(started.get(..19).unwrap_or(started)).to_string().replace('T', " ") + " UTC");
        }
        parts.join(" · ")
    }

    /// The rows that get a label: the busiest, and as far as there is room those that have no events here.
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

    /// Every second group of rows: how far its upper end is from the bottom, and how high it is.
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

    fn notes(&self, are_points: bool) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut x = 0.0;
        let mut add = |mark, text: String, letters: usize| {
            notes.push(Note { mark, text, x });
            x += 30.0 + LETTER * letters as f64;
        };
        if are_points {
            add("point", "an event".to_owned(), 8);
        }
        let (activity, events) = (&self.subject.activity, &self.subject.summary.events);
        let within = activity.lost_within();
        if within > 0 {
            let text = format!("{} lost, of any tracepoint", Count(within, "sample"));
            let letters = text.chars().count();
            add("lost", text, letters);
        }
        if !activity.gaps().is_empty() {
            add("gap", "nothing recorded on any CPU".to_owned(), 27);
        }
        if events.late > 0 {
            add("", format!("{} late, not shown", Count(events.late, "event")), 30);
        }
        notes
    }
}

fn number(row: &Row) -> String {
    row.number.map(|number| number.to_string()).unwrap_or_default()
}

/// A stretch of one state, with as much of its name as there is room for.
fn strip(span: &StateSpan, x: impl Fn(u64) -> f64) -> (Span, String, String) {
    let (start, end) = (x(span.from_ns), x(span.to_ns));
    let letters = ((end - start - 6.0) / LETTER).max(0.0) as usize;
    let text = if letters < 3 { String::new() } else { shortened(&OneLine(&span.label).to_string(), letters) };
    (Span { start, length: end - start }, span.colour(), text)
}

/// A name that has room before the axis.
fn short(name: &str) -> String {
    shortened(name, LONGEST_LABEL)
}

/// Stretches as bands that can be seen; those that touch are one.
fn spans(stretches: impl Iterator<Item = (f64, f64)>) -> Vec<Span> {
    const LEAST: f64 = 1.5;
    let mut stretches: Vec<_> = stretches.collect();
    stretches.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut spans = Vec::<Span>::new();
    for (start, end) in stretches {
        match spans.last_mut() {
            Some(last) if start <= last.start + last.length + 0.5 => last.length = last.length.max(end - last.start),
            _ => spans.push(Span { start, length: (end - start).max(LEAST) }),
        }
    }
    spans
}

/// The points of a row as the path of a pen: half a unit wide each, neighbours as one stroke.
fn path(row: &[f32], left: f64, y: f64) -> String {
    let mut path = String::new();
    let mut at = None;
    let mut column = 0;
    for run in row.chunk_by(|a, b| (*a > 0.0) == (*b > 0.0)) {
        let (start, length) = (column as f64 * 0.5, run.len() as f64 * 0.5);
        column += run.len();
        if run[0] == 0.0 {
            continue;
        }
        // A single event is as wide as it can be seen.
        let length = length.max(1.5);
        let written = match at {
            None => write!(path, "M{:.1} {y:.2}h{length}", left + start),
            Some(at) => write!(path, "m{} 0h{length}", start - at),
        };
        written.expect("text is written into memory");
        at = Some(start + length);
    }
    path
}

/// The colour of a level: each can be seen on white and on black.
fn colour(level: u8) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] =
        [[96.0, 142.0, 218.0], [38.0, 163.0, 155.0], [120.0, 170.0, 60.0], [226.0, 142.0, 26.0], [214.0, 45.0, 80.0]];
    let place = f32::from(level.saturating_sub(1)) / 254.0 * (STOPS.len() - 1) as f32;
    let (below, part) = (place.floor(), place.fract());
    let (from, to) = (STOPS[below as usize], STOPS[(below as usize + 1).min(STOPS.len() - 1)]);
    std::array::from_fn(|n| (from[n] + (to[n] - from[n]) * part).round() as u8)
}

fn css([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The levels as a PNG with a pixel for each place, which is transparent where nothing is.
fn image(density: &Density, rows: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, density.width as u32, rows as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette((0..=255).flat_map(colour).collect::<Vec<u8>>());
    encoder.set_trns(&[0u8][..]);
    let mut writer = encoder.write_header().expect("rows and columns are few and not none");
    writer.write_image_data(&density.levels()).expect("there is a level for each place");
    writer.finish().expect("all levels are written");
    out
}

/// Draws an SVG of this module's as PNG.
///
/// # Errors
/// If it is too large.
pub fn png(svg: &str) -> Result<Vec<u8>, Error> {
    static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        Arc::new(fonts)
    });
    let options = usvg::Options {
        font_family: "Roboto Condensed".to_owned(),
        fontdb: Arc::clone(&FONTS),
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or(Error::Size(0, 0))?;
    let mut pixmap = Pixmap::new(size.width(), size.height()).ok_or(Error::Size(size.width(), size.height()))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    // Its background is opaque, so nothing of it is transparent.
    let pixels: Vec<u8> = pixmap.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, size.width(), size.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(out)
}
