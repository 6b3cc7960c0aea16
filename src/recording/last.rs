//! Recordings of the last seconds of a capture, and what triggered them.

use crate::units::{Bytes, Ns, Seconds};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much of a capture a recording of the last seconds keeps at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSummary {
    /// The time before the trigger, in nanoseconds.
    pub time_ns: u64,
    /// The time behind the trigger, in nanoseconds.
    #[serde(default, skip_serializing_if = "is_none")]
    pub after_ns: u64,
    /// The events, in bytes of memory.
    pub bytes: u64,
}

fn is_none(time: &u64) -> bool {
    *time == 0
}

impl LastSummary {
    /// The limits in words.
    pub fn words(&self) -> String {
        let seconds = |time| Seconds(Duration::from_nanos(time));
        let after =
            if self.after_ns > 0 { format!(", and {} after it", seconds(self.after_ns)) } else { String::new() };
        format!("at most {} and {} of events{after}", seconds(self.time_ns), Bytes(self.bytes))
    }
}

/// What made tp-perf write the last seconds of a capture, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its time. In events.perf, it is a time of the samples; in a summary, it is in nanoseconds from the first event.
    #[serde(rename = "at_ns")]
    pub at: Ns,
    /// The same by the wall clock in UTC.
    pub time: String,
    /// Its kind.
    pub kind: TriggerKind,
    /// What it says, such as the rule of an alarm; empty if its kind says all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// The kind of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerKind {
    /// SIGUSR2.
    Signal,
    /// An alarm: the machine left its known state.
    Alarm,
    /// A threshold of the user.
    Rule,
    /// A command of the user, on this machine.
    Command,
    /// A request over HTTP.
    Request,
}

impl TriggerKind {
    /// The kind in words.
    pub fn words(self) -> &'static str {
        match self {
            TriggerKind::Signal => "SIGUSR2",
            TriggerKind::Alarm => "an alarm",
            TriggerKind::Rule => "a rule",
            TriggerKind::Command => "a command",
            TriggerKind::Request => "a request",
        }
    }
}

impl Trigger {
    /// The trigger in words, as in a summary.
    pub fn words(&self) -> String {
        let Trigger { at, time, kind, text } = self;
        let text = if text.is_empty() { String::new() } else { format!(": {text}") };
        format!("{}{text}, {} after the first event ({time})", kind.words(), Seconds(Duration::from_nanos(at.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_stored_by_kind_and_text() {
        let trigger = Trigger {
            at: Ns(1_500_000_000),
            time: "2026-11-30T14:00:00Z".to_owned(),
            kind: TriggerKind::Rule,
            text: "kmem:* > 1M/s".to_owned(),
        };
        let json = crate::text::json_line(&trigger);
        assert_eq!(
            json.trim_end(),
            r#"{"at_ns":1500000000,"time":"2026-11-30T14:00:00Z","kind":"rule","text":"kmem:* > 1M/s"}"#
        );
        assert_eq!(serde_json::from_str::<Trigger>(&json).unwrap(), trigger);
        assert!(trigger.words().starts_with("a rule: kmem:* > 1M/s, 1.5"), "{}", trigger.words());
    }
}
