//! Alarms: when a source is no longer in one of the states in which it should be, and when it is again.

use super::newest::NewestWindows;
use super::onset::{Levels, Onset};
use super::runs::AnswerRun;
use super::tracepoints::Tracepoints;
use super::{FollowMessage, HOLD};
use crate::state::answer::Answer;
use crate::state::check::{IN_A_ROW, UNLIKE};
use crate::state::deviation::{Deviation, GroupDeviation};
use crate::state::known::Known;
use crate::state::{BLOCK, Error, LEAST_WINDOWS};
use crate::stats::upper_median;
use crate::units::Ns;
use serde::Serialize;
use std::collections::BTreeSet;

/// Windows in a row that must be as learned before an alarm ends.
pub const CALM: usize = 30;
/// An alarm that came again within the silence is reported if it lasts for so many windows.
const STAYS: usize = 60;

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
    /// How often it was raised: more than once if it came again soon after its end, with the same cause.
    pub raised: u64,
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
    /// The largest p-value of the answers in a row. For single tracepoints, the smallest one in the last block.
    pub p: f64,
    /// Answers for five windows in a row that showed the change, or blocks of ten windows.
    pub in_a_row: usize,
    /// How the source deviates from the allowed state, by group.
    pub groups: Vec<GroupDeviation>,
}

/// The source is as learned again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AllClear {
    /// The alarm's number.
    pub number: u64,
    /// The allowed state that was nearest.
    pub state: String,
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
    /// Answers that reject all allowed states, and the largest p-value among them.
    unlike: AnswerRun,
    most_p: f64,
    /// Answers in which nothing is unlike.
    calm: AnswerRun,
    /// Answers in which the source looks like other states than the alarm that goes on.
    changed: AnswerRun,
    on: Option<GoingOn>,
    /// The last alarm that ended, and when the last one that was reported did.
    ended: Option<(Alarm, Ns)>,
    raised: u64,
    again: u64,
}

/// The alarm that goes on.
struct GoingOn {
    alarm: Alarm,
    /// If it was not reported, because it came again: the end of the one that was.
    silent_since: Option<Ns>,
    /// The window in which it was raised.
    window: usize,
    /// The tracepoints that it names.
    tracepoints: BTreeSet<String>,
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
            unlike: AnswerRun::default(),
            most_p: 0.0,
            calm: AnswerRun::default(),
            changed: AnswerRun::default(),
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

    /// The alarm that goes on.
    pub fn going_on(&self) -> Option<&Alarm> {
        self.on.as_ref().map(|on| &on.alarm)
    }

    /// Takes the newest window with its answer.
    pub fn take(&mut self, newest: &NewestWindows<'_>, answer: &Answer) -> Vec<FollowMessage> {
        let window = newest.number() - 1;
        let (p, level) = self.best(answer);
        if let Some(level) = level {
            self.levels.push(newest.begin(window), level);
        }
        let is_unlike = answer.is_judged().then_some(p <= UNLIKE);
        self.unlike.take(is_unlike, window);
        self.most_p = if self.unlike.number > 1 { self.most_p.max(p) } else { p };
        let persist = self.tracepoints.take(newest, answer).map(|outside| !outside.is_empty());
        let its_own = |on: &GoingOn| {
            on.alarm.by == AlarmKind::Tracepoints && persist.is_some() && self.tracepoints.are_outside(&on.tracepoints)
        };
        let is_sign = is_unlike == Some(true) || persist == Some(true) || self.on.as_ref().is_some_and(its_own);
        let is_calm = if is_sign { Some(false) } else { is_unlike.map(|unlike| !unlike) };
        self.calm.take(is_calm, window);
        let looks_other = self.on.as_ref().is_some_and(|on| !self.looks_alike(answer, &on.alarm));
        self.changed.take(is_unlike.map(|unlike| unlike && looks_other), window);

        let of_windows = self.on.as_ref().is_some_and(|on| on.alarm.by == AlarmKind::Windows);
        if is_unlike == Some(true) && self.unlike.number >= HOLD && !of_windows {
            return self.raise_for_windows(newest, answer, self.unlike);
        }
        if of_windows && self.changed.number >= HOLD {
            return self.raise_for_windows(newest, answer, self.changed);
        }
        if persist == Some(true) && !of_windows && self.names_more() {
            return self.raise_for_tracepoints(newest, answer);
        }
        if let Some(GoingOn { alarm, silent_since, .. }) =
            self.on.as_mut().filter(|on| on.silent_since.is_some() && window - on.window >= STAYS)
        {
            // It came again, and stays.
            *silent_since = None;
            alarm.at_ns = newest.end();
            self.again -= 1;
            return vec![FollowMessage::Alarm(alarm.clone())];
        }
        match self.on.take_if(|_| self.calm.number >= CALM) {
            Some(on) => self.end(newest, on),
            None => Vec::new(),
        }
    }

