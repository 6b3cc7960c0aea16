//! Report: what the kernel did, of one source or of several side by side. Others draw plots and a page of it, and print it.
//!
//! ```text
//!   source ──> event stream ──> activity (when what was active) ──┐
//!                   └─────────> summary (accounting, facts) ───────────┴──> source report ──┐
//!   another source …                                             ──> source report ──┤
//!                                                                                     ├──> differences
//!                                               text · json · csv · markdown · plots · page
//! ```

mod differences;
mod example;
mod facts;
pub mod formats;
mod label;
mod read;
mod sparkline;
pub mod states;
mod words;

pub use differences::{By, Compared, Differences, Presence};
pub use example::example_states;
pub use facts::facts;
pub use label::{file_name, labels};
pub use read::{Detail, ReportOptions, compare, read};
pub use sparkline::sparkline;
pub use states::{Identifier, StateSpan};
pub use words::{equation, own_share, stopped_by};

// The library shows these here, where its users need them.
pub use crate::activity::Activity;
pub use crate::ranking::{Ranked, Ranking};

use crate::drain::Problem;
use crate::recording::Summary;
use crate::state::Identification;
use crate::tracefs::{Selection, Table, Tpid};
use std::collections::HashMap;

/// What there is to tell of sources.
#[derive(Debug)]
pub struct Report {
    /// Of each.
    pub sources: Vec<SourceReport>,
    /// Between them; none if there is one only.
    pub differences: Option<Differences>,
    /// Whether the user asked for the end before it came.
    pub stopped: bool,
}

/// What there is to tell of one source.
#[derive(Debug)]
pub struct SourceReport {
    /// A short name of its own, for headings and files.
    pub label: String,
    /// The source, as it was named.
    pub place: String,
    /// What it was, and its accounting.
    pub summary: Summary,
    /// Its tracepoints.
    pub table: Table,
    /// What became of each.
    pub selection: Selection,
    /// Tracepoints and groups by hits. Of a range these are the samples within; of a whole capture what the kernel counted.
    pub ranking: Ranking,
    /// Whether it is of a range, or of what came until the user stopped it.
    pub is_range: bool,
    /// How many of the events log.csv has, if not all (`--events`).
    pub logged: Option<u64>,
    /// When what was active.
    pub activity: Activity,
    /// Which states it was in, if that was asked for and can be said.
    pub states: Option<Identification>,
    /// The same as it is drawn.
    pub state_spans: Vec<StateSpan>,
    /// Whether it is a log.csv, which tells nothing but its rows.
    pub is_log: bool,
    /// Whether its groups have no names.
    pub is_unnamed: bool,
    /// What kept it from being all that it should be, if anything did.
    pub problem: Option<Problem>,
}

impl SourceReport {
    /// Samples of each tracepoint, by tpid, and of each group, by name, in so many columns of equal width from the first event to the
    /// last.
    pub fn columns(&self, columns: usize) -> (HashMap<Tpid, Vec<f64>>, HashMap<String, Vec<f64>>) {
        let mut groups = HashMap::<String, Vec<f64>>::new();
        let mut tracepoints = HashMap::new();
        for (tpid, counts) in (0u32..).zip(self.activity.tracepoints.columns(columns)) {
            if counts.is_empty() {
                continue;
            }
            let tpid = Tpid::new(tpid);
            let tracepoint = self.table.get(tpid);
            let group = groups.entry(tracepoint.group.clone()).or_insert_with(|| vec![0.0; columns]);
            group.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
            tracepoints.insert(tpid, counts);
        }
        (tracepoints, groups)
    }
}
