//! Alarms: when a source is no longer in one of the states in which it should be, and when it is again.

use super::newest::NewestWindows;
use super::onset::{Levels, Onset};
use super::tracepoints::Tracepoints;
use super::{FollowMessage, HOLD};
use crate::state::answer::Answer;
use crate::state::check::{IN_A_ROW, UNLIKE};
use crate::state::deviation::{Deviation, GroupDeviation};
use crate::state::known::Known;
use crate::state::{BLOCK, Error};
use crate::units::Ns;
use serde::Serialize;

/// Windows in a row that must be as learned before an alarm ends.
pub const CALM: usize = 30;

/// What raised an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlarmKind {
    /// The windows as a whole are unlike all allowed states.
    Windows,
    /// Single tracepoints are outside their learned range.
    Tracepoints,
}

/// The source is not as learned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alarm {
    /// Its number, from 1.
    pub number: u64,
    /// How often it was raised: more than once if it came again soon after its end, from the same cause.
    pub times: u64,
    /// What raised it.
    pub by: AlarmKind,
    /// When tp-perf raised it, by the source's clock.
    pub at_ns: Ns,
    /// When the change began.
    pub since_ns: Ns,
    /// How it began.
    pub onset: Onset,
    /// The allowed state that is nearest.
    pub state: String,
    /// The states of the whole library that the source looks like. Empty if all are rejected.
    pub looks_like: Vec<String>,
    /// The nearest state of the whole library.
    pub nearest: Option<String>,
    /// How many times as far from the allowed state as its sessions usually are. `None` for single tracepoints.
    pub distance: Option<f64>,
    /// The largest probability that such windows, or such a block, come by chance in one test.
    pub p: f64,
    /// Tests in a row that showed the change: windows, or blocks of ten windows.
    pub in_a_row: usize,
    /// How the source deviates from the allowed state, by group.
    pub groups: Vec<GroupDeviation>,
}

/// The source is as learned again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AllClear {
    /// The alarm's number.
    pub number: u64,
    /// When tp-perf knew it, by the source's clock.
    pub at_ns: Ns,
    /// Since when the source is as learned.
    pub since_ns: Ns,
    /// How long it was not as learned, in nanoseconds.
    pub lasted_ns: u64,
}

/// The alarms of a source.
pub(super) struct Alarms<'a> {
    known: &'a Known,
    /// The states in which the source should be.
    allowed: Vec<usize>,
    silence_ns: u64,
    tracepoints: Tracepoints<'a>,
    levels: Levels,
    /// Windows in a row that are unlike all allowed states, and the largest p-value among them.
    unlike: usize,
    most_p: f64,
    /// Windows in a row in which nothing was unlike.
    calm: usize,
    /// The alarm that goes on, and whether it was reported.
    on: Option<(Alarm, bool)>,
    /// The last alarm that ended, and when it did.
    ended: Option<(Alarm, Ns)>,
    raised: u64,
    again: u64,
}

impl<'a> Alarms<'a> {
    pub fn of(known: &'a Known, against: &[String], alpha: f64, per_day: f64, silence_ns: u64) -> Result<Self, Error> {
        let states = &known.states().states;
        let allowed: Vec<usize> = (0..states.len()).filter(|state| against.contains(&states[*state].name)).collect();
        let tracepoints = Tracepoints::of(known, &allowed, alpha, per_day)?;
        Ok(Alarms {
            known,
            allowed,
            silence_ns,
            tracepoints,
            levels: Levels::default(),
            unlike: 0,
            most_p: 0.0,
            calm: 0,
            on: None,
            ended: None,
            raised: 0,
            again: 0,
        })
    }

    /// The alarms that were raised, and how often one came again and was not reported.
    pub fn numbers(&self) -> (u64, u64) {
        (self.raised, self.again)
    }

    /// Takes the newest window with its answer.
    pub fn take(&mut self, newest: &NewestWindows<'_>, answer: &Answer) -> Vec<FollowMessage> {
        let (p, level) = self.best(answer);
        let is_unlike = answer.is_judged() && p <= UNLIKE;
        if let Some(level) = level {
            self.levels.push(newest.begin(newest.number() - 1), level);
        }
        // Windows that lost much say nothing.
        if answer.is_judged() {
            self.unlike = if is_unlike { self.unlike + 1 } else { 0 };
            self.most_p = if is_unlike { self.most_p.max(p) } else { 0.0 };
        }
        let persist = self.tracepoints.take(newest, answer).map(|persisting| !persisting.is_empty());
        self.calm = if is_unlike || persist == Some(true) { 0 } else { self.calm + 1 };
        let is_reported_for = |kind| self.on.as_ref().is_some_and(|(alarm, _)| alarm.by == kind);
        if self.unlike >= HOLD && !is_reported_for(AlarmKind::Windows) {
            return self.raise_for_windows(newest, answer);
        }
        if self.on.is_none() && persist == Some(true) {
            return self.raise_for_tracepoints(newest, answer);
        }
        match self.on.take_if(|_| self.calm >= CALM) {
            Some((alarm, was_reported)) => self.end(newest, alarm, was_reported),
            None => Vec::new(),
        }
    }

