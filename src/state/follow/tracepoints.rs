//! Tracepoints that stay outside their learned range: the tests of `check`, block by block as the windows come.

use super::newest::NewestWindows;
use crate::state::answer::Answer;
use crate::state::check::dating::Dating;
use crate::state::check::spread::{Block, Measure, Spread, Test, Usual};
use crate::state::check::{BLOCK, IN_A_ROW, spreads};
use crate::state::deviation::Deviation;
use crate::state::known::Known;
use crate::state::{Error, Name};
use std::collections::{BTreeMap, BTreeSet};

/// The measures, in the order in which a finding counts: of two, the rate.
const MEASURES: [Measure; 2] = [Measure::Rate, Measure::Share];

/// The tests of single tracepoints.
pub(super) struct Tracepoints<'a> {
    known: &'a Known,
    /// The states in which the source should be.
    allowed: Vec<usize>,
    /// By allowed state.
    spreads: Vec<Spread>,
    /// The learned values by allowed state, name, and measure. They are made when they are first needed.
    usual: BTreeMap<(usize, Name, usize), Usual>,
    /// By name, whether a session hit it.
    is_hit: Vec<bool>,
    /// By name and measure, the blocks in a row outside the learned range.
    runs: BTreeMap<(Name, usize), OutsideRun>,
    alpha: f64,
    per_day: f64,
    /// By allowed state, the sum of its ln D over the windows of this block.
    distances: Vec<f64>,
    /// The tracepoints that stayed outside for long enough, in the last block.
    outside: Vec<OutsideRange>,
}

/// Blocks in a row that deviate from one state in the same direction.
#[derive(Debug, Clone, Copy)]
struct OutsideRun {
    is_more: bool,
    state: usize,
    /// The window in which the first block begins.
    from: usize,
    /// How many blocks were tested.
    blocks: usize,
}

/// A tracepoint that stays outside its learned range.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutsideRange {
    name: Name,
    measure: Measure,
    /// The state, as its place among the allowed ones.
    state: usize,
    /// The window in which the first block begins.
    from: usize,
    test: Test,
}

impl<'a> Tracepoints<'a> {
    pub fn of(known: &'a Known, allowed: &[usize], alpha: f64, per_day: f64) -> Result<Self, Error> {
        let spreads = spreads(known.states(), allowed, BLOCK)?;
        let mut is_hit = vec![false; known.names().len()];
        spreads.iter().flat_map(|spread| &spread.hit).for_each(|name| is_hit[*name as usize] = true);
        Ok(Tracepoints {
            known,
            allowed: allowed.to_vec(),
            distances: vec![0.0; allowed.len()],
            spreads,
            usual: BTreeMap::new(),
            is_hit,
            runs: BTreeMap::new(),
            alpha,
            per_day,
            outside: Vec::new(),
        })
    }

    /// Takes the newest window with its answer. Returns the tracepoints that stay outside, if the window ends a block.
    pub fn take(&mut self, newest: &NewestWindows<'_>, answer: &Answer) -> Option<&[OutsideRange]> {
        for (sum, state) in self.distances.iter_mut().zip(&self.allowed) {
            *sum += answer.opinions[*state].map_or(0.0, |opinion| opinion.distance.ln());
        }
        let end = newest.number();
        if !end.is_multiple_of(BLOCK) {
            return None;
        }
        let distances = std::mem::replace(&mut self.distances, vec![0.0; self.allowed.len()]);
        let windows = newest.seen(&(end - BLOCK..end));
        let block = Block::of(windows);
        // A block that lost much does not interrupt a run.
        if !block.is_lossy() {
            let nearest = (0..distances.len()).min_by(|a, b| distances[*a].total_cmp(&distances[*b])).unwrap_or(0);
            let seconds = windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9;
            self.test(&block, nearest, end - BLOCK, 86_400.0 / seconds.max(1e-9));
        }
        Some(&self.outside)
    }

    fn test(&mut self, block: &Block, state: usize, from: usize, blocks_in_a_day: f64) {
        let here = block.mean.roots().iter().map(|(name, _)| *name);
        here.for_each(|name| self.is_hit[name as usize] = true);
        let names: Vec<Name> = (0..).zip(&self.is_hit).filter(|(_, is)| **is).map(|(name, _)| name).collect();
        let tests = (MEASURES.len() * names.len()).max(1) as f64;
        let level = (self.per_day / (blocks_in_a_day * tests)).min(self.alpha);
        self.outside.clear();
        for name in names {
            let mut is_found = false;
            for (number, measure) in MEASURES.into_iter().enumerate() {
                let spread = &self.spreads[state];
                let usual = self.usual.entry((state, name, number));
                let test = usual.or_insert_with(|| spread.of_tracepoint(name, measure)).test(block);
                if test.p > level {
                    self.runs.remove(&(name, number));
                    continue;
                }
                let new = OutsideRun { is_more: test.is_more, state, from, blocks: 0 };
                let run = self.runs.entry((name, number)).or_insert(new);
                if (run.is_more, run.state) != (new.is_more, new.state) {
                    *run = new;
                }
                run.blocks += 1;
                if run.blocks >= IN_A_ROW && !is_found {
                    is_found = true;
                    self.outside.push(OutsideRange { name, measure, state, from: run.from, test });
                }
            }
        }
    }

    /// The names of the tracepoints that stay outside.
    pub fn names(&self) -> Vec<&str> {
        self.outside.iter().filter_map(|its| self.known.names().name(its.name)).collect()
    }

    /// Whether one of these tracepoints was outside its range in the last block.
    pub fn are_outside(&self, names: &BTreeSet<String>) -> bool {
        self.runs.keys().any(|(name, _)| self.known.names().name(*name).is_some_and(|name| names.contains(name)))
    }

    /// The smallest p-value of the tracepoints that stay outside.
    pub fn least_p(&self) -> f64 {
        self.outside.iter().map(|its| its.test.p).fold(1.0, f64::min)
    }

    /// The tracepoints that stay outside as deviations, each dated to its windows.
    pub fn deviations(&self, newest: &NewestWindows<'_>) -> Vec<Deviation> {
        self.outside.iter().map(|its| self.deviation(its, newest)).collect()
    }

    fn deviation(&self, its: &OutsideRange, newest: &NewestWindows<'_>) -> Deviation {
        let OutsideRange { name, measure, state, from, test } = *its;
        let first_kept = newest.first();
        let dating = Dating { windows: newest.kept(), block: BLOCK, name, measure };
        let from = from.max(first_kept) - first_kept;
        let last = (newest.number() - first_kept) / BLOCK - 1;
        let learned = self.known.states().states[self.allowed[state]].parts();
        let windows = dating.windows_of(from / BLOCK, last, learned.iter().map(|part| &part.windows[..]));
        // The last windows are the present: the change goes on.
        let windows = windows.start..newest.number() - first_kept;
        let is_share = measure == Measure::Share && test.learned[2] > 0.0;
        let told = if is_share { Measure::Share } else { Measure::Rate };
        let usual = self.spreads[state].of_tracepoint(name, told);
        let values = [dating.value(&windows, told), usual.learned()[1]];
        let full_name = self.known.names().name(name).unwrap_or_default().to_owned();
        let dated = windows.start + first_kept..windows.end + first_kept;
        Deviation { is_share, ..Deviation::new(full_name, &dated, values, -test.p.max(f64::MIN_POSITIVE).ln()) }
    }
}
