//! Plots: tracepoints over time and groups over time, as the thesis shows each of its experiments.
//!
//! The id axis has a row for each tracepoint (or group) that was hit, in the order of their numbers, and not for those that
//! never were: so a row is never thinner than a pixel, and no frequent tracepoint hides a rare one beside it. Sources
//! that are reported together share their rows, so that their plots can be laid side by side.

mod density;
mod font;
mod png;
mod scene;
mod style;
mod svg;
mod ticks;

pub use png::Error;

use crate::activity::Activity;
use crate::recording::Summary;
use crate::report::{SourceReport, StateSpan};
use crate::tracefs::{Table, Tpid, Tracepoint};
use crate::units::OneLine;
use std::collections::{BTreeMap, BTreeSet};

/// Up to so many events each is a point; beyond that the plot shows how dense they are.
pub const MOST_POINTS: u64 = 100_000;

/// More rows than any kernel has tracepoints make no picture.
pub const MOST_ROWS: usize = 8_000;

/// What a plot shows over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// `tpid-time`.
    Tracepoints,
    /// `gid-time`.
    Groups,
}

impl Figure {
    /// As in the names of its files.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Tracepoints => "tpid-time",
            Figure::Groups => "gid-time",
        }
    }

    /// What a row is.
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

/// What is drawn of a source.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it is called.
    pub label: &'a str,
    /// When what was active in it.
    pub activity: &'a Activity,
    /// Its tracepoints.
    pub table: &'a Table,
    /// What it was.
    pub summary: &'a Summary,
    /// Which states it was in; none if that is not known.
    pub states: &'a [StateSpan],
}

impl<'a> Subject<'a> {
    /// Of a source that was read.
    pub fn of(source: &'a SourceReport) -> Self {
        let SourceReport { label, activity, table, summary, state_spans, .. } = source;
        Subject { label, activity, table, summary, states: state_spans }
    }
}

// How a span is drawn is no business of the report's.
impl StateSpan {
    /// The class of its colour (`states.css`): stretches of one state have the same.
    pub fn colour(&self) -> String {
        match self.state {
            Some(state) => format!("state-{}", state % STATE_COLOURS),
            None => "state-unknown".to_owned(),
        }
    }
}

/// Colours of states (`states.css`); beyond that they repeat.
const STATE_COLOURS: usize = 8;

/// The rows of a figure, from the first, which is drawn at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    names: Vec<String>,
}

impl Axis {
    /// All that was hit in any of them, in the order of (group, name), which is that of the numbers.
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

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.names.len()
    }
}

/// A figure of one source.
pub struct Plot<'a> {
    figure: Figure,
    subject: &'a Subject<'a>,
    rows: Vec<Row>,
    /// For each tpid its row.
    row_of: Vec<u32>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Row {
    /// The tracepoint's or group's name, on one line.
    name: String,
    /// Its number in the source; `None` if nothing of it was hit there.
    number: Option<u32>,
    events: u64,
}

impl<'a> Plot<'a> {
    /// Of this source, with these rows.
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
        Plot { figure, subject, rows, row_of }
    }
}
