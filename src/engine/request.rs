//! Requests to attach.

use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::perf::ProcessFields;
use crate::tracefs::{Tpid, Tracepoint};

/// A request to sample.
#[derive(Debug, Clone)]
pub struct AttachRequest<'a> {
    /// The tracepoints to open.
    pub tracepoints: Vec<&'a Tracepoint>,
    /// The CPUs to open them on.
    pub cpus: CpuList,
    /// The clock that timestamps the events.
    pub clock: Clock,
    /// The size of each CPU's ring in bytes, a power of two of pages. It is halved if the kernel refuses it.
    pub ring_size: usize,
    /// The number of bytes in one ring after which the reader wakes.
    pub wakeup_watermark: usize,
    /// A thread whose own hits are filtered out.
    pub exclude_thread: Option<i32>,
    /// The fields of samples about their process. If they have some, the kernel also records the names of threads, or of
    /// threads and cgroups.
    pub process: ProcessFields,
    /// Whether samples have their CPU. The ring has it too, but perf shows only the one in the sample.
    pub sampled_cpu: bool,
    /// Whether tracepoints may be thinned. The events are then opened with
    /// [`OPENED_WITH`](crate::events::thinning::OPENED_WITH) as their period, and need [`Sampling::record_all`] once they are on.
    ///
    /// [`Sampling::record_all`]: super::Sampling::record_all
    pub may_thin: bool,
    /// Record one in so many hits of each tracepoint, all the time. The events then lead groups of their own kind, so that switching
    /// them on and off does not disturb events that count.
    pub one_in: Option<u64>,
}

/// A request to count.
#[derive(Debug, Clone)]
pub struct CountRequest<'a> {
    /// The tracepoints to open.
    pub tracepoints: Vec<&'a Tracepoint>,
    /// The CPUs to open them on.
    pub cpus: CpuList,
    /// A thread whose own hits are filtered out.
    pub exclude_thread: Option<i32>,
    /// Whether tracepoints may move to other rungs. That needs more descriptors.
    pub may_move: bool,
}

impl<'a> CountRequest<'a> {
    /// Splits off the tracepoints whose counters add up weights instead of hits. Returns the request without
    /// them, and their tpids, ascending.
    pub(super) fn of_hits(&self) -> (CountRequest<'a>, Vec<Tpid>) {
        let (weighted, tracepoints): (Vec<&Tracepoint>, _) =
            self.tracepoints.iter().partition(|tracepoint| tracepoint.is_weighted());
        let weighted = weighted.into_iter().map(|tracepoint| tracepoint.tpid).collect();
        (CountRequest { tracepoints, ..self.clone() }, weighted)
    }
}
