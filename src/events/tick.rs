//! Ticks: what counting gives.

use super::{Ns, Slot};

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
    /// Hits in the window. A counter that adds up weights (`sched:sched_stat_*`) gives those instead.
    pub hits: &'a [u64],
}

impl Tick<'_> {
    /// Each slot that was hit, with its hits.
    pub fn hit(&self) -> impl Iterator<Item = (Slot, u64)> {
        self.slots.iter().copied().zip(self.hits.iter().copied()).filter(|(_, hits)| *hits > 0)
    }

    /// All hits.
    pub fn total(&self) -> u64 {
        self.hits.iter().sum()
    }
}
