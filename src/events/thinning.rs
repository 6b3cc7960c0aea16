//! Thinned tracepoints of a recording: one in N hits becomes a sample. This module knows how many samples the kernel takes
//! of how many hits, so that the accounting still balances:
//!
//! ```text
//!   counted = recorded + thinned away + lost + unaccounted
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
    /// When it moved, by the clock of the samples. Some hits within some microseconds may still be treated as before.
    pub at: Ns,
    /// From then on, one in this many hits becomes a sample. 1 records every hit, and 0 detaches the tracepoint.
    pub one_in: u64,
    /// For each CPU, the tracepoint's counter just before and just after the move.
    pub counters: Vec<(Cpu, u64, u64)>,
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

    /// The number of hits that an event of this tracepoint stands for. The last events of a tracepoint that was detached
    /// stand for as many as those before.
    pub fn hits(&self, tpid: Tpid, time: Ns) -> u64 {
        let steps = self.of.get(&tpid).map_or(&[][..], Vec::as_slice);
        let so_far = &steps[..steps.partition_point(|(at, _)| *at <= time)];
        so_far.iter().rev().map(|(_, one_in)| *one_in).find(|one_in| *one_in > 0).unwrap_or(1)
    }

    /// The stretches in which a tracepoint was not recorded hit by hit: its period (0 if it was detached), and the begin and
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

/// The number of hits of an event that did not become samples because it was thinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThinnedAway {
    /// At least so many.
    pub least: u64,
    /// At most so many. It differs if hits came in the microseconds of a move.
    pub most: u64,
}

impl ThinnedAway {
    /// The number, if so many hits are `missing` in the samples.
    pub fn of_missing(self, missing: u64) -> u64 {
        missing.clamp(self.least, self.most)
    }
}

/// Follows one event of a tracepoint on one CPU through the steps of its tracepoint. Before the first step, each hit is
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thinning {
    /// The counter at the last step, just before and just after it.
    from: (u64, u64),
    /// The period since then; 0 if the event is closed.
    one_in: u64,
    /// The period before, which still rules the first interval.
    last: u64,
    /// The hits thinned away before the last step.
    before: ThinnedAway,
}

impl Default for Thinning {
    fn default() -> Self {
        Thinning { from: (0, 0), one_in: 1, last: OPENED_WITH, before: ThinnedAway::default() }
    }
}

impl Thinning {
    /// The tracepoint moved while the counter went from `before` to `after`.
    pub fn step(&mut self, one_in: u64, before: u64, after: u64) {
        let is_hit = after > self.from.0;
        // With period 1, and without hits, the kernel leaves the old period as it is.
        let last = if self.one_in > 1 && is_hit { self.one_in } else { self.last };
        *self = Thinning { from: (before, after), one_in, last, before: self.up_to(before, after) };
    }

    /// The hits thinned away until the counter is between these values.
    pub fn up_to(&self, before: u64, after: u64) -> ThinnedAway {
        let away = |hits| if self.one_in == 0 { 0 } else { hits - self.samples(hits) };
        let least = self.before.least.saturating_add(away(before.saturating_sub(self.from.1)));
        let most = self.before.most.saturating_add(away(after.saturating_sub(self.from.0)));
        // The counters of a damaged file can go backwards.
        ThinnedAway { least, most: most.max(least) }
    }

    /// The samples that the kernel takes of so many hits since the last step.
    fn samples(&self, hits: u64) -> u64 {
        match (self.one_in, hits) {
            (1, hits) => hits,
            // The event was just opened, so there was no other period before.
            (OPENED_WITH, hits) => hits / OPENED_WITH,
            (_, 0) => 0,
            (_, hits) if hits < self.last => 1,
            (one_in, hits) => 2 + (hits - self.last) / one_in.max(1),
        }
    }

