//! The events of `tp-perf monitor`. Each is one line of JSON.

use crate::alarms::{HookReport, RuleAlarm, RuleClear};
use crate::events::Ns;
use crate::processes::{CountBy, HitShare};
use crate::recording::{Tool, TriggerKind};
use crate::state::{Alarm, AllClear, StateTurn};
use crate::text::json_line;
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// An event of the monitor.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum MonitorEvent {
    /// The tracepoints are counted from now on.
    Begin(Begin),
    /// A rule is broken.
    #[serde(rename = "alarm")]
    RuleAlarm {
        /// The number of the alarm.
        number: u64,
        by: ByRule,
        #[serde(flatten)]
        alarm: RuleAlarm,
        /// The wall-clock time since which the rule is broken.
        since: String,
        /// The processes or cgroups with the most hits of its tracepoints in the last seconds.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        top: Vec<HitShare>,
    },
    /// A rule is kept again.
    #[serde(rename = "all_clear")]
    RuleClear {
        /// The number of the alarm.
        number: u64,
        by: ByRule,
        #[serde(flatten)]
        clear: RuleClear,
        since: String,
    },
    /// The machine is in none of the states in which it should be.
    #[serde(rename = "alarm")]
    StateAlarm {
        #[serde(flatten)]
        alarm: Alarm,
        since: String,
        /// The processes or cgroups with the most hits in the last seconds.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        top: Vec<HitShare>,
    },
    /// The machine is in one of these states again.
    #[serde(rename = "all_clear")]
    StateClear {
        #[serde(flatten)]
        clear: AllClear,
        since: String,
    },
    /// An alarm ended because the options have changed.
    #[serde(rename = "all_clear")]
    AlarmDropped {
        /// The number of the alarm.
        number: u64,
        reason: String,
    },
    /// The machine is in another state.
    State {
        #[serde(flatten)]
        turn: StateTurn,
        since: String,
    },
    /// What became of the command of an alarm.
    Hook(HookReport),
    /// Something failed, and the monitor goes on without it.
    Fault {
        /// What failed.
        what: &'static str,
        /// Why.
        error: String,
    },
    /// Something that failed works again.
    FaultEnd {
        /// What failed.
        what: &'static str,
        /// Windows that were lost meanwhile, if it is the history.
        #[serde(skip_serializing_if = "Option::is_none")]
        lost: Option<u64>,
    },
    /// A remark.
    Note { text: String },
    /// The flight recorder was triggered.
    Trigger {
        /// What triggered it.
        by: TriggerKind,
        #[serde(skip_serializing_if = "String::is_empty")]
        text: String,
        /// `begun`, `merged` into a recording that is to be written, or `queued` behind one that is being written.
        recording: &'static str,
    },
    /// A recording of the flight recorder was written.
    Flight {
        /// Its directory.
        path: String,
        /// What triggered it.
        triggers: Vec<TriggeredBy>,
        /// The size of its events.perf.
        bytes: u64,
        /// The time that its events cover.
        covers_ns: u64,
        /// How long writing took.
        took_ns: u64,
    },
    /// CPUs went offline. Their hits are missing.
    CpusOffline { cpus: String },
    /// CPUs came online. tp-perf attaches again, to watch them too.
    CpusOnline { cpus: String },
    /// The options were read again.
    Reload {
        /// What has changed and takes effect only after a restart.
        needs_restart: Vec<&'static str>,
    },
    /// The events are off.
    End(End),
}

/// A trigger of a recording.
#[derive(Debug, Serialize)]
pub(super) struct TriggeredBy {
    pub by: TriggerKind,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// That an alarm comes from a rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ByRule {
    Rule,
}

/// What is watched, and where the results go.
#[derive(Debug, Serialize)]
pub(super) struct Begin {
    pub schema: u32,
    pub tool: Tool,
    pub hostname: String,
    pub kernel: String,
    pub cpus: String,
    /// The tracepoints that are watched.
    pub tracepoints: usize,
    /// The tracepoints of the kernel.
    pub of: usize,
    /// The tracepoints that the kernel refused to open.
    pub refused: usize,
    /// The length of a window.
    pub window_ns: u64,
    /// The budget, as a part of the time of all CPUs.
    pub budget: Option<f64>,
    pub history: Option<String>,
    pub metrics: Vec<String>,
    /// Where the flight recorder writes.
    pub flight: Option<String>,
    /// Whether hits are also counted by process or by cgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<CountBy>,
    pub rules: Vec<String>,
    pub against: Vec<String>,
}

