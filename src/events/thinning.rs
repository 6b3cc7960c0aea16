//! Thinned tracepoints of a recording: one in N hits becomes a sample. The [`model`] knows how many samples the kernel takes of
//! how many hits, so that the accounting still balances:
//!
//! ```text
//!   counted = recorded + thinned + lost + unaccounted
//! ```
//!
//! PERF_EVENT_IOC_PERIOD changes N while the event is on, and the counter stays exact. The kernel takes a sample of the
//! first hit after the change. The interval after that hit still has the *old* period
//! (`perf_swevent_set_period` uses `last_period`), and only the next one has the new period.
//!
//! The old period must not be 1. Otherwise the first hit becomes two samples at once, and the kernel takes the second one
//! for a sign of too many samples: it switches the whole group off until the next tick of the clock, if the event already
//! had as many samples in this tick as `kernel.perf_event_max_sample_rate` allows. In a test, 999 of 1,000 hits were then
//! not counted (Linux 6.18). With period 1, the kernel does not touch `last_period`. So events that may be thinned are
//! opened with [`OPENED_WITH`], and get period 1 as soon as they are on.

pub mod model;
pub mod rows;

use super::{Cpu, Ns, Tpid};
use crate::units::Grouped;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The period with which an event that may be thinned is opened.
pub const OPENED_WITH: u64 = 2;

/// A tracepoint of a recording moved to another rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungStep {
    /// The tracepoint.
    pub tpid: Tpid,
    /// When it moved on the first CPU, by the clock of the samples.
    pub at: Ns,
    /// From then on, one in this many hits becomes a sample. 1 records every hit, and 0 detaches the tracepoint.
    pub one_in: u64,
    /// The step on each CPU.
    pub on: Vec<StepOnCpu>,
    /// If the tracepoint was on this rung before the recording began: the hits before, in the order of `on`. Otherwise empty. A
    /// recording of the last seconds of a capture begins with such steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierHits>,
}

/// The hits of a tracepoint on one CPU between its step to a rung and the begin of the recording. In a note, it is a list of
/// its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u64, u64)", into = "(u64, u64, u64, u64)")]
pub struct EarlierHits {
    /// At least so many.
    pub hits: u64,
    /// So many more may have come after the step. They came in its moment.
    pub unsure: u64,
    /// The period before that step, which rules the first interval after it: at least and at most.
    pub period: (u64, u64),
}

impl From<(u64, u64, u64, u64)> for EarlierHits {
    fn from((hits, unsure, least, most): (u64, u64, u64, u64)) -> Self {
        EarlierHits { hits, unsure, period: (least, most) }
    }
}

impl From<EarlierHits> for (u64, u64, u64, u64) {
    fn from(EarlierHits { hits, unsure, period: (least, most) }: EarlierHits) -> Self {
        (hits, unsure, least, most)
    }
}

/// The step of a tracepoint on one CPU. In a note, it is a list of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Cpu, Ns, u64, u64)", into = "(Cpu, Ns, u64, u64)")]
pub struct StepOnCpu {
    /// The CPU.
    pub cpu: Cpu,
    /// When the tracepoint moved there, give or take the microseconds that a move takes.
    pub at: Ns,
    /// Its counter just before the step.
    pub before: u64,
    /// Its counter just after the step.
    pub after: u64,
}

impl From<(Cpu, Ns, u64, u64)> for StepOnCpu {
    fn from((cpu, at, before, after): (Cpu, Ns, u64, u64)) -> Self {
        StepOnCpu { cpu, at, before, after }
    }
}

impl From<StepOnCpu> for (Cpu, Ns, u64, u64) {
    fn from(StepOnCpu { cpu, at, before, after }: StepOnCpu) -> Self {
        (cpu, at, before, after)
    }
}

impl RungStep {
    /// The rung after the move, in words: `recorded`, `thinned (1 in 17)` or `detached`.
    pub fn rung(&self) -> String {
        match self.one_in {
            0 => "detached".to_owned(),
            1 => "recorded".to_owned(),
            one_in => format!("thinned (1 in {})", Grouped(one_in)),
        }
    }

    /// The step on each CPU, with the hits before the recording began, if it began on this rung.
    pub fn on_cpus(&self) -> impl Iterator<Item = (StepOnCpu, Option<EarlierHits>)> {
        self.on.iter().enumerate().map(|(place, on)| (*on, self.earlier.get(place).copied()))
    }

