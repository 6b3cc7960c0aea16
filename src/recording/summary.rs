//! `summary.json`: what a capture was, and its accounting.

use super::{Error, NewFile, StopReason, Tool};
use crate::events::accounting::{Account, Accounting};
use crate::os::cpus::Cpu;
use crate::tracefs::{Table, Tpid};
use crate::units::Ns;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The version of the form. It grows when a field changes its meaning or goes.
///
/// 2: `unaccounted` instead of `residual` and `residuals`; an unknown CPU is null. Readers accept 1.
pub const SCHEMA: u32 = 2;

/// The whole summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What wrote it.
    pub tool: Tool,
    /// The kernel's release, as `uname -r` says. Null, as all below may be, where a replayed file does not tell.
    pub kernel: Option<String>,
    /// The machine's name.
    pub hostname: Option<String>,
    /// The CPUs captured, ascending.
    pub cpus: Vec<Cpu>,
    /// CPUs that were asked for and went offline, before they could be attached to or during the capture (those are in
    /// `cpus` too).
    pub offline_cpus: Vec<Cpu>,
    /// The clock of the log's timestamps, as --clock names it; `local` is perf's default.
    pub clock: Option<String>,
    /// What was added to CLOCK_MONOTONIC for clocks that the kernel does not stamp samples with; taken once, at the
    /// start.
    pub clock_offset_ns: i64,
    /// COMMAND and its arguments, or null.
    pub command: Option<Vec<String>>,
    /// COMMAND's exit code (128 + n for signal n), or null while it was not over.
    pub command_exit: Option<i32>,
    /// The arguments of tp-perf itself.
    pub arguments: Vec<String>,
    /// When the events were switched on, by the wall clock in UTC.
    pub started: Option<String>,
    /// What stopped the capture; null also if it was killed.
    pub stop_reason: Option<StopReason>,
    /// False if the log holds less than was asked for, because of a second interrupt, a full disk, or a source that ends
    /// early.
    pub log_complete: bool,
    /// Bytes of each CPU's ring.
    pub ring_size: Option<usize>,
    /// To what a replay was restricted; not there if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restricted: Option<RestrictionSummary>,
    /// How many tracepoints.
    pub tracepoints: TracepointsSummary,
    /// How many events.
    pub events: EventsSummary,
    /// How long, in nanoseconds.
    pub timing_ns: TimingSummary,
    /// What tp-perf did not record of itself.
    #[serde(rename = "self")]
    pub own: Option<SelfSummary>,
    /// Every tracepoint that has an event in any column, by tpid.
    pub per_tracepoint: Vec<TracepointSummary>,
    /// Every CPU.
    pub per_cpu: Vec<CpuSummary>,
    /// Every tracepoint and CPU whose account does not balance, those furthest off first.
    #[serde(alias = "residuals")]
    pub unaccounted: Vec<UnaccountedSummary>,
}

/// What was asked of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestrictionSummary {
    /// Only these tracepoints.
    pub tracepoint: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
    /// Only these CPUs.
    pub cpus: Option<Vec<Cpu>>,
    /// Not before this, by the clock; concerns the log only, as all below.
    pub from: Option<Ns>,
    /// Only before this.
    pub to: Option<Ns>,
    /// At most so many.
    pub events: Option<u64>,
}

/// Counts of tracepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracepointsSummary {
    /// All that tracefs lists.
    pub listed: usize,
    /// Left out.
    pub excluded: usize,
    /// How many of these are excluded by default; not there if the source is no capture, or older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_by_default: Option<usize>,
    /// Recorded.
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
    /// Samples that found their ring full.
    pub lost: u64,
    /// Samples that came behind the merge's watermark: recorded, not logged. Counted as far as the log was written.
    pub late: u64,
    /// The sum of the kernel's counters; null, as all counts and unaccounted, where a replayed file has none.
    pub counted: Option<u64>,
    /// counted − recorded − lost.
    #[serde(alias = "residual")]
    pub unaccounted: Option<i64>,
    /// Samples that belong to no event of this capture; 0 unless something is broken.
    pub unknown: u64,
}

/// Durations in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimingSummary {
    /// Opening all events.
    pub attach: Option<u64>,
    /// From switching the events on to switching them off; of a replayed file that does not tell it, from its first event to
    /// its last.
    pub capture: Option<u64>,
    /// From then until the log was written; of a replay, all of it.
    pub drain: u64,
    /// The detach: measured with --wait-detach, else null.
    pub detach: Option<u64>,
    /// What the detach was expected to take.
    pub detach_expected: Option<u64>,
}

/// tp-perf's own part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfSummary {
    /// Whether hits while tp-perf's own thread was running are left out.
    pub excluded: bool,
    /// The process (and thread) id.
    pub pid: i32,
    /// CPU time that tp-perf used while the events were on, in nanoseconds. With `excluded`, interrupts that hit in
    /// this time are in no number here.
    pub cpu_ns: u64,
}

