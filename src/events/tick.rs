//! Ticks: the results of counting.

use super::{Ns, Partly, Rung, Slot, Tpid};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The hits of one window, read by the tick that ends the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick<'a> {
    /// The start of the window, by CLOCK_MONOTONIC.
    pub from: Ns,
    /// The time at which the tick had read the last counter. A tick reads one group after the other, usually
    /// within a millisecond, so the windows of two tracepoints end at most that far apart. If the events have
    /// gone off, the time at which they did.
    pub to: Ns,
    /// How late the tick began, in nanoseconds; 0 for a window that ended early.
    pub late_ns: u64,
    /// The tracepoint and CPU of each element of `hits`.
    pub slots: &'a [Slot],
    /// Hits that were counted in the window, one element per slot.
    pub hits: &'a [u64],
    /// The tracepoints that were not watched in the whole window, by tpid. `hits` has only those hits of theirs that
    /// were counted.
    pub partly: &'a [Partly],
    /// The estimated cost of the window, as a part of the time of all CPUs. `None` if the cost of a hit is not known.
    pub cost: Option<f64>,
}

/// The hits of a tracepoint in a window, on all CPUs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowHits {
    /// The tracepoint.
    pub tpid: Tpid,
    /// Its hits, counted or estimated. `None` if it was detached: its hits are unknown.
    pub hits: Option<f64>,
    /// Its rung.
    pub rung: Rung,
    /// Whether the hits are estimated.
    pub is_estimate: bool,
}

impl Tick<'_> {
    /// The tracepoints that were hit or that were not counted all the time, by tpid.
    pub fn window_hits(&self) -> Vec<WindowHits> {
        let mut hits = BTreeMap::<Tpid, WindowHits>::new();
        for (Slot { tpid, .. }, number) in self.hit() {
            let counted = WindowHits { tpid, hits: Some(0.0), rung: Rung::Counted, is_estimate: false };
            let of_it = hits.entry(tpid).or_insert(counted);
            of_it.hits = of_it.hits.map(|hits| hits + number as f64);
        }
        for Partly { tpid, rung, estimated, .. } in self.partly.iter().copied() {
            let estimated = estimated.map(|estimated| estimated.hits);
            hits.insert(tpid, WindowHits { tpid, hits: estimated, rung, is_estimate: estimated.is_some() });
        }
        hits.into_values().collect()
    }

    /// Each slot that was hit, with its number of hits.
    pub fn hit(&self) -> impl Iterator<Item = (Slot, u64)> {
        self.slots.iter().copied().zip(self.hits.iter().copied()).filter(|(_, hits)| *hits > 0)
    }

    /// The hits of each tracepoint, summed over CPUs, the most hits first. Tracepoints without hits are left
    /// out.
    pub fn by_tracepoint(&self) -> Vec<(Tpid, u64)> {
        let mut sums = BTreeMap::new();
        self.hit().for_each(|(slot, hits)| *sums.entry(slot.tpid).or_insert(0) += hits);
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, hits)| Reverse(*hits));
        sums
    }

    /// The sum of all hits in the window.
    pub fn total(&self) -> u64 {
        self.hits.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Cpu;

    #[test]
    fn hits_of_all_cpus_are_summed_and_the_most_hits_come_first() {
        let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
        let slots = [slot(1, 0), slot(1, 1), slot(2, 0), slot(3, 0), slot(3, 1), slot(4, 0)];
        let tick = Tick {
            from: Ns(0),
            to: Ns(1),
            late_ns: 0,
            slots: &slots,
            hits: &[2, 3, 0, 4, 4, 5],
            partly: &[],
            cost: None,
        };
        assert_eq!(tick.by_tracepoint(), [(3, 8), (1, 5), (4, 5)].map(|(tpid, hits)| (Tpid::new(tpid), hits)));
    }
}