    /// The step with its times moved by this many nanoseconds.
    pub fn later_by(mut self, nanoseconds: i64) -> Self {
        let later = |at: Ns| at.wrapping_add_signed(nanoseconds);
        self.at = later(self.at);
        self.on.iter_mut().for_each(|on| on.at = later(on.at));
        self
    }
}

/// The period of each tracepoint at each time.
#[derive(Debug, Clone, Default)]
pub struct Periods {
    /// By tracepoint, the times of its steps, ascending, and its period from then on.
    of: BTreeMap<Tpid, Vec<(Ns, u64)>>,
}

impl Periods {
    /// Adds steps. Those of a tracepoint are in time order.
    pub fn add(&mut self, steps: &[RungStep]) {
        for step in steps {
            self.of.entry(step.tpid).or_default().push((step.at, step.one_in));
        }
    }

    /// The stretches in which a tracepoint was not recorded hit by hit: its period (0 if it was detached), and the start and
    /// the end of the stretch. The last stretch ends at `end`. In the order of the tracepoints, and then of time.
    pub fn stretches(&self, end: Ns) -> Vec<(Tpid, u64, Ns, Ns)> {
        let of_one = |(tpid, steps): (&Tpid, &Vec<(Ns, u64)>)| {
            let ends = steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
            let stretches = steps.iter().zip(ends).map(|((at, one_in), to)| (*tpid, *one_in, *at, to.max(*at)));
            stretches.filter(|(_, one_in, ..)| *one_in != 1).collect::<Vec<_>>()
        };
        self.of.iter().flat_map(of_one).collect()
    }
}

/// Steps, as tp-perf notes them among the events of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Steps {
    /// In time order.
    pub steps: Vec<RungStep>,
}

impl Steps {
    /// Reads a note that has steps. `None` if the note is another one.
    ///
    /// # Errors
    /// If the note is damaged.
    pub fn of_note(line: &str) -> Option<serde_json::Result<Self>> {
        line.starts_with(r#"{"steps":"#).then(|| serde_json::from_str(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_end_where_the_next_step_starts() {
        let step = |tpid, at, one_in| RungStep {
            tpid: Tpid::new(tpid),
            at: Ns(at),
            one_in,
            on: Vec::new(),
            earlier: Vec::new(),
        };
        let mut periods = Periods::default();
        periods.add(&[step(7, 100, 17), step(9, 100, 0), step(7, 200, 257)]);
        periods.add(&[step(7, 300, 1), step(7, 400, 0)]);
        let seven = |one_in, from, to| (Tpid::new(7), one_in, Ns(from), Ns(to));
        let expected =
            [seven(17, 100, 200), seven(257, 200, 300), seven(0, 400, 500), (Tpid::new(9), 0, Ns(100), Ns(500))];
        assert_eq!(periods.stretches(Ns(500)), expected);
        assert_eq!(step(7, 0, 257).rung(), "thinned (1 in 257)");
        assert_eq!((step(7, 0, 1).rung(), step(7, 0, 0).rung()), ("recorded".into(), "detached".into()));
    }

    #[test]
    fn steps_are_notes() {
        let on = StepOnCpu { cpu: Cpu::new(1), at: Ns(6), before: 2, after: 3 };
        let step = RungStep { tpid: Tpid::new(7), at: Ns(5), one_in: 17, on: vec![on], earlier: Vec::new() };
        let steps = Steps { steps: vec![step.clone()] };
        let line = crate::text::json_line(&steps);
        assert_eq!(line, r#"{"steps":[{"tpid":7,"at":5,"one_in":17,"on":[[1,6,2,3]]}]}"#);
        assert_eq!(Steps::of_note(&line).unwrap().unwrap(), steps);
        assert!(Steps::of_note(r#"{"schema":2}"#).is_none() && Steps::of_note(r#"{"steps":[{}]}"#).unwrap().is_err());
        let begun = RungStep { earlier: vec![EarlierHits { hits: 9, unsure: 1, period: (2, 3) }], ..step.clone() };
        let line = crate::text::json_line(&Steps { steps: vec![begun.clone()] });
        assert_eq!(line, r#"{"steps":[{"tpid":7,"at":5,"one_in":17,"on":[[1,6,2,3]],"earlier":[[9,1,2,3]]}]}"#);
        assert_eq!(Steps::of_note(&line).unwrap().unwrap().steps, [begun]);
        let later = step.later_by(-2);
        assert_eq!((later.at, later.on[0].at), (Ns(3), Ns(4)));
    }
}
