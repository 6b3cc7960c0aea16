//! The shares of processes and cgroups in the hits of a row, from samples or from all events.

use super::view::WhoBy;
use crate::processes::{Process, ProcessKind};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Fewer rounds do not show how much the shares vary.
pub(super) const FEWEST_ROUNDS: usize = 4;
/// Rounds are joined to at most so many batches: neighbours are often alike.
const MOST_BATCHES: usize = 8;
/// 95 % of a normal distribution lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;

/// The samples of a round.
#[derive(Debug, Default)]
pub(super) struct SampledRound {
    /// The time since the round before.
    pub time: Duration,
    pub samples: u64,
    pub lost: u64,
    pub of: HashMap<Process, u64>,
}

/// Who causes the hits of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoAnswer {
    /// The number of samples.
    pub samples: u64,
    /// The number of samples that the kernel had no room for.
    pub lost: u64,
    /// The time that it is about.
    pub time: Duration,
    /// The processes or cgroups, the largest share first.
    pub rows: Vec<WhoRow>,
    /// Whether all events were looked at, so nothing is estimated.
    pub is_exact: bool,
}

/// A process or a cgroup.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoRow {
    /// Its name for people.
    pub words: String,
    /// The number of processes.
    pub processes: usize,
    /// The other name: of processes, the cgroup with the most samples; of a cgroup, the process with the most.
    pub mostly: Option<String>,
    /// Its share of the hits, from 0 to 1.
    pub share: f64,
    /// The ends of the 95 % interval of its share. `None` if there were too few rounds.
    pub interval: Option<(f64, f64)>,
}

/// Sums by the name of processes, or by cgroup. In each round, the samples of a row.
pub(super) struct WhoSums {
    by: WhoBy,
    sums: BTreeMap<(ProcessKind, String), WhoSum>,
}

#[derive(Default)]
struct WhoSum {
    processes: HashMap<Process, u64>,
    /// By round.
    of: BTreeMap<usize, u64>,
}

impl WhoSums {
    pub fn new(by: WhoBy) -> Self {
        WhoSums { by, sums: BTreeMap::new() }
    }

    /// Adds the samples of a process in a round.
    pub fn add(&mut self, process: &Process, round: usize, samples: u64) {
        let words = match (self.by, &process.cgroup) {
            // A program can have any name, also that of a row for the idle task.
            (WhoBy::Process | WhoBy::Nobody, _) => (process.kind, process.words()),
            (WhoBy::Cgroup, Some(cgroup)) => (ProcessKind::Program, cgroup.to_string()),
            (WhoBy::Cgroup, None) => (ProcessKind::Unknown, "no cgroup".to_owned()),
        };
        let sum = self.sums.entry(words).or_default();
        *sum.processes.entry(process.clone()).or_default() += samples;
        *sum.of.entry(round).or_default() += samples;
    }

    /// The rows, the largest share first. `shares` gives the share and its interval for the samples of a row by round.
    pub fn rows(self, shares: impl Fn(&BTreeMap<usize, u64>) -> (f64, Option<(f64, f64)>)) -> Vec<WhoRow> {
        let by = self.by;
        let rows = self.sums.into_iter().map(|((_, words), WhoSum { processes, of })| {
            let mut others = BTreeMap::<String, u64>::new();
            for (process, samples) in &processes {
                let other = match by {
                    WhoBy::Cgroup => Some(process.words()),
                    WhoBy::Process | WhoBy::Nobody => process.cgroup.as_deref().map(str::to_owned),
                };
                other.into_iter().for_each(|other| *others.entry(other).or_default() += samples);
            }
            let mostly = others.into_iter().max_by_key(|(_, samples)| *samples).map(|(name, _)| name);
            let (share, interval) = shares(&of);
            WhoRow { words, processes: processes.len(), mostly, share, interval }
        });
        let mut rows: Vec<WhoRow> = rows.collect();
        rows.sort_by(|one, other| other.share.total_cmp(&one.share).then_with(|| one.words.cmp(&other.words)));
        rows
    }
}

/// Estimates the shares. A process runs for a while and hits a tracepoint often then, so samples of one round are not
/// independent. The variance is that between batches of rounds (the ratio estimator; Cochran, *Sampling Techniques*, 1977, chapter 6), and
/// at least that of independent samples with two more on either side (Agresti and Coull, 1998).
pub(super) fn answer(rounds: &VecDeque<SampledRound>, by: WhoBy) -> WhoAnswer {
    let mut sums = WhoSums::new(by);
    for (number, round) in rounds.iter().enumerate() {
        round.of.iter().for_each(|(process, samples)| sums.add(process, number, *samples));
    }
    let samples: u64 = rounds.iter().map(|round| round.samples).sum();
    let in_batch = rounds.len().div_ceil(MOST_BATCHES).max(1);
    let mut batches = vec![0; rounds.len().div_ceil(in_batch)];
    rounds.iter().enumerate().for_each(|(number, round)| batches[number / in_batch] += round.samples);
    let with_samples = batches.iter().filter(|samples| **samples > 0).count();
    let shares = |of: &BTreeMap<usize, u64>| {
        let (all, its) = (samples.max(1) as f64, of.values().sum::<u64>() as f64);
        let share = its / all;
        if with_samples < FEWEST_ROUNDS {
            return (share, None);
        }
        let mut its_by_batch = vec![0; batches.len()];
        of.iter().for_each(|(number, samples)| its_by_batch[number / in_batch] += samples);
        let residual = |(its, all): (&u64, &u64)| (*its as f64 - share * *all as f64).powi(2);
        let residuals: f64 = its_by_batch.iter().zip(&batches).map(residual).sum();
        let number = with_samples as f64;
        // Student's t is wider than the normal distribution, as with visits.
        let few = (number - 1.0) / (number - 3.0);
        let between = residuals * number / (number - 1.0) / (all * all) * few;
        let likely = (its + 2.0) / (all + 4.0);
        let within = DEVIATIONS * between.max(likely * (1.0 - likely) / (all + 4.0)).sqrt();
        (share, Some(((likely - within).clamp(0.0, share), (likely + within).clamp(share, 1.0))))
    };
    WhoAnswer {
        samples,
        lost: rounds.iter().map(|round| round.lost).sum(),
        time: rounds.iter().map(|round| round.time).sum(),
        rows: sums.rows(shares),
        is_exact: false,
    }
}
