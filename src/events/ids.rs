//! The numbers that events are told apart by.

pub use crate::os::cpus::Cpu;
pub use crate::tracefs::{Gid, Tpid};
pub use crate::units::Ns;
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
