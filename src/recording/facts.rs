//! tp-perf's own notes in `events.perf`. With them, the file alone replays to the same recording.

use super::{CostOfRecording, LastSummary, OnlySummary, OtherHits, Tool, Trigger, Unwatched};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::tracefs::{Selection, Status, Table, Tpid};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use std::collections::BTreeMap;

/// The newest schema version of facts and endings. It increases when a field changes its meaning or is removed, or when the
/// events mean something else. In version 3, an event can stand for several hits, because its tracepoint was thinned. In version
/// 4, the events may be only those of chosen processes, and the counters those of all. In version 5, the events may be only the last
/// ones of a capture, and a tracepoint may have been thinned before the first of them.
const FACTS_SCHEMA: u32 = 5;

/// The facts about a capture that are known before its events go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The schema version of this and of [`Ending`], or 1 if it is missing, as in version 0.1.0.
    #[serde(default = "first_schema")]
    pub schema: u32,
    /// The program that wrote the recording.
    pub tool: Tool,
    /// The kernel's release.
    pub kernel: String,
    /// The host name.
    pub hostname: String,
    /// The captured CPUs, ascending.
    pub cpus: Vec<Cpu>,
    /// The chosen CPUs that had gone offline.
    pub offline_cpus: Vec<Cpu>,
    /// The clock of the log's timestamps.
    pub clock: Clock,
    /// Nanoseconds to add to the times of the samples to get times of `clock`.
    pub clock_offset_ns: i64,
    /// COMMAND and its arguments.
    pub command: Option<Vec<String>>,
    /// tp-perf's own arguments.
    pub arguments: Vec<String>,
    /// The maximum number of events in the log (`--events`).
    pub events: Option<u64>,
    /// The approximate time at which the events were switched on, by the wall clock in UTC.
    pub started: String,
    /// The size of each ring in bytes.
    pub ring_size: usize,
    /// The budget, as a part of the time of all CPUs; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// The processes that the recording was limited to; absent if it has all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<OnlySummary>,
    /// How much of the capture the recording keeps; absent if it has all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastSummary>,
    /// How long attaching took, in nanoseconds.
    pub attach_ns: u64,
    /// Whether tp-perf excluded its own hits.
    pub self_excluded: bool,
    /// tp-perf's process id.
    pub pid: i32,
    /// The tracepoints that were not captured.
    #[serde(deserialize_with = "left_out")]
    pub left_out: Vec<LeftOut>,
}

/// The facts about a capture that are known once its events are off again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// The time at which the events were switched on, by the wall clock in UTC.
    pub started: String,
    /// Why the capture stopped.
    pub stop_reason: StopReason,
    /// The error that ended the capture early, if there was one.
    pub problem: Option<String>,
    /// COMMAND's exit code, if it has ended.
    pub command_exit: Option<i32>,
    /// How long the events were on, in nanoseconds.
    pub capture_ns: u64,
    /// How long the detach took in nanoseconds, if tp-perf waited for it.
    pub detach_ns: Option<u64>,
    /// The expected duration of the detach, in nanoseconds.
    pub detach_expected_ns: u64,
    /// The CPU time of tp-perf while the events were on, in nanoseconds.
    pub own_cpu_ns: u64,
    /// The CPUs that were offline at the end. Only recordings of versions 0.1 and 0.2 have some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone_cpus: Vec<Cpu>,
    /// The stretches in which a CPU was not watched. Their times are those of the samples.
    #[serde(default)]
    pub unwatched: Vec<Unwatched>,
    /// The cost of the recording; absent without a budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostOfRecording>,
    /// The hits of other processes; absent if the recording has all processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<OtherHits>,
    /// What made tp-perf write the last seconds of the capture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
}

/// Tracepoints that share one reason for not being captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The reason.
    #[serde(flatten)]
    pub status: Status,
    /// The tracepoints, ascending.
    pub tpids: Vec<Tpid>,
}

