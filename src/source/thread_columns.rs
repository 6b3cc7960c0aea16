//! The columns `pid`, `tid`, and `comm` of a log.

use super::Error;
use crate::events::{Event, ThreadChange, ThreadFact, Tid};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::recording::LogColumn;
use crate::text::of_csv_cell;
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
    /// The process and the name of each thread in its last row.
    threads: HashMap<Tid, (Option<Tid>, Vec<u8>)>,
    /// The changes since the last time that they were taken.
    pub changes: Vec<ThreadChange>,
    held: Held,
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
            threads: HashMap::new(),
            changes: Vec::new(),
            held: Held::nothing(MemoryOf::Threads),
        })
    }

    /// Whether the columns have the thread of each event, or its process.
    pub fn has_threads(&self) -> bool {
        self.tid.or(self.pid).is_some()
    }

    /// The event of a row with its thread. Without the column `tid`, the process stands for the thread. Empty cells are not
    /// known; so is a number that no thread has.
    ///
    /// # Errors
    /// If the threads take too much memory.
    pub fn event(&mut self, event: Event, row: &ByteRecord) -> Result<Event, TooMuch> {
        let number = |place: Option<usize>| {
            let text = std::str::from_utf8(row.get(place?)?).ok()?;
            text.parse().ok().and_then(Tid::new)
        };
        let pid = number(self.pid);
        let Some(tid) = number(self.tid).or(pid) else { return Ok(event) };
        let comm = self.comm.and_then(|place| row.get(place)).unwrap_or_default();
        let is_new = !self.threads.contains_key(&tid);
        let (known_pid, known_comm) = self.threads.entry(tid).or_default();
        let mut push = |what| self.changes.push(ThreadChange { time: event.time, tid, what });
        if let Some(process) = pid.filter(|pid| *known_pid != Some(*pid)) {
            *known_pid = Some(process);
            push(ThreadFact::Of(process));
        }
        if known_comm != comm {
            comm.clone_into(known_comm);
            let text = String::from_utf8_lossy(comm);
            push(ThreadFact::Named(of_csv_cell(&text).into()));
        }
        if is_new {
            self.held.grow(OF_THREAD + comm.len() as u64)?;
        }
        Ok(event.in_thread(tid))
    }
}
