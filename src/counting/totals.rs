//! Adds up ticks.

use crate::events::{Cpu, Estimated, Ns, Partly, Rung, Sink, Slot, Tick, Tpid};
use std::collections::BTreeMap;

/// A sink that adds up the hits of each tracepoint on each CPU.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    slots: Vec<Slot>,
    /// Per slot.
    hits: Vec<TotalHits>,
    /// The begin of the first window and the end of the last one.
    span: Option<(Ns, Ns)>,
    /// The tracepoints that were not watched in a whole window.
    partly: BTreeMap<Tpid, PartlyTotal>,
}

/// How a tracepoint was watched that was not watched all the time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartlyTotal {
    /// The estimated hits beside those that were counted, in the windows in which it was visited.
    pub uncounted: Estimated,
    /// How long it was not watched, in nanoseconds.
    pub unwatched_ns: f64,
    /// How long it was detached, in nanoseconds. Its hits in this time are unknown.
    pub detached_ns: f64,
    /// Its rung in the last window.
    pub rung: Rung,
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

    /// All hits, with the estimates of those that were not counted.
    pub fn with_estimates(&self) -> Estimated {
        let counted = Estimated { hits: self.all() as f64, variance: 0.0 };
        self.partly.values().map(|total| total.uncounted).fold(counted, Estimated::together_with)
    }

    /// The hits of each counted tracepoint, summed over CPUs. Tracepoints without hits are there too.
    pub fn by_tracepoint(&self) -> BTreeMap<Tpid, TotalHits> {
        self.summed(|slot| slot.tpid)
    }

    /// The hits on each CPU.
    pub fn by_cpu(&self) -> BTreeMap<Option<Cpu>, TotalHits> {
        self.summed(|slot| slot.cpu)
    }

    /// How the tracepoints were watched that were not watched all the time.
    pub fn partly(&self) -> &BTreeMap<Tpid, PartlyTotal> {
        &self.partly
    }

    /// The hits of each counted tracepoint on each CPU.
    pub fn by_slot(&self) -> impl Iterator<Item = (Slot, TotalHits)> {
        self.slots.iter().copied().zip(self.hits.iter().copied())
    }

    fn add_partly(&mut self, tick: &Tick<'_>) {
        self.partly.values_mut().for_each(|total| total.rung = Rung::Counted);
        if tick.partly.is_empty() {
            return;
        }
        let counted: BTreeMap<Tpid, u64> = tick.by_tracepoint().into_iter().collect();
        let window = tick.to.since(tick.from) as f64;
        for Partly { tpid, rung, watched, estimated } in tick.partly {
            let nothing =
                PartlyTotal { uncounted: Estimated::default(), unwatched_ns: 0.0, detached_ns: 0.0, rung: *rung };
            let total = self.partly.entry(*tpid).or_insert(nothing);
            total.rung = *rung;
            total.unwatched_ns += (1.0 - watched) * window;
            match estimated {
                Some(estimated) => {
                    let counted = counted.get(tpid).copied().unwrap_or(0) as f64;
                    let uncounted = Estimated { hits: (estimated.hits - counted).max(0.0), ..*estimated };
                    total.uncounted = total.uncounted.plus(uncounted);
                }
                None => total.detached_ns += window,
            }
        }
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
        self.add_partly(tick);
        for (hits, number) in self.hits.iter_mut().zip(tick.hits).filter(|(_, number)| **number > 0) {
            hits.add(*number, (tick.from, tick.from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_add_up_and_so_does_the_time_without_watching() {
        let slots = [Slot { tpid: Tpid::new(1), cpu: Some(Cpu::new(0)) }];
        let mut totals = Totals::default();
        let estimated = Some(Estimated { hits: 500.0, variance: 100.0 });
        let partly = |rung, watched, estimated| [Partly { tpid: Tpid::new(1), rung, watched, estimated }];
        let visited = partly(Rung::Visited, 0.1, estimated);
        let detached = partly(Rung::Detached, 0.0, None);
        let windows: [(u64, u64, &[Partly]); 5] =
            [(0, 40, &[]), (100, 50, &visited), (200, 60, &visited), (300, 0, &detached), (400, 30, &[])];
        for (from, hits, partly) in windows {
            totals.tick(&Tick {
                from: Ns(from),
                to: Ns(from + 100),
                late_ns: 0,
                slots: &slots,
                hits: &[hits],
                partly,
                cost: None,
            });
        }
        let total = totals.partly()[&Tpid::new(1)];
        assert_eq!(total.uncounted, Estimated { hits: 450.0 + 440.0, variance: 200.0 });
        assert!((total.unwatched_ns - 280.0).abs() < 1e-9 && total.detached_ns == 100.0 && total.rung == Rung::Counted);
        assert_eq!(totals.all(), 180);
    }

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
                cost: None,
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
