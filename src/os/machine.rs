//! Facts about the machine: its kernel, its name, and its times.

use super::cpus::Cpu;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Whether the kernel has seccomp filters.
pub fn has_seccomp() -> bool {
    std::path::Path::new("/proc/sys/kernel/seccomp/actions_avail").exists()
}

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

/// The kernel's random number of this boot.
pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

/// Times since boot of all CPUs together, or of one, in steps of 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineTimes {
    /// The time in which a CPU worked for this machine.
    pub busy: Duration,
    /// The time in which the hypervisor let another machine run instead.
    pub stolen: Duration,
}

/// The times of this machine. `None` if `/proc/stat` cannot be read.
pub fn machine_times() -> Option<MachineTimes> {
    in_stat(&fs::read_to_string("/proc/stat").ok()?)
}

/// The times of each CPU of this machine. `None` if `/proc/stat` cannot be read.
pub fn cpu_times() -> Option<BTreeMap<Cpu, MachineTimes>> {
    Some(of_cpus_in_stat(&fs::read_to_string("/proc/stat").ok()?))
}

/// The times of all CPUs in the text of `/proc/stat`.
fn in_stat(stat: &str) -> Option<MachineTimes> {
    in_line(stat.lines().next()?.strip_prefix("cpu ")?)
}

/// The times of each CPU in the text of `/proc/stat`.
fn of_cpus_in_stat(stat: &str) -> BTreeMap<Cpu, MachineTimes> {
    let of_line = |line: &str| {
        let (cpu, times) = line.strip_prefix("cpu")?.split_once(' ')?;
        Some((Cpu::new(cpu.parse().ok()?), in_line(times)?))
    };
    stat.lines().filter_map(of_line).collect()
}

/// The times in a line of `/proc/stat`, behind its first word.
fn in_line(line: &str) -> Option<MachineTimes> {
    /// 1 s / USER_HZ. USER_HZ is 100 on all architectures except Alpha and IA-64.
    const TICK_MS: u64 = 10;
    let fields: Vec<u64> = line.split_whitespace().map(|field| field.parse().ok()).collect::<Option<_>>()?;
    // The fields are user, nice, system, idle, iowait, irq, softirq, steal, … Time that a hypervisor took
    // (steal) is not work of this machine. Time of guests is already part of user.
    let [user, nice, system, _, _, irq, softirq, ref rest @ ..] = fields[..] else { return None };
    let time = |ticks: u64| Duration::from_millis(ticks.saturating_mul(TICK_MS));
    let busy = time([user, nice, system, irq, softirq].into_iter().sum());
    Some(MachineTimes { busy, stolen: time(rest.first().copied().unwrap_or(0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_excludes_idle_and_stolen_time() {
        let stat = "cpu  100 10 200 9000000000 50 3 4 70 20 0\ncpu0 1 2 3\n";
        let [busy, stolen] = [3_170, 700].map(Duration::from_millis);
        assert_eq!(in_stat(stat), Some(MachineTimes { busy, stolen }));
        let stat = format!("{stat}cpu1 20 0 0 5 5 0 0 3 0 0\nintr 1 2\n");
        let of_second = MachineTimes { busy: Duration::from_millis(200), stolen: Duration::from_millis(30) };
        assert_eq!(of_cpus_in_stat(&stat), [(Cpu::new(1), of_second)].into());
        assert_eq!((in_stat(""), in_stat("cpu 1 2 3\n"), in_stat("cpu x\n")), (None, None, None));
        assert!(machine_times().unwrap().busy > Duration::ZERO);
    }
}
