//! What machine this is: its kernel, its name, and how much memory there is to use.

use std::fs;

/// The kernel's release, as `uname -r` says.
pub fn kernel_release() -> String {
    let uname = nix::sys::utsname::uname();
    uname.map_or_else(|_| "unknown".to_owned(), |uname| uname.release().to_string_lossy().into_owned())
}

/// The machine's name.
pub fn hostname() -> String {
    let name = nix::unistd::gethostname();
    name.map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Bytes that can be used without swapping: the machine's, or what this process's control group leaves of them. `None` if
/// nothing tells.
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

/// MemAvailable in the text of `/proc/meminfo`.
fn in_meminfo(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? << 10)
}

/// The files with the limit and the use of memory, for the control groups in the text of `/proc/self/cgroup`.
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
    fn control_groups_of_both_versions_are_looked_at() {
        let files = group_files("9:memory:/a\n3:cpu,cpuacct:/a\n0::/b\n");
        let paths: Vec<_> = files.iter().map(|(limit, _)| limit.as_str()).collect();
        assert_eq!(paths, ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "/sys/fs/cgroup/b/memory.max"]);
    }
}