    /// The hits thinned away before the last step.
    pub fn so_far(&self) -> ThinnedAway {
        self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of (period, hits), and the samples that Linux 6.18 took of each: measured with a known number of renames.
    const MEASURED: [(u64, u64, u64); 12] = [
        (2, 7, 3),
        (1, 50_000, 50_000),
        (17, 1_000, 60),
        (257, 1_000, 5),
        (17, 1_000, 45),
        (1, 1_000, 1_000),
        (17, 1, 1),
        (1, 100, 100),
        (17, 2, 1),
        (1, 200_000, 200_000),
        (4_099, 200_000, 50),
        (1, 200_000, 200_000),
    ];

    #[test]
    fn the_model_takes_as_many_samples_as_the_kernel() {
        let (mut thinning, mut counter, mut taken) = (Thinning::default(), 0, 0);
        for (place, (one_in, hits, samples)) in MEASURED.into_iter().enumerate() {
            thinning.step(one_in, counter, counter);
            counter += hits;
            taken += samples;
            let away = thinning.up_to(counter, counter);
            assert_eq!((away.least, away.most), (counter - taken, counter - taken), "step {place}");
        }
    }

    #[test]
    fn an_event_stands_for_as_many_hits_as_its_period_at_that_time() {
        let step = |tpid, at, one_in| RungStep { tpid: Tpid::new(tpid), at: Ns(at), one_in, counters: Vec::new() };
        let mut periods = Periods::default();
        periods.add(&[step(7, 100, 17), step(9, 100, 0), step(7, 200, 257)]);
        periods.add(&[step(7, 300, 1), step(7, 400, 0)]);
        let hits = |tpid, at| periods.hits(Tpid::new(tpid), Ns(at));
        assert_eq!([99, 100, 199, 200, 300, 450].map(|at| hits(7, at)), [1, 17, 17, 257, 1, 1]);
        assert_eq!((hits(9, 500), hits(1, 500)), (1, 1));
        let seven = |one_in, from, to| (Tpid::new(7), one_in, Ns(from), Ns(to));
        let expected =
            [seven(17, 100, 200), seven(257, 200, 300), seven(0, 400, 500), (Tpid::new(9), 0, Ns(100), Ns(500))];
        assert_eq!(periods.stretches(Ns(500)), expected);
        assert_eq!(step(7, 0, 257).rung(), "thinned (1 in 257)");
        assert_eq!((step(7, 0, 1).rung(), step(7, 0, 0).rung()), ("recorded".into(), "detached".into()));
    }

    #[test]
    fn steps_are_notes() {
        let steps = Steps {
            steps: vec![RungStep { tpid: Tpid::new(7), at: Ns(5), one_in: 17, counters: vec![(Cpu::new(1), 2, 3)] }],
        };
        let line = crate::text::json_line(&steps);
        assert_eq!(line, r#"{"steps":[{"tpid":7,"at":5,"one_in":17,"counters":[[1,2,3]]}]}"#);
        assert_eq!(Steps::of_note(&line).unwrap().unwrap(), steps);
        assert!(Steps::of_note(r#"{"schema":2}"#).is_none() && Steps::of_note(r#"{"steps":[{}]}"#).unwrap().is_err());
    }

    #[test]
    fn hits_in_the_moment_of_a_step_may_be_on_either_side() {
        let mut thinning = Thinning::default();
        thinning.step(1, 0, 0);
        thinning.step(17, 1_000, 1_004);
        // Of 996 to 1,000 hits, one in 17 is sampled.
        let ThinnedAway { least, most } = thinning.up_to(2_000, 2_000);
        assert!(least < most && most - least <= 4, "{least} to {most}");
        assert_eq!(thinning.up_to(2_000, 2_000).of_missing(least + 1), least + 1);
        assert_eq!(thinning.up_to(2_000, 2_000).of_missing(0), least);
        assert_eq!(thinning.up_to(2_000, 2_000).of_missing(u64::MAX), most);
        // After it was detached, nothing is thinned away.
        thinning.step(0, 2_000, 2_000);
        assert_eq!(thinning.up_to(9_000, 9_000), thinning.so_far());
        thinning.step(17, 5, 3);
        thinning.step(1, u64::MAX, 0);
        assert!(thinning.up_to(0, u64::MAX).least <= thinning.up_to(0, u64::MAX).most);
    }
}
