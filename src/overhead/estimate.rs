//! Estimates from pairs of runs, with their uncertainty: the bootstrap over pairs.

use crate::stats::{quantile, sorted};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// How often the pairs are resampled.
const RESAMPLES: usize = 10_000;
/// The seed is constant, so the same runs give the same interval.
const SEED: u64 = 0x7470_5f70_6572_6621;
/// The fewest pairs that have an interval. With fewer, even their whole range would cover the true value less
/// than nine times in ten.
pub const FEWEST_PAIRS: usize = 5;
/// The coverage that an interval should have.
const CONFIDENCE: f64 = 0.95;

/// The coverage of an interval over this many pairs. More than once in twenty, five pairs all lie on one side
/// of the true value, and no resample lies beyond their range.
pub fn confidence(pairs: usize) -> f64 {
    if pairs > FEWEST_PAIRS { CONFIDENCE } else { 0.90 }
}
/// A smaller change is negligible.
const NEGLIGIBLE: f64 = 0.02;

/// A figure computed from pairs, with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure computed from the pairs as measured.
    pub value: f64,
    /// The ends of the interval. [`confidence`] gives its coverage. `None` if there are too few pairs.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Estimates a figure from `pairs` pairs. `statistic` computes it from the indices of resampled pairs,
    /// which may repeat. `None` if the result is not a finite number.
    ///
    /// The interval is the percentile interval of the bootstrap, widened for few pairs: its tails are those
    /// of Student's t (the *expanded percentile interval* of Hesterberg, "What Teachers Should Know about the
    /// Bootstrap", The American Statistician 69(4), 2015, section 5.3). For five pairs it is about their
    /// range.
    pub fn of(pairs: usize, statistic: impl Fn(&[usize]) -> f64) -> Option<Self> {
        let all: Vec<usize> = (0..pairs).collect();
        let value = statistic(&all);
        if pairs == 0 || !value.is_finite() {
            return None;
        }
        if pairs < FEWEST_PAIRS {
            return Some(Estimate { value, interval: None });
        }
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut drawn = all;
        let values = sorted((0..RESAMPLES).map(|_| {
            drawn.iter_mut().for_each(|index| *index = random.usize(..pairs));
            statistic(&drawn)
        }));
        let tail = tail(pairs);
        let interval = (quantile(&values, tail), quantile(&values, 1.0 - tail));
        Some(Estimate { value, interval: (interval.0.is_finite() && interval.1.is_finite()).then_some(interval) })
    }

    /// The claim that the estimate supports, if it is a relative change (0 for no change).
    pub fn claim(&self) -> Claim {
        let Some((low, high)) = self.interval else { return Claim::TooFewPairs };
        let includes_zero = low <= 0.0 && high >= 0.0;
        match (includes_zero, (high - low) / 2.0) {
            (true, _) if low.abs().max(high.abs()) <= NEGLIGIBLE => Claim::NoDifference,
            (true, _) => Claim::Noisy,
            (false, half) if half <= (self.value.abs() / 2.0).max(NEGLIGIBLE / 2.0) => Claim::Difference,
            (false, _) => Claim::Rough,
        }
    }
}

/// The share of the resamples to leave out at each end.
fn tail(pairs: usize) -> f64 {
    let pairs = pairs as f64;
    let student = StudentsT::new(0.0, 1.0, pairs - 1.0).expect("there are at least two pairs");
    let t = student.inverse_cdf(0.5 + CONFIDENCE / 2.0);
    Normal::standard().cdf(-t * (pairs / (pairs - 1.0)).sqrt())
}

/// What an estimate says about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The change is real, and its size is known.
    Difference,
    /// The change is real, but its size is uncertain.
    Rough,
    /// The interval includes zero and is narrow: any change is negligible.
    NoDifference,
    /// The interval includes zero and is wide: the machine was too noisy.
    Noisy,
    /// There are too few pairs for an interval.
    TooFewPairs,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> Estimate {
        Estimate::of(values.len(), |drawn| drawn.iter().map(|index| values[*index]).sum::<f64>() / drawn.len() as f64)
            .unwrap()
    }

    /// The interval must cover the true value 95 times in 100, and almost so for few pairs. With the tails of
    /// the plain percentile interval, it would cover it 83 times for five pairs.
    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let mut random = fastrand::Rng::with_seed(1);
        let normal = Normal::standard();
        for (pairs, least) in [(5, 0.90), (10, 0.93)] {
            let trials = 300;
            let holds = (0..trials).filter(|_| {
                let values: Vec<f64> =
                    (0..pairs).map(|_| 0.3 + 0.1 * normal.inverse_cdf(random.f64().clamp(1e-9, 1.0 - 1e-9))).collect();
                let (low, high) = mean(&values).interval.unwrap();
                (low..=high).contains(&0.3)
            });
            let share = holds.count() as f64 / f64::from(trials);
            assert!((least..0.995).contains(&share), "{share} of {pairs} pairs");
        }
    }

    #[test]
    fn the_same_pairs_give_the_same_interval_and_few_give_none() {
        let values = [0.1, 0.2, 0.15, 0.12, 0.14];
        assert_eq!(mean(&values), mean(&values));
        assert_eq!(mean(&values[..2]), Estimate { value: 0.15000000000000002, interval: None });
        assert!(mean(&values[..4]).interval.is_none());
        assert!(Estimate::of(0, |_| 1.0).is_none() && Estimate::of(5, |_| f64::NAN).is_none());
        let (low, high) = mean(&values).interval.unwrap();
        assert!((0.1..0.14).contains(&low) && (0.15..=0.2).contains(&high), "{low} {high}");
    }

    #[test]
    fn claims_tell_a_cost_from_noise() {
        let claim = |value, low, high| Estimate { value, interval: Some((low, high)) }.claim();
        assert_eq!(claim(0.35, 0.33, 0.37), Claim::Difference);
        assert_eq!(claim(0.005, 0.002, 0.008), Claim::Difference);
        assert_eq!(claim(0.35, 0.05, 0.80), Claim::Rough);
        assert_eq!(claim(0.003, -0.01, 0.015), Claim::NoDifference);
        assert_eq!(claim(0.05, -0.10, 0.20), Claim::Noisy);
        assert_eq!(claim(-0.1, -0.12, -0.08), Claim::Difference);
        assert_eq!(Estimate { value: 0.3, interval: None }.claim(), Claim::TooFewPairs);
    }
}
