//! `summary.json`: what a capture was, and its books.

use super::{Error, NewFile};
use crate::events::accounting::{Account, Books};
use crate::os::cpus::Cpu;
use crate::tracefs::{Table, Tpid};
use crate::units::Ns;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// The version of the form. It grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The whole summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// `events`, `duration`, `command`, `interrupt`, `terminate`, `disk-full` or `error`; null also if the capture was
    /// killed.
    pub stop_reason: Option<String>,
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
    pub residuals: Vec<ResidualSummary>,
}

/// What was asked of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// What wrote the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `tp-perf`.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Counts of tracepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TracepointsSummary {
    /// All that tracefs lists.
    pub listed: usize,
    /// Left out.
    pub excluded: usize,
    /// Recorded.
    pub captured: usize,
    /// Chosen, but refused by the kernel.
    pub refused: usize,
}

/// Counts of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EventsSummary {
    /// Rows of log.csv.
    pub logged: u64,
    /// Samples taken from the rings.
    pub recorded: u64,
    /// Samples that found their ring full.
    pub lost: u64,
    /// Samples that came behind the merge's watermark: recorded, not logged. Counted as far as the log was written.
    pub late: u64,
    /// The sum of the kernel's counters; null, as all counts and residuals, where a replayed file has none.
    pub counted: Option<u64>,
    /// counted − recorded − lost.
    pub residual: Option<i64>,
    /// Samples that belong to no event of this capture; 0 unless something is broken.
    pub unknown: u64,
}

/// Durations in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimingSummary {
    /// Opening all events.
    pub attach: Option<u64>,
    /// From switching the events on to switching them off; of a replayed file that does not tell it, from its first event to
    /// its last.
    pub capture: Option<u64>,
    /// From then until the log was written; of a replay, all of it.
    pub drain: u64,
    /// Letting go of the tracepoints: measured with --wait-detach, else null.
    pub detach: Option<u64>,
    /// What letting go was expected to take.
    pub detach_expected: Option<u64>,
}

/// tp-perf's own part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    pub residual: Option<i64>,
    /// Whether the kernel's counter adds up nanoseconds and not hits; `counted` is then recorded + lost.
    pub weighted: bool,
}

/// One CPU's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    pub residual: Option<i64>,
}

/// An account that does not balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResidualSummary {
    /// The tracepoint's number.
    pub tpid: Tpid,
    /// `group:name`.
    pub name: String,
    /// The CPU; 4294967295 in the file if it is unknown.
    #[serde(serialize_with = "known_or_most")]
    pub cpu: Option<Cpu>,
    /// See [`EventsSummary`].
    pub recorded: u64,
    /// See [`EventsSummary`].
    pub lost: u64,
    /// See [`EventsSummary`].
    pub counted: u64,
    /// See [`EventsSummary`].
    pub residual: i64,
}

/// A field that is a number in the file, whatever is known, because it always was.
fn known_or_most<S: Serializer>(cpu: &Option<Cpu>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(cpu.map_or(u32::MAX, Cpu::get))
}

impl EventsSummary {
    /// All hits: what the kernel counted, or where nobody counted, what was recorded and lost.
    pub fn all(&self) -> u64 {
        self.counted.unwrap_or(self.recorded.saturating_add(self.lost))
    }

    /// From the books, and the rows of the log.
    pub fn new(books: &Books, logged: u64) -> Self {
        let total = books.total();
        EventsSummary {
            logged,
            recorded: total.recorded,
            lost: total.lost,
            late: books.total_late(),
            counted: books.counted.then_some(total.counted),
            residual: books.counted.then(|| total.residual()),
            unknown: books.unknown,
        }
    }
}

/// The parts of the summary that list accounts: per tracepoint, per CPU, and those off balance.
pub fn accounts(books: &Books, table: &Table) -> (Vec<TracepointSummary>, Vec<CpuSummary>, Vec<ResidualSummary>) {
    let name = |tpid| table.get(tpid).full_name();
    let lost_known = books.lost_per_tracepoint;
    let per_tracepoint: BTreeMap<Tpid, Account> = books.per_tracepoint();
    let tracepoints = per_tracepoint.into_iter().filter(|(_, account)| *account != Account::default());
    let tracepoints = tracepoints.map(|(tpid, account)| TracepointSummary {
        tpid,
        name: name(tpid),
        recorded: account.recorded,
        lost: lost_known.then_some(account.lost),
        counted: books.counted.then_some(account.counted),
        residual: (lost_known && books.counted).then(|| account.residual()),
        weighted: table.get(tpid).is_weighted(),
    });
    let known = books.per_cpu().iter().filter_map(|(cpu, account)| Some(((*cpu)?, account)));
    let cpus = known.map(|(cpu, account)| CpuSummary {
        cpu,
        recorded: account.recorded,
        lost: account.lost,
        late: books.late.get(&Some(cpu)).copied().unwrap_or(0),
        counted: books.counted.then_some(account.counted),
        residual: books.counted.then(|| account.residual()),
    });
    let residuals = books.unbalanced().into_iter().map(|(slot, account)| ResidualSummary {
        tpid: slot.tpid,
        name: name(slot.tpid),
        cpu: slot.cpu,
        recorded: account.recorded,
        lost: account.lost,
        counted: account.counted,
        residual: account.residual(),
    });
    (tracepoints.collect(), cpus.collect(), residuals.collect())
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
    fn the_cpu_of_a_residual_is_a_number_in_the_file_also_if_it_is_unknown() {
        let residual = |cpu| {
            let tpid = Tpid::new(1);
            ResidualSummary { tpid, name: "a:b".to_owned(), cpu, recorded: 1, lost: 0, counted: 2, residual: 1 }
        };
        let cpu = |cpu| serde_json::to_value(residual(cpu)).unwrap()["cpu"].clone();
        assert_eq!((cpu(Some(Cpu::new(3))), cpu(None)), (3.into(), 4_294_967_295_u32.into()));
    }
}
