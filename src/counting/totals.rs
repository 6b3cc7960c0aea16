//! Adds up ticks.

use crate::events::{Cpu, Ns, Sink, Slot, Tick, Tpid};
use std::collections::BTreeMap;

/// A sink that adds up the hits of each tracepoint on each CPU.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    slots: Vec<Slot>,
    /// Per slot.
    hits: Vec<TotalHits>,
    /// The begin of the first window and the end of the last one.
    span: Option<(Ns, Ns)>,
}

/// The hits of a tracepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TotalHits {
    /// Their number.
    pub number: u64,
    /// The begin of the first window with a hit, and the begin of the last one. `None` without hits.
    pub windows: Option<(Ns, Ns)>,
}

impl TotalHits {
    fn add(&mut self, number: u64, (first, last): (Ns, Ns)) {
        self.number = self.number.saturating_add(number);
        self.windows = Some(self.windows.map_or((first, last), |(one, other)| (one.min(first), other.max(last))));
    }

    /// Adds the hits of another tracepoint, or on another CPU.
    pub fn merge(&mut self, other: TotalHits) {
        if let Some(windows) = other.windows {
            self.add(other.number, windows);
        }
    }
}

impl Totals {
    /// The begin of the first window and the end of the last one; `None` before the first tick.
    pub fn span(&self) -> Option<(Ns, Ns)> {
        self.span
    }

    /// All hits.
    pub fn all(&self) -> u64 {
        self.hits.iter().fold(0, |sum, hits| sum.saturating_add(hits.number))
    }

    /// The hits of each counted tracepoint, summed over CPUs. Tracepoints without hits are there too.
    pub fn by_tracepoint(&self) -> BTreeMap<Tpid, TotalHits> {
        self.summed(|slot| slot.tpid)
    }

    /// The hits on each CPU.
    pub fn by_cpu(&self) -> BTreeMap<Option<Cpu>, TotalHits> {
        self.summed(|slot| slot.cpu)
    }

    /// The hits of each counted tracepoint on each CPU.
    pub fn by_slot(&self) -> impl Iterator<Item = (Slot, TotalHits)> {
        self.slots.iter().copied().zip(self.hits.iter().copied())
    }

    fn summed<K: Ord>(&self, key: impl Fn(Slot) -> K) -> BTreeMap<K, TotalHits> {
        let mut sums = BTreeMap::<K, TotalHits>::new();
        for (slot, hits) in self.by_slot() {
            sums.entry(key(slot)).or_default().merge(hits);
        }
        sums
    }
}

impl Sink for Totals {
    fn tick(&mut self, tick: &Tick<'_>) {
        if self.slots.is_empty() {
            self.slots = tick.slots.to_vec();
            self.hits = vec![TotalHits::default(); tick.slots.len()];
        }
        self.span = Some((self.span.map_or(tick.from, |(from, _)| from), tick.to));
        for (hits, number) in self.hits.iter_mut().zip(tick.hits).filter(|(_, number)| **number > 0) {
            hits.add(*number, (tick.from, tick.from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_add_up_and_the_first_and_the_last_window_are_known() {
        let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
        let slots = [slot(1, 0), slot(1, 1), slot(2, 0), slot(2, 1)];
        let mut totals = Totals::default();
        assert_eq!((totals.span(), totals.all()), (None, 0));
        for (from, hits) in [(10, [0, 0, 0, 0]), (20, [5, 0, 0, 0]), (30, [0, 7, 0, 0]), (41, [0, 0, 0, 0])] {
            totals.tick(&Tick {
                from: Ns(from),
                to: Ns(from + 10),
                late_ns: 0,
                slots: &slots,
                hits: &hits,
                partly: &[],
            });
        }
        assert_eq!((totals.span(), totals.all()), (Some((Ns(10), Ns(51))), 12));
        let hits =
            |number, windows: Option<(u64, u64)>| TotalHits { number, windows: windows.map(|(a, b)| (Ns(a), Ns(b))) };
        let of_tracepoints = [(Tpid::new(1), hits(12, Some((20, 30)))), (Tpid::new(2), hits(0, None))];
        assert_eq!(totals.by_tracepoint(), of_tracepoints.into());
        let of_cpus = [(0, hits(5, Some((20, 20)))), (1, hits(7, Some((30, 30))))];
        assert_eq!(totals.by_cpu(), of_cpus.map(|(cpu, hits)| (Some(Cpu::new(cpu)), hits)).into());
    }
}
