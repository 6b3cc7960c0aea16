//! `summary.json`: the facts about a capture, and its accounting.

use super::{
    BudgetSummary, Error, LastSummary, NewFile, OnlySummary, OthersSummary, StopReason, Tool, Trigger, Unwatched,
};
use crate::events::accounting::{Account, Accounting};
use crate::os::cpus::Cpu;
use crate::text::write_json_pretty;
use crate::tracefs::{Table, Tpid};
use crate::units::{Elapsed, Ns, Plural};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The schema version. It increases when a field changes its meaning or is removed.
///
/// Version 2 has `unaccounted` instead of `residual` and `residuals`, and null for an unknown CPU. Readers
/// accept 1.
pub const SCHEMA: u32 = 2;

/// The whole summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The schema version: [`SCHEMA`], or 1 in an old file.
    pub schema: u32,
    /// The program that captured.
    pub tool: Tool,
    /// The kernel's release, as `uname -r` prints it. This and every optional field below is null if a
    /// replayed file does not have it.
    pub kernel: Option<String>,
    /// The host name.
    pub hostname: Option<String>,
    /// The captured CPUs, ascending.
    pub cpus: Vec<Cpu>,
    /// The chosen CPUs that were offline, or went offline while attaching or during the capture. Those that
    /// went offline during the capture are in `cpus` too.
    pub offline_cpus: Vec<Cpu>,
    /// The stretches in which a CPU was not watched, in nanoseconds from the first event.
    #[serde(default)]
    pub unwatched: Vec<Unwatched>,
    /// The clock of the log's timestamps, by its name in --clock; `local` is perf's default clock.
    pub clock: Option<String>,
    /// Nanoseconds added to the times of the samples, for clocks that the kernel does not accept for
    /// tracepoints. Measured once, at the start.
    pub clock_offset_ns: i64,
    /// COMMAND and its arguments, or null.
    pub command: Option<Vec<String>>,
    /// COMMAND's exit code (128 + n for signal n), or null if it had not ended.
    pub command_exit: Option<i32>,
    /// tp-perf's own arguments.
    pub arguments: Vec<String>,
    /// The time at which the events were switched on, by the wall clock in UTC.
    pub started: Option<String>,
    /// Why the capture stopped; null also if the source does not have the end of the recording.
    pub stop_reason: Option<StopReason>,
    /// False if the log has fewer events than requested, because of a second interrupt, a full disk, or a
    /// source that ends early.
    pub log_complete: bool,
    /// The size of each CPU's ring in bytes.
    pub ring_size: Option<usize>,
    /// The budget of the recording; the field is missing if it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetSummary>,
    /// The processes that the recording was limited to; the field is missing if it has all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<OnlySummary>,
    /// What such a recording left out; also missing if it has no counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<OthersSummary>,
    /// The windows, if the source is a history: it has counted hits, and no events. Otherwise, the field is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<WindowsSummary>,
    /// How much of the capture the recording keeps; the field is missing if it has all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastSummary>,
    /// What made tp-perf write it; also missing if it has all, or if the capture just ended. The time is in nanoseconds from the first
    /// event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// The restriction of a replay; the field is missing if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restricted: Option<RestrictionSummary>,
    /// Counts of tracepoints.
    pub tracepoints: TracepointsSummary,
    /// Counts of events.
    pub events: EventsSummary,
    /// Durations in nanoseconds.
    pub timing_ns: TimingSummary,
    /// tp-perf's own part of the capture.
    #[serde(rename = "self")]
    pub own: Option<SelfSummary>,
    /// The accounts of all tracepoints that were hit, by tpid.
    pub per_tracepoint: Vec<TracepointSummary>,
    /// The accounts of all CPUs.
    pub per_cpu: Vec<CpuSummary>,
    /// The accounts of all tracepoints and CPUs that do not balance, the largest difference first.
    #[serde(alias = "residuals")]
    pub unaccounted: Vec<UnaccountedSummary>,
}

