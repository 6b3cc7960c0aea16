//! Facts about the machine: its kernel, its name, and its busy time.

use std::fs;
use std::time::Duration;

/// The kernel's release, as `uname -r` prints it.
pub fn kernel_release() -> String {
    let uname = nix::sys::utsname::uname();
    uname.map_or_else(|_| "unknown".to_owned(), |uname| uname.release().to_string_lossy().into_owned())
}

/// The host name.
pub fn hostname() -> String {
    let name = nix::unistd::gethostname();
    name.map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Busy time since boot, summed over all CPUs and processes, in steps of 10 ms. `None` if `/proc/stat` cannot
/// be read.
pub fn busy_time() -> Option<Duration> {
    in_stat(&fs::read_to_string("/proc/stat").ok()?)
}

/// The busy time in the text of `/proc/stat`.
fn in_stat(stat: &str) -> Option<Duration> {
    /// 1 s / USER_HZ. USER_HZ is 100 on all architectures except Alpha and IA-64.
    const TICK_MS: u64 = 10;
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().map(|field| field.parse().ok()).collect::<Option<_>>()?;
    // The fields are user, nice, system, idle, iowait, irq, softirq, steal, … Time that a hypervisor took
    // (steal) is not work of this machine. Time of guests is already part of user.
    let [user, nice, system, _, _, irq, softirq, ..] = fields[..] else { return None };
    Some(Duration::from_millis([user, nice, system, irq, softirq].into_iter().sum::<u64>().saturating_mul(TICK_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_excludes_idle_and_stolen_time() {
        let stat = "cpu  100 10 200 9000000000 50 3 4 70 20 0\ncpu0 1 2 3\n";
        assert_eq!(in_stat(stat), Some(Duration::from_millis(3_170)));
        assert_eq!((in_stat(""), in_stat("cpu 1 2 3\n"), in_stat("cpu x\n")), (None, None, None));
        assert!(busy_time() > Some(Duration::ZERO));
    }
}
