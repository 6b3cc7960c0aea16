//! What the kernel tells of an opened event: its number, and its count.

use std::fmt;

/// The kernel's number of one opened event, which its samples carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SampleId(pub u64);

impl fmt::Display for SampleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What `read` gives for an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Hits.
    pub value: u64,
    /// Samples that found the ring full; 0 where the kernel does not tell.
    pub lost: u64,
}