    /// The p-value of the allowed state that is rejected least, and the least ln D of an allowed state.
    fn best(&self, answer: &Answer) -> (f64, Option<f64>) {
        let opinions = || self.allowed.iter().filter_map(|state| answer.opinions[*state]);
        let p = opinions().map(|opinion| opinion.p.unwrap_or(1.0)).fold(0.0, f64::max);
        (p, opinions().map(|opinion| opinion.distance.ln()).min_by(f64::total_cmp))
    }

    fn nearest_allowed(&self, answer: &Answer) -> usize {
        let is_allowed = |state: &&usize| self.allowed.contains(state);
        answer.order.iter().find(is_allowed).copied().unwrap_or(self.allowed[0])
    }

    fn raise_for_windows(&mut self, newest: &NewestWindows<'_>, answer: &Answer) -> Vec<FollowMessage> {
        let shown = newest.number() - self.unlike;
        let since = newest.change_in_block(shown);
        let state = self.nearest_allowed(answer);
        let reasons = newest.against(state, newest.number() - HOLD);
        let groups = GroupDeviation::of(Deviation::of_reasons(&reasons, &(since..newest.number())));
        let alarm = Alarm {
            by: AlarmKind::Windows,
            distance: answer.opinions[state].map(|opinion| opinion.distance),
            p: self.most_p,
            in_a_row: self.unlike,
            groups,
            ..self.alarm(newest, answer, state, since)
        };
        self.raise(alarm)
    }

    fn raise_for_tracepoints(&mut self, newest: &NewestWindows<'_>, answer: &Answer) -> Vec<FollowMessage> {
        let deviations = self.tracepoints.deviations(newest);
        let since = deviations.iter().map(|deviation| deviation.from).min().unwrap_or(newest.number() - BLOCK);
        let alarm = Alarm {
            by: AlarmKind::Tracepoints,
            p: self.tracepoints.least_p(),
            in_a_row: IN_A_ROW,
            groups: GroupDeviation::of(deviations),
            ..self.alarm(newest, answer, self.nearest_allowed(answer), since)
        };
        self.raise(alarm)
    }

    /// An alarm with all that both kinds have in common.
    fn alarm(&self, newest: &NewestWindows<'_>, answer: &Answer, state: usize, since: usize) -> Alarm {
        let name = |state: &usize| self.known.states().states[*state].name.clone();
        let (at_ns, since_ns) = (newest.end(), newest.begin(since));
        let drift = self.levels.drift_since();
        Alarm {
            number: 0,
            times: 1,
            by: AlarmKind::Windows,
            at_ns,
            since_ns: drift.map_or(since_ns, |drift| drift.min(since_ns)),
            onset: drift.map_or(Onset::Step, |drift| Onset::Drift { over_ns: at_ns.since(drift) }),
            state: name(&state),
            looks_like: answer.states.iter().map(name).collect(),
            nearest: answer.nearest().as_ref().map(name),
            distance: None,
            p: 0.0,
            in_a_row: 0,
            groups: Vec::new(),
        }
    }

    /// Reports an alarm, unless it came again within the silence.
    fn raise(&mut self, mut alarm: Alarm) -> Vec<FollowMessage> {
        self.calm = 0;
        if let Some((before, _)) = &self.on {
            // It is the same change, of which more is known now.
            (alarm.number, alarm.times) = (before.number, before.times);
            alarm.since_ns = alarm.since_ns.min(before.since_ns);
            self.on = Some((alarm.clone(), true));
            return vec![FollowMessage::Alarm(alarm)];
        }
        match self.ended.take_if(|(ended, _)| ended.has_cause_of(&alarm)) {
            Some((ended, end)) if alarm.since_ns.since(end) < self.silence_ns => {
                (alarm.number, alarm.times) = (ended.number, ended.times + 1);
                self.again += 1;
                self.on = Some((alarm, false));
                Vec::new()
            }
            _ => {
                self.raised += 1;
                alarm.number = self.raised;
                self.on = Some((alarm.clone(), true));
                vec![FollowMessage::Alarm(alarm)]
            }
        }
    }

    fn end(&mut self, newest: &NewestWindows<'_>, alarm: Alarm, was_reported: bool) -> Vec<FollowMessage> {
        let since_ns = newest.begin(newest.number() - self.calm.min(newest.number()));
        let clear =
            AllClear { number: alarm.number, at_ns: newest.end(), since_ns, lasted_ns: since_ns.since(alarm.since_ns) };
        self.ended = Some((alarm, since_ns));
        if was_reported { vec![FollowMessage::AllClear(clear)] } else { Vec::new() }
    }
}

impl Alarm {
    /// Whether another alarm probably has the same cause: the source looks like the same states, and the same group deviates
    /// most, in the same way.
    fn has_cause_of(&self, other: &Alarm) -> bool {
        let first = |alarm: &Alarm| alarm.groups.first().map(|group| (group.group.clone(), group.kind));
        self.state == other.state && self.looks_like == other.looks_like && first(self) == first(other)
    }

    /// The time from the begin of the change to the report, in nanoseconds.
    pub fn delay_ns(&self) -> u64 {
        self.at_ns.since(self.since_ns)
    }
}