    /// Whether the source looks like some of the states of an alarm, or like none as it did.
    fn looks_alike(&self, answer: &Answer, alarm: &Alarm) -> bool {
        let is_of_alarm = |state: &usize| alarm.looks_like.contains(&self.known.states().states[*state].name);
        match answer.states.is_empty() || alarm.looks_like.is_empty() {
            true => answer.states.is_empty() == alarm.looks_like.is_empty(),
            false => answer.states.iter().any(is_of_alarm),
        }
    }

    /// Whether tracepoints are outside their range that the alarm which goes on does not name.
    fn names_more(&self) -> bool {
        match &self.on {
            None => true,
            Some(on) => self.tracepoints.names().iter().any(|name| !on.tracepoints.contains(*name)),
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

    /// Raises an alarm for the windows that these answers show.
    fn raise_for_windows(&mut self, newest: &NewestWindows<'_>, answer: &Answer, run: AnswerRun) -> Vec<FollowMessage> {
        let since = newest.change_in_block(run.from);
        let state = self.nearest_allowed(answer);
        let reasons = newest.against(state, newest.number() - HOLD);
        let groups = GroupDeviation::of(Deviation::of_reasons(&reasons, &(since..newest.number())));
        let alarm = Alarm {
            by: AlarmKind::Windows,
            distance: answer.opinions[state].map(|opinion| opinion.distance),
            p: self.most_p,
            in_a_row: run.number,
            groups,
            ..self.alarm(newest, answer, state, since)
        };
        self.raise(alarm, newest)
    }

    fn raise_for_tracepoints(&mut self, newest: &NewestWindows<'_>, answer: &Answer) -> Vec<FollowMessage> {
        let deviations = self.tracepoints.deviations(newest);
        // One of them may vary much, so the middle one is taken.
        let since = upper_median(deviations.iter().map(|deviation| deviation.from as f64));
        let since = since.map_or(newest.number() - BLOCK, |since| since as usize);
        let alarm = Alarm {
            by: AlarmKind::Tracepoints,
            p: self.tracepoints.least_p(),
            in_a_row: IN_A_ROW,
            groups: GroupDeviation::of(deviations),
            ..self.alarm(newest, answer, self.nearest_allowed(answer), since)
        };
        self.raise(alarm, newest)
    }

    /// An alarm with all that both kinds have in common.
    fn alarm(&self, newest: &NewestWindows<'_>, answer: &Answer, state: usize, since: usize) -> Alarm {
        let name = |state: &usize| self.known.states().states[*state].name.clone();
        let (at_ns, since_ns) = (newest.end(), newest.begin(since));
        let drift = self.levels.drift_since();
        Alarm {
            number: 0,
            raised: 1,
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
    fn raise(&mut self, mut alarm: Alarm, newest: &NewestWindows<'_>) -> Vec<FollowMessage> {
        (self.calm, self.changed) = (AnswerRun::default(), AnswerRun::default());
        let window = newest.number() - 1;
        let mut silent_since = None;
        if let Some(GoingOn { alarm: before, .. }) = &self.on {
            // Something else has changed meanwhile, or more is known of the same change.
            (alarm.number, alarm.raised) = (before.number, before.raised);
            if alarm.since_ns.since(before.since_ns) < newest.length_of(BLOCK) {
                alarm.since_ns = alarm.since_ns.min(before.since_ns);
            }
        } else {
            match self.ended.take_if(|(ended, _)| ended.has_cause_of(&alarm)) {
                Some((ended, end)) if alarm.since_ns.since(end) < self.silence_ns => {
                    (alarm.number, alarm.raised) = (ended.number, ended.raised + 1);
                    self.again += 1;
                    silent_since = Some(end);
                }
                _ => {
                    self.raised += 1;
                    alarm.number = self.raised;
                }
            }
        }
        let named = alarm.groups.iter().flat_map(|group| &group.tracepoints).map(|its| its.tracepoint.clone());
        let mut tracepoints: BTreeSet<String> = named.collect();
        tracepoints.extend(self.on.take().into_iter().flat_map(|on| on.tracepoints));
        self.on = Some(GoingOn { alarm: alarm.clone(), silent_since, window, tracepoints });
        if silent_since.is_some() { Vec::new() } else { vec![FollowMessage::Alarm(alarm)] }
    }

    fn end(&mut self, newest: &NewestWindows<'_>, on: GoingOn) -> Vec<FollowMessage> {
        let GoingOn { alarm, silent_since, .. } = on;
        // The last answer that is unlike is for five windows, of which only the first may be.
        let behind = if alarm.by == AlarmKind::Windows { LEAST_WINDOWS - 1 } else { 0 };
        let since_ns = newest.begin(self.calm.from.saturating_sub(behind)).max(alarm.since_ns);
        let clear = AllClear {
            number: alarm.number,
            state: alarm.state.clone(),
            at_ns: newest.end(),
            since_ns,
            lasted_ns: since_ns.since(alarm.since_ns),
        };
        self.ended = Some((alarm, silent_since.unwrap_or(since_ns)));
        if silent_since.is_none() { vec![FollowMessage::AllClear(clear)] } else { Vec::new() }
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