/// The windows of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsSummary {
    /// The number of windows.
    pub windows: u64,
    /// The time that was counted, in nanoseconds.
    pub counted_ns: u64,
    /// The begin of the first window and the end of the last one, by the wall clock in UTC.
    pub from: String,
    /// See `from`.
    pub to: String,
    /// The files that were read.
    pub files: usize,
    /// The tracepoints that were visited at times, so their hits are estimates.
    pub visited: usize,
    /// The tracepoints that were detached at times, so some of their hits are unknown.
    pub detached: usize,
}

impl WindowsSummary {
    /// In a sentence.
    pub fn words(&self) -> String {
        let WindowsSummary { windows, counted_ns, from, to, files, visited, detached } = self;
        let time = Elapsed(Duration::from_nanos(*counted_ns));
        let (windows, files) = (Plural(*windows, "window"), Plural(*files as u64, "file"));
        let tracepoints = |number: usize| Plural(number as u64, "tracepoint");
        let visited = match visited {
            0 => String::new(),
            visited => {
                format!("; {} visited at times, so the hits marked with ~ are estimates", were(tracepoints(*visited)))
            }
        };
        let detached = match detached {
            0 => String::new(),
            detached => format!("; {} detached at times, so some hits are unknown", were(tracepoints(*detached))),
        };
        format!("{windows} from {from} to {to}, {time} in all, in {files}{visited}{detached}")
    }
}

fn were(number: Plural) -> String {
    format!("{number} {}", number.were())
}

/// The restriction of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestrictionSummary {
    /// Only these tracepoints.
    pub tracepoint: Vec<String>,
    /// Without these tracepoints.
    pub exclude: Vec<String>,
    /// Only these CPUs.
    pub cpus: Option<Vec<Cpu>>,
    /// Only events at or after this time. This and the fields below restrict only the log.
    pub from: Option<Ns>,
    /// Only events before this time.
    pub to: Option<Ns>,
    /// At most this many events.
    pub events: Option<u64>,
    /// Only events of these processes, and of those that they started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pids: Vec<u32>,
    /// Only events of threads with these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comms: Vec<String>,
    /// Only events of these cgroups, and of those below them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cgroups: Vec<String>,
}

/// Counts of tracepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracepointsSummary {
    /// All tracepoints in tracefs.
    pub listed: usize,
    /// Excluded by the selection.
    pub excluded: usize,
    /// The number of tracepoints excluded by default. Absent if the source is not a capture, or older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_by_default: Option<usize>,
    /// Attached and recorded.
    pub captured: usize,
    /// Chosen, but refused by the kernel.
    pub refused: usize,
}

/// Counts of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsSummary {
    /// Rows of log.csv.
    pub logged: u64,
    /// Samples taken from the rings.
    pub recorded: u64,
    /// Samples that the kernel dropped because the ring was full.
    pub lost: u64,
    /// Hits that were counted but not recorded, because their tracepoint was thinned. Absent if 0, as without a budget.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub thinned: u64,
    /// Events that arrived below the merge's watermark: they are recorded, but not in the log. Counted as far
    /// as the log was written.
    pub late: u64,
    /// The hits, estimated from the recorded events and the hits that each stands for. Only if there are no kernel's counters,
    /// and tracepoints were thinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated: Option<u64>,
    /// Hits by the kernel's counters, without those of other processes that a recording of chosen processes left out.
    /// This and `unaccounted` are null everywhere if a replayed file has no
    /// counters.
    pub counted: Option<u64>,
    /// counted − recorded − thinned − lost.
    #[serde(alias = "residual")]
    pub unaccounted: Option<i64>,
    /// Samples whose id does not belong to any event of this capture; 0 unless the file is damaged.
    pub unknown: u64,
    /// Records that were lost in rings that tracepoints shared with other events. The file does not show which
    /// events lost them, so they are not in `lost`. 0 in older files.
    #[serde(default)]
    pub lost_unassigned: u64,
    /// Records about threads that were lost, so names and processes may be wrong. Absent if 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub threads_lost: u64,
}

