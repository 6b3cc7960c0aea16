//! Whether a source changed at once or slowly.
//!
//! The means of ten windows of the distance from the learned states are compared with a ramp: one level up to a point, a
//! straight line, and another level from a second point on. Among all ramps that explain the values nearly as well as the
//! best one (least squares), the shortest counts. A step is a ramp between neighbouring values.

use crate::stats::mean;
use crate::units::Ns;
use serde::Serialize;
use std::collections::VecDeque;

/// Windows of one value.
const WINDOWS: usize = 10;
/// Values that are kept: two hours, with windows of a second.
const KEPT: usize = 720;
/// Values that are compared with ramps.
const COMPARED: usize = 60;
/// A ramp may explain the values worse than the best one by this factor.
const NEARLY: f64 = 1.2;
/// A ramp over fewer values than this is a step.
const LEAST_RAMP: usize = 3;

/// How a change began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Onset {
    /// At once.
    Step,
    /// Slowly: over this time so far.
    Drift {
        /// In nanoseconds.
        over_ns: u64,
    },
}

/// The distance of a source from the learned states over time.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// The begin of each ten windows, with their mean.
    values: VecDeque<(Ns, f64)>,
    now: Vec<f64>,
    begin: Ns,
}

impl Levels {
    /// Takes the value of a window.
    pub fn push(&mut self, begin: Ns, value: f64) {
        if self.now.is_empty() {
            self.begin = begin;
        }
        self.now.push(value);
        if self.now.len() == WINDOWS {
            if self.values.len() == KEPT {
                self.values.pop_front();
            }
            self.values.push_back((self.begin, mean(&self.now)));
            self.now.clear();
        }
    }

    /// When a slow change began. `None` if the change was a step.
    pub fn drift_since(&self) -> Option<Ns> {
        let now = (!self.now.is_empty()).then(|| (self.begin, mean(&self.now)));
        let values: Vec<(Ns, f64)> = self.values.iter().copied().chain(now).collect();
        let newest = &values[values.len().saturating_sub(COMPARED)..];
        // A drift of hours is hardly a drift in the last minutes, so all values come first.
        let together = values.len().div_ceil(COMPARED).max(1);
        let coarse: Vec<(Ns, f64)> = values
            .rchunks(together)
            .rev()
            .map(|some| (some[0].0, some.iter().map(|(_, value)| value).sum::<f64>() / some.len() as f64))
            .collect();
        ramp_of(&coarse).or_else(|| ramp_of(newest))
    }
}

/// The begin of the ramp, if it is longer than a step and rises.
fn ramp_of(values: &[(Ns, f64)]) -> Option<Ns> {
    let levels: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    let (from, to) = ramp(&levels)?;
    (to - from >= LEAST_RAMP && mean(&levels[to..]) > mean(&levels[..=from])).then(|| values[from].0)
}

/// The last value of the first level, and the first value of the second one. `None` for fewer than two values.
fn ramp(values: &[f64]) -> Option<(usize, usize)> {
    let pairs = || (0..values.len()).flat_map(|from| (from + 1..values.len()).map(move |to| (from, to)));
    let errors: Vec<((usize, usize), f64)> =
        pairs().map(|(from, to)| ((from, to), squared_errors(values, from, to))).collect();
    let best = errors.iter().map(|(_, error)| *error).min_by(f64::total_cmp)?;
    let good = errors.into_iter().filter(|(_, error)| *error <= NEARLY * best + 1e-9);
    good.min_by(|((a, b), one), ((c, d), other)| (b - a).cmp(&(d - c)).then(one.total_cmp(other))).map(|(pair, _)| pair)
}

/// The squared distances of the values from a ramp.
fn squared_errors(values: &[f64], from: usize, to: usize) -> f64 {
    let (before, after) = (mean(&values[..=from]), mean(&values[to..]));
    let level = |place: usize| match place {
        place if place <= from => before,
        place if place >= to => after,
        place => before + (after - before) * (place - from) as f64 / (to - from) as f64,
    };
    values.iter().enumerate().map(|(place, value)| (value - level(place)).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(windows: impl IntoIterator<Item = f64>) -> Option<u64> {
        let mut random = fastrand::Rng::with_seed(9);
        let mut levels = Levels::default();
        for (second, value) in windows.into_iter().enumerate() {
            levels.push(Ns(second as u64), value + 0.3 * (random.f64() - 0.5));
        }
        levels.drift_since().map(|since| since.0)
    }

    fn flat_then(flat: usize, rise: usize, then: usize) -> impl Iterator<Item = f64> {
        let level = move |second: usize| (second.saturating_sub(flat) as f64 / rise.max(1) as f64).min(1.0);
        (0..flat + rise + then).map(move |second| -0.3 + 1.5 * level(second))
    }

    #[test]
    fn a_step_is_no_drift() {
        for (flat, then) in [(60, 9), (600, 9), (5_000, 12), (40, 200), (3, 9)] {
            assert_eq!(drift(flat_then(flat, 0, then)), None, "{flat} and {then}");
        }
        assert_eq!(drift([]), None);
        assert_eq!(drift([1.0]), None);
    }

    #[test]
    fn a_drift_has_its_begin() {
        // Within minutes, still going on, and over an hour.
        for (flat, rise, then) in [(300, 120, 10), (300, 180, 0), (2_000, 3_600, 20)] {
            let since = drift(flat_then(flat, rise, then)).expect("a drift");
            assert!(since.abs_diff(flat as u64) <= (rise / 4) as u64, "{flat}: {since}");
        }
    }
}
