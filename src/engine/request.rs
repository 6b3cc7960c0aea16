//! What is asked of a kernel.

use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::tracefs::{Tpid, Tracepoint};

/// What to sample, and how.
#[derive(Debug, Clone)]
pub struct AttachRequest<'a> {
    /// The tracepoints to open.
    pub tracepoints: Vec<&'a Tracepoint>,
    /// The CPUs to open them on.
    pub cpus: CpuList,
    /// The clock that stamps the events.
    pub clock: Clock,
    /// Bytes of each CPU's ring, a power of two of pages. Halved where the kernel refuses it.
    pub ring_size: usize,
    /// Bytes in one ring after which the reader wakes.
    pub wakeup_watermark: usize,
    /// A thread whose own hits are filtered out.
    pub exclude_thread: Option<i32>,
}

/// What to count.
#[derive(Debug, Clone)]
pub struct CountRequest<'a> {
    /// The tracepoints to open.
    pub tracepoints: Vec<&'a Tracepoint>,
    /// The CPUs to open them on.
    pub cpus: CpuList,
    /// A thread whose own hits are filtered out.
    pub exclude_thread: Option<i32>,
}

impl<'a> CountRequest<'a> {
    /// The same without the tracepoints whose counters add up weights and not hits, and the tpids of those, ascending.
    pub(super) fn of_hits(&self) -> (CountRequest<'a>, Vec<Tpid>) {
        let (weighted, tracepoints): (Vec<&Tracepoint>, _) =
            self.tracepoints.iter().partition(|tracepoint| tracepoint.is_weighted());
        let weighted = weighted.into_iter().map(|tracepoint| tracepoint.tpid).collect();
        (CountRequest { tracepoints, ..self.clone() }, weighted)
    }
}
