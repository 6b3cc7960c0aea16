//! Figures of other parts of `monitor`, which set them.

use super::exposition::{Exposition, Labels, MetricValue};
use super::families;
use super::hits::OTHER;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest name of a rule or a state in a label, in characters.
const LONGEST_NAME: usize = 200;

/// The figures of the history, since the start if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrittenHistory {
    /// The windows that were written.
    pub windows: u64,
    /// The windows that wait in memory now, because writing fails.
    pub waiting: u64,
    /// The windows that are lost.
    pub lost: u64,
    /// The size of all files now, in bytes.
    pub bytes: u64,
    /// The number of files now.
    pub files: u64,
}

/// The figures of the flight recorder, since the start if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlightFigures {
    /// The events in memory now.
    pub events: u64,
    /// The memory that they take now, in bytes.
    pub bytes: u64,
    /// The time that they cover now.
    pub span: Duration,
    /// The events that the kernel dropped.
    pub lost: u64,
    /// The tracepoints whose hits are all recorded now.
    pub recorded: u64,
    /// The tracepoints of which one hit in N is recorded now.
    pub thinned: u64,
    /// The recordings that were written.
    pub dumps: u64,
    /// The recordings that could not be written.
    pub failures: u64,
    /// The triggers that became part of another one.
    pub merged: u64,
}

/// The figures of the metrics server since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerFigures {
    /// The requests that were answered.
    pub requests: u64,
    /// The connections that were closed at once, because there were too many.
    pub refused: u64,
    /// The connections that were closed because the client took too long.
    pub overdue: u64,
}

/// The alarms of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlarmFigures {
    /// The alarms since the start.
    pub raised: u64,
    /// The alarms that have not ended.
    pub active: u64,
}

/// What other parts have set. What was not set has no series.
#[derive(Debug, Default)]
pub(super) struct SetFigures {
    /// Labels of the state.
    pub state: Option<Labels>,
    pub budget: Option<f64>,
    pub cpus_unwatched_ns: u64,
    pub history: Option<WrittenHistory>,
    pub flight: Option<FlightFigures>,
    pub server: Option<ServerFigures>,
    /// By rule, up to the most that may have series.
    alarms: BTreeMap<String, AlarmFigures>,
    /// The rules beyond them.
    other_alarms: BTreeMap<String, AlarmFigures>,
    most_rules: usize,
}

/// Both figures of a name, or of names that are one after they were shortened.
fn name_of(name: &str) -> String {
    crate::text::shortened(name, LONGEST_NAME)
}

/// Replaces a counter, which never falls.
fn raise<T: Ord + Copy>(counter: &mut T, to: T) {
    *counter = to.max(*counter);
}

impl SetFigures {
    /// No figures yet, with series for so many rules.
    pub fn new(most_rules: usize) -> Self {
        SetFigures { most_rules, ..SetFigures::default() }
    }

    /// Limits the series of rules.
    #[cfg(test)]
    pub fn limit_rules(&mut self, most: usize) {
        self.most_rules = most;
    }

    pub fn set_state(&mut self, state: Option<&str>) {
        self.state = state.map(|state| Labels::new([("state", &name_of(state))]));
    }

    pub fn set_alarms(&mut self, rule: &str, figures: AlarmFigures) {
        let rule = name_of(rule);
        let has_room = self.alarms.contains_key(&rule) || self.alarms.len() < self.most_rules;
        let list = if has_room && rule != OTHER { &mut self.alarms } else { &mut self.other_alarms };
        let of_rule = list.entry(rule).or_default();
        raise(&mut of_rule.raised, figures.raised);
        of_rule.active = figures.active;
    }

    pub fn set_history(&mut self, figures: WrittenHistory) {
        let before = self.history.get_or_insert(figures);
        let WrittenHistory { windows, lost, .. } = *before;
        *before = WrittenHistory { windows: windows.max(figures.windows), lost: lost.max(figures.lost), ..figures };
    }

    pub fn set_flight(&mut self, figures: FlightFigures) {
        let before = self.flight.get_or_insert(figures);
        let FlightFigures { lost, dumps, failures, merged, .. } = *before;
        *before = FlightFigures {
            lost: lost.max(figures.lost),
            dumps: dumps.max(figures.dumps),
            failures: failures.max(figures.failures),
            merged: merged.max(figures.merged),
            ..figures
        };
    }

    pub fn set_cpus_unwatched(&mut self, time_ns: u64) {
        raise(&mut self.cpus_unwatched_ns, time_ns);
    }

    /// Writes the state and the alarms.
    pub fn write_state(&self, text: &mut Exposition) {
        if let Some(state) = &self.state {
            text.labelled(&families::STATE, state, MetricValue::Whole(1));
        }
        let add = |sum: AlarmFigures, one: &AlarmFigures| AlarmFigures {
            raised: sum.raised.saturating_add(one.raised),
            active: sum.active.saturating_add(one.active),
        };
        let others = self.other_alarms.values().fold(AlarmFigures::default(), add);
        let others = (!self.other_alarms.is_empty()).then_some((OTHER, others));
        let all = || self.alarms.iter().map(|(rule, figures)| (rule.as_str(), *figures)).chain(others);
        let all: Vec<_> = all().map(|(rule, figures)| (Labels::new([("rule", rule)]), figures)).collect();
        for (labels, figures) in &all {
            text.labelled(&families::ALARMS, labels, MetricValue::Whole(figures.raised));
        }
        for (labels, figures) in &all {
            text.labelled(&families::ALARMS_ACTIVE, labels, MetricValue::Whole(figures.active));
        }
    }

    /// Writes the figures of the history, the flight recorder, and the server.
    pub fn write_parts(&self, text: &mut Exposition) {
        if let Some(WrittenHistory { windows, waiting, lost, bytes, files }) = self.history {
            text.alone(&families::HISTORY_WINDOWS, MetricValue::Whole(windows));
            text.alone(&families::HISTORY_WAITING, MetricValue::Whole(waiting));
            text.alone(&families::HISTORY_LOST, MetricValue::Whole(lost));
            text.alone(&families::HISTORY_SIZE, MetricValue::Whole(bytes));
            text.alone(&families::HISTORY_FILES, MetricValue::Whole(files));
        }
        if let Some(flight) = self.flight {
            let FlightFigures { events, bytes, span, lost, recorded, thinned, dumps, failures, merged } = flight;
            text.alone(&families::LOST, MetricValue::Whole(lost));
            text.alone(&families::FLIGHT_EVENTS, MetricValue::Whole(events));
            text.alone(&families::FLIGHT_SIZE, MetricValue::Whole(bytes));
            text.alone(&families::FLIGHT_SPAN, MetricValue::Nanoseconds(crate::units::nanoseconds(span)));
            for (rung, number) in [("recorded", recorded), ("thinned", thinned)] {
                text.labelled(
                    &families::FLIGHT_TRACEPOINTS,
                    &Labels::new([("rung", rung)]),
                    MetricValue::Whole(number),
                );
            }
            text.alone(&families::FLIGHT_DUMPS, MetricValue::Whole(dumps));
            text.alone(&families::FLIGHT_FAILURES, MetricValue::Whole(failures));
            text.alone(&families::FLIGHT_MERGED, MetricValue::Whole(merged));
        }
        if let Some(ServerFigures { requests, refused, overdue }) = self.server {
            text.alone(&families::HTTP_REQUESTS, MetricValue::Whole(requests));
            text.alone(&families::HTTP_REFUSED, MetricValue::Whole(refused));
            text.alone(&families::HTTP_OVERDUE, MetricValue::Whole(overdue));
        }
    }
}
