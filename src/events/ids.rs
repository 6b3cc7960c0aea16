//! The number types that identify events.

pub use crate::os::cpus::Cpu;
pub use crate::perf::SampleId;
pub use crate::tracefs::{Gid, Tpid};
pub use crate::units::Ns;
