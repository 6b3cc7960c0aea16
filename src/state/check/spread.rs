//! Measures how far the activity of a tracepoint in a block is from its activity in the sessions of a state.

use crate::state::windows::MOST_LOST;
use crate::state::{Composition, Name, Seen};
use crate::stats::{extremes, mean};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// Some consecutive windows.
#[derive(Debug, Clone)]
pub(in crate::state) struct Block {
    pub mean: Composition,
    /// Events by tracepoint, ascending.
    counts: Vec<(Name, f64)>,
    events: f64,
    lost: f64,
    seconds: f64,
}

/// A measure of a tracepoint's activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::state) enum Measure {
    /// Events per second.
    Rate,
    /// The part of all events.
    Share,
}

impl Measure {
    /// Its value for a tracepoint in these windows together.
    pub fn over<'a>(self, windows: impl IntoIterator<Item = &'a Seen>, name: Name) -> f64 {
        let (mut count, mut events, mut lost, mut seconds) = (0.0, 0.0, 0.0, 0.0);
        for seen in windows {
            let its = seen.composition.events() as f64;
            count += (seen.composition.share(name) * its).round();
            events += its;
            lost += seen.lost as f64;
            seconds += seen.ns as f64 / 1e9;
        }
        self.value(count, events, lost, seconds)
    }

    fn value(self, count: f64, events: f64, lost: f64, seconds: f64) -> f64 {
        match self {
            // A lost event has an unknown tracepoint. Scaling assumes that losses are spread like the other
            // events.
            Measure::Rate => count * (events + lost) / events.max(1.0) / seconds.max(1e-9),
            Measure::Share => count / events.max(1.0),
        }
    }
}

impl Block {
    pub fn of(windows: &[Seen]) -> Self {
        let mut counts = BTreeMap::<Name, f64>::new();
        for Seen { composition, .. } in windows {
            for (name, root) in composition.roots() {
                *counts.entry(*name).or_default() += (root * root * composition.events() as f64).round();
            }
        }
        Block {
            mean: Composition::mean(windows.iter().map(|seen| &seen.composition)),
            counts: counts.into_iter().collect(),
            events: windows.iter().map(|seen| seen.composition.events()).sum::<u64>() as f64,
            lost: windows.iter().map(|seen| seen.lost).sum::<u64>() as f64,
            seconds: windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9,
        }
    }

    pub fn is_lossy(&self) -> bool {
        self.lost > MOST_LOST * (self.events + self.lost)
    }

    fn value(&self, name: Name, measure: Measure) -> f64 {
        let count =
            self.counts.binary_search_by_key(&name, |(name, _)| *name).map_or(0.0, |place| self.counts[place].1);
        measure.value(count, self.events, self.lost, self.seconds)
    }

    /// The variance that chance alone gives to the root of a measure. The root of a Poisson count has a
    /// variance of 1/4.
    fn least_variance(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Rate => 0.25 / self.seconds.max(1e-9),
            Measure::Share => 0.25 / self.events.max(1.0),
        }
    }
}

/// The blocks of a state's sessions, which show how much its tracepoints vary.
pub(in crate::state) struct Spread {
    sessions: Vec<Vec<Block>>,
    /// The tracepoints that fired in any block.
    pub hit: Vec<Name>,
}

/// The comparison of a block with a spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::state) struct Test {
    /// The lowest value, the mean and the highest value of the learned blocks.
    pub learned: [f64; 3],
    /// Whether the value is above the mean.
    pub is_more: bool,
    pub p: f64,
}

impl Spread {
    /// Divides each session into blocks of this many windows.
    ///
    /// # Errors
    /// Fails if fewer than two sessions have blocks, and returns how many have.
    pub fn of<'a>(sessions: impl Iterator<Item = &'a [Seen]>, block: usize) -> Result<Self, usize> {
        let blocks = |windows: &[Seen]| {
            windows.chunks_exact(block).map(Block::of).filter(|block| !block.is_lossy()).collect::<Vec<_>>()
        };
        let sessions: Vec<Vec<Block>> = sessions.map(blocks).filter(|blocks| !blocks.is_empty()).collect();
        if sessions.len() < 2 {
            return Err(sessions.len());
        }
        let hit = sessions.iter().flatten().flat_map(|block| block.counts.iter().map(|(name, _)| *name)).collect();
        Ok(Spread { sessions, hit })
    }

    /// The learned values of a tracepoint.
    pub fn of_tracepoint(&self, name: Name, measure: Measure) -> Usual {
        let of_block = |block: &Block| block.value(name, measure);
        let values: Vec<Vec<f64>> = self.sessions.iter().map(|blocks| blocks.iter().map(of_block).collect()).collect();
        let all = || values.iter().flatten().copied();
        let (lowest, highest) = extremes(all());
        let learned = [lowest, all().sum::<f64>() / all().count() as f64, highest];
        let root = |blocks: &Vec<f64>| blocks.iter().map(|value| value.sqrt()).collect();
        Usual { name, measure, learned, roots: values.iter().map(root).collect() }
    }
}

