//! The kernel's own counters.

use super::Slot;
use crate::perf::Reading;

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
