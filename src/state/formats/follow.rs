//! The messages about a source that is followed, as lines of JSON.

use super::json::SCHEMA;
use crate::recording::Tool;
use crate::state::{FollowMessage, FollowedEnd, Known, Length};
use crate::text::json_line;
use serde::Serialize;
use std::time::SystemTime;

#[derive(Serialize)]
struct BeginLine<'a> {
    schema: u32,
    kind: &'static str,
    tool: Tool,
    source: &'a str,
    window: Length,
    tracepoints: usize,
    states: Vec<&'a str>,
    against: &'a [String],
    limits: &'a [String],
}

#[derive(Serialize)]
struct MessageLine<'a> {
    /// The wall-clock time in UTC, for this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(flatten)]
    message: &'a FollowMessage,
}

#[derive(Serialize)]
struct EndLine<'a> {
    kind: &'static str,
    #[serde(flatten)]
    end: &'a FollowedEnd,
}

/// The first line: what is followed. `limits` are those of [`Known::limits_of`].
pub fn follow_begin_json(source: &str, known: &Known, against: &[String], limits: &[String]) -> Vec<u8> {
    line(&BeginLine {
        schema: SCHEMA,
        kind: "begin",
        tool: Tool::this(),
        source,
        window: known.length(),
        tracepoints: known.names().len(),
        states: known.states().states.iter().map(|state| state.name.as_str()).collect(),
        against,
        limits,
    })
}

/// The line of a message, with the time of the day if this machine is followed.
pub fn follow_message_json(message: &FollowMessage, time: Option<SystemTime>) -> Vec<u8> {
    let time = time.map(|time| humantime::format_rfc3339_millis(time).to_string());
    line(&MessageLine { time, message })
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    kind: &'static str,
    source: &'a str,
    error: &'a str,
}

/// The line of a source that cannot be followed, among others.
pub fn follow_error_json(source: &str, error: &str) -> Vec<u8> {
    line(&ErrorLine { kind: "error", source, error })
}

/// The last line: what was followed.
pub fn follow_end_json(end: &FollowedEnd) -> Vec<u8> {
    line(&EndLine { kind: "end", end })
}

fn line(value: &impl Serialize) -> Vec<u8> {
    (json_line(value) + "\n").into_bytes()
}
