//! Which processes caused the events of a source: the sink that knows the process and the name of each thread at each time,
//! and counts events by process and tracepoint.

mod count;
mod hits;
mod over_time;
mod ranking;
mod totals;

pub use count::Processes;
pub use hits::{ByRow, CountBy, HitsByProcess};
pub use over_time::{OverTime, PairCells};
pub use ranking::{CgroupEvents, NamedProcesses, ProcessRanking, RankedProcess};
pub use totals::{HitShare, HitTotals, MOST_GROUPS, MOST_ROWS, TotalRow};

use crate::events::{Event, KnownThreads, Tid};
use serde::Serialize;
use std::sync::Arc;

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
    /// The path of its cgroup; `None` if the source does not have it.
    #[serde(serialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<Arc<str>>,
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
    /// A thread that had ended: the kernel gives it no number any more.
    Ended,
    /// The source does not have the threads of events.
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
            ProcessKind::Ended => "ended",
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

impl Process {
    /// The process that caused an event now.
    pub(crate) fn of(event: Event, threads: &KnownThreads) -> Self {
        let nobody = |kind| Process { kind, name: None, pid: None, cgroup: None };
        if event.is_in_interrupt() {
            return nobody(ProcessKind::Interrupt);
        }
        let Some(tid) = event.tid() else { return nobody(ProcessKind::Unknown) };
        if tid == Tid::IDLE {
            return Process { pid: Some(tid), ..nobody(ProcessKind::Idle) };
        }
        let thread = threads.of(tid);
        Process {
            kind: if threads.is_of_kernel(tid) { ProcessKind::Kernel } else { ProcessKind::Program },
            name: thread.and_then(|thread| thread.name.clone()),
            pid: thread.and_then(|thread| thread.process).or(Some(tid)),
            cgroup: threads.cgroup_of(tid).cloned(),
        }
    }

    /// The name for people with its number: `gcc (812)`.
    pub fn words_with_pid(&self) -> String {
        match self.pid {
            Some(pid) if pid != Tid::IDLE => format!("{} ({pid})", self.words()),
            _ => self.words(),
        }
    }

    /// The name for people: `redis-server`, `[kworker/0:1]`, `idle`, `in interrupts`, `ended threads`, `unknown`.
    pub fn words(&self) -> String {
        match (self.kind, &self.name) {
            (ProcessKind::Idle, _) => "idle".to_owned(),
            (ProcessKind::Interrupt, _) => "in interrupts".to_owned(),
            (ProcessKind::Ended, _) => "ended threads".to_owned(),
            (ProcessKind::Kernel, Some(name)) => format!("[{name}]"),
            (ProcessKind::Program, Some(name)) => name.to_string(),
            _ => "unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::threads::testing::{forked, named, tid};
    use crate::events::{Ns, Sink, ThreadChange, ThreadFact, Tpid};
    use crate::tracefs::Table;

    fn event(time: u64, thread: u32, tpid: u32) -> Event {
        Event::new(Ns(time), None, Tpid::new(tpid)).in_thread(tid(thread))
    }

    fn of(time: u64, thread: u32, process: u32) -> ThreadChange {
        ThreadChange { time: Ns(time), tid: tid(thread), what: ThreadFact::Of(tid(process)) }
    }

    fn ranked(processes: Processes) -> Vec<(String, Option<u32>, u64)> {
        let ranking = processes.ranking(true).unwrap();
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
            forked(0, [2, 0, 2, 0]),
            named(0, 2, "kthreadd"),
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
        let ranking = processes.ranking(true).unwrap();
        let kinds: Vec<_> = ranking
            .processes
            .iter()
            .map(|it| (it.process.kind, it.process.words(), it.process.pid.map(Tid::get)))
            .collect();
        use ProcessKind::{Ended, Idle, Interrupt, Kernel, Program};
        let expected = [
            (Program, "bash", Some(6)),
            (Program, "helper", Some(6)),
            (Kernel, "[kworker/0:1]", Some(5)),
            (Idle, "idle", Some(0)),
            (Interrupt, "in interrupts", None),
            (Ended, "ended threads", None),
        ];
        assert_eq!(kinds, expected.map(|(kind, name, pid)| (kind, name.to_owned(), pid)));
        let of_second: Vec<_> =
            ranking.by_name().iter().map(|it| (it.words(), it.events_of(Tpid::new(2)))).filter(|it| it.1 > 0).collect();
        assert_eq!(of_second, [("ended threads".to_owned(), 1)]);
        // Without threads in the source, nobody knows whether they had ended.
        let mut processes = Processes::default();
        processes.events(&events[5..], &Table::default());
        assert_eq!(processes.ranking(false).unwrap().processes[0].process.words(), "unknown");
    }

    #[test]
    fn a_program_that_runs_many_times_is_one_row_by_name() {
        let mut processes = Processes::default();
        let runs = 10..200;
        let changes: Vec<_> =
            runs.clone().flat_map(|pid| [forked(0, [pid, 1, pid, 1]), named(0, pid, "cc1")]).collect();
        processes.threads(&changes);
        processes.threads(&[forked(0, [7, 1, 7, 1]), named(0, 7, "make")]);
        let mut events: Vec<Event> = runs.map(|pid| event(1, pid, 1 + pid % 2)).collect();
        events.extend([event(1, 7, 1); 5]);
        processes.events(&events, &Table::default());
        let ranking = processes.ranking(true).unwrap();
        assert_eq!(ranking.processes[0].process.words(), "make");
        let named: Vec<_> = ranking.by_name().iter().map(|it| (it.process.words(), it.number, it.events)).collect();
        assert_eq!(named, [("cc1".to_owned(), 190, 190), ("make".to_owned(), 1, 5)]);
        assert_eq!(ranking.by_name()[0].tracepoints, [(Tpid::new(1), 95), (Tpid::new(2), 95)]);
    }
}
