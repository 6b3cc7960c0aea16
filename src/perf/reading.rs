//! The kernel's data about an opened event: its sample id and its count.

use std::fmt;

/// The kernel's number for one opened event. Each of its samples carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SampleId(pub u64);

impl fmt::Display for SampleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The result of `read` on an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Hits.
    pub value: u64,
    /// Samples dropped because the ring was full; 0 if the kernel does not report losses per event.
    pub lost: u64,
}
