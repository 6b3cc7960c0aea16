//! Facts about the machine: its kernel, its name, its available memory, and its busy time.

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

/// Bytes that can be used without swapping: MemAvailable, or the room left in this process's control groups
/// if that is less. `None` if neither can be read.
pub fn available_memory() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| in_meminfo(&text));
    let own_group = read("/proc/self/cgroup").unwrap_or_default();
    let limits = group_files(&own_group).into_iter().filter_map(|(limit, used)| {
        let number = |path: String| read(&path)?.trim().parse::<u64>().ok();
        Some(number(limit)?.saturating_sub(number(used).unwrap_or(0)))
    });
    limits.chain(machine).min()
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

/// MemAvailable in the text of `/proc/meminfo`.
fn in_meminfo(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? << 10)
}

/// The files with the memory limit and the memory use of each control group in the text of
/// `/proc/self/cgroup`.
fn group_files(cgroup: &str) -> Vec<(String, String)> {
    let files = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        match controllers {
            "" => {
                let folder = format!("/sys/fs/cgroup{path}");
                Some((format!("{folder}/memory.max"), format!("{folder}/memory.current")))
            }
            "memory" => {
                let folder = format!("/sys/fs/cgroup/memory{path}");
                Some((format!("{folder}/memory.limit_in_bytes"), format!("{folder}/memory.usage_in_bytes")))
            }
            _ => None,
        }
    };
    cgroup.lines().filter_map(files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_in_bytes() {
        assert_eq!(in_meminfo("MemTotal: 2 kB\nMemAvailable:   24000 kB\n"), Some(24_000 << 10));
        assert_eq!(in_meminfo("MemTotal: 2 kB\n"), None);
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn busy_time_excludes_idle_and_stolen_time() {
        let stat = "cpu  100 10 200 9000000000 50 3 4 70 20 0\ncpu0 1 2 3\n";
        assert_eq!(in_stat(stat), Some(Duration::from_millis(3_170)));
        assert_eq!((in_stat(""), in_stat("cpu 1 2 3\n"), in_stat("cpu x\n")), (None, None, None));
        assert!(busy_time() > Some(Duration::ZERO));
    }

    #[test]
    fn control_groups_of_both_versions_are_read() {
        let files = group_files("9:memory:/a\n3:cpu,cpuacct:/a\n0::/b\n");
        let paths: Vec<_> = files.iter().map(|(limit, _)| limit.as_str()).collect();
        assert_eq!(paths, ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/sys/fs/cgroup/b/memory.max"]);
    }
}
