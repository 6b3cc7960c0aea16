//! Plots of tracepoints over time and of groups over time. The thesis shows each of its experiments this way. [`paper`] has the figures for a
//! paper.
//!
//! The vertical axis has a row for each tracepoint (or group) that was hit, in the order of their numbers.
//! Those that were never hit have no row, so every row is at least one pixel high, and a frequent tracepoint
//! does not hide a rare neighbour. Sources that are reported together have the same rows, so that their plots
//! can be compared side by side.

pub mod colours;
mod density;
mod font;
mod hatch;
pub mod paper;
mod pdf;
mod png;
mod scene;
mod style;
mod svg;
mod ticks;

pub use png::Error;
pub use scene::Scene;

use crate::activity::Activity;
use crate::recording::{Summary, ThinnedStretch, Unwatched};
use crate::report::{SourceReport, StateSpan};
use crate::text::OneLine;
use crate::tracefs::{Table, Tpid, Tracepoint};
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many events, each is a point. Beyond that, the plot shows their density.
pub const MOST_POINTS: u64 = 100_000;

/// The most rows of a plot, which is more than any kernel has tracepoints.
pub const MOST_ROWS: usize = 8_000;

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlotFormat {
    /// SVG.
    Svg,
    /// PNG, with its resolution.
    Png,
    /// PDF, with its font.
    Pdf,
}

impl PlotFormat {
    /// All formats.
    pub const ALL: [PlotFormat; 3] = [PlotFormat::Svg, PlotFormat::Png, PlotFormat::Pdf];

    /// Its name, which is also the extension of a file.
    pub fn name(self) -> &'static str {
        match self {
            PlotFormat::Svg => "svg",
            PlotFormat::Png => "png",
            PlotFormat::Pdf => "pdf",
        }
    }
}

impl Scene {
    /// The bytes of a file with this scene.
    ///
    /// # Errors
    /// If it is too large for a PNG.
    pub fn picture(&self, format: PlotFormat) -> Result<Vec<u8>, Error> {
        match format {
            PlotFormat::Svg => Ok(self.svg().into_bytes()),
            PlotFormat::Png => self.png(),
            PlotFormat::Pdf => Ok(self.pdf()),
        }
    }
}

/// The subject that a plot shows over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// `tpid-time`.
    Tracepoints,
    /// `gid-time`.
    Groups,
}

impl Figure {
    /// Its name, as it is in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Tracepoints => "tpid-time",
            Figure::Groups => "gid-time",
        }
    }

    /// The plural word for its rows.
    pub fn rows(self) -> &'static str {
        match self {
            Figure::Tracepoints => "tracepoints",
            Figure::Groups => "groups",
        }
    }

    /// The name and the number of the row that a tracepoint belongs to.
    pub fn row(self, tracepoint: &Tracepoint) -> (String, u32) {
        match self {
            Figure::Tracepoints => (tracepoint.full_name(), tracepoint.tpid.get()),
            Figure::Groups => (tracepoint.group.clone(), tracepoint.gid.get()),
        }
    }
}

/// The parts of a source that a plot needs.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its label.
    pub label: &'a str,
    /// Its activity over time.
    pub activity: &'a Activity,
    /// Its tracepoints.
    pub table: &'a Table,
    /// The facts about it.
    pub summary: &'a Summary,
    /// The stretches in which a CPU was not watched, from the start of the activity.
    pub unwatched: &'a [Unwatched],
    /// The stretches in which a tracepoint was thinned or detached, from the start of the activity.
    pub thinned: &'a [ThinnedStretch],
    /// Its states. Empty if they are not known.
    pub states: &'a [StateSpan],
}

impl<'a> Subject<'a> {
    /// Takes them from a source that was read.
    pub fn of(source: &'a SourceReport) -> Self {
        let SourceReport { label, activity, table, summary, unwatched, thinned, state_spans, .. } = source;
        Subject { label, activity, table, summary, unwatched, thinned, states: state_spans }
    }
}

// The report does not decide how to draw a span.
impl StateSpan {
    /// The class of its colour in `states.css`. All stretches of one state have the same.
    pub fn colour(&self) -> String {
        match self.state {
            Some(state) => format!("state-{}", state % STATE_COLOURS),
            None => "state-unknown".to_owned(),
        }
    }
}

/// The number of colours for states in `states.css`. With more states, colours repeat.
const STATE_COLOURS: usize = 8;

/// The rows of a figure. The first is drawn at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    names: Vec<String>,
}

impl Axis {
    /// A row for each tracepoint or group that was hit in any of the sources, ordered by (group, name). The numbers have the same
    /// order.
    pub fn new(figure: Figure, subjects: &[Subject<'_>]) -> Self {
        let mut rows = BTreeSet::new();
        for subject in subjects {
            for (tpid, _) in subject.activity.tracepoints.hit() {
                let tracepoint = subject.table.get(Tpid::new(tpid));
                rows.insert((&tracepoint.group, figure.row(tracepoint).0));
            }
        }
        Axis { names: rows.into_iter().map(|(_, name)| name).collect() }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.names.len()
    }
}

/// A figure of one source.
pub struct Plot<'a> {
    figure: Figure,
    subject: &'a Subject<'a>,
    rows: Vec<Row>,
    /// The row of each tpid.
    row_of: Vec<u32>,
    /// The stretches in which a tracepoint was thinned or detached, and the row of each.
    stretches: Vec<(usize, &'a ThinnedStretch)>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Row {
    /// The tracepoint's or group's name, on one line.
    name: String,
    /// Its number in the source. `None` if it was not hit there.
    number: Option<u32>,
    events: u64,
}

impl<'a> Plot<'a> {
    /// A plot of this source, with these rows.
    pub fn new(figure: Figure, axis: &Axis, subject: &'a Subject<'a>) -> Self {
        let places: BTreeMap<&str, usize> =
            axis.names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let row = |name: &String| Row { name: OneLine(name).to_string(), ..Row::default() };
        let mut rows: Vec<Row> = axis.names.iter().map(row).collect();
        let hit: Vec<(u32, u64)> = subject.activity.tracepoints.hit().collect();
        let mut row_of = vec![0; hit.last().map_or(0, |(tpid, _)| *tpid as usize + 1)];
        for (tpid, events) in hit {
            let (name, number) = figure.row(subject.table.get(Tpid::new(tpid)));
            let Some(place) = places.get(name.as_str()) else { continue };
            rows[*place].number = Some(number);
            rows[*place].events += events;
            row_of[tpid as usize] = *place as u32;
        }
        let mut row_of_thinned = BTreeMap::<Tpid, Option<usize>>::new();
        let stretches = subject.thinned.iter().filter_map(|stretch| {
            let row = || places.get(figure.row(subject.table.get(stretch.tpid)).0.as_str()).copied();
            Some(((*row_of_thinned.entry(stretch.tpid).or_insert_with(row))?, stretch))
        });
        let stretches = stretches.collect();
        Plot { figure, subject, rows, row_of, stretches }
    }
}
