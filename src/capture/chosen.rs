//! A capture of chosen processes: it keeps only their samples.
//!
//! The kernel writes samples of all processes to the rings, because no filter of the kernel follows a process with all that it
//! starts at a bearable cost (docs/cost.md). So the samples of other processes are left out between the rings and the spool:
//!
//! ```text
//!   rings ── round ──> bytes ── chosen? ──> spool
//!                        └ samples after the beginning of the round wait for the next round
//! ```
//!
//! Whether a thread is chosen can depend on records in any ring, such as the start of its parent. All records that were written
//! before a round began are in the rings when the round takes them. So a round decides up to its beginning.

use super::only::{OnlyProcesses, exists};
use super::{AtStart, AttachOptions, Error, RingBytes, next_record, read_changes};
use crate::control::Progress;
use crate::engine::{Chunks, Sampling};
use crate::events::{CgroupId, CgroupPattern, ChosenThreads, Ns, ProcessFilter, SampleId, ThreadChange, Tid};
use crate::memory;
use crate::os::clock::Clock;
use crate::os::memory::raise_bound_for_capture;
use crate::os::process::ProcessEnd;
use crate::perf_data::record::Record;
use crate::perf_data::{Layout, ThreadsRead, Trailer, own_layout};
use crate::recording::OtherHits;
use crate::tracefs::Table;
use byteorder::{ByteOrder, NativeEndian};
use perf_event_open_sys::bindings as abi;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Rounds that keep only the samples of chosen processes.
pub struct ChosenRounds {
    threads: ChosenThreads,
    /// Whether COMMAND is chosen.
    of_command: bool,
    /// Whether nothing else is chosen than cgroups.
    only_cgroups: bool,
    /// The chosen cgroups. Samples have theirs.
    cgroups: Vec<CgroupPattern>,
    /// Whether they have a cgroup that had samples.
    of_cgroup: HashMap<CgroupId, bool>,
    clock: Clock,
    layout: Layout,
    trailer: Trailer,
    reader: ThreadsRead,
    rings: RingBytes,
    /// By ring with records about threads: the bytes that were read.
    scanned: Vec<usize>,
    /// The number of rings with records about threads. They are behind those with samples.
    of_threads: usize,
    /// The changes of threads that are not in effect yet.
    waiting: Vec<ThreadChange>,
    /// The threads that changed in this round or the last one: from when on they were chosen, or were not.
    recent: HashMap<Tid, Vec<(Ns, bool)>>,
    /// Whether a thread is chosen, for those that had samples and did not change.
    known: HashMap<Tid, bool>,
    /// When the last round began.
    before: Ns,
    /// By slot: whether all its hits happen in interrupts.
    of_interrupts: Vec<bool>,
    /// By slot: the samples that were left out because other processes ran.
    others: Vec<u64>,
    /// The samples that were left out because they happened in an interrupt while a chosen process ran.
    in_interrupts: u64,
    /// The ends of the chosen processes.
    ends: Vec<ProcessEnd>,
    /// Scratch space: the records to keep, and the slots of those that are left out.
    kept: Vec<u8>,
    left_out: Vec<(usize, bool)>,
}

impl ChosenRounds {
    /// Keeps the samples of the chosen processes from now on.
    ///
    /// # Errors
    /// If none of the chosen processes or cgroups is there any more.
    pub fn of(
        only: &OnlyProcesses,
        ends: Vec<(u32, ProcessEnd)>,
        engine: &impl Sampling,
        attach: &AttachOptions,
        table: &Table,
        at_start: &AtStart,
        progress: &mut dyn Progress,
    ) -> Result<Self, Error> {
        raise_bound_for_capture();
        let mut running = Vec::new();
        let mut gone = Vec::new();
        for (pid, end) in ends {
            if end.has_come().map_err(Error::Run)? { gone.push(pid) } else { running.push(end) }
        }
        if let (Some(pid), true) = (gone.first(), running.is_empty()) {
            return Err(Error::ProcessEnded { pid: *pid });
        }
        for pid in gone {
            progress.note(&format!("process {pid} ended while tp-perf attached"));
        }
        let found = only.processes.cgroups.iter().map(|pattern| exists(pattern, &at_start.cgroups));
        found.reduce(|one, other| other.or(one)).transpose()?;
        let (layout, trailer) = own_layout(attach.process, attach.sampled_cpu);
        let slots = engine.sample_ids().slots();
        let mut rounds = ChosenRounds {
            threads: ChosenThreads::of(&ProcessFilter { cgroups: Vec::new(), ..only.processes.clone() }),
            of_command: only.command,
            only_cgroups: !only.command && only.processes.pids.is_empty() && only.processes.names.is_empty(),
            cgroups: only.processes.cgroups.clone(),
            of_cgroup: HashMap::new(),
            clock: attach.clock.sampled(),
            layout,
            trailer,
            reader: ThreadsRead::default(),
            rings: RingBytes::default(),
            scanned: Vec::new(),
            of_threads: engine.attached().thread_ids.len(),
            waiting: Vec::new(),
            recent: HashMap::new(),
            known: HashMap::new(),
            before: Ns(0),
            of_interrupts: slots.iter().map(|slot| table.get(slot.tpid).is_of_interrupts()).collect(),
            others: vec![0; slots.len()],
            in_interrupts: 0,
            ends: running,
            kept: Vec::new(),
            left_out: Vec::new(),
        };
        rounds.waiting.extend(at_start.changes());
        rounds.apply(Ns(0))?;
        Ok(rounds)
    }