impl Begin {
    /// The version of the lines. It grows when a field changes its meaning or is removed.
    pub const SCHEMA: u32 = 1;
}

/// What was watched.
#[derive(Debug, Default, Serialize)]
pub(super) struct End {
    /// Why it ended.
    pub reason: String,
    pub windows: u64,
    /// Windows that are longer than they should be, because a tick was left out.
    pub skipped: u64,
    pub most_late_ns: u64,
    /// The estimated cost, as a part of the time of all CPUs.
    pub cost: Option<f64>,
    pub alarms: u64,
}

#[derive(Serialize)]
struct EventLine<'a> {
    /// The wall-clock time in UTC.
    time: String,
    #[serde(flatten)]
    event: &'a MonitorEvent,
}

impl MonitorEvent {
    /// The line, with its end.
    pub fn line(&self, now: SystemTime) -> String {
        json_line(&EventLine { time: rfc3339_millis(now), event: self }) + "\n"
    }
}

impl MonitorEvent {
    /// Its kind, as in its line.
    pub fn kind(&self) -> &'static str {
        match self {
            MonitorEvent::Begin(_) => "begin",
            MonitorEvent::RuleAlarm { .. } | MonitorEvent::StateAlarm { .. } => "alarm",
            MonitorEvent::RuleClear { .. } | MonitorEvent::StateClear { .. } | MonitorEvent::AlarmDropped { .. } => {
                "all_clear"
            }
            MonitorEvent::State { .. } => "state",
            MonitorEvent::Hook(_) => "hook",
            MonitorEvent::Fault { .. } => "fault",
            MonitorEvent::FaultEnd { .. } => "fault_end",
            MonitorEvent::Note { .. } => "note",
            MonitorEvent::Trigger { .. } => "trigger",
            MonitorEvent::Flight { .. } => "flight",
            MonitorEvent::CpusOffline { .. } => "cpus_offline",
            MonitorEvent::CpusOnline { .. } => "cpus_online",
            MonitorEvent::Reload { .. } => "reload",
            MonitorEvent::End(_) => "end",
        }
    }

    /// Whether the history keeps it: what happened to the machine and to the watching, but not remarks about files.
    pub fn belongs_to_history(&self) -> bool {
        !matches!(self, MonitorEvent::Note { .. } | MonitorEvent::Hook(_))
    }

    /// Its facts.
    pub fn facts(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A wall-clock time in lines of JSON.
pub(super) fn rfc3339_millis(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The wall-clock time of a time of CLOCK_MONOTONIC, which now shows `now`.
pub(super) fn wall_time(time: Ns, now: Ns, wall: SystemTime) -> SystemTime {
    let ago = Duration::from_nanos(now.since(time));
    wall.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::{HitTracepoint, HookEnd};

    #[test]
    fn each_event_is_one_line_with_its_time_and_kind() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        let line = |event: MonitorEvent| event.line(now);
        assert_eq!(
            line(MonitorEvent::Fault { what: "history", error: "no\nroom".to_owned() }),
            "{\"time\":\"1970-01-01T00:00:01.500Z\",\"kind\":\"fault\",\"what\":\"history\",\"error\":\"no\\nroom\"}\n"
        );
        let alarm = RuleAlarm {
            rule: "irq > 5/s".to_owned(),
            since_ns: Ns(7),
            at_ns: Ns(9),
            per_second: Some(6.5),
            is_estimate: false,
            tracepoints: vec![HitTracepoint { tracepoint: "irq:entry".to_owned(), per_second: 6.5 }],
            more: 0,
        };
        let since = rfc3339_millis(wall_time(Ns(1_000_000_000), Ns(2_000_000_000), now));
        assert_eq!(
            line(MonitorEvent::RuleAlarm { number: 3, by: ByRule::Rule, alarm, since, top: Vec::new() }),
            "{\"time\":\"1970-01-01T00:00:01.500Z\",\"kind\":\"alarm\",\"number\":3,\"by\":\"rule\",\"rule\":\"irq > 5/s\",\"since_ns\":7,\
             \"at_ns\":9,\"per_second\":6.5,\"is_estimate\":false,\"tracepoints\":[{\"tracepoint\":\"irq:entry\",\"per_second\":6.5}],\"more\":0,\
             \"since\":\"1970-01-01T00:00:00.500Z\"}\n"
        );
        let hook = HookReport { number: 3, end: HookEnd::Killed };
        assert_eq!(
            line(MonitorEvent::Hook(hook)),
            "{\"time\":\"1970-01-01T00:00:01.500Z\",\"kind\":\"hook\",\"number\":3,\"outcome\":\"killed\"}\n"
        );
    }
}
