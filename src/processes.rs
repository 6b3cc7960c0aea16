//! Which processes caused the events of a source: the sink that knows the process and the name of each thread at each time,
//! and counts events by process and tracepoint.

use crate::activity::Cells;
use crate::events::{Event, KnownThreads, Sink, ThreadChange, Tid, Tpid};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::tracefs::Table;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

/// The memory in bytes of a process, and of a tracepoint that it hit.
const OF_PROCESS: u64 = 256;
const OF_COUNT: u64 = 96;

/// Counts events by process and tracepoint.
#[derive(Debug)]
pub struct Processes {
    threads: KnownThreads,
    /// Per number of a process.
    all: Vec<Process>,
    numbers: HashMap<Process, u32>,
    counts: HashMap<(u32, Tpid), u64>,
    /// The events of each process over time, by its number, if they are kept.
    over_time: Option<Cells>,
    /// The thread of the last event, whether an interrupt caused that event, and the number of the process at that time.
    last: Option<(Option<Tid>, bool, u32)>,
    held: Held,
    too_much: Option<TooMuch>,
}

/// A process under a name. Threads that have names of their own are apart, as they are in `perf report --sort comm,pid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Process {
    /// Its kind.
    pub kind: ProcessKind,
    /// The name of its thread (comm); `None` if the source does not have it.
    #[serde(serialize_with = "text")]
    pub name: Option<Arc<str>>,
    /// The number of the process (pid); `None` if the source does not have it.
    #[serde(serialize_with = "number")]
    pub pid: Option<Tid>,
}

/// A kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessKind {
    /// A program.
    Program,
    /// A thread of the kernel.
    Kernel,
    /// No process: the CPU had nothing to run. Most of its events come from interrupts.
    Idle,
    /// No process: an interrupt caused the event.
    Interrupt,
    /// The source does not have the thread.
    Unknown,
}

impl ProcessKind {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            ProcessKind::Program => "program",
            ProcessKind::Kernel => "kernel",
            ProcessKind::Idle => "idle",
            ProcessKind::Interrupt => "interrupt",
            ProcessKind::Unknown => "unknown",
        }
    }
}

fn text<S: serde::Serializer>(name: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_deref().serialize(serializer)
}

fn number<S: serde::Serializer>(tid: &Option<Tid>, serializer: S) -> Result<S::Ok, S::Error> {
    tid.map(Tid::get).serialize(serializer)
}

/// Processes by events, the most events first.
#[derive(Debug, Clone)]
pub struct ProcessRanking {
    /// Every process with at least one event.
    pub processes: Vec<RankedProcess>,
    /// All events.
    pub events: u64,
    /// The events over time by the number of the process, if they were kept.
    pub over_time: Option<Cells>,
}

/// A process with its events.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedProcess {
    /// Its key in the events over time.
    pub number: u32,
    /// The process.
    pub process: Process,
    /// Its events.
    pub events: u64,
    /// Its events by tracepoint, the most first.
    pub tracepoints: Vec<(Tpid, u64)>,
}

impl Default for Processes {
    fn default() -> Self {
        Processes {
            threads: KnownThreads::default(),
            all: Vec::new(),
            numbers: HashMap::new(),
            counts: HashMap::new(),
            over_time: None,
            last: None,
            held: Held::nothing(MemoryOf::Threads),
            too_much: None,
        }
    }
}

impl Processes {
    /// Also keeps at most about this many cells over time.
    pub fn with_cells(self, most_cells: usize) -> Self {
        Processes { over_time: Some(Cells::new(most_cells)), ..self }
    }

    /// The number of the process that caused an event now.
    fn number_of(&mut self, event: Event) -> Result<u32, TooMuch> {
        let process = Process::of(event, &self.threads);
        if let Some(number) = self.numbers.get(&process) {
            return Ok(*number);
        }
        self.held.grow(OF_PROCESS)?;
        let number = self.all.len() as u32;
        self.all.push(process.clone());
        self.numbers.insert(process, number);
        Ok(number)
    }

    fn count(&mut self, event: Event) -> Result<(), TooMuch> {
        if self.threads.until(event.time) {
            self.last = None;
        }
        let (tid, is_in_interrupt) = (event.tid(), event.is_in_interrupt());
        let number = match self.last {
            Some((last, was_in_interrupt, number)) if last == tid && was_in_interrupt == is_in_interrupt => number,
            _ => self.number_of(event)?,
        };
        self.last = Some((tid, is_in_interrupt, number));
        let count = self.counts.entry((number, event.tpid())).or_insert(0);
        if *count == 0 {
            self.held.grow(OF_COUNT)?;
        }
        *count += 1;
        if let Some(over_time) = &mut self.over_time {
            over_time.add(event.time, number);
        }
        Ok(())
    }

