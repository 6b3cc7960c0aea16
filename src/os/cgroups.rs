//! The control groups of this machine, as perf numbers and names them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A cgroup that exists now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningCgroup {
    /// The number that samples have: the inode of its folder.
    pub id: u64,
    /// Its path below the root of its hierarchy: `/system.slice/nginx.service`.
    pub path: String,
}

/// The hierarchy of cgroups to which perf refers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// 1, or 2 for the unified hierarchy.
    pub version: u8,
    /// Where it is mounted; `None` if it is not.
    pub mount: Option<PathBuf>,
}

/// The hierarchy of the controller `perf_event`. `None` if this kernel has no such controller.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn hierarchy() -> io::Result<Option<Hierarchy>> {
    let controllers = fs::read_to_string("/proc/cgroups")?;
    Ok(hierarchy_in(&controllers, &fs::read_to_string("/proc/self/mounts")?))
}

/// The hierarchy, from the texts of `/proc/cgroups` and `/proc/self/mounts`.
fn hierarchy_in(controllers: &str, mounts: &str) -> Option<Hierarchy> {
    let numbers = controllers.lines().find_map(|line| line.strip_prefix("perf_event")).map(str::split_whitespace);
    // The number of the hierarchy, the number of its cgroups, and whether the controller is enabled. A kernel without version 1
    // does not list its controllers here.
    let numbers = numbers.map(Iterator::collect::<Vec<_>>);
    if numbers.as_deref().is_some_and(|numbers| numbers.get(2) == Some(&"0")) {
        return None;
    }
    // A controller that belongs to no hierarchy of version 1 belongs to that of version 2.
    let is_second = numbers.is_none_or(|numbers| numbers.first() == Some(&"0"));
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (folder, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
        let is_it = match is_second {
            true => kind == "cgroup2",
            false => kind == "cgroup" && options.split(',').any(|option| option == "perf_event"),
        };
        is_it.then(|| PathBuf::from(folder))
    });
    Some(Hierarchy { version: if is_second { 2 } else { 1 }, mount })
}

/// The cgroups that exist now, those above others first. Empty if perf's hierarchy is not mounted.
///
/// # Errors
/// If `/proc` or the hierarchy cannot be read.
pub fn cgroups() -> io::Result<Vec<RunningCgroup>> {
    let mount = hierarchy()?.and_then(|hierarchy| hierarchy.mount);
    let mut found = Vec::new();
    if let Some(mount) = mount {
        let id = fs::metadata(&mount)?.ino();
        found.push(RunningCgroup { id, path: "/".to_owned() });
        add_below(&mount, "", &mut found);
    }
    Ok(found)
}

/// Adds the cgroups below a folder. A cgroup that is removed meanwhile is left out.
fn add_below(folder: &Path, path: &str, found: &mut Vec<RunningCgroup>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let Ok(metadata) = entry.metadata() else { continue };
        let path = format!("{path}/{}", entry.file_name().to_string_lossy());
        found.push(RunningCgroup { id: metadata.ino(), path: path.clone() });
        add_below(&entry.path(), &path, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_that_of_the_controller() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup /sys/fs/cgroup/perf_event cgroup rw,relatime,perf_event 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let controllers = |hierarchy: u32, enabled: u32| {
            format!(
                "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nperf_event\t{hierarchy}\t1\t{enabled}\n"
            )
        };
        let at = |version, mount: &str| Some(Hierarchy { version, mount: Some(mount.into()) });
        assert_eq!(hierarchy_in(&controllers(0, 1), mounts), at(2, "/sys/fs/cgroup/unified"));
        assert_eq!(hierarchy_in(&controllers(5, 1), mounts), at(1, "/sys/fs/cgroup/perf_event"));
        assert_eq!(hierarchy_in(&controllers(0, 0), mounts), None);
        assert_eq!(hierarchy_in("", mounts), at(2, "/sys/fs/cgroup/unified"));
        assert_eq!(hierarchy_in("", ""), Some(Hierarchy { version: 2, mount: None }));
    }
}