/// Durations in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimingSummary {
    /// The time to open all events.
    pub attach: Option<u64>,
    /// The time from switching the events on to switching them off. For a replayed file that does not have
    /// it, the time from the first event to the last.
    pub capture: Option<u64>,
    /// The time from then until the log was written; for a replay, the time of the whole replay.
    pub drain: u64,
    /// The time to detach, measured with --wait-detach; null otherwise.
    pub detach: Option<u64>,
    /// The expected time to detach.
    pub detach_expected: Option<u64>,
}

/// tp-perf's own part of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfSummary {
    /// Whether hits are excluded while tp-perf's own thread runs.
    pub excluded: bool,
    /// The process (and thread) id.
    pub pid: i32,
    /// The CPU time of tp-perf while the events were on, in nanoseconds. With `excluded`, no number in this
    /// file includes the interrupts during this time.
    pub cpu_ns: u64,
}

/// One tracepoint's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracepointSummary {
    /// The tpid.
    pub tpid: Tpid,
    /// `group:name`.
    pub name: String,
    /// See [`EventsSummary`].
    pub recorded: u64,
    /// See [`EventsSummary`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub thinned: u64,
    /// See [`EventsSummary`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated: Option<u64>,
    /// Null if losses are known only per CPU (before Linux 6.0, and without counters).
    pub lost: Option<u64>,
    /// See [`EventsSummary`].
    pub counted: Option<u64>,
    /// Null if `lost` is null.
    #[serde(alias = "residual")]
    pub unaccounted: Option<i64>,
    /// Whether the kernel's counter adds up nanoseconds instead of hits. `counted` is then recorded + lost.
    pub weighted: bool,
}

/// One CPU's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuSummary {
    /// The CPU; null for events whose CPU is unknown.
    pub cpu: Option<Cpu>,
    /// See [`EventsSummary`].
    pub recorded: u64,
    /// See [`EventsSummary`].
    pub lost: u64,
    /// See [`EventsSummary`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub thinned: u64,
    /// See [`EventsSummary`].
    pub late: u64,
    /// See [`EventsSummary`].
    pub counted: Option<u64>,
    /// See [`EventsSummary`].
    #[serde(alias = "residual")]
    pub unaccounted: Option<i64>,
}

/// An account that does not balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnaccountedSummary {
    /// The tpid.
    pub tpid: Tpid,
    /// `group:name`.
    pub name: String,
    /// The CPU; null if it is unknown.
    #[serde(deserialize_with = "cpu_of_any_schema")]
    pub cpu: Option<Cpu>,
    /// See [`EventsSummary`].
    pub recorded: u64,
    /// See [`EventsSummary`].
    pub lost: u64,
    /// See [`EventsSummary`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub thinned: u64,
    /// See [`EventsSummary`].
    pub counted: u64,
    /// See [`EventsSummary`].
    #[serde(alias = "residual")]
    pub unaccounted: i64,
}

/// Whether a field is left out.
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Reads a CPU. Schema 1 has 4294967295 for an unknown one.
fn cpu_of_any_schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cpu>, D::Error> {
    Ok(Option::<u32>::deserialize(deserializer)?.filter(|cpu| *cpu != u32::MAX).map(Cpu::new))
}

impl Summary {
    /// Whether its numbers are hits, of which only some or none are events.
    pub fn is_of_hits(&self) -> bool {
        self.budget.is_some() || self.history.is_some()
    }
}

impl EventsSummary {
    /// All hits: the kernel's count, or the estimate, or recorded + thinned + lost if there is neither.
    pub fn all(&self) -> u64 {
        let known = self.recorded.saturating_add(self.thinned).saturating_add(self.lost);
        self.counted.or(self.estimated).unwrap_or(known)
    }

    /// The counts of an accounting. `logged` is the number of rows in the log.
    pub fn new(accounting: &Accounting, logged: u64) -> Self {
        let total = accounting.total();
        EventsSummary {
            logged,
            recorded: total.recorded,
            lost: total.lost,
            thinned: total.thinned,
            late: accounting.total_late(),
            estimated: None,
            counted: accounting.counted.then_some(total.counted),
            unaccounted: accounting.counted.then(|| total.unaccounted()),
            unknown: accounting.unknown,
            lost_unassigned: accounting.lost_unassigned,
            threads_lost: accounting.threads_lost,
        }
    }
}

