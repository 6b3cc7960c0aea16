//! The columns `pid`, `tid`, `comm`, and `cgroup` of a log.

use super::Error;
use crate::events::{CgroupId, Event, LONGEST_NAME, LONGEST_PATH, Ns, ThreadChange, ThreadFact, Tid};
use crate::memory::{Held, MemoryOf};
use crate::perf_data::Fault;
use crate::recording::LogColumn;
use crate::text::{number_of_cell, of_csv_cell};
use clap::ValueEnum;
use csv::ByteRecord;
use std::collections::HashMap;

/// The memory in bytes of a thread, beside its name.
const OF_THREAD: u64 = 256;

/// The places of the columns, and the threads so far.
pub(super) struct ThreadColumns {
    pid: Option<usize>,
    tid: Option<usize>,
    comm: Option<usize>,
    cgroup: Option<usize>,
    /// The numbers that the paths get here.
    cgroups: HashMap<Vec<u8>, CgroupId>,
    threads: HashMap<Tid, ThreadRow>,
    /// The newest time so far.
    newest: Ns,
    /// The changes since the last time that they were taken.
    pub changes: Vec<ThreadChange>,
    held: Held,
}

/// What the last row of a thread said.
#[derive(Default)]
struct ThreadRow {
    pid: Option<Tid>,
    comm: Vec<u8>,
    cgroup: Option<CgroupId>,
    /// Whether it was a step back in time.
    is_back: bool,
}

impl ThreadColumns {
    /// Finds the columns in a header, from the place `behind` on.
    ///
    /// # Errors
    /// If there is another column, or one twice.
    pub fn of(header: &ByteRecord, behind: usize) -> Result<Self, Error> {
        let mut places = HashMap::new();
        for (place, name) in header.iter().enumerate().skip(behind) {
            let all = LogColumn::value_variants().iter();
            let column = all.copied().find(|column| column.name().as_bytes() == name).ok_or(Error::MoreColumns)?;
            if places.insert(column.name(), place).is_some() {
                return Err(Error::MoreColumns);
            }
        }
        let place = |column: LogColumn| places.get(column.name()).copied();
        Ok(ThreadColumns {
            pid: place(LogColumn::Pid),
            tid: place(LogColumn::Tid),
            comm: place(LogColumn::Comm),
            cgroup: place(LogColumn::Cgroup),
            cgroups: HashMap::new(),
            threads: HashMap::new(),
            newest: Ns(0),
            changes: Vec::new(),
            held: Held::nothing(MemoryOf::Threads),
        })
    }

    /// Whether the columns have the thread of each event, or its process.
    pub fn has_threads(&self) -> bool {
        self.tid.or(self.pid).is_some()
    }

    /// Whether the columns have the cgroup of each event, and its thread.
    pub fn has_cgroups(&self) -> bool {
        self.has_threads() && self.cgroup.is_some()
    }

    /// The event of a row with its thread. Without the column `tid`, the process stands for the thread. An empty cell is not
    /// known.
    ///
    /// # Errors
    /// If a cell is not the number of a thread, or if the threads take too much memory.
    pub fn event(&mut self, event: Event, row: &ByteRecord) -> Result<Event, Fault> {
        let pid = number(row, self.pid, "pid")?;
        let Some(tid) = number(row, self.tid, "tid")?.or(pid) else { return Ok(event) };
        let comm = self.comm.and_then(|place| row.get(place)).unwrap_or_default();
        let comm = &comm[..comm.len().min(LONGEST_NAME)];
        // After a step back in time, what the rows above said is not true of this row, nor this row of the next one.
        let is_back = event.time < self.newest;
        self.newest = self.newest.max(event.time);
        let is_first = !self.threads.contains_key(&tid);
        if is_first {
            self.held.grow(OF_THREAD)?;
        }
        let cgroup = self.cgroup_of(row)?;
        let ThreadRow { pid: known_pid, comm: known_comm, cgroup: known_cgroup, is_back: was_back } =
            self.threads.entry(tid).or_default();
        let is_odd = is_back || std::mem::replace(was_back, is_back);
        let mut push = |what| self.changes.push(ThreadChange { time: event.time, tid, what });
        if let Some(process) = pid.filter(|pid| is_odd || *known_pid != Some(*pid)) {
            *known_pid = Some(process);
            push(ThreadFact::Of(process));
        }
        if let Some(cgroup) = cgroup.filter(|cgroup| is_odd || *known_cgroup != Some(*cgroup)) {
            *known_cgroup = Some(cgroup);
            push(ThreadFact::In(cgroup));
        }
        if is_odd || known_comm != comm {
            comm.clone_into(known_comm);
            let text = String::from_utf8_lossy(comm);
            push(ThreadFact::Named(of_csv_cell(&text).into()));
        }
        Ok(event.in_thread(tid))
    }
}

impl ThreadColumns {
    /// The cgroup in a row; `None` if the cell is empty.
    fn cgroup_of(&mut self, row: &ByteRecord) -> Result<Option<CgroupId>, Fault> {
        let Some(cell) = self.cgroup.and_then(|place| row.get(place)).filter(|cell| !cell.is_empty()) else {
            return Ok(None);
        };
        let path = &cell[..cell.len().min(LONGEST_PATH)];
        if let Some(id) = self.cgroups.get(path) {
            return Ok(Some(*id));
        }
        self.held.grow(OF_THREAD + 2 * path.len() as u64)?;
        let id = CgroupId(self.cgroups.len() as u64);
        self.cgroups.insert(path.to_vec(), id);
        let path = of_csv_cell(&String::from_utf8_lossy(path)).into();
        self.changes.push(ThreadChange { time: Ns(0), tid: Tid::IDLE, what: ThreadFact::Cgroup { id, path } });
        Ok(Some(id))
    }
}

/// The number of a process or of a thread in a cell; `None` if the cell is empty.
fn number(row: &ByteRecord, place: Option<usize>, column: &str) -> Result<Option<Tid>, Fault> {
    let Some(cell) = place.and_then(|place| row.get(place)).filter(|cell| !cell.is_empty()) else { return Ok(None) };
    let number = number_of_cell(cell).and_then(|number| Tid::new(u32::try_from(number).ok()?));
    let shown = String::from_utf8_lossy(&cell[..cell.len().min(40)]);
    number.map(Some).ok_or_else(|| format!("`{shown}` is not the number of a thread ({column})").into())
}
