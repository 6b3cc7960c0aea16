//! Reports on one source, or on several side by side. Other modules print the report and draw plots and a
//! page.
//!
//! ```text
//!   source ──> event stream ──> activity (hits over time) ────────┐
//!                   └─────────> summary (accounting, facts) ───────────┴──> source report ──┐
//!   another source …                                             ──> source report ──┤
//!                                                                                     ├──> differences
//!                                               text · json · csv · markdown · plots · page
//! ```

mod budget;
mod change;
mod change_words;
mod differences;
mod example;
mod facts;
pub mod formats;
#[cfg(feature = "history")]
mod history;
mod label;
mod moderation;
mod options;
mod read;
mod remarks;
mod rows;
mod rungs;
mod sides;
mod sparkline;
pub mod states;
mod words;

pub use budget::{BudgetFact, budget_facts};
pub use change::{FALSE_SHARE, RateChange};
pub use change_words::ChangeWords;
pub use differences::{By, Compared, Differences, Presence};
pub use example::example_states;
pub use facts::facts;
pub use label::{file_name, labels};
pub use options::{Detail, ReportOptions};
pub use read::{compare, read};
pub use rungs::{RankedWords, RungParts, SourceRungs, mark, mark_of_all, marks, unit};
pub use sides::Basis;
pub use sparkline::sparkline;
pub use states::{Identifier, StateSpan};
pub use words::{equation, lost_unassigned, own_share, share_of_time, stopped_by, stopping, threads_lost, unwatched};

// Users of the library need these together with a report.
pub use crate::activity::Activity;
pub use crate::ranking::{Ranked, Ranking};

use crate::drain::Problem;
use crate::events::{Filter, Ns};
use crate::processes::ProcessRanking;
use crate::recording::{Summary, ThinnedStretch, Unwatched};
use crate::source::Place;
use crate::state::Identification;
use crate::tracefs::{Selection, Table, Tpid};
use std::collections::HashMap;

/// A report on sources.
#[derive(Debug)]
pub struct Report {
    /// The report on each source.
    pub sources: Vec<SourceReport>,
    /// The differences between the sources. `None` if there is only one.
    pub differences: Option<Differences>,
    /// Whether the user stopped it before the last source ended.
    pub stopped: bool,
}

/// The report on one source.
#[derive(Debug)]
pub struct SourceReport {
    /// A short and unique name, for headings and files.
    pub label: String,
    /// The source.
    pub place: Place,
    /// The facts about it, and its accounting.
    pub summary: Summary,
    /// Its tracepoints.
    pub table: Table,
    /// Which of them were captured, and why the others were not.
    pub selection: Selection,
    /// Tracepoints and groups by hits. In a range these are the recorded events, and the hits that events of thinned
    /// tracepoints stand for; in a whole capture, the kernel's counts.
    pub ranking: Ranking,
    /// The processes by recorded events, if they were asked for.
    pub processes: Option<ProcessRanking>,
    /// Whether it covers only a range, or only the part up to where the user stopped it.
    pub is_range: bool,
    /// The part of the source that was asked for.
    pub filter: Filter,
    /// The time of the source's first event, from which times on the command line count. The activity can begin later.
    pub origin: Option<Ns>,
    /// The number of events in log.csv, if it does not have all (`--events`).
    pub logged: Option<u64>,
    /// The activity of tracepoints and CPUs over time.
    pub activity: Activity,
    /// The stretches in which a CPU was not watched, within the span of the activity and in nanoseconds from its start.
    pub unwatched: Vec<Unwatched>,
    /// The stretches in which a tracepoint was thinned or detached, within the span of the activity and in nanoseconds from its
    /// start. Empty without a budget.
    pub thinned: Vec<ThinnedStretch>,
    /// Its states, if they were asked for and could be identified.
    pub states: Option<Identification>,
    /// The same states, ready to be drawn.
    pub state_spans: Vec<StateSpan>,
    /// Whether `perf record` wrote it.
    pub is_by_perf: bool,
    /// Whether it is a log.csv, which has events but no facts.
    pub is_log: bool,
    /// Whether its groups have no names.
    pub is_unnamed: bool,
    /// Why it is incomplete, if it is.
    pub problem: Option<Problem>,
}

impl Report {
    /// Whether processes were asked for.
    pub fn is_by_process(&self) -> bool {
        self.sources.iter().any(|source| source.processes.is_some())
    }
}

impl SourceReport {
    /// The recorded events of each tracepoint and of each group, in this many columns of equal width. The
    /// columns reach from the first event to the last.
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