/// One tracepoint's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracepointSummary {
    /// Its number.
    pub tpid: Tpid,
    /// `group:name`.
    pub name: String,
    /// See [`EventsSummary`].
    pub recorded: u64,
    /// Null where losses are known per CPU only (before Linux 6.0, and without counters).
    pub lost: Option<u64>,
    /// See [`EventsSummary`].
    pub counted: Option<u64>,
    /// Null where `lost` is.
    #[serde(alias = "residual")]
    pub unaccounted: Option<i64>,
    /// Whether the kernel's counter adds up nanoseconds and not hits; `counted` is then recorded + lost.
    pub weighted: bool,
}

/// One CPU's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuSummary {
    /// The CPU.
    pub cpu: Cpu,
    /// See [`EventsSummary`].
    pub recorded: u64,
    /// See [`EventsSummary`].
    pub lost: u64,
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
    /// The tracepoint's number.
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
    pub counted: u64,
    /// See [`EventsSummary`].
    #[serde(alias = "residual")]
    pub unaccounted: i64,
}

/// Schema 1 had 4294967295 for an unknown CPU.
fn cpu_of_any_schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cpu>, D::Error> {
    Ok(Option::<u32>::deserialize(deserializer)?.filter(|cpu| *cpu != u32::MAX).map(Cpu::new))
}

impl EventsSummary {
    /// All hits: what the kernel counted, or where nobody counted, what was recorded and lost.
    pub fn all(&self) -> u64 {
        self.counted.unwrap_or(self.recorded.saturating_add(self.lost))
    }

    /// From the accounting, and the rows of the log.
    pub fn new(accounting: &Accounting, logged: u64) -> Self {
        let total = accounting.total();
        EventsSummary {
            logged,
            recorded: total.recorded,
            lost: total.lost,
            late: accounting.total_late(),
            counted: accounting.counted.then_some(total.counted),
            unaccounted: accounting.counted.then(|| total.unaccounted()),
            unknown: accounting.unknown,
        }
    }
}

/// The parts of the summary that list accounts: per tracepoint, per CPU, and those off balance.
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
        counted: accounting.counted.then_some(account.counted),
        unaccounted: (lost_known && accounting.counted).then(|| account.unaccounted()),
        weighted: table.get(tpid).is_weighted(),
    });
    let known = accounting.per_cpu().iter().filter_map(|(cpu, account)| Some(((*cpu)?, account)));
    let cpus = known.map(|(cpu, account)| CpuSummary {
        cpu,
        recorded: account.recorded,
        lost: account.lost,
        late: accounting.late.get(&Some(cpu)).copied().unwrap_or(0),
        counted: accounting.counted.then_some(account.counted),
        unaccounted: accounting.counted.then(|| account.unaccounted()),
    });
    let unaccounted = accounting.unbalanced().into_iter().map(|(slot, account)| UnaccountedSummary {
        tpid: slot.tpid,
        name: name(slot.tpid),
        cpu: slot.cpu,
        recorded: account.recorded,
        lost: account.lost,
        counted: account.counted,
        unaccounted: account.unaccounted(),
    });
    (tracepoints.collect(), cpus.collect(), unaccounted.collect())
}

impl Summary {
    /// Writes it as JSON.
    pub fn write(&self, mut file: NewFile<'_>) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Error::Io {
            verb: "encode",
            path: file.path(),
            cause: error.into(),
        })?;
        text.push(b'\n');
        file.write(&text)?;
        // Gives back what was set aside beyond it.
        file.cut(text.len() as u64)?;
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
        assert!(summary.unaccounted.len() > 3, "the fixture has some");
        // What is written of it is of the new schema, and reads as the same.
        let new = serde_json::to_string(&Summary { schema: SCHEMA, ..summary.clone() }).unwrap();
        assert!(!new.contains("residual"), "{new}");
        assert_eq!(serde_json::from_str::<Summary>(&new).unwrap(), Summary { schema: SCHEMA, ..summary });
    }

    #[test]
    fn an_unknown_cpu_is_none_whatever_the_schema_says() {
        let off = |cpu: &str| {
            let json =
                format!(r#"{{"tpid":1,"name":"a:b","cpu":{cpu},"recorded":1,"lost":0,"counted":2,"residual":1}}"#);
            serde_json::from_str::<UnaccountedSummary>(&json).unwrap()
        };
        assert_eq!((off("4294967295").cpu, off("null").cpu, off("3").cpu), (None, None, Some(Cpu::new(3))));
        assert!(serde_json::to_value(off("null")).unwrap()["cpu"].is_null());
    }
}