/// The parts of the summary that list accounts: per tracepoint, per CPU, and those that do not balance.
pub fn accounts(
    accounting: &Accounting,
    table: &Table,
) -> (Vec<TracepointSummary>, Vec<CpuSummary>, Vec<UnaccountedSummary>) {
    let name = |tpid| table.get(tpid).full_name();
    let lost_known = accounting.lost_per_tracepoint;
    let per_tracepoint: BTreeMap<Tpid, Account> = accounting.per_tracepoint();
    let tracepoints = per_tracepoint.into_iter().filter(|(_, account)| *account != Account::default());
    let tracepoints = tracepoints.map(|(tpid, account)| TracepointSummary {
        tpid,
        name: name(tpid),
        recorded: account.recorded,
        lost: lost_known.then_some(account.lost),
        thinned: account.thinned,
        estimated: None,
        counted: accounting.counted.then_some(account.counted),
        unaccounted: (lost_known && accounting.counted).then(|| account.unaccounted()),
        weighted: table.get(tpid).is_weighted(),
    });
    let cpus = accounting.per_cpu().iter().map(|(cpu, account)| CpuSummary {
        cpu: *cpu,
        recorded: account.recorded,
        lost: account.lost,
        thinned: account.thinned,
        late: accounting.late.get(cpu).copied().unwrap_or(0),
        counted: accounting.counted.then_some(account.counted),
        unaccounted: accounting.counted.then(|| account.unaccounted()),
    });
    let unaccounted = accounting.unbalanced().into_iter().map(|(slot, account)| UnaccountedSummary {
        tpid: slot.tpid,
        name: name(slot.tpid),
        cpu: slot.cpu,
        recorded: account.recorded,
        lost: account.lost,
        thinned: account.thinned,
        counted: account.counted,
        unaccounted: account.unaccounted(),
    });
    (tracepoints.collect(), cpus.collect(), unaccounted.collect())
}

impl Summary {
    /// Whether perf recorded the source, and not tp-perf.
    pub fn is_of_perf(&self) -> bool {
        self.tool.name == "perf"
    }

    /// Writes the summary as JSON.
    pub fn write(&self, mut file: NewFile<'_>) -> Result<(), Error> {
        let length = file.write_with(|out| write_json_pretty(self, out))?;
        // Release the reserved room behind the text.
        file.cut(length)?;
        file.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_the_first_schema_is_read() {
        let old = include_str!("../../fixtures/make.summary.json");
        let summary: Summary = serde_json::from_str(old).unwrap();
        assert_eq!((summary.schema, summary.stop_reason), (1, Some(StopReason::Events)));
        assert_eq!(summary.events.unaccounted, Some(summary.unaccounted.iter().map(|off| off.unaccounted).sum()));
        assert!(summary.unaccounted.len() > 3, "the fixture has some unbalanced accounts");
        // Written again, it has the new schema and the same contents.
        let new = serde_json::to_string(&Summary { schema: SCHEMA, ..summary.clone() }).unwrap();
        assert!(!new.contains("residual"), "{new}");
        assert_eq!(serde_json::from_str::<Summary>(&new).unwrap(), Summary { schema: SCHEMA, ..summary });
    }

    #[test]
    fn an_unknown_cpu_is_none_in_every_schema() {
        let off = |cpu: &str| {
            let json =
                format!(r#"{{"tpid":1,"name":"a:b","cpu":{cpu},"recorded":1,"lost":0,"counted":2,"residual":1}}"#);
            serde_json::from_str::<UnaccountedSummary>(&json).unwrap()
        };
        assert_eq!((off("4294967295").cpu, off("null").cpu, off("3").cpu), (None, None, Some(Cpu::new(3))));
        assert!(serde_json::to_value(off("null")).unwrap()["cpu"].is_null());
    }
}
