//! The kernel's counters.

use super::Slot;
use crate::perf::Reading;

/// The kernel's counter of one opened event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The tracepoint and CPU of the event.
    pub slot: Slot,
    /// The hits and losses that the kernel counted.
    pub count: Reading,
    /// Whether `count.lost` is known (Linux 6.0 and later).
    pub lost_known: bool,
    /// Whether `count.value` adds up weights instead of hits.
    pub weighted: bool,
}
