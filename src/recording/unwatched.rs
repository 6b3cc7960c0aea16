//! Stretches of a capture in which tp-perf did not watch a CPU.

use crate::os::cpus::Cpu;
use crate::units::Ns;
use serde::{Deserialize, Serialize};

/// A stretch of a capture in which tp-perf did not watch a CPU.
///
/// When a CPU goes offline, the kernel removes its events for good, so tp-perf does not see the CPU when it
/// returns. Nor does it see a CPU that comes online after the capture has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwatched {
    /// The CPU.
    pub cpu: Cpu,
    /// Its start.
    #[serde(rename = "from_ns")]
    pub from: Ns,
    /// Its end, which is the end of the capture.
    #[serde(rename = "to_ns")]
    pub to: Ns,
    /// Whether the CPU was online in a part of this time. If so, hits are missing. Otherwise there were none.
    pub was_online: bool,
}

/// The CPUs of these stretches whose hits are missing, ascending.
pub fn missed_cpus(unwatched: &[Unwatched]) -> Vec<Cpu> {
    let mut cpus: Vec<Cpu> = unwatched.iter().filter(|stretch| stretch.was_online).map(|stretch| stretch.cpu).collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}
