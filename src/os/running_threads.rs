//! The threads that run on this machine now, as `/proc` lists them.

use std::fs;
use std::io;
use std::path::Path;

/// A thread that runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningThread {
    /// The number of its process.
    pub pid: u32,
    /// Its own number.
    pub tid: u32,
    /// The number of the process that started its process; 0 for the first processes of the system.
    pub parent: u32,
    /// Its name.
    pub name: String,
}

impl RunningThread {
    /// The number of the thread that started it: the first thread of a process is started by the parent, and the others by that
    /// first thread, as far as `/proc` tells.
    pub fn forked_by(&self) -> u32 {
        if self.pid == self.tid { self.parent } else { self.pid }
    }
}

/// The threads that run now, the processes first that started others. A thread that ends meanwhile may be missing.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn running_threads() -> io::Result<Vec<RunningThread>> {
    let mut threads = Vec::new();
    for (pid, process) in numbers(Path::new("/proc"))? {
        let Some(parent) = parent_of(&process) else { continue };
        let Ok(tasks) = numbers(&process.join("task")) else { continue };
        for (tid, task) in tasks {
            let Ok(name) = fs::read(task.join("comm")) else { continue };
            let name = without_work(&String::from_utf8_lossy(name.trim_ascii_end())).to_owned();
            threads.push(RunningThread { pid, tid, parent, name });
        }
    }
    Ok(threads)
}

/// The name of a kernel's worker without its current work, which `/proc` adds: `kworker/0:1-events` becomes `kworker/0:1`.
fn without_work(name: &str) -> &str {
    let worker = name.strip_prefix("kworker/").and_then(|rest| rest.split_once(':'));
    let work = worker.and_then(|(_, number)| number.find(['-', '+']).map(|at| number.len() - at));
    work.map_or(name, |work| &name[..name.len() - work])
}

/// The entries of a folder whose names are numbers, ascending.
fn numbers(folder: &Path) -> io::Result<Vec<(u32, std::path::PathBuf)>> {
    let entries = fs::read_dir(folder)?.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable();
    Ok(entries)
}

/// The parent of a process.
fn parent_of(process: &Path) -> Option<u32> {
    // The name is in parentheses, and may have any letters. The state and the parent follow.
    let stat = fs::read(process.join("stat")).ok()?;
    let behind = stat.iter().rposition(|byte| *byte == b')')? + 1;
    String::from_utf8_lossy(&stat[behind..]).split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_no_work_in_its_name() {
        for (listed, name) in [
            ("kworker/0:1-events", "kworker/0:1"),
            ("kworker/u8:0+ext4-rsv-conversion", "kworker/u8:0"),
            ("kworker/R-rcu_gp", "kworker/R-rcu_gp"),
            ("kworker/1:2H", "kworker/1:2H"),
            ("a-b:c-d", "a-b:c-d"),
        ] {
            assert_eq!(without_work(listed), name);
        }
    }

    #[test]
    fn this_thread_is_listed_with_its_name_and_its_parent() {
        let (tid, pid) = (nix::unistd::gettid().as_raw() as u32, std::process::id());
        nix::sys::prctl::set_name(c"odd) 1 (name").unwrap();
        let threads = running_threads().unwrap();
        let this = threads.iter().find(|thread| thread.tid == tid).unwrap();
        let parent = nix::unistd::getppid().as_raw() as u32;
        assert_eq!(*this, RunningThread { pid, tid, parent, name: "odd) 1 (name".to_owned() });
        assert!(threads.iter().any(|thread| (thread.pid, thread.tid) == (pid, pid)), "the main thread");
    }
}
