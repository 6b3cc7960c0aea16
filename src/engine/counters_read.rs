//! The kernel's counters, read while the events are on.

use crate::events::{Ns, Reading};
use crate::os::cpus::Cpu;
use std::time::Duration;

/// The kernel's counters, read while the events are on. The kernel reads group by group, so each counter has a time of its own.
#[derive(Debug, Clone, Default)]
pub struct CountersRead {
    /// The counter of each slot, since the events were opened.
    pub readings: Vec<Reading>,
    /// Per slot, the read that returned its counter: an index in `reads`.
    pub of_read: Vec<u32>,
    /// When each read began and ended, by the clock of the samples.
    pub reads: Vec<(Ns, Ns)>,
    /// For each CPU, how long its events have been on.
    pub time_on: Vec<(Cpu, Duration)>,
}

impl CountersRead {
    /// The value in `of_read` of a slot that no read has returned yet.
    pub(super) const UNREAD: u32 = u32::MAX;

    /// Begins to read the counters of this many slots.
    pub(super) fn begin(&mut self, slots: usize) {
        self.reads.clear();
        self.time_on.clear();
        self.readings.clear();
        self.readings.resize(slots, Reading::default());
        self.of_read.clear();
        self.of_read.resize(slots, Self::UNREAD);
    }

    /// When the counter of a slot was read: between these times.
    pub fn time_of(&self, slot: usize) -> (Ns, Ns) {
        let read = self.of_read.get(slot).and_then(|read| self.reads.get(*read as usize));
        read.copied().unwrap_or_default()
    }

    /// When the last read ended.
    pub fn end(&self) -> Ns {
        self.reads.iter().map(|(_, to)| *to).max().unwrap_or_default()
    }
}
