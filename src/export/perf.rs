//! A file for perf, in which each sample has its CPU and its thread.
//!
//! tp-perf records 24 bytes per event, and the CPU is not among them: the sample id belongs to one CPU. perf looks for the CPU
//! only in the sample. So this writes each event again, with all fields that are known.

use crate::events::{Cpu, Event, EventHits, KnownThreads, Ns, RowRun, RungStep, Sink, ThreadChange, ThreadFact};
use crate::perf_data::{Features, ForPerf, SampleForPerf, ThreadForPerf};
use crate::tracefs::Table;
use std::io::{self, Write};

/// The bytes after which the buffer is written, and a round ends. perf keeps two rounds in memory.
const CHUNK: usize = 1 << 20;

/// Writes events for perf.
pub(super) struct PerfEvents<W> {
    file: ForPerf,
    threads: KnownThreads,
    hits: EventHits,
    out: W,
    buffer: Vec<u8>,
    pub number: u64,
    failed: Option<io::Error>,
}

impl<W: Write> PerfEvents<W> {
    /// Begins a file. `file` says which fields the samples have.
    pub fn new(file: ForPerf, features: &Features, table: &Table, out: W) -> Self {
        let buffer = file.head(table, features);
        let (threads, hits) = (KnownThreads::default(), EventHits::default());
        PerfEvents { file, threads, hits, out, buffer, number: 0, failed: None }
    }

    /// Writes the rest, and returns the number of events.
    pub fn finish(mut self) -> io::Result<u64> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.end_round()?;
        self.out.flush().map(|()| self.number)
    }

    fn end_round(&mut self) -> io::Result<()> {
        self.file.push_round(&mut self.buffer);
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Goes on to this time, and writes what happened to threads until then.
    fn until(&mut self, time: Ns) {
        let mut changes = Vec::new();
        self.threads.until_noting(time, &mut |change| changes.push(change.clone()));
        changes.iter().for_each(|change| self.push_change(change));
    }

    fn push(&mut self, event: &Event) {
        self.until(event.time);
        let tid = event.tid();
        let pid = tid.and_then(|tid| self.threads.of(tid)).and_then(|thread| thread.process).or(tid);
        let sample = SampleForPerf {
            tpid: event.tpid(),
            time: event.time,
            cpu: event.cpu().map(Cpu::get),
            thread: pid.zip(tid).map(|(pid, tid)| (pid.get(), tid.get())),
            hits: self.hits.of_next(event),
        };
        self.file.push_sample(&sample, &mut self.buffer);
    }

    /// Writes what happened to a thread.
    fn push_change(&mut self, change: &ThreadChange) {
        let thread = match &change.what {
            ThreadFact::Forked { process, parent, by } => {
                ThreadForPerf::Forked { parent: parent.get(), by: by.get(), pid: process.get() }
            }
            ThreadFact::Named(name) => {
                let pid = self.threads.of(change.tid).and_then(|thread| thread.process).unwrap_or(change.tid);
                ThreadForPerf::Named { name, pid: pid.get() }
            }
            ThreadFact::Of(_) | ThreadFact::In(_) | ThreadFact::Ended | ThreadFact::Cgroup { .. } => return,
        };
        self.file.push_thread(change.time, change.tid.get(), &thread, &mut self.buffer);
    }
}

impl<W: Write> Sink for PerfEvents<W> {
    fn only_some(&mut self) {
        self.hits.only_some();
    }

    fn events(&mut self, events: &[Event], _table: &Table) {
        for event in events {
            if self.failed.is_some() {
                return;
            }
            self.push(event);
            self.number += 1;
            if self.buffer.len() >= CHUNK {
                self.failed = self.end_round().err();
            }
        }
    }

    fn steps(&mut self, steps: &[RungStep]) {
        self.failed = self.failed.take().or(self.hits.steps(steps).err().map(Into::into));
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        self.hits.rows(runs);
    }

    fn threads(&mut self, changes: &[ThreadChange]) {
        let taken = self.threads.add(changes);
        self.failed = self.failed.take().or(taken.err().map(Into::into));
    }

    fn passed(&mut self, time: Ns) {
        self.until(time);
    }

    fn takes_more(&self) -> bool {
        self.failed.is_none()
    }
}
