//! The result of attaching, as a capture records it.

use crate::events::{Cpu, SampleId};
use crate::os::cpus::CpuList;
use crate::tracefs::Tpid;

/// A tracepoint that the kernel refused to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The tracepoint.
    pub tpid: Tpid,
    /// The kernel's error.
    pub reason: String,
}

/// The result of attaching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attached {
    /// The CPUs on which the events are open.
    pub cpus: CpuList,
    /// The chosen CPUs that were offline, or went offline before all events were open on them.
    pub offline: CpuList,
    /// The tracepoints that the kernel refused to open.
    pub refused: Vec<Refusal>,
    /// The tracepoints whose counters add up weights instead of hits, ascending. A counting engine does not
    /// open them.
    pub weighted: Vec<Tpid>,
    /// On each CPU, the sample id of the event that records changes of threads. Empty if it was not asked for.
    pub thread_ids: Vec<(SampleId, Cpu)>,
    /// Whether the kernel reports losses per event (Linux 6.0 and later).
    pub lost_known: bool,
    /// The size of each CPU's ring in bytes; 0 for a counting engine.
    pub ring_size: usize,
    /// The kernel's error for rings of the requested size, if it refused them.
    pub ring_refusal: Option<String>,
    /// The descriptor limit `(soft, hard)` before tp-perf raised it.
    pub descriptor_limit: (u64, u64),
}
