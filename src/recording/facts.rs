//! What tp-perf notes in `events.perf` beside the events, so that the file alone replays to the same recording.

use super::Tool;
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::tracefs::{Selection, Status, Table, Tpid};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The version of the form of facts and endings. It grows when a field changes its meaning or goes.
pub const FACTS_SCHEMA: u32 = 2;

/// What is known before the events are on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The version of this form and of [`Ending`]'s: [`FACTS_SCHEMA`], or 1, which version 0.1.0 did not write.
    #[serde(default = "first_schema")]
    pub schema: u32,
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
    pub clock: Clock,
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
    /// The tracepoints that were not captured.
    #[serde(deserialize_with = "left_out")]
    pub left_out: Vec<LeftOut>,
}

/// What is known when the events are off again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// When the events were switched on, by the wall clock in UTC.
    pub started: String,
    /// What stopped it.
    pub stop_reason: StopReason,
    /// What kept the capture from coming to its end, if anything did.
    pub problem: Option<String>,
    /// COMMAND's exit code.
    pub command_exit: Option<i32>,
    /// How long the events were on, in nanoseconds.
    pub capture_ns: u64,
    /// How long the detach took, if that was waited for.
    pub detach_ns: Option<u64>,
    /// How long it was expected to take.
    pub detach_expected_ns: u64,
    /// CPU time of tp-perf while the events were on.
    pub own_cpu_ns: u64,
    /// CPUs that went offline during the capture.
    pub gone_cpus: Vec<Cpu>,
}

/// Tracepoints that were not captured, all for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Why not.
    #[serde(flatten)]
    pub status: Status,
    /// The tracepoints, ascending.
    pub tpids: Vec<Tpid>,
}

/// What stopped a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// `--events` were there.
    Events,
    /// `--duration` was over.
    Duration,
    /// COMMAND ended.
    Command,
    /// SIGINT.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
    /// The chunks found no room on disk.
    DiskFull,
    /// The chunks could not be taken for another reason.
    Error,
}

impl Facts {
    /// The tracepoints that were not captured, by why not.
    pub fn left_out(table: &Table, selection: &Selection) -> Vec<LeftOut> {
        let mut left_out = BTreeMap::<&Status, Vec<Tpid>>::new();
        for tracepoint in table.tracepoints() {
            let status = selection.status(tracepoint.tpid);
            if !status.is_captured() {
                left_out.entry(status).or_default().push(tracepoint.tpid);
            }
        }
        left_out.into_iter().map(|(status, tpids)| LeftOut { status: status.clone(), tpids }).collect()
    }

    /// The selection that [`left_out`](Self::left_out) was made of.
    pub fn selection(&self, table: &Table) -> Selection {
        let statuses =
            self.left_out.iter().flat_map(|LeftOut { status, tpids }| tpids.iter().map(|tpid| (*tpid, status.clone())));
        Selection::of_statuses(table, statuses)
    }
}

fn first_schema() -> u32 {
    1
}

/// What was left out, in the form of today or that of version 0.1.0: words, each with its tracepoints.
fn left_out<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LeftOut>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Typed(Vec<LeftOut>),
        Words(BTreeMap<String, Vec<Tpid>>),
    }
    Ok(match Form::deserialize(deserializer)? {
        Form::Typed(left_out) => left_out,
        Form::Words(words) => {
            words.into_iter().map(|(words, tpids)| LeftOut { status: Status::of_words(&words), tpids }).collect()
        }
    })
}