    /// The processes by events.
    ///
    /// # Errors
    /// If they took too much memory.
    pub fn ranking(self) -> Result<ProcessRanking, TooMuch> {
        if let Some(cause) = self.too_much {
            return Err(cause);
        }
        let mut tracepoints: Vec<Vec<(Tpid, u64)>> = vec![Vec::new(); self.all.len()];
        for ((number, tpid), count) in self.counts {
            tracepoints[number as usize].push((tpid, count));
        }
        let ranked = |((number, process), mut tracepoints): ((u32, Process), Vec<(Tpid, u64)>)| {
            tracepoints.sort_unstable_by_key(|(tpid, count)| (Reverse(*count), *tpid));
            RankedProcess { number, process, events: tracepoints.iter().map(|(_, count)| count).sum(), tracepoints }
        };
        let mut processes: Vec<RankedProcess> = (0..).zip(self.all).zip(tracepoints).map(ranked).collect();
        processes.sort_by(|one, other| other.events.cmp(&one.events).then_with(|| one.process.cmp(&other.process)));
        let events = processes.iter().map(|process| process.events).sum();
        let mut over_time = self.over_time;
        over_time.iter_mut().for_each(Cells::finish);
        Ok(ProcessRanking { processes, events, over_time })
    }
}

impl Sink for Processes {
    fn events(&mut self, events: &[Event], _table: &Table) {
        if self.too_much.is_none() {
            self.too_much = events.iter().try_for_each(|event| self.count(*event)).err();
        }
    }

    fn threads(&mut self, changes: &[ThreadChange]) {
        self.threads.add(changes);
    }

    fn takes_more(&self) -> bool {
        self.too_much.is_none()
    }
}

impl ProcessRanking {
    /// Whether the source has the threads of events.
    pub fn is_known(&self) -> bool {
        self.processes.iter().any(|ranked| ranked.process.kind != ProcessKind::Unknown)
    }

    /// The tracepoints by events, the most first.
    pub fn tracepoints(&self) -> Vec<(Tpid, u64)> {
        let mut sums = HashMap::<Tpid, u64>::new();
        let all = self.processes.iter().flat_map(|ranked| &ranked.tracepoints);
        all.for_each(|(tpid, count)| *sums.entry(*tpid).or_insert(0) += count);
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(tpid, count)| (Reverse(*count), *tpid));
        sums
    }

    /// The share of all events, from 0 to 1.
    pub fn share(&self, events: u64) -> f64 {
        events as f64 / self.events.max(1) as f64
    }

    /// The processes that hit a tracepoint, the most events first.
    pub fn of_tracepoint(&self, tpid: Tpid) -> Vec<(&Process, u64)> {
        let of_process =
            |ranked: &RankedProcess| ranked.tracepoints.iter().find(|(its, _)| *its == tpid).map(|(_, count)| *count);
        let mut found: Vec<_> =
            self.processes.iter().filter_map(|ranked| Some((&ranked.process, of_process(ranked)?))).collect();
        found.sort_by_key(|(process, count)| (Reverse(*count), *process));
        found
    }
}

impl Process {
    /// The process that caused an event now.
    fn of(event: Event, threads: &KnownThreads) -> Self {
        let nobody = |kind| Process { kind, name: None, pid: None };
        if event.is_in_interrupt() {
            return nobody(ProcessKind::Interrupt);
        }
        let Some(tid) = event.tid() else { return nobody(ProcessKind::Unknown) };
        if tid == Tid::IDLE {
            return Process { kind: ProcessKind::Idle, name: None, pid: Some(tid) };
        }
        let thread = threads.of(tid);
        let is_kernel = thread.is_some_and(|thread| thread.is_kernel);
        Process {
            kind: if is_kernel { ProcessKind::Kernel } else { ProcessKind::Program },
            name: thread.and_then(|thread| thread.name.clone()),
            pid: thread.and_then(|thread| thread.process).or(Some(tid)),
        }
    }

    /// The name for people with its number: `gcc (812)`.
    pub fn words_with_pid(&self) -> String {
        match self.pid {
            Some(pid) if pid != Tid::IDLE => format!("{} ({pid})", self.words()),
            _ => self.words(),
        }
    }

