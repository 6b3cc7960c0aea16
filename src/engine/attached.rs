//! How attaching went: what a capture notes of it.

use crate::os::cpus::CpuList;
use crate::tracefs::Tpid;

/// A tracepoint that the kernel would not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub tpid: Tpid,
    /// What the kernel said.
    pub reason: String,
}

/// How attaching went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attached {
    /// The CPUs attached to.
    pub cpus: CpuList,
    /// The CPUs that went offline before they could be attached to.
    pub offline: CpuList,
    /// The tracepoints that the kernel would not open.
    pub refused: Vec<Refusal>,
    /// The tracepoints whose counters add up weights and not hits, ascending. An engine that counts leaves them out.
    pub weighted: Vec<Tpid>,
    /// Whether the kernel tells losses per event (Linux 6.0 and later).
    pub lost_known: bool,
    /// Bytes of each CPU's ring; 0 for an engine that counts.
    pub ring_size: usize,
    /// What the kernel said to rings of the size asked for, if it refused them.
    pub ring_refusal: Option<String>,
    /// The limit on descriptors before it was raised, as (soft, hard).
    pub descriptor_limit: (u64, u64),
}
