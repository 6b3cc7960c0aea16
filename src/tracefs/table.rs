//! The tracepoint table: every tracepoint that tracefs lists, numbered.

use super::{Error, Gid, Tpid};
use crate::memory::{Held, MemoryOf, TooMuch};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// One tracepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracepoint {
    /// tp-perf's own number. Numbers start at 1, in the order of (group, name), and cover all tracepoints.
    pub tpid: Tpid,
    /// The group's number. Numbers start at 1, in the order of names.
    pub gid: Gid,
    /// The group, as in `events/<group>/<name>`.
    pub group: String,
    /// The name within the group.
    pub name: String,
    /// The kernel's number for it, which goes into `perf_event_attr.config`.
    pub tracefs_id: u64,
}

impl Tracepoint {
    /// `group:name`, the only name that means the same on another kernel.
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.group, self.name)
    }

    /// Whether perf's counter adds up another quantity than hits for this tracepoint. For the scheduler's statistics it adds
    /// up the nanoseconds that they report (`__perf_count` in include/trace/events/sched.h). The kernel has no list of such
    /// tracepoints, and has no others.
    pub fn is_weighted(&self) -> bool {
        self.group == "sched" && self.name.starts_with("sched_stat_")
    }

    /// Whether the kernel always hits this tracepoint in an interrupt. The kernel has no list of such tracepoints. These are
    /// the ones in its code for the entry of interrupts and in the functions that only that code calls.
    pub fn is_of_interrupts(&self) -> bool {
        let has_end = |ends: &[&str]| ends.iter().any(|end| self.name.ends_with(end));
        let has_begin = |begins: &[&str]| begins.iter().any(|begin| self.name.starts_with(begin));
        match self.group.as_str() {
            "irq_vectors" | "irq" => has_end(&["_entry", "_exit"]),
            "timer" => has_begin(&["hrtimer_expire_", "timer_expire_"]),
            "nmi" => true,
            _ => false,
        }
    }
}

/// All tracepoints of one kernel, in the order of their tpid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    tracepoints: Vec<Tracepoint>,
    /// For each tpid, its index in `tracepoints` plus 1, or 0 if it has none.
    places: Vec<u32>,
    groups: Vec<String>,
    /// The memory of the names that an input brought.
    held: Held,
}

impl Default for Table {
    fn default() -> Self {
        Table { tracepoints: Vec::new(), places: Vec::new(), groups: Vec::new(), held: Held::nothing(MemoryOf::Names) }
    }
}

/// The memory in bytes that a tracepoint takes in a table and in a selection, without its name.
const OF_TRACEPOINT: u64 = 256;
/// The memory in bytes that each byte of a name takes there.
const OF_NAME: u64 = 2;
/// The memory in bytes that each tpid takes in lists with a place for each tpid.
const OF_TPID: u64 = 128;
/// The memory in bytes that each gid takes in lists with a place for each gid.
const OF_GID: u64 = 64;