    /// COMMAND has started, with this process id.
    pub fn command_started(&mut self, pid: u32) {
        if self.of_command
            && let Some(pid) = Tid::new(pid)
        {
            self.threads.add_process(pid);
        }
    }

    /// Descriptors that poll readable when a chosen process ends.
    pub fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.ends.iter().map(AsFd::as_fd)
    }

    /// Whether all chosen processes have ended. False if only names or COMMAND were chosen.
    pub fn have_all_ended(&mut self) -> io::Result<bool> {
        if self.ends.is_empty() {
            return Ok(false);
        }
        let mut running = Vec::new();
        for end in self.ends.drain(..) {
            if !end.has_come()? {
                running.push(end);
            }
        }
        self.ends = running;
        Ok(self.ends.is_empty())
    }

    /// Runs a round: takes the bytes of every ring once, and keeps what was written before it began.
    pub fn round(&mut self, engine: &mut impl Sampling, out: &mut dyn Chunks) -> io::Result<()> {
        let begin = self.clock.now_ns()?;
        self.round_that_began_at(begin, engine, out)
    }

    fn round_that_began_at(&mut self, begin: Ns, engine: &mut impl Sampling, out: &mut dyn Chunks) -> io::Result<()> {
        engine.round(&mut self.rings)?;
        self.keep(begin, engine, out)?;
        // A sample that was just being written can still come, and be older than this round.
        let before = std::mem::replace(&mut self.before, begin);
        self.recent.retain(|_, changes| {
            // The last one before that is still in effect then.
            let old = changes.partition_point(|(time, _)| *time < before).saturating_sub(1);
            changes.drain(..old);
            changes.last().is_some_and(|(time, _)| *time >= before)
        });
        Ok(())
    }

    /// Runs a round after the events went off: keeps everything that is left.
    pub fn last_round(&mut self, engine: &mut impl Sampling, out: &mut dyn Chunks) -> io::Result<()> {
        engine.round(&mut self.rings)?;
        self.keep(Ns::MAX, engine, out)
    }

    /// The hits that were left out.
    pub fn others(&self, engine: &impl Sampling) -> OtherHits {
        let slots = engine.sample_ids().slots().iter().zip(&self.others);
        let of = slots.filter(|(_, hits)| **hits > 0).filter_map(|(slot, hits)| Some((slot.tpid, slot.cpu?, *hits)));
        OtherHits { of: of.collect(), in_interrupts: self.in_interrupts }
    }

    /// Moves the records that were written before `end` on, without the samples of other processes.
    fn keep(&mut self, end: Ns, engine: &impl Sampling, out: &mut dyn Chunks) -> io::Result<()> {
        let mut rings = std::mem::take(&mut self.rings.bytes);
        let result = self.keep_of(&mut rings, end, engine, out);
        self.rings.bytes = rings;
        result?;
        out.finish_round()
    }

    fn keep_of(
        &mut self,
        rings: &mut [Vec<u8>],
        end: Ns,
        engine: &impl Sampling,
        out: &mut dyn Chunks,
    ) -> io::Result<()> {
        let (samples, threads) = rings.split_at_mut(rings.len().saturating_sub(self.of_threads));
        self.scanned.resize(threads.len(), 0);
        for (number, bytes) in threads.iter().enumerate() {
            // After a failure, the records of the last round are still here.
            read_changes(&bytes[self.scanned[number]..], &mut self.reader, &self.trailer, false)?;
            self.waiting.append(&mut self.reader.changes);
            self.scanned[number] = bytes.len();
        }
        self.apply(end).map_err(io::Error::from)?;
        for bytes in samples {
            let read = self.choose(bytes, end, engine)?;
            out.append(self.kept.len(), &mut |room| room.fill(&self.kept))?;
            bytes.drain(..read);
            for (slot, in_interrupt) in self.left_out.drain(..) {
                self.others[slot] += 1;
                self.in_interrupts += u64::from(in_interrupt);
            }
        }
        for (bytes, scanned) in threads.iter_mut().zip(&mut self.scanned) {
            out.append(bytes.len(), &mut |room| room.fill(bytes))?;
            bytes.clear();
            *scanned = 0;
        }
        Ok(())
    }

    /// Lets the changes up to this time take effect, and notes which threads are chosen from then on.
    fn apply(&mut self, end: Ns) -> Result<(), memory::TooMuch> {
        self.waiting.sort_by_key(|change| change.time);
        let due = self.waiting.partition_point(|change| change.time <= end);
        let due: Vec<ThreadChange> = self.waiting.drain(..due).collect();
        for changes in due.chunk_by(|one, other| one.time == other.time) {
            let time = changes[0].time;
            if time > Ns(0) {
                for change in changes {
                    self.known.remove(&change.tid);
                    self.recent.entry(change.tid).or_insert_with(|| vec![(Ns(0), self.threads.takes(change.tid))]);
                }
            }
            self.threads.add(changes)?;
            self.threads.until(time);
            if time > Ns(0) {
                for change in changes {
                    let takes = self.threads.takes(change.tid);
                    let recent = self.recent.entry(change.tid).or_default();
                    recent.insert(recent.partition_point(|(at, _)| *at <= time), (time, takes));
                }
            }
        }
        Ok(())
    }

    /// Copies the records of a chunk that are kept to `self.kept`. Stops at a sample that is not older than `end`, and returns
    /// the number of bytes before it.
    fn choose(&mut self, bytes: &[u8], end: Ns, engine: &impl Sampling) -> io::Result<usize> {
        self.kept.clear();
        self.left_out.clear();
        let (time_at, thread_at) = (self.layout.time.unwrap_or(0), self.layout.thread.unwrap_or(0));
        let mut rest = bytes;
        loop {
            let read = bytes.len() - rest.len();
            let Some(record) = next_record(&mut rest)? else { return Ok(read) };
            let sample = (record.kind == abi::PERF_RECORD_SAMPLE).then(|| {
                let tid = record.word(thread_at).and_then(|word| Tid::new(tid_of(word)));
                Some((SampleId(record.word(8)?), tid, Ns(record.word(time_at)?)))
            });
            if let Some((id, tid, time)) = sample.flatten() {
                if time > end {
                    return Ok(read);
                }
                if let Some(slot) = engine.sample_ids().find(id) {
                    // The kernel gives no number to a thread that has ended, but still its cgroup.
                    let is_of_chosen = (self.only_cgroups || tid.is_some_and(|tid| self.is_chosen(tid, time)))
                        && self.is_in_chosen_cgroup(record);
                    if !is_of_chosen || self.of_interrupts[slot] {
                        self.left_out.push((slot, is_of_chosen));
                        continue;
                    }
                }
            }
            self.kept.extend_from_slice(record.bytes);
        }
    }

    fn is_in_chosen_cgroup(&mut self, record: Record<'_>) -> bool {
        if self.cgroups.is_empty() {
            return true;
        }
        let at = self.layout.cgroup_from_end.and_then(|from_end| record.bytes.len().checked_sub(from_end));
        let Some(cgroup) = at.and_then(|at| record.word(at)).map(CgroupId) else { return false };
        if let Some(is_chosen) = self.of_cgroup.get(&cgroup) {
            return *is_chosen;
        }
        let Some(is_chosen) = self.threads.takes_cgroup(&self.cgroups, cgroup) else { return false };
        self.of_cgroup.insert(cgroup, is_chosen);
        is_chosen
    }

    fn is_chosen(&mut self, tid: Tid, time: Ns) -> bool {
        if let Some(takes) = self.known.get(&tid) {
            return *takes;
        }
        match self.recent.get(&tid) {
            // Before the first one, nothing else is known.
            Some(changes) => changes[changes.partition_point(|(at, _)| *at <= time).saturating_sub(1)].1,
            None => {
                let takes = self.threads.takes(tid);
                self.known.insert(tid, takes);
                takes
            }
        }
    }
}

/// The thread in the second half of a word. The process is in the first half.
fn tid_of(word: u64) -> u32 {
    NativeEndian::read_u32(&word.to_ne_bytes()[4..])
}

#[cfg(test)]
mod tests;
