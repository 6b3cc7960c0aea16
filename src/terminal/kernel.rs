//! The fixes for events that the kernel does not open.

use crate::os::limits::sysctl;
use crate::{engine, os};
use nix::errno::Errno;
use std::io;

/// The end of the sentence of an error of attaching.
pub(super) fn of_engine(error: &engine::Error) -> Option<String> {
    Some(match error {
        engine::Error::NotPermitted => {
            "; run with sudo, or `sudo setcap cap_perfmon,cap_sys_resource,cap_ipc_lock+ep <path of tp-perf>` (tracefs must \
             be readable too)"
                .to_owned()
        }
        engine::Error::TooFewDescriptors { needed, .. } => {
            let first = match sysctl("fs/nr_open").and_then(|value| value.parse::<u64>().ok()) {
                Some(most) if most < *needed => format!(", after `sudo sysctl fs.nr_open={needed}` (now {most})"),
                _ => String::new(),
            };
            format!(
                ". Select fewer CPUs (`--cpus 0`) or fewer tracepoints (`-t`, `-x`), or allow more descriptors: \
                 `ulimit -n {needed}` as root{first}"
            )
        }
        engine::Error::SystemOutOfDescriptors { needed } => format!(": `sudo sysctl fs.file-max={needed}` or more"),
        engine::Error::NoMemory { .. } => {
            ": select fewer tracepoints (`-t`, `-x`) or fewer CPUs (`--cpus`)".to_owned()
        }
        engine::Error::Ring { cause, .. } => return of_ring(cause),
        engine::Error::NoCpu { .. } => format!("; `cat {}` lists those that are", os::cpus::ONLINE),
        _ => return None,
    })
}

fn of_ring(cause: &io::Error) -> Option<String> {
    match cause.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM) => Some(format!(
            "; rings count against kernel.perf_event_mlock_kb (now {}) and `ulimit -l`; run with sudo, or \
             `sudo sysctl kernel.perf_event_mlock_kb=65536`",
            sysctl("kernel/perf_event_mlock_kb").unwrap_or_else(|| "unknown".to_owned())
        )),
        Some(Errno::ENOMEM) => Some("; there is too little memory: select fewer CPUs (`--cpus`)".to_owned()),
        _ => None,
    }
}
