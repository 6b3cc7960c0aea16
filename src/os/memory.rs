//! The memory that this process may use.

use crate::memory::{DEFAULT, raise_bound};
use memmap2::{MmapMut, UncheckedAdvice};
use nix::sys::resource::{Resource, getrlimit};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Bytes that this process can still use without swapping: the least of MemAvailable, of the room left in its
/// control groups and in all groups above them, and of the room below RLIMIT_AS and RLIMIT_DATA. `None` if
/// none of them can be read.
pub fn available_memory() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| in_meminfo(&text));
    let groups = groups(&read("/proc/self/cgroup").unwrap_or_default());
    let in_groups = groups.iter().filter_map(|group| {
        let number = |file: &str| read(&format!("{}/{file}", group.folder))?.trim().parse::<u64>().ok();
        let cache = read(&format!("{}/memory.stat", group.folder)).map_or(0, |text| in_stat(&text));
        // Without a limit, the file of version 2 has the word `max`, and that of version 1 a huge number.
        Some(number(group.limit)?.saturating_sub(number(group.used).unwrap_or(0).saturating_sub(cache)))
    });
    machine.into_iter().chain(in_groups).chain(left_of_process(Resource::RLIMIT_DATA)).chain(address_space()).min()
}

/// Raises the bound of inputs for the records of a capture on this machine, which are no foreign input.
pub fn raise_bound_for_capture() {
    raise_bound((2 * DEFAULT).max(available_memory().unwrap_or(0) / 16));
}

/// Bytes of addresses that this process can still use: the room below RLIMIT_AS. Other than memory, a map takes them before it
/// is touched.
pub fn address_space() -> Option<u64> {
    left_of_process(Resource::RLIMIT_AS)
}

/// The bytes below RLIMIT_AS or RLIMIT_DATA.
fn left_of_process(resource: Resource) -> Option<u64> {
    let (limit, _) = getrlimit(resource).ok()?;
    let statm = fs::read_to_string("/proc/self/statm").ok();
    let used = statm.and_then(|text| in_statm(&text, super::process::page_size() as u64));
    let used = used.map_or(0, |(all, data)| if resource == Resource::RLIMIT_AS { all } else { data });
    Some(limit.saturating_sub(used))
}

/// Returns the whole pages of this range to the system. They read as zeros afterwards.
pub fn release(memory: &mut MmapMut, range: Range<usize>) {
    let page = super::process::page_size();
    let (start, end) = (range.start.next_multiple_of(page), range.end / page * page);
    if start < end {
        // SAFETY: the range is within the map, which is anonymous and private. The exclusive borrow shows that
        // nobody else uses the memory, and any byte is a valid u8.
        let result = unsafe { memory.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        // If this fails, the pages only stay.
        drop(result);
    }
}

/// MemAvailable in the text of `/proc/meminfo`.
fn in_meminfo(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? << 10)
}

/// The bytes of page cache that the kernel can drop, in the text of a group's `memory.stat`. In version 1, `total_…`
/// includes the groups below.
fn in_stat(stat: &str) -> u64 {
    let value = |name: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|digits| digits.trim().parse::<u64>().ok())
    };
    value("total_inactive_file").or(value("inactive_file")).unwrap_or(0)
}

/// The bytes of address space and of data in the text of `/proc/self/statm`.
fn in_statm(statm: &str, page: u64) -> Option<(u64, u64)> {
    let fields: Vec<u64> = statm.split_whitespace().map_while(|field| field.parse().ok()).collect();
    Some((fields.first()?.saturating_mul(page), fields.get(5)?.saturating_mul(page)))
}

/// The folder of a control group, and its files.
#[derive(Debug, PartialEq, Eq)]
struct MemoryGroup {
    folder: String,
    /// The file with the limit.
    limit: &'static str,
    /// The file with the memory in use.
    used: &'static str,
}

/// The control groups in the text of `/proc/self/cgroup`, each followed by the groups above it, whose limits
/// count too.
fn groups(cgroup: &str) -> Vec<MemoryGroup> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let (root, limit, used) = match controllers.as_str() {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => return None,
        };
        let above: Vec<MemoryGroup> = Path::new(&path)
            .ancestors()
            .map(|group| MemoryGroup { folder: format!("{root}{}", group.display()), limit, used })
            .collect();
        Some(above)
    };
    cgroup.lines().filter_map(of_line).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_in_bytes() {
        assert_eq!(in_meminfo("MemTotal: 2 kB\nMemAvailable:   24000 kB\n"), Some(24_000 << 10));
        assert_eq!(in_meminfo("MemTotal: 2 kB\n"), None);
        assert_eq!(in_statm("100 20 3 4 0 50 0\n", 4096), Some((409_600, 204_800)));
        assert_eq!(in_statm("", 4096), None);
        assert_eq!(in_stat("anon 1\ninactive_file 7\nactive_file 9\n"), 7);
        assert_eq!((in_stat("inactive_file 7\ntotal_inactive_file 8\n"), in_stat("")), (8, 0));
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn control_groups_of_both_versions_count_with_all_groups_above_them() {
        let groups = groups("9:memory:/a/b\n3:cpu,cpuacct:/a\n0::/c\n");
        let files: Vec<_> = groups.iter().map(|group| format!("{} {}", group.folder, group.limit)).collect();
        let expected = [
            "/sys/fs/cgroup/memory/a/b memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/ memory.limit_in_bytes",
            "/sys/fs/cgroup/c memory.max",
            "/sys/fs/cgroup/ memory.max",
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn released_pages_are_zeros_and_the_others_stay() {
        let page = crate::os::process::page_size();
        let mut memory = MmapMut::map_anon(4 * page).unwrap();
        memory.fill(7);
        release(&mut memory, page / 2..3 * page + 1);
        assert!(memory[..page].iter().chain(&memory[3 * page..]).all(|byte| *byte == 7));
        assert!(memory[page..3 * page].iter().all(|byte| *byte == 0));
        release(&mut memory, 0..0);
        release(&mut memory, 1..2);
        assert_eq!((memory[0], memory[1]), (7, 7));
    }
}
