//! What goes wrong while attaching.

use crate::os::cpus::Cpu;
use crate::os::limits::sysctl;
use std::io;

/// Why a capture could not attach.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// perf_event_open is not allowed to this user.
    #[error("perf_event_open is not permitted: tracing all processes needs root or CAP_PERFMON{}", paranoid())]
    NotPermitted,
    /// More descriptors than this process may have.
    #[error(
        "this capture needs {needed} file descriptors ({tracepoints} tracepoints on {cpus} CPUs, one for each), and \
             {allowed} are allowed"
    )]
    TooFewDescriptors {
        /// How many are needed.
        needed: u64,
        /// How many are allowed.
        allowed: u64,
        /// Tracepoints chosen.
        tracepoints: usize,
        /// CPUs chosen.
        cpus: usize,
    },
    /// The whole system has no descriptor left.
    #[error("the system is out of file descriptors (fs.file-max is {})",
            sysctl("fs/file-max").unwrap_or_else(|| "unknown".to_owned()))]
    SystemOutOfDescriptors {
        /// How many this capture needs.
        needed: u64,
    },
    /// The kernel has no memory for another event.
    #[error("the kernel has no memory for more events after {opened} (about 2 kB each)")]
    NoMemory {
        /// Events open by then.
        opened: usize,
    },
    /// The kernel does not know a setting of the event that leads a CPU's groups.
    #[error("failed to open the event that leads CPU {cpu}: {cause}")]
    Leader {
        /// On this CPU.
        cpu: Cpu,
        /// Why.
        cause: io::Error,
    },
    /// No ring, however small.
    #[error("failed to map a ring of {bytes} bytes for CPU {cpu}: {cause}")]
    Ring {
        /// On this CPU.
        cpu: Cpu,
        /// The smallest size that was tried.
        bytes: usize,
        /// Why.
        cause: io::Error,
    },
    /// A call on an open event failed.
    #[error("failed to {call} `{tracepoint}` on CPU {cpu}: {cause}")]
    Call {
        /// What was tried, as a verb.
        call: &'static str,
        /// `group:name`.
        tracepoint: String,
        /// On this CPU.
        cpu: Cpu,
        /// Why.
        cause: io::Error,
    },
    /// Not one chosen CPU is online any more.
    #[error("none of the chosen CPUs ({cpus}) is online")]
    NoCpu {
        /// Those chosen.
        cpus: String,
    },
    /// The kernel refused every tracepoint that was chosen.
    #[error("the kernel refused every chosen tracepoint; the first, `{tracepoint}`: {reason}")]
    AllRefused {
        /// `group:name`.
        tracepoint: String,
        /// Why.
        reason: String,
    },
    /// The process that detaches in the background could not be started.
    #[error("failed to start the process that detaches in the background: {0}")]
    Guardian(io::Error),
    /// The user asked to stop while attaching.
    #[error("interrupted before the events were on; nothing was captured")]
    Interrupted,
}

fn paranoid() -> String {
    sysctl("kernel/perf_event_paranoid")
        .map(|value| format!(" (kernel.perf_event_paranoid is {value}; -1 would allow it to everybody)"))
        .unwrap_or_default()
}
