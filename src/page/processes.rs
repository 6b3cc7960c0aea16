//! The table of the processes on the page.

use super::process_graph::MOST_PROCESSES;
use super::shown;
use crate::report::{SourceReport, mark};
use crate::units::{Grouped, Rate, Share};

/// The most processes in the table.
const MOST_ROWS: usize = 500;
/// The tracepoints that a row names.
const NAMED: usize = 3;

/// A process, ready to be shown.
pub(super) struct PageProcess {
    /// Its row in the graph of processes, if it has one.
    pub graph: Option<usize>,
    pub name: String,
    /// Its number, for sorting; 0 if it has none.
    pub pid: u32,
    pub pid_text: String,
    pub events: u64,
    pub events_text: String,
    pub share: f64,
    pub share_text: String,
    pub rate: f64,
    pub rate_text: String,
    /// Its tracepoints with the most events.
    pub mostly: String,
    /// The path of its cgroup; empty if it is not known.
    pub cgroup: String,
}

/// The rows of the table, and how many processes have none. Empty if the processes are not known.
pub(super) fn process_rows(source: &SourceReport) -> (Vec<PageProcess>, usize) {
    let Some(all) = source.processes.as_ref().filter(|all| all.is_known) else { return (Vec::new(), 0) };
    let mark = mark(all.is_estimate);
    let can_follow = |process| all.over_time.as_ref().is_some_and(|over_time| over_time.is_whole(process));
    let rows = all.processes.iter().take(MOST_ROWS).enumerate().map(|(number, ranked)| {
        let part = |events: u64| Share(events as f64 / ranked.events.max(1) as f64);
        let mostly = ranked.tracepoints.iter().take(NAMED);
        let mostly = mostly.map(|(tpid, events)| format!("{} {}", source.table.get(*tpid).full_name(), part(*events)));
        let (share, rate) = (all.share(ranked.events), source.ranking.per_second(ranked.events));
        PageProcess {
            graph: (number < MOST_PROCESSES && can_follow(ranked.number)).then_some(number),
            name: shown(&ranked.process.words()),
            pid: ranked.process.pid.map_or(0, |pid| pid.get()),
            pid_text: ranked.process.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            events: ranked.events,
            events_text: format!("{mark}{}", Grouped(ranked.events)),
            share,
            share_text: format!("{mark}{}", Share(share)),
            rate: rate.unwrap_or(0.0),
            rate_text: rate.map(|rate| format!("{mark}{}", Rate(rate))).unwrap_or_default(),
            mostly: shown(&mostly.collect::<Vec<_>>().join(", ")),
            cgroup: ranked.process.cgroup.as_deref().map(shown).unwrap_or_default(),
        }
    });
    (rows.collect(), all.processes.len().saturating_sub(MOST_ROWS))
}
