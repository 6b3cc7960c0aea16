//! The threads and processes that have events.

use crate::events::{Event, KnownThreads, Ns, ThreadChange, Tid};
use crate::memory::{Held, MemoryOf, TooMuch};
use std::collections::HashMap;
use std::sync::Arc;

/// The number of no thread.
pub(super) const NO_THREAD: u32 = u32::MAX;
/// The memory in bytes of a thread, and of its process.
const OF_THREAD: u64 = 320;

/// A thread with its process, and its last name.
#[derive(Debug, Clone)]
pub(super) struct ThreadOfTrace {
    pub pid: Tid,
    pub tid: Tid,
    pub name: Option<Arc<str>>,
    /// The number of its process.
    process: u32,
}

/// Numbers the threads and the processes that have events.
#[derive(Debug)]
pub(super) struct Threads {
    known: KnownThreads,
    all: Vec<ThreadOfTrace>,
    /// By process and thread.
    numbers: HashMap<(Tid, Tid), u32>,
    /// The number of a thread of each process, the main one if it has events.
    processes: Vec<u32>,
    process_numbers: HashMap<Tid, u32>,
    /// The thread of the last event, and its number, until something happens to a thread.
    last: Option<(Tid, u32)>,
    held: Held,
}

impl Default for Threads {
    fn default() -> Self {
        Threads {
            known: KnownThreads::default(),
            all: Vec::new(),
            numbers: HashMap::new(),
            processes: Vec::new(),
            process_numbers: HashMap::new(),
            last: None,
            held: Held::nothing(MemoryOf::Threads),
        }
    }
}

impl Threads {
    /// Takes what happened to threads.
    pub fn take(&mut self, changes: &[ThreadChange]) -> Result<(), TooMuch> {
        self.known.add(changes)
    }

    /// All events up to this time have passed.
    pub fn passed(&mut self, time: Ns) {
        if self.known.until(time) {
            self.last = None;
        }
    }

    /// The number of the thread that caused an event; [`NO_THREAD`] if it was an interrupt, the idle task, or an unknown thread.
    pub fn of(&mut self, event: &Event) -> Result<u32, TooMuch> {
        let tid = event.tid().filter(|tid| *tid != Tid::IDLE && !event.is_in_interrupt());
        let Some(tid) = tid else { return Ok(NO_THREAD) };
        self.passed(event.time);
        if let Some((last, number)) = self.last
            && last == tid
        {
            return Ok(number);
        }
        let thread = self.known.of(tid);
        let pid = thread.and_then(|thread| thread.process).unwrap_or(tid);
        let name = thread.and_then(|thread| thread.name.clone());
        let number = match self.numbers.get(&(pid, tid)) {
            Some(number) => *number,
            None => self.add(pid, tid)?,
        };
        let of = &mut self.all[number as usize];
        of.name = name.or(of.name.take());
        self.last = Some((tid, number));
        Ok(number)
    }

    fn add(&mut self, pid: Tid, tid: Tid) -> Result<u32, TooMuch> {
        self.held.grow(OF_THREAD)?;
        let number = self.all.len() as u32;
        let processes = &mut self.processes;
        let process = *self.process_numbers.entry(pid).or_insert_with(|| {
            processes.push(number);
            processes.len() as u32 - 1
        });
        if pid == tid {
            self.processes[process as usize] = number;
        }
        self.all.push(ThreadOfTrace { pid, tid, name: None, process });
        self.numbers.insert((pid, tid), number);
        Ok(number)
    }

    /// The number of the process of a thread.
    pub fn process_of(&self, thread: u32) -> Option<u32> {
        self.all.get(thread as usize).map(|thread| thread.process)
    }

    /// A thread.
    pub fn named_thread(&self, number: u32) -> &ThreadOfTrace {
        &self.all[number as usize]
    }

    /// A process, and its name.
    pub fn named_process(&self, number: u32) -> (Tid, Option<&str>) {
        let ThreadOfTrace { pid, tid, name, .. } = &self.all[self.processes[number as usize] as usize];
        // Without events of the main thread, its last known name counts, and not that of another thread.
        let of_main = || self.known.of(*pid).and_then(|main| main.name.as_deref());
        (*pid, name.as_deref().filter(|_| pid == tid).or_else(of_main))
    }
}