/// The learned values of one measure of a tracepoint.
pub(in crate::state) struct Usual {
    name: Name,
    measure: Measure,
    learned: [f64; 3],
    /// By session, the square root of each block's value.
    roots: Vec<Vec<f64>>,
}

impl Usual {
    /// The lowest value, the mean and the highest value of the learned blocks.
    pub fn learned(&self) -> [f64; 3] {
        self.learned
    }

    pub fn test(&self, block: &Block) -> Test {
        let here = block.value(self.name, self.measure);
        let expected = Expected::of(&self.roots, block.least_variance(self.measure));
        let t = (here.sqrt() - expected.mean) / expected.variance.sqrt();
        let p = StudentsT::new(0.0, 1.0, expected.freedom).map_or(1.0, |student| 2.0 * student.sf(t.abs()));
        Test { learned: self.learned, is_more: t > 0.0, p }
    }
}

/// The prediction for a block of a new session.
struct Expected {
    mean: f64,
    variance: f64,
    /// Degrees of freedom of the variance.
    freedom: f64,
}

impl Expected {
    /// Estimates it from the blocks of each session. `least` is the variance that a block has by chance
    /// alone.
    fn of(sessions: &[Vec<f64>], least: f64) -> Self {
        let number = sessions.len() as f64;
        let means: Vec<f64> = sessions.iter().map(|blocks| mean(blocks)).collect();
        let mean = mean(&means);
        let of_means = means.iter().map(|its| (its - mean).powi(2)).sum::<f64>() / (number - 1.0);
        let squares: f64 = sessions
            .iter()
            .zip(&means)
            .flat_map(|(blocks, mean)| blocks.iter().map(move |value| (value - mean).powi(2)))
            .sum();
        let blocks: f64 = sessions.iter().map(|blocks| blocks.len() as f64).sum();
        let within_freedom = blocks - number;
        let within = if within_freedom > 0.0 { squares / within_freedom } else { 0.0 };
        // The blocks within the sessions vary, and this alone makes the means of the sessions vary.
        let between = (of_means - within * number / blocks).max(0.0);
        let (between, within) = (between * (1.0 + 1.0 / number), (within * (1.0 + 1.0 / blocks)).max(least));
        let variance = between + within;
        let of_within =
            if within_freedom > 0.0 { within.powi(2) / within_freedom } else { within.powi(2) / (number - 1.0) };
        let freedom = variance.powi(2) / (between.powi(2) / (number - 1.0) + of_within);
        Expected { mean, variance, freedom: freedom.max(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The more the sessions differ, and the fewer there are, the wider is the accepted range.
    #[test]
    fn the_spread_is_wide_where_sessions_differ() {
        let blocks = |of: &[f64]| of.iter().map(|mean| vec![mean - 0.1, *mean, mean + 0.1]).collect::<Vec<_>>();
        let alike = Expected::of(&blocks(&[5.0, 5.0, 5.0, 5.0]), 1e-6);
        assert!((alike.mean, alike.freedom) == (5.0, 8.0), "{} {}", alike.mean, alike.freedom);
        assert!((alike.variance - 0.01 * (1.0 + 1.0 / 12.0)).abs() < 1e-9);
        let apart = Expected::of(&blocks(&[3.0, 5.0, 4.0, 8.0]), 1e-6);
        assert!(apart.variance > 4.0 && (3.0..3.1).contains(&apart.freedom), "{} {}", apart.variance, apart.freedom);
        // Even values that never varied keep the variance of chance.
        assert_eq!(Expected::of(&[vec![0.0; 3], vec![0.0; 3]], 0.25).variance, 0.25);
    }
}