    /// The name for people: `redis-server`, `[kworker/0:1]`, `idle`, `in interrupts`, `unknown`.
    pub fn words(&self) -> String {
        match (self.kind, &self.name) {
            (ProcessKind::Idle, _) => "idle".to_owned(),
            (ProcessKind::Interrupt, _) => "in interrupts".to_owned(),
            (ProcessKind::Kernel, Some(name)) => format!("[{name}]"),
            (ProcessKind::Program, Some(name)) => name.to_string(),
            _ => "unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Ns, ThreadFact};

    fn tid(number: u32) -> Tid {
        Tid::new(number).unwrap()
    }

    fn event(time: u64, thread: u32, tpid: u32) -> Event {
        Event::new(Ns(time), None, Tpid::new(tpid)).in_thread(tid(thread))
    }

    fn named(time: u64, thread: u32, name: &str) -> ThreadChange {
        ThreadChange { time: Ns(time), tid: tid(thread), what: ThreadFact::Named(name.into()) }
    }

    fn forked(time: u64, [process, parent, thread, by]: [u32; 4]) -> ThreadChange {
        let what = ThreadFact::Forked { process: tid(process), parent: tid(parent), by: tid(by) };
        ThreadChange { time: Ns(time), tid: tid(thread), what }
    }

    fn of(time: u64, thread: u32, process: u32) -> ThreadChange {
        ThreadChange { time: Ns(time), tid: tid(thread), what: ThreadFact::Of(tid(process)) }
    }

    fn ranked(processes: Processes) -> Vec<(String, Option<u32>, u64)> {
        let ranking = processes.ranking().unwrap();
        let of = |it: &RankedProcess| (it.process.words(), it.process.pid.map(Tid::get), it.events);
        ranking.processes.iter().map(of).collect()
    }

    #[test]
    fn each_name_is_that_of_its_time() {
        let mut processes = Processes::default();
        // All changes come before the events, and not in their order.
        processes.threads(&[
            named(30, 7, "make"),
            of(0, 7, 7),
            named(0, 7, "sh"),
            forked(20, [9, 7, 9, 7]),
            named(40, 9, "gcc"),
            forked(60, [9, 1, 9, 1]),
            named(61, 9, "reused"),
        ]);
        let events: Vec<Event> = [(10, 7), (25, 9), (29, 7), (30, 7), (39, 9), (40, 9), (60, 9), (70, 9)]
            .map(|(time, thread)| event(time, thread, 1))
            .into();
        processes.events(&events, &Table::default());
        let expected = [("sh", 7, 2), ("sh", 9, 2), ("unknown", 9, 1), ("gcc", 9, 1), ("make", 7, 1), ("reused", 9, 1)];
        assert_eq!(ranked(processes), expected.map(|(name, pid, events)| (name.to_owned(), Some(pid), events)));
    }

    #[test]
    fn idle_the_kernel_and_unknown_threads_are_told_apart() {
        let mut processes = Processes::default();
        processes.threads(&[
            named(0, 2, "kthreadd"),
            forked(0, [2, 0, 2, 0]),
            forked(0, [5, 2, 5, 2]),
            named(0, 5, "kworker/0:1"),
            forked(0, [6, 1, 6, 1]),
            named(0, 6, "bash"),
            // A thread of bash that has a name of its own.
            forked(0, [6, 1, 8, 6]),
            named(0, 8, "helper"),
        ]);
        let mut events = [0, 5, 6, 8].map(|thread| event(1, thread, 1)).to_vec();
        events.push(event(1, 6, 1).in_interrupt());
        events.push(Event::new(Ns(2), None, Tpid::new(2)));
        processes.events(&events, &Table::default());
        let ranking = processes.ranking().unwrap();
        let kinds: Vec<_> = ranking
            .processes
            .iter()
            .map(|it| (it.process.kind, it.process.words(), it.process.pid.map(Tid::get)))
            .collect();
        use ProcessKind::{Idle, Interrupt, Kernel, Program, Unknown};
        let expected = [
            (Program, "bash", Some(6)),
            (Program, "helper", Some(6)),
            (Kernel, "[kworker/0:1]", Some(5)),
            (Idle, "idle", Some(0)),
            (Interrupt, "in interrupts", None),
            (Unknown, "unknown", None),
        ];
        assert_eq!(kinds, expected.map(|(kind, name, pid)| (kind, name.to_owned(), pid)));
        assert!(ranking.is_known());
        let of_second: Vec<_> =
            ranking.of_tracepoint(Tpid::new(2)).iter().map(|(it, count)| (it.kind, *count)).collect();
        assert_eq!(of_second, [(Unknown, 1)]);
    }
}
