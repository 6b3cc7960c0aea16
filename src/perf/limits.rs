//! What this process is allowed: descriptors, sysctls, capabilities.

use super::Error;
use super::attach::leaders_needed;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;

/// Descriptors that a capture needs beside its events: files, pipes, tracefs, COMMAND's pipes.
pub const RESERVED_DESCRIPTORS: u64 = 64;

/// A sysctl's value as `/proc/sys` has it, or `None` if there is none of this path.
pub fn sysctl(path: &str) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/sys/{path}")).ok()?.trim().to_owned())
}

/// How many descriptors a capture needs: on each CPU one for each tracepoint and one to lead each group, and the reserve.
pub fn descriptors_needed(tracepoints: usize, cpus: usize) -> u64 {
    (tracepoints + leaders_needed(tracepoints)) as u64 * cpus as u64 + RESERVED_DESCRIPTORS
}

/// RLIMIT_NOFILE and how far it can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// What holds now.
    pub soft: u64,
    /// What this process may raise it to by itself.
    pub hard: u64,
    /// fs.nr_open: what CAP_SYS_RESOURCE may raise it to.
    pub nr_open: u64,
}

impl DescriptorLimit {
    /// Reads the limits of this process.
    pub fn read() -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("RLIMIT_NOFILE is always readable");
        let nr_open = sysctl("fs/nr_open").and_then(|value| value.parse().ok()).unwrap_or(hard);
        DescriptorLimit { soft, hard, nr_open }
    }

    /// The most that a process with these capabilities can get.
    pub fn reachable(&self, capabilities: Capabilities) -> u64 {
        match capabilities.has(Capabilities::SYS_RESOURCE) {
            true => self.nr_open,
            false => self.hard.min(self.nr_open),
        }
    }
}

/// Raises RLIMIT_NOFILE so that a capture of this shape fits, and gives the limits `(soft, hard)` as they were.
///
/// # Errors
/// [`Error::TooFewDescriptors`], before anything is opened.
pub fn raise_descriptor_limit(tracepoints: usize, cpus: usize) -> Result<(u64, u64), Error> {
    let limit = DescriptorLimit::read();
    // Those that are open already, some of them inherited, count too.
    let open = fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64);
    let needed = descriptors_needed(tracepoints, cpus) + open;
    if needed > limit.soft {
        let refused = |allowed| Error::TooFewDescriptors { needed, allowed, tracepoints, cpus };
        let reachable = limit.reachable(Capabilities::of_this_process());
        if needed > reachable {
            return Err(refused(reachable));
        }
        // The kernel refuses to set a hard limit above fs.nr_open, even one that stands.
        match setrlimit(Resource::RLIMIT_NOFILE, needed, limit.hard.min(limit.nr_open).max(needed)) {
            Ok(()) => {}
            // A capability without its force, as in a container's user namespace.
            Err(Errno::EPERM) => return Err(refused(limit.hard)),
            Err(_) => return Err(refused(limit.soft)),
        }
    }
    // What can be set again: the kernel refuses a hard limit above fs.nr_open.
    Ok((limit.soft.min(limit.nr_open), limit.hard.min(limit.nr_open)))
}

/// The effective capabilities of this process (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// CAP_SYS_ADMIN: mounting, and before Linux 5.8 all of perf.
    pub const SYS_ADMIN: u32 = 21;
    /// CAP_SYS_RESOURCE: raising hard limits.
    pub const SYS_RESOURCE: u32 = 24;
    /// CAP_IPC_LOCK: rings beyond kernel.perf_event_mlock_kb.
    pub const IPC_LOCK: u32 = 14;
    /// CAP_PERFMON: perf_event_open for all processes.
    pub const PERFMON: u32 = 38;

    /// Reads `/proc/self/status`; none if it cannot be read.
    pub fn of_this_process() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self::in_status(&status)
    }

    /// Reads the text of `/proc/<pid>/status`.
    pub fn in_status(status: &str) -> Self {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
        Capabilities(mask.unwrap_or(0))
    }

    /// Whether the capability with this number is effective.
    pub fn has(self, number: u32) -> bool {
        self.0 & (1 << number) != 0
    }

    /// Whether perf_event_open is allowed for all processes whatever kernel.perf_event_paranoid says.
    pub fn may_trace(self) -> bool {
        self.has(Self::PERFMON) || self.has(Self::SYS_ADMIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_effective_mask() {
        let capabilities = Capabilities::in_status("Name:\tx\nCapPrm:\t0\nCapEff:\t0000004000000000\n");
        assert!(capabilities.has(Capabilities::PERFMON) && capabilities.may_trace());
        assert!(!capabilities.has(Capabilities::SYS_ADMIN));
        assert!(!Capabilities::in_status("").may_trace());
    }

    #[test]
    fn every_tracepoint_needs_a_descriptor_on_every_cpu() {
        assert_eq!(descriptors_needed(1568, 2), 2 * (1568 + 8) + RESERVED_DESCRIPTORS);
    }

    #[test]
    fn too_many_descriptors_are_refused_with_the_figures() {
        let error = raise_descriptor_limit(1 << 20, 1 << 10).unwrap_err().to_string();
        assert!(error.contains("1048576 tracepoints on 1024 CPUs") && error.contains("--cpus"), "{error}");
    }
}