impl Table {
    /// Reads `<root>/events`. A tracepoint is a folder with a file `id`. A folder without this file cannot be opened, so it is
    /// not listed (some of ftrace's own formats, and groups without tracepoints).
    pub fn read(root: &Path) -> Result<Self, Error> {
        let path = root.join("events");
        let failed = |path: PathBuf| move |cause: io::Error| Error::Read { path, cause };
        // Looking up each name in its folder is faster: the path from `/` to a detached mount has a dozen more names.
        let events = EventsFolder::open(rustix::fs::CWD, &path).map_err(failed(path.clone()))?;
        let mut entries = Vec::new();
        for group in events.folders().map_err(failed(path.clone()))? {
            let path = path.join(&group);
            let folder = EventsFolder::open(&events.0, Path::new(&group)).map_err(failed(path.clone()))?;
            for name in folder.folders().map_err(failed(path.clone()))? {
                let id = Path::new(&name).join("id");
                match folder.number(&id) {
                    Ok(id) => entries.push((group.clone(), name, id)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(cause) => return Err(failed(path.join(id))(cause)),
                }
            }
        }
        if entries.is_empty() {
            return Err(Error::NoTracepoints(path));
        }
        Ok(Self::from_entries(entries))
    }

    /// Numbers `(group, name, tracefs id)` entries given in any order.
    pub fn from_entries(entries: Vec<(String, String, u64)>) -> Self {
        Table::default().with_entries(entries)
    }

    /// Adds and numbers `(group, name, tracefs id)` entries given in any order. The table must be empty.
    pub fn with_entries(mut self, mut entries: Vec<(String, String, u64)>) -> Self {
        entries.sort();
        let table = &mut self;
        for (number, (group, name, tracefs_id)) in (1..).zip(entries) {
            if table.groups.last() != Some(&group) {
                table.groups.push(group.clone());
            }
            let gid = Gid::new(table.groups.len() as u32);
            table.add(Tracepoint { tpid: Tpid::new(number), gid, group, name, tracefs_id });
        }
        self
    }

    /// Takes the memory for tracepoints of an input. Their names have this many bytes in all.
    ///
    /// # Errors
    /// If that is more than [inputs may take](crate::memory).
    pub fn hold(&mut self, tracepoints: u64, bytes: u64) -> Result<(), TooMuch> {
        self.held.grow(tracepoints.saturating_mul(OF_TRACEPOINT).saturating_add(bytes.saturating_mul(OF_NAME)))
    }

    /// Adds a tracepoint of an input, as [`add`](Self::add) does.
    ///
    /// # Errors
    /// If the names take more memory than [inputs may take](crate::memory).
    pub fn add_from_input(&mut self, tracepoint: Tracepoint) -> Result<(), TooMuch> {
        let more = |new: usize, old: usize| (new as u64).saturating_sub(old as u64);
        let tpids = more(tracepoint.tpid.index() + 1, self.places.len());
        let gids = more(tracepoint.gid.index(), self.groups.len());
        self.held.grow(tpids * OF_TPID + gids * OF_GID)?;
        self.hold(1, (tracepoint.group.len() + tracepoint.name.len()) as u64)?;
        self.add(tracepoint);
        Ok(())
    }

    /// Adds a tracepoint that already has a number, as in a log. Its tpid must be new.
    pub fn add(&mut self, tracepoint: Tracepoint) {
        let (tpid, gid) = (tracepoint.tpid.index(), tracepoint.gid.index());
        if self.groups.len() < gid {
            self.groups.resize(gid, String::new());
        }
        self.groups[gid - 1].clone_from(&tracepoint.group);
        if self.places.len() <= tpid {
            self.places.resize(tpid + 1, 0);
        }
        self.tracepoints.push(tracepoint);
        self.places[tpid] = self.tracepoints.len() as u32;
    }

    /// All tracepoints, by tpid. The table of a log has them in the order of the log.
    pub fn tracepoints(&self) -> &[Tracepoint] {
        &self.tracepoints
    }

    /// All groups. The group at index `i` has gid `i + 1`. The name of an unknown group is empty.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The tracepoint of this number.
    ///
    /// # Panics
    /// If `tpid` is not in this table.
    pub fn get(&self, tpid: Tpid) -> &Tracepoint {
        self.find(tpid).expect("the tpid is in this table")
    }

    /// The tracepoint of this number, if there is one.
    pub fn find(&self, tpid: Tpid) -> Option<&Tracepoint> {
        let place = *self.places.get(tpid.index())?;
        self.tracepoints.get(place.checked_sub(1)? as usize)
    }
}

/// A folder, open.
struct EventsFolder(OwnedFd);

impl EventsFolder {
    fn open(within: impl AsFd, path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(EventsFolder(openat(within, path, flags, Mode::empty())?))
    }

    /// The names of the folders in it.
    fn folders(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
                let name = name.to_str().map_err(|_| invalid(format!("{name:?} is not UTF-8")))?;
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The number that a file in it holds.
    fn number(&self, path: &Path) -> io::Result<u64> {
        let mut text = [0; 32];
        // One read returns the whole file.
        let file = openat(&self.0, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let length = rustix::io::read(&file, &mut text)?;
        let text = String::from_utf8_lossy(&text[..length]);
        text.trim().parse().map_err(|error| invalid(format!("{:?}: {error}", text.trim())))
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn numbers_follow_group_then_name_and_start_at_one() {
        let table = Table::from_entries(
            [("sched", "sched_waking", 9), ("irq", "softirq_entry", 7), ("irq", "irq_handler_entry", 8)]
                .map(|(group, name, id)| (group.to_owned(), name.to_owned(), id))
                .to_vec(),
        );
        let rows: Vec<_> =
            table.tracepoints().iter().map(|t| (t.tpid.get(), t.gid.get(), t.full_name(), t.tracefs_id)).collect();
        assert_eq!(
            rows,
            [
                (1, 1, "irq:irq_handler_entry".to_owned(), 8),
                (2, 1, "irq:softirq_entry".to_owned(), 7),
                (3, 2, "sched:sched_waking".to_owned(), 9)
            ]
        );
        assert_eq!(table.groups(), ["irq", "sched"]);
        assert_eq!(table.get(Tpid::new(3)).name, "sched_waking");
    }

    #[test]
    fn a_folder_without_an_id_is_no_tracepoint_and_a_torn_id_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let place = |path: &str| {
            let path = root.path().join("events").join(path);
            fs::create_dir_all(&path).unwrap();
            path
        };
        place("ftrace/print");
        fs::write(place("task/task_rename").join("id"), "204\n").unwrap();
        let table = Table::read(root.path()).unwrap();
        assert_eq!(table.tracepoints().len(), 1);
        let task_rename = table.get(Tpid::new(1));
        assert_eq!((task_rename.gid, task_rename.tracefs_id), (Gid::new(1), 204));

        fs::write(place("task/task_newtask").join("id"), "twelve\n").unwrap();
        let error = Table::read(root.path()).unwrap_err();
        assert!(error.to_string().contains("task/task_newtask/id"), "{error}");
    }

    #[test]
    fn an_empty_tracefs_is_said_to_be_empty() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("events")).unwrap();
        assert!(matches!(Table::read(root.path()), Err(Error::NoTracepoints(_))));
    }
}
