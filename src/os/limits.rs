//! The limits of this process: descriptors, sysctls, capabilities.

use nix::sys::resource::{Resource, getrlimit};
use std::fs;

/// The value of a sysctl, read from `/proc/sys/<path>`; `None` if it cannot be read.
pub fn sysctl(path: &str) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/sys/{path}")).ok()?.trim().to_owned())
}

/// RLIMIT_NOFILE, and how far it can be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// The limit that applies now.
    pub soft: u64,
    /// The highest soft limit that a process may set without privilege.
    pub hard: u64,
    /// fs.nr_open: the highest limit that CAP_SYS_RESOURCE can set.
    pub nr_open: u64,
}

impl DescriptorLimit {
    /// Reads the limits of this process.
    pub fn read() -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("RLIMIT_NOFILE is always readable");
        let nr_open = sysctl("fs/nr_open").and_then(|value| value.parse().ok()).unwrap_or(hard);
        DescriptorLimit { soft, hard, nr_open }
    }

    /// The highest limit that a process with these capabilities can set.
    pub fn reachable(&self, capabilities: Capabilities) -> u64 {
        match capabilities.has(Capabilities::SYS_RESOURCE) {
            true => self.nr_open,
            false => self.hard.min(self.nr_open),
        }
    }
}

/// The effective capabilities of this process (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// CAP_SYS_ADMIN: mounting; before Linux 5.8, also all of perf.
    pub const SYS_ADMIN: u32 = 21;
    /// CAP_SYS_RESOURCE: raising hard limits.
    pub const SYS_RESOURCE: u32 = 24;
    /// CAP_IPC_LOCK: rings larger than kernel.perf_event_mlock_kb allows.
    pub const IPC_LOCK: u32 = 14;
    /// CAP_PERFMON: perf_event_open for all processes.
    pub const PERFMON: u32 = 38;

    /// Reads those of this thread. If `/proc` cannot be read, the result has no capability.
    pub fn of_this_process() -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        Self::in_status(&status)
    }

    /// Parses the text of `/proc/<pid>/status`.
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

    /// Whether perf_event_open is allowed for all processes, regardless of kernel.perf_event_paranoid.
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
}
