//! A measurement: its conditions and its runs.

use super::Arm;
use crate::os::cpus::Cpu;
use crate::recording::Tool;
use crate::units::nanoseconds;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// The version of the JSON form. It grows when a field changes its meaning or is removed.
///
/// Version 2: `ways` has the figures of each way. Before, there was one way, and its figures were fields of the
/// whole object. A run has `arm` instead of `captured`.
pub const SCHEMA: u32 = 2;

/// A measurement. Its serialized form is the JSON form, with durations in nanoseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Overhead {
    /// The version of the JSON form.
    pub schema: u32,
    /// The tool that measured.
    pub tool: Tool,
    /// The release of the kernel.
    pub kernel: String,
    /// The name of the machine.
    pub hostname: String,
    /// COMMAND and its arguments.
    pub command: Vec<String>,
    /// The program that ran before each run.
    pub prepare: Option<String>,
    /// The watched CPUs.
    pub cpus: Vec<Cpu>,
    /// The arms, each once per round.
    pub arms: Vec<Arm>,
    /// The number of tracepoints that at least one way has attached.
    pub tracepoints: usize,
    /// The number of chosen tracepoints that counting leaves out, because their counters add up weights.
    pub not_counted: usize,
    /// The number of tracepoints that the kernel refused to attach.
    pub refused: usize,
    /// The size of each CPU's ring in bytes; 0 if no way records.
    pub ring_size: usize,
    /// The clock of the timestamps.
    pub clock: String,
    /// Whether tp-perf's own events were excluded.
    pub self_excluded: bool,
    /// Whether events are compressed before they are written to the file.
    pub compress: bool,
    /// The time at which it began, in RFC 3339.
    pub started: String,
    /// The process ID of tp-perf.
    pub pid: u32,
    /// The number of rounds that the user asked for. The runs of a way and those with the events off are as many
    /// pairs.
    #[serde(rename = "pairs_asked")]
    pub rounds_asked: usize,
    /// Uncounted runs before the first round, and after each wait for a detach.
    pub warmup: usize,
    /// The time that attaching all ways took at first. No figure includes it.
    #[serde(rename = "attach_ns", serialize_with = "as_nanoseconds")]
    pub attach: Duration,
    /// The expected time of a detach.
    #[serde(rename = "detach_expected_ns", serialize_with = "as_nanoseconds")]
    pub detach_expected: Duration,
    /// The time of the last detach, if tp-perf waited for it.
    #[serde(rename = "detach_ns", serialize_with = "as_nanoseconds_if_any")]
    pub detach: Option<Duration>,
    /// How long tp-perf waited for each detach before a run with nothing attached.
    #[serde(rename = "detach_waits_ns", serialize_with = "as_list_of_nanoseconds")]
    pub detach_waits: Vec<Duration>,
    /// If runs were to have nothing attached: the processes that held tracepoints for another tp-perf when the
    /// measurement began.
    pub attached_by_others: Vec<i32>,
    /// All runs that count, in the order in which they ran.
    pub runs: Vec<MeasuredRun>,
}

/// One run of COMMAND.
#[derive(Debug, Clone, Serialize)]
pub struct MeasuredRun {
    /// The number of its round, starting at 1. Two runs of a round are a pair.
    #[serde(rename = "pair")]
    pub round: usize,
    /// What was attached and on.
    pub arm: Arm,
    /// The time from its start to its end.
    #[serde(rename = "wall_ns", serialize_with = "as_nanoseconds")]
    pub wall: Duration,
    /// The CPU time of COMMAND and of all descendants that were waited for, user and system together.
    #[serde(rename = "cpu_ns", serialize_with = "as_nanoseconds")]
    pub cpu: Duration,
    /// The system part of that time.
    #[serde(rename = "system_ns", serialize_with = "as_nanoseconds")]
    pub system: Duration,
    /// The busy time of all CPUs together, from all causes. `None` if the kernel does not report it.
    #[serde(rename = "machine_ns", serialize_with = "as_nanoseconds_if_any")]
    pub machine: Option<Duration>,
    /// COMMAND's exit code.
    pub exit: i32,
    /// The hits of a run whose events were on.
    #[serde(flatten)]
    pub hits: Option<WatchedHits>,
}

/// The hits of one run whose events were on.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct WatchedHits {
    /// If they were recorded: recorded and lost events together. If they were counted: all hits.
    pub events: u64,
    /// Events lost because a ring was full; 0 if hits were counted. `None` if the kernel does not report losses
    /// (before Linux 6.0).
    pub lost: Option<u64>,
    /// The number of tracepoints that the budget has detached by the end of this run. Those of a recording stay detached in
    /// later runs.
    #[serde(skip_serializing_if = "crate::recording::is_zero")]
    pub detached: u64,
    /// The CPU time of tp-perf's own process while the events were on, without the time to start COMMAND.
    #[serde(rename = "own_cpu_ns", serialize_with = "as_nanoseconds")]
    pub own_cpu: Duration,
}

pub(super) fn as_nanoseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(nanoseconds(*duration))
}

fn as_nanoseconds_if_any<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(nanoseconds).serialize(serializer)
}

fn as_list_of_nanoseconds<S: Serializer>(durations: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(durations.iter().copied().map(nanoseconds))
}
