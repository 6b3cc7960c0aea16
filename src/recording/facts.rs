//! What tp-perf notes in `events.perf` beside the events, so that the file alone replays to the same recording.

use super::Tool;
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::tracefs::{Selection, Status, Table, Tpid};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
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

/// What was left out, in the form of today, a list, or that of version 0.1.0: words, each with its tracepoints.
fn left_out<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LeftOut>, D::Error> {
    let form = Value::deserialize(deserializer)?;
    if form.is_array() {
        return serde_json::from_value(form).map_err(de::Error::custom);
    }
    let words: BTreeMap<String, Vec<Tpid>> = serde_json::from_value(form).map_err(de::Error::custom)?;
    Ok(words.into_iter().map(|(words, tpids)| LeftOut { status: Status::of_words(&words), tpids }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(left_out: &str) -> Result<Vec<LeftOut>, String> {
        #[derive(Deserialize)]
        struct Part {
            #[serde(deserialize_with = "super::left_out")]
            left_out: Vec<LeftOut>,
        }
        let part = serde_json::from_str::<Part>(&format!(r#"{{"left_out":{left_out}}}"#));
        part.map(|part| part.left_out).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_left_out_is_read_in_both_forms() {
        let old = read(r#"{"excluded: by -x a*":[1,2],"refused: EINVAL":[3]}"#).unwrap();
        let new = read(&serde_json::to_string(&old).unwrap()).unwrap();
        assert_eq!(old, new);
        assert_eq!(old[1], LeftOut { status: Status::of_words("refused: EINVAL"), tpids: vec![Tpid::new(3)] });
    }

    #[test]
    fn what_a_newer_version_notes_is_an_error_that_names_it() {
        let error = read(r#"[{"status":"thinned","tpids":[1]}]"#).unwrap_err();
        assert!(error.contains("thinned"), "{error}");
        assert!(read(r#"{"excluded":[0]}"#).is_err(), "no tracepoint has this number");
    }
}
