//! Errors of attaching.

use crate::os::cpus::Cpu;
use crate::os::limits::sysctl;
use std::io;

/// Why an engine could not attach.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This process may not call perf_event_open for all processes.
    #[error("perf_event_open is not permitted: tracing all processes needs root or CAP_PERFMON{}", paranoid())]
    NotPermitted,
    /// The capture needs more descriptors than this process may have.
    #[error(
        "this capture needs {needed} file descriptors ({tracepoints} tracepoints on {cpus} CPUs, one for each), but only \
             {allowed} are allowed"
    )]
    TooFewDescriptors {
        /// The number of descriptors needed.
        needed: u64,
        /// The number of descriptors allowed.
        allowed: u64,
        /// The number of chosen tracepoints.
        tracepoints: usize,
        /// The number of chosen CPUs.
        cpus: usize,
    },
    /// The whole system has no file descriptors left.
    #[error("the system is out of file descriptors (fs.file-max is {})",
            sysctl("fs/file-max").unwrap_or_else(|| "unknown".to_owned()))]
    SystemOutOfDescriptors {
        /// The number of descriptors that the capture needs.
        needed: u64,
    },
    /// The kernel has no memory for another event.
    #[error("the kernel has no memory for more events after {opened} (about 2 kB each)")]
    NoMemory {
        /// The number of events that were open by then.
        opened: usize,
    },
    /// A group leader could not be opened, for example because the kernel does not know one of its settings.
    #[error("failed to open the event that leads CPU {cpu}: {cause}")]
    Leader {
        /// The CPU of the leader.
        cpu: Cpu,
        /// The kernel's error.
        cause: io::Error,
    },
    /// The kernel refused even the smallest ring.
    #[error("failed to map a ring of {bytes} bytes for CPU {cpu}: {cause}")]
    Ring {
        /// The CPU of the ring.
        cpu: Cpu,
        /// The smallest size tried.
        bytes: usize,
        /// The kernel's error.
        cause: io::Error,
    },
    /// A call on an open event failed.
    #[error("failed to {call} `{tracepoint}` on CPU {cpu}: {cause}")]
    Call {
        /// The attempted operation, as a verb.
        call: &'static str,
        /// `group:name`.
        tracepoint: String,
        /// The CPU of the event.
        cpu: Cpu,
        /// The kernel's error.
        cause: io::Error,
    },
    /// None of the chosen CPUs is online any more.
    #[error("none of the chosen CPUs ({cpus}) is online")]
    NoCpu {
        /// The chosen CPUs, as a list like `0-3,7`.
        cpus: String,
    },
    /// The kernel refused every chosen tracepoint.
    #[error("the kernel refused every chosen tracepoint; the first, `{tracepoint}`: {reason}")]
    AllRefused {
        /// `group:name` of the first one.
        tracepoint: String,
        /// The kernel's error for it.
        reason: String,
    },
    /// The process that detaches in the background could not be started.
    #[error("failed to start the process that detaches in the background: {0}")]
    Guardian(io::Error),
    /// The user asked to stop while attaching.
    #[error("interrupted before the events went on; nothing was captured")]
    Interrupted,
}

fn paranoid() -> String {
    sysctl("kernel/perf_event_paranoid")
        .map(|value| format!(" (kernel.perf_event_paranoid is {value}; -1 would allow it for everybody)"))
        .unwrap_or_default()
}
