//! Plots: tracepoints over time and groups over time, as the thesis shows each of its experiments.
//!
//! The id axis has a row for each tracepoint (or group) that was hit, in the order of their numbers, and not for those that
//! never were: so a row is never thinner than a pixel, and no frequent tracepoint hides a rare one beside it. Sources
//! that are reported together share their rows, so that their plots can be laid side by side.

mod density;
mod svg;
mod ticks;

pub use svg::{Error, png};

use crate::report::SourceReport;
use crate::tracefs::Tracepoint;
use crate::units::OneLine;
use std::collections::{BTreeMap, BTreeSet};

/// Up to so many events each is a point; beyond that the plot shows how dense they are.
pub const MOST_POINTS: u64 = 100_000;

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
            Figure::Tracepoints => (tracepoint.full_name(), tracepoint.tpid),
            Figure::Groups => (tracepoint.group.clone(), tracepoint.gid),
        }
    }
}

/// The rows of a figure, from the first, which is drawn at the bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    names: Vec<String>,
}

impl Axis {
    /// All that was hit in any of the sources, in the order of (group, name), which is that of the numbers.
    pub fn new(figure: Figure, sources: &[SourceReport]) -> Self {
        let mut rows = BTreeSet::new();
        for source in sources {
            for tpid in hit(source) {
                let tracepoint = source.table.get(tpid);
                rows.insert((&tracepoint.group, figure.row(tracepoint).0));
            }
        }
        Axis { names: rows.into_iter().map(|(_, name)| name).collect() }
    }
}

/// The tpids that have events.
fn hit(source: &SourceReport) -> impl Iterator<Item = u32> {
    let totals = source.activity.tracepoints.totals();
    (0u32..).zip(totals).filter(|(_, events)| *events > 0).map(|(tpid, _)| tpid)
}

/// A figure of one source.
pub struct Plot<'a> {
    figure: Figure,
    source: &'a SourceReport,
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
    pub fn new(figure: Figure, axis: &Axis, source: &'a SourceReport) -> Self {
        let places: BTreeMap<&str, usize> =
            axis.names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let row = |name: &String| Row { name: OneLine(name).to_string(), ..Row::default() };
        let mut rows: Vec<Row> = axis.names.iter().map(row).collect();
        let totals = source.activity.tracepoints.totals();
        let mut row_of = vec![0; totals.len()];
        for tpid in hit(source) {
            let (name, number) = figure.row(source.table.get(tpid));
            let Some(place) = places.get(name.as_str()) else { continue };
            rows[*place].number = Some(number);
            rows[*place].events += totals[tpid as usize];
            row_of[tpid as usize] = *place as u32;
        }
        Plot { figure, source, rows, row_of }
    }
}
