//! The kernel's own counters.

use super::Slot;

/// What `read` gives for an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Hits.
    pub value: u64,
    /// Samples that found the ring full; 0 where the kernel does not tell.
    pub lost: u64,
}

/// The kernel's counter of one opened event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Which.
    pub slot: Slot,
    /// How many.
    pub count: Reading,
    /// Whether `count.lost` is known (Linux 6.0 and later).
    pub lost_known: bool,
    /// Whether `count.value` adds up weights and not hits.
    pub weighted: bool,
}
