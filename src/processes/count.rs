//! Counts events by process and tracepoint.

use super::{OverTime, Process, ProcessKind, ProcessRanking, RankedProcess};
use crate::events::{Event, EventHits, KnownThreads, Ns, RowRun, RungStep, Sink, ThreadChange, Tid, Tpid};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::tracefs::Table;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The memory in bytes of a process, and of a tracepoint that it hit.
const OF_PROCESS: u64 = 256;
const OF_COUNT: u64 = 96;

/// Hashes numbers quickly: an event needs two such look-ups. The order of numbers that a file chooses can make it slow, but the
/// memory of the maps is bounded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quick(u64);

pub(super) type BuildQuick = BuildHasherDefault<Quick>;

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // Fibonacci hashing, with the upper half mixed into the lower one, which the map uses.
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Counts events by process and tracepoint.
#[derive(Debug)]
pub struct Processes {
    threads: KnownThreads,
    /// Per number of a process.
    all: Vec<Process>,
    numbers: HashMap<Process, u32>,
    counts: HashMap<u64, u64, BuildQuick>,
    /// The number of the process of each thread, until something happens to a thread.
    of_thread: HashMap<u64, u32, BuildQuick>,
    /// How many hits events stand for, if tracepoints were thinned.
    hits: EventHits,
    /// The events over time, if they are kept.
    over_time: Option<OverTime>,
    held: Held,
    too_much: Option<TooMuch>,
}

impl Default for Processes {
    fn default() -> Self {
        Processes {
            threads: KnownThreads::default(),
            all: Vec::new(),
            numbers: HashMap::new(),
            counts: HashMap::default(),
            of_thread: HashMap::default(),
            hits: EventHits::default(),
            over_time: None,
            held: Held::nothing(MemoryOf::Threads),
            too_much: None,
        }
    }
}

impl Processes {
    /// Also keeps at most about this many cells over time.
    pub fn with_cells(self, most_cells: usize) -> Self {
        Processes { over_time: Some(OverTime::new(most_cells)), ..self }
    }

    /// The number of the process that caused an event now.
    fn number_of(&mut self, event: Event) -> Result<u32, TooMuch> {
        let process = Process::of(event, &self.threads);
        if let Some(number) = self.numbers.get(&process) {
            return Ok(*number);
        }
        self.held.grow(OF_PROCESS + 2 * process.name.as_ref().map_or(0, |name| name.len() as u64))?;
        let number = self.all.len() as u32;
        self.all.push(process.clone());
        self.numbers.insert(process, number);
        Ok(number)
    }

    fn count(&mut self, event: Event) -> Result<(), TooMuch> {
        if self.threads.until(event.time) {
            self.of_thread.clear();
        }
        // The thread and the interrupt are an event's fields beside its tracepoint and CPU.
        let key = u64::from(event.tid().map_or(u32::MAX, Tid::get)) << 1 | u64::from(event.is_in_interrupt());
        let number = match self.of_thread.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.number_of(event)?;
                self.of_thread.insert(key, number);
                number
            }
        };
        let hits = self.hits.of_next(&event);
        let count = self.counts.entry(u64::from(number) << 32 | u64::from(event.tpid().get())).or_insert(0);
        if *count == 0 {
            self.held.grow(OF_COUNT)?;
        }
        *count = count.saturating_add(hits);
        if let Some(over_time) = &mut self.over_time {
            over_time.add(&event, number, &mut self.held)?;
        }
        Ok(())
    }

    /// The processes by events. `is_known` is whether the source has the threads of events.
    ///
    /// # Errors
    /// If they took too much memory.
    pub fn ranking(mut self, is_known: bool) -> Result<ProcessRanking, TooMuch> {
        if is_known {
            let unknown = self.all.iter_mut().filter(|process| process.kind == ProcessKind::Unknown);
            unknown.for_each(|process| process.kind = ProcessKind::Ended);
        }
        if let Some(cause) = self.too_much {
            return Err(cause);
        }
        let mut tracepoints: Vec<Vec<(Tpid, u64)>> = vec![Vec::new(); self.all.len()];
        for (key, count) in self.counts {
            tracepoints[(key >> 32) as usize].push((Tpid::new(key as u32), count));
        }
        let ranked = |((number, process), mut tracepoints): ((u32, Process), Vec<(Tpid, u64)>)| {
            tracepoints.sort_unstable_by_key(|(tpid, count)| (Reverse(*count), *tpid));
            RankedProcess { number, process, events: tracepoints.iter().map(|(_, count)| count).sum(), tracepoints }
        };
        let mut processes: Vec<RankedProcess> = (0..).zip(self.all).zip(tracepoints).map(ranked).collect();
        processes.sort_by(|one, other| other.events.cmp(&one.events).then_with(|| one.process.cmp(&other.process)));
        let events = processes.iter().map(|process| process.events).sum();
        let mut over_time = self.over_time;
        over_time.iter_mut().for_each(OverTime::finish);
        let is_estimate = self.hits.is_estimate();
        Ok(ProcessRanking { processes, events, over_time, is_known, is_estimate })
    }
}

impl Sink for Processes {
    fn only_some(&mut self) {
        self.hits.only_some();
    }

    fn events(&mut self, events: &[Event], _table: &Table) {
        if self.too_much.is_none() {
            self.too_much = events.iter().try_for_each(|event| self.count(*event)).err();
        }
    }

    fn threads(&mut self, changes: &[ThreadChange]) {
        self.too_much = self.too_much.or(self.threads.add(changes).err());
    }

    fn passed(&mut self, time: Ns) {
        if self.threads.until(time) {
            self.of_thread.clear();
        }
    }

    fn steps(&mut self, steps: &[RungStep]) {
        self.too_much = self.too_much.or(self.hits.steps(steps).err());
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        self.hits.rows(runs);
    }

    fn takes_more(&self) -> bool {
        self.too_much.is_none()
    }
}
