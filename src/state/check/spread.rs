//! How far what a tracepoint does in some windows is from what it did in the sessions of a state.

use crate::state::{Composition, Name, Seen};
use crate::stats::{extremes, mean};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// A block that lost a larger part of its events says nothing.
pub(super) const MOST_LOST: f64 = 0.1;

/// Some windows in a row.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub mean: Composition,
    /// Events by tracepoint, ascending.
    counts: Vec<(Name, f64)>,
    events: f64,
    lost: f64,
    seconds: f64,
}

/// What is measured of a tracepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Its events in a second.
    Rate,
    /// Its part of all events.
    Share,
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
        match measure {
            // What was lost was of some tracepoint too.
            Measure::Rate => count * (self.events + self.lost) / self.events.max(1.0) / self.seconds.max(1e-9),
            Measure::Share => count / self.events.max(1.0),
        }
    }

    /// The variance that the root of a measure has by chance alone: that of the root of a count is a quarter.
    fn least_variance(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Rate => 0.25 / self.seconds.max(1e-9),
            Measure::Share => 0.25 / self.events.max(1.0),
        }
    }
}

/// The blocks of a state's sessions.
pub(super) struct Spread {
    sessions: Vec<Vec<Block>>,
    /// The tracepoints with events in any of them.
    pub hit: Vec<Name>,
}

/// A block held against a spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Test {
    pub here: f64,
    /// The lowest, the mean and the highest of the learned blocks.
    pub learned: [f64; 3],
    /// Whether it is more than usual.
    pub is_more: bool,
    pub p: f64,
}

impl Spread {
    /// Of sessions cut into blocks of this many windows.
    ///
    /// # Errors
    /// How many sessions have blocks, if there are fewer than two.
    pub fn of(sessions: &[Vec<Seen>], block: usize) -> Result<Self, usize> {
        let blocks = |windows: &Vec<Seen>| {
            windows.chunks_exact(block).map(Block::of).filter(|block| !block.is_lossy()).collect::<Vec<_>>()
        };
        let sessions: Vec<Vec<Block>> = sessions.iter().map(blocks).filter(|blocks| !blocks.is_empty()).collect();
        if sessions.len() < 2 {
            return Err(sessions.len());
        }
        let hit = sessions.iter().flatten().flat_map(|block| block.counts.iter().map(|(name, _)| *name)).collect();
        Ok(Spread { sessions, hit })
    }

    /// What its blocks show of a tracepoint.
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

/// What a state's blocks show of a tracepoint.
pub(super) struct Usual {
    name: Name,
    measure: Measure,
    learned: [f64; 3],
    /// By session the root of each block's value.
    roots: Vec<Vec<f64>>,
}

impl Usual {
    pub fn test(&self, block: &Block) -> Test {
        let here = block.value(self.name, self.measure);
        let expected = Expected::of(&self.roots, block.least_variance(self.measure));
        let t = (here.sqrt() - expected.mean) / expected.variance.sqrt();
        let p = StudentsT::new(0.0, 1.0, expected.freedom).map_or(1.0, |student| 2.0 * student.sf(t.abs()));
        Test { here, learned: self.learned, is_more: t > 0.0, p }
    }
}

/// What a block of a new session is expected to be.
struct Expected {
    mean: f64,
    variance: f64,
    /// Degrees of freedom of the variance.
    freedom: f64,
}

impl Expected {
    /// From the values of the blocks of each session. `least`: the variance that a block has in any case.
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
        // The means of sessions differ also because blocks do.
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

    /// Sessions that differ much allow much, and few of them allow more.
    #[test]
    fn the_spread_is_wide_where_sessions_differ() {
        let blocks = |of: &[f64]| of.iter().map(|mean| vec![mean - 0.1, *mean, mean + 0.1]).collect::<Vec<_>>();
        let alike = Expected::of(&blocks(&[5.0, 5.0, 5.0, 5.0]), 1e-6);
        assert!((alike.mean, alike.freedom) == (5.0, 8.0), "{} {}", alike.mean, alike.freedom);
        assert!((alike.variance - 0.01 * (1.0 + 1.0 / 12.0)).abs() < 1e-9);
        let apart = Expected::of(&blocks(&[3.0, 5.0, 4.0, 8.0]), 1e-6);
        assert!(apart.variance > 4.0 && (3.0..3.1).contains(&apart.freedom), "{} {}", apart.variance, apart.freedom);
        // What was always the same may still be what chance makes of it.
        assert_eq!(Expected::of(&[vec![0.0; 3], vec![0.0; 3]], 0.25).variance, 0.25);
    }
}