/// Why a capture stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The number of events (`--events`) was reached.
    Events,
    /// The duration (`--duration`) was over.
    Duration,
    /// COMMAND ended.
    Command,
    /// The chosen processes (`--pid`) ended.
    Processes,
    /// SIGINT.
    Interrupt,
    /// Another signal that ends a process by default, such as SIGTERM or SIGUSR1.
    Terminate,
    /// The capture went on: a trigger made tp-perf write its last seconds.
    Trigger,
    /// The disk had no room for the chunks.
    DiskFull,
    /// Another error while taking chunks.
    Error,
}

impl Facts {
    /// The schema version of a recording with this budget, which may be limited to chosen processes. Older programs read those
    /// without either as well.
    pub fn schema_with(budget: Option<f64>, is_of_chosen: bool) -> u32 {
        match (is_of_chosen, budget) {
            (true, _) => 4,
            (false, Some(_)) => 3,
            (false, None) => 2,
        }
    }

    /// The same facts, for a recording that keeps only so much of the capture.
    pub fn of_last(self, last: LastSummary) -> Self {
        Facts { schema: FACTS_SCHEMA, last: Some(last), ..self }
    }

    /// Reads the note that contains the facts.
    ///
    /// # Errors
    /// If the note is damaged, or if only a newer version of the program can read it.
    pub fn of_note(note: &str) -> serde_json::Result<Self> {
        /// All that is read of a note that may have another form.
        #[derive(Deserialize)]
        struct Version {
            #[serde(default = "first_schema")]
            schema: u32,
        }
        let Version { schema } = serde_json::from_str(note)?;
        if schema > FACTS_SCHEMA {
            let error = format!("their schema is {schema}, and this version reads up to {FACTS_SCHEMA}");
            return Err(de::Error::custom(error));
        }
        serde_json::from_str(note)
    }

    /// The tracepoints that were not captured, by reason.
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

    /// The selection of the capture, from [`left_out`](Self::left_out).
    pub fn selection(&self, table: &Table) -> Selection {
        let statuses =
            self.left_out.iter().flat_map(|LeftOut { status, tpids }| tpids.iter().map(|tpid| (*tpid, status.clone())));
        Selection::of_statuses(table, statuses)
    }
}

fn first_schema() -> u32 {
    1
}

/// Reads `left_out` in today's form, a list, or in the form of version 0.1.0, a map from the reason in words
/// to tracepoints.
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
    fn left_out_is_read_in_both_forms() {
        let old = read(r#"{"excluded: by -x a*":[1,2],"refused: EINVAL":[3]}"#).unwrap();
        let new = read(&serde_json::to_string(&old).unwrap()).unwrap();
        assert_eq!(old, new);
        assert_eq!(old[1], LeftOut { status: Status::of_words("refused: EINVAL"), tpids: vec![Tpid::new(3)] });
    }

    #[test]
    fn a_newer_schema_is_an_error_that_names_it() {
        let error = Facts::of_note(r#"{"schema":9,"clock":"of the future"}"#).unwrap_err().to_string();
        assert!(error.contains("schema is 9") && error.contains("up to 5"), "{error}");
        assert!(Facts::of_note(r#"{"schema":2}"#).unwrap_err().to_string().contains("missing field"));
        let schemas = [(None, false), (Some(0.05), false), (None, true), (Some(0.05), true)];
        assert_eq!(schemas.map(|(budget, chosen)| Facts::schema_with(budget, chosen)), [2, 3, 4, 4]);
    }

    #[test]
    fn a_status_of_a_newer_version_is_an_error_that_names_it() {
        let error = read(r#"[{"status":"thinned","tpids":[1]}]"#).unwrap_err();
        assert!(error.contains("thinned"), "{error}");
        assert!(read(r#"{"excluded":[0]}"#).is_err(), "tpids start at 1");
    }
}
