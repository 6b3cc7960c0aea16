//! What tp-perf notes in `events.perf` beside the events, so that the file alone replays to the same recording.

use super::Tool;
use crate::os::cpus::Cpu;
use crate::tracefs::{Selection, Table, Tpid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known before the events are on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// What wrote it.
    pub tool: Tool,
    /// The kernel's release.
    pub kernel: String,
    /// The machine's name.
    pub hostname: String,
    /// The CPUs captured, ascending.
    pub cpus: Vec<Cpu>,
    /// CPUs that were asked for and had gone offline.
    pub offline_cpus: Vec<Cpu>,
    /// The clock of the log's timestamps.
    pub clock: String,
    /// Nanoseconds to add to the times of the samples for it.
    pub clock_offset_ns: i64,
    /// COMMAND and its arguments.
    pub command: Option<Vec<String>>,
    /// tp-perf's own arguments.
    pub arguments: Vec<String>,
    /// How many events the log is to have at the most (`--events`).
    pub events: Option<u64>,
    /// About when the events were switched on, by the wall clock in UTC.
    pub started: String,
    /// Bytes of each ring.
    pub ring_size: usize,
    /// How long attaching took, in nanoseconds.
    pub attach_ns: u64,
    /// Whether tp-perf left itself out.
    pub self_excluded: bool,
    /// Its process.
    pub pid: i32,
    /// The tracepoints that were not captured, by why not.
    pub left_out: BTreeMap<String, Vec<Tpid>>,
}

/// What is known when the events are off again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// When the events were switched on, by the wall clock in UTC.
    pub started: String,
    /// As in the summary.
    pub stop_reason: String,
    /// What kept the capture from coming to its end, if anything did.
    pub problem: Option<String>,
    /// COMMAND's exit code.
    pub command_exit: Option<i32>,
    /// How long the events were on, in nanoseconds.
    pub capture_ns: u64,
    /// How long letting go of the tracepoints took, if that was waited for.
    pub detach_ns: Option<u64>,
    /// How long it was expected to take.
    pub detach_expected_ns: u64,
    /// CPU time of tp-perf while the events were on.
    pub own_cpu_ns: u64,
    /// CPUs that went offline during the capture.
    pub gone_cpus: Vec<Cpu>,
}

impl Facts {
    /// The tracepoints that were not captured, by why not.
    pub fn left_out(table: &Table, selection: &Selection) -> BTreeMap<String, Vec<Tpid>> {
        let mut left_out = BTreeMap::<String, Vec<Tpid>>::new();
        for tracepoint in table.tracepoints() {
            let status = selection.status(tracepoint.tpid);
            if !status.is_captured() {
                left_out.entry(status.to_string()).or_default().push(tracepoint.tpid);
            }
        }
        left_out
    }

    /// The selection that [`left_out`](Self::left_out) was made of.
    pub fn selection(&self, table: &Table) -> Selection {
        let statuses =
            self.left_out.iter().flat_map(|(status, tpids)| tpids.iter().map(move |tpid| (*tpid, status.as_str())));
        Selection::of_statuses(table, statuses)
    }
}
