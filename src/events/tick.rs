//! Ticks: what counting gives.

use super::{Ns, Slot, Tpid};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The hits of one window, as the tick that ends it reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick<'a> {
    /// When the window began, by CLOCK_MONOTONIC.
    pub from: Ns,
    /// When the tick had read the last counter. The counters are read one group after the other, within a millisecond
    /// as a rule, so the ends of two tracepoints' windows differ by less than that.
    pub to: Ns,
    /// The tracepoint and CPU of each number in `hits`.
    pub slots: &'a [Slot],
    /// Hits in the window.
    pub hits: &'a [u64],
}

impl Tick<'_> {
    /// Each slot that was hit, with its hits.
    pub fn hit(&self) -> impl Iterator<Item = (Slot, u64)> {
        self.slots.iter().copied().zip(self.hits.iter().copied()).filter(|(_, hits)| *hits > 0)
    }

    /// The hits of each tracepoint on all CPUs together: those with most hits first, and none without.
    pub fn by_tracepoint(&self) -> Vec<(Tpid, u64)> {
        let mut sums = BTreeMap::new();
        self.hit().for_each(|(slot, hits)| *sums.entry(slot.tpid).or_insert(0) += hits);
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, hits)| Reverse(*hits));
        sums
    }

    /// All hits.
    pub fn total(&self) -> u64 {
        self.hits.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Cpu;

    #[test]
    fn hits_of_all_cpus_are_added_up_and_those_with_most_come_first() {
        let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
        let slots = [slot(1, 0), slot(1, 1), slot(2, 0), slot(3, 0), slot(3, 1), slot(4, 0)];
        let tick = Tick { from: Ns(0), to: Ns(1), slots: &slots, hits: &[2, 3, 0, 4, 4, 5] };
        assert_eq!(tick.by_tracepoint(), [(3, 8), (1, 5), (4, 5)].map(|(tpid, hits)| (Tpid::new(tpid), hits)));
    }
}
