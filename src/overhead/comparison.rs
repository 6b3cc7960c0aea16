//! Compares the times of two arms, round by round.

use super::estimate::{Claim, Estimate};
use super::measurement::{MeasuredRun, as_nanoseconds};
use super::{Arm, Overhead};
use crate::stats::median;
use serde::Serialize;
use std::time::Duration;

/// The times of an arm, compared with those of another arm.
#[derive(Debug, Clone, Serialize)]
pub struct Times {
    /// The wall time of COMMAND.
    pub wall: Option<Comparison>,
    /// The CPU time of COMMAND.
    pub cpu: Option<Comparison>,
    /// The system part of the CPU time of COMMAND.
    pub system: Option<Comparison>,
    /// The busy time of all CPUs. `None` if a run is too short for it.
    pub machine: Option<Comparison>,
}

/// One kind of time, compared between two arms.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Under the arm to compare with.
    pub without: RunTimes,
    /// Under the other arm.
    pub with: RunTimes,
    /// The relative change: 0.1 for an increase by a tenth. It is the geometric mean of the ratios of all
    /// pairs, minus 1.
    pub change: Estimate,
    /// What the change's interval says about it.
    #[serde(rename = "verdict")]
    pub claim: Claim,
}

/// The median and the range of some runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RunTimes {
    /// The median.
    #[serde(rename = "median_ns", serialize_with = "as_nanoseconds")]
    pub median: Duration,
    /// The shortest.
    #[serde(rename = "min_ns", serialize_with = "as_nanoseconds")]
    pub min: Duration,
    /// The longest.
    #[serde(rename = "max_ns", serialize_with = "as_nanoseconds")]
    pub max: Duration,
}

/// The runs of a round in which each arm has run.
pub(super) struct CompleteRound<'a> {
    runs: Vec<&'a MeasuredRun>,
}

impl CompleteRound<'_> {
    /// All complete rounds of a measurement.
    pub fn all(overhead: &Overhead) -> Vec<CompleteRound<'_>> {
        let of = |round| overhead.runs.iter().filter(|run| run.round == round).collect();
        let is_complete = |runs: &Vec<&MeasuredRun>| {
            overhead.arms.iter().all(|arm| runs.iter().any(|run| run.arm == *arm))
                && runs.iter().all(|run| matches!(run.arm, Arm::On(_)) == run.hits.is_some())
        };
        let rounds = (1..=overhead.rounds_asked).map(of).filter(is_complete);
        rounds.map(|runs| CompleteRound { runs }).collect()
    }

    /// The run of this arm, which must be one of the measurement.
    pub fn of(&self, arm: Arm) -> &MeasuredRun {
        self.runs.iter().find(|run| run.arm == arm).expect("a complete round has a run of each arm")
    }

    /// All runs.
    pub fn runs(&self) -> impl Iterator<Item = &MeasuredRun> {
        self.runs.iter().copied()
    }
}

impl Times {
    /// Compares the runs of `arm` with those of `base`. Set `has_machine` if the busy time of all CPUs is accurate
    /// enough.
    pub(super) fn of(rounds: &[CompleteRound<'_>], base: Arm, arm: Arm, has_machine: bool) -> Self {
        let compare = |time: fn(&MeasuredRun) -> Option<Duration>| {
            let pairs = rounds.iter().map(|round| Some((time(round.of(base))?, time(round.of(arm))?)));
            Comparison::of(pairs.collect::<Option<_>>()?)
        };
        Times {
            wall: compare(|run| Some(run.wall)),
            cpu: compare(|run| Some(run.cpu)),
            system: compare(|run| Some(run.system)),
            machine: if has_machine { compare(|run| run.machine) } else { None },
        }
    }
}

impl Comparison {
    /// Compares the two times of each pair. `None` if there is no pair, or if a time is zero.
    fn of(pairs: Vec<(Duration, Duration)>) -> Option<Self> {
        let logs: Vec<f64> =
            pairs.iter().map(|(without, with)| (with.as_secs_f64() / without.as_secs_f64()).ln()).collect();
        let change =
            |drawn: &[usize]| (drawn.iter().map(|index| logs[*index]).sum::<f64>() / drawn.len() as f64).exp_m1();
        let change = Estimate::of(logs.len(), change).filter(|_| logs.iter().all(|log| log.is_finite()))?;
        let (without, with): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let (without, with) = (RunTimes::of(&without)?, RunTimes::of(&with)?);
        Some(Comparison { without, with, change, claim: change.claim() })
    }
}

impl RunTimes {
    fn of(times: &[Duration]) -> Option<Self> {
        let (min, max) = (*times.iter().min()?, *times.iter().max()?);
        Some(RunTimes { median: median(times.iter().copied())?, min, max })
    }

    /// The width of the range, relative to the median.
    pub fn width(&self) -> f64 {
        (self.max - self.min).as_secs_f64() / self.median.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_zero_has_no_change() {
        let milliseconds = |pair: (u64, u64)| (Duration::from_millis(pair.0), Duration::from_millis(pair.1));
        let change = |pairs: &[(u64, u64)]| {
            Comparison::of(pairs.iter().copied().map(milliseconds).collect()).map(|comparison| comparison.change.value)
        };
        assert!((change(&[(100, 110), (100, 121)]).unwrap() - (1.1f64 * 1.21).sqrt() + 1.0).abs() < 1e-9);
        // ln(0) would make the geometric mean 0, which is a change of −100 %.
        for pairs in [&[(0, 100)][..], &[(100, 0)], &[(100, 110), (0, 0)], &[(100, 110), (100, 0)], &[]] {
            assert_eq!(change(pairs), None, "{pairs:?}");
        }
    }
}
