//! A capture of chosen processes: it keeps only their samples.
//!
//! The kernel writes samples of all processes to the rings, because no filter of the kernel follows a process with all that it
//! starts at a bearable cost (docs/cost.md). So the samples of other processes are left out between the rings and the spool:
//!
//! ```text
//!   rings ── round ──> bytes ── chosen? ──> spool
//!                        └ samples after the begin of the round wait for the next round
//! ```
//!
//! Whether a thread is chosen can depend on records in any ring, such as the start of its parent. All records that were written
//! before a round began are in the rings when the round takes them. So a round decides up to its begin.

use super::{AtStart, AttachOptions, Error};
use crate::control::Progress;
use crate::engine::{Chunks, ProcessFields, Sampling};
use crate::events::{
    CgroupId, CgroupPattern, ChosenThreads, Ns, ProcessFilter, SampleId, ThreadChange, ThreadFact, Tid,
};
use crate::memory;
use crate::os::cgroups::{RunningCgroup, cgroups};
use crate::os::clock::Clock;
use crate::os::memory::raise_bound_for_capture;
use crate::os::privileges::raised;
use crate::os::process::{ProcessEnd, end_of_process};
use crate::os::running_threads::{RunningThread, running_threads};
use crate::perf::Room;
use crate::perf_data::record::{self, Record};
use crate::perf_data::{Fault, Layout, ThreadsRead, Trailer, own_layout};
use crate::recording::{OnlySummary, OtherHits};
use crate::tracefs::Table;
use byteorder::{ByteOrder, NativeEndian};
use nix::errno::Errno;
use perf_event_open_sys::bindings as abi;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The processes to record; by default all.
#[derive(Debug, Clone, Default)]
pub struct OnlyProcesses {
    /// Only these.
    pub processes: ProcessFilter,
    /// Only COMMAND, and the processes that it starts.
    pub command: bool,
}

impl OnlyProcesses {
    /// Whether it leaves out processes.
    pub fn chooses(&self) -> bool {
        self.command || self.processes.chooses()
    }

    /// The fields of a sample that the choice needs.
    pub fn fields(&self) -> ProcessFields {
        match (self.processes.cgroups.is_empty(), self.chooses()) {
            (false, _) => ProcessFields::Cgroup,
            (true, true) => ProcessFields::Thread,
            (true, false) => ProcessFields::None,
        }
    }

    /// The choice, as a recording notes it.
    pub fn summary(&self) -> OnlySummary {
        OnlySummary {
            pids: self.processes.pids.iter().map(|pid| pid.get()).collect(),
            comms: self.processes.names.iter().map(ToString::to_string).collect(),
            cgroups: self.processes.cgroups.iter().map(ToString::to_string).collect(),
            command: self.command,
        }
    }
}

/// Checks that all chosen processes run, and that the chosen cgroups exist. Returns the ends of the processes to wait for.
pub(super) fn check(only: &OnlyProcesses) -> Result<Vec<(u32, ProcessEnd)>, Error> {
    let ProcessFilter { pids, cgroups: patterns, .. } = &only.processes;
    if !patterns.is_empty() {
        let existing = raised(cgroups).map_err(Error::Cgroups)?;
        if existing.is_empty() {
            return Err(Error::CgroupsNotMounted);
        }
        patterns.iter().try_for_each(|pattern| exists(pattern, &existing))?;
    }
    if pids.is_empty() {
        return Ok(Vec::new());
    }
    let running = raised(running_threads).map_err(Error::Threads)?;
    let check = |pid: &Tid| match running.iter().find(|thread| thread.tid == pid.get()) {
        None => Err(Error::NoProcess { pid: pid.get() }),
        Some(RunningThread { tid, pid, .. }) if tid != pid => Err(Error::OnlyThread { tid: *tid, pid: *pid }),
        Some(_) => Ok(()),
    };
    pids.iter().try_for_each(check)?;
    let end = |pid: &Tid| match end_of_process(pid.get()) {
        Ok(end) => Some(Ok((pid.get(), end))),
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => {
            Some(Err(Error::NoProcess { pid: pid.get() }))
        }
        // Linux before 5.3 cannot wait for the end of a process.
        Err(_) => None,
    };
    pids.iter().filter_map(end).collect()
}

/// Checks that a pattern matches a cgroup.
fn exists(pattern: &CgroupPattern, existing: &[RunningCgroup]) -> Result<(), Error> {
    if existing.iter().any(|cgroup| pattern.matches(&cgroup.path)) {
        return Ok(());
    }
    let list = match pattern {
        CgroupPattern::Path(_) => "find /sys/fs/cgroup -type d",
        CgroupPattern::Unit(_) => "systemctl list-units",
        CgroupPattern::Container(_) => "docker ps",
    };
    Err(Error::NoCgroup { pattern: pattern.to_string(), list })
}

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
    /// The begin of the last round.
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
        let patterns = &only.processes.cgroups;
        if let [first, ..] = patterns.as_slice()
            && patterns.iter().all(|pattern| exists(pattern, &at_start.cgroups).is_err())
        {
            exists(first, &at_start.cgroups)?;
        }
        let (layout, trailer) = own_layout(attach.process);
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
        rounds.waiting.extend(at_start.threads.iter().flat_map(changes_of));
        rounds.waiting.extend(at_start.cgroups.iter().map(change_of));
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
        let mut of_threads = std::mem::take(&mut self.rings.bytes);
        let result = self.keep_of(&mut of_threads, end, engine, out);
        self.rings.bytes = of_threads;
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
            self.read_changes(&bytes[self.scanned[number]..])?;
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

    /// Reads the records about threads in a chunk.
    fn read_changes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(record) = next_record(&mut bytes)? {
            let read = match record.kind {
                abi::PERF_RECORD_COMM => self.reader.comm(record, &self.trailer, 0),
                abi::PERF_RECORD_FORK => self.reader.fork(record, 0),
                abi::PERF_RECORD_CGROUP => self.reader.cgroup(record, &self.trailer, 0),
                _ => Ok(()),
            };
            read.map_err(|fault| match fault {
                Fault::TooMuch(cause) => cause.into(),
                Fault::Damaged(reason) => io::Error::new(io::ErrorKind::InvalidData, reason),
            })?;
        }
        self.waiting.append(&mut self.reader.changes);
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

/// The first record of these bytes, which then begin behind it. `None` at the end.
fn next_record<'a>(bytes: &mut &'a [u8]) -> io::Result<Option<Record<'a>>> {
    let record = record::first(bytes)?;
    if let Some(record) = record {
        *bytes = &bytes[record.bytes.len()..];
    }
    Ok(record)
}

/// What is known of a thread that ran before the events.
fn changes_of(thread: &RunningThread) -> Vec<ThreadChange> {
    let change = |tid, what| ThreadChange { time: Ns(0), tid, what };
    let numbers = [thread.tid, thread.pid, thread.parent].map(Tid::new);
    let [Some(tid), Some(process), parent] = numbers else { return Vec::new() };
    let began = match parent {
        Some(parent) => ThreadFact::Forked { process, parent, by: if tid == process { parent } else { process } },
        None => ThreadFact::Of(process),
    };
    vec![change(tid, began), change(tid, ThreadFact::Named(thread.name.as_str().into()))]
}

/// The path of a cgroup that existed before the events.
fn change_of(cgroup: &RunningCgroup) -> ThreadChange {
    let what = ThreadFact::Cgroup { id: CgroupId(cgroup.id), path: cgroup.path.as_str().into() };
    ThreadChange { time: Ns(0), tid: Tid::IDLE, what }
}

/// The bytes that a round has taken, ring by ring.
#[derive(Default)]
struct RingBytes {
    bytes: Vec<Vec<u8>>,
    next: usize,
}

impl Chunks for RingBytes {
    fn append(&mut self, _most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()> {
        if self.bytes.len() == self.next {
            self.bytes.push(Vec::new());
        }
        let bytes = &mut self.bytes[self.next];
        self.next += 1;
        let before = bytes.len();
        let result = take(bytes);
        if result.is_err() {
            // The ring still has them.
            bytes.truncate(before);
            self.next = 0;
        }
        result
    }

    fn finish_round(&mut self) -> io::Result<()> {
        self.next = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Choice;
    use crate::engine::simulated::{Script, SimulatedEngine};
    use crate::events::threads::testing::tid;
    use crate::events::{Cpu, NamePattern, SampleIds, Slot, Tpid};
    use crate::perf_data::push_record;
    use std::collections::VecDeque;

    const TASK: u32 = 2;
    const IRQ: u32 = 1;

    /// A record, and its time.
    type Timed = (u64, Vec<u8>);

    fn record(kind: u32, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        push_record(&mut out, kind, parts);
        out
    }

    fn words(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
    }

    fn sample(time: u64, id: u64, [process, tid]: [u32; 2]) -> Vec<u8> {
        record(abi::PERF_RECORD_SAMPLE, &[&id.to_ne_bytes(), &words(&[process, tid]), &time.to_ne_bytes()])
    }

    /// At the end of each record about threads: pid, tid, time, and the sample id.
    fn trailer(time: u64) -> Vec<u8> {
        [0, time, 0].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect()
    }

    fn fork(time: u64, numbers: [u32; 4]) -> Vec<u8> {
        record(abi::PERF_RECORD_FORK, &[&words(&numbers), &time.to_ne_bytes(), &trailer(time)])
    }

    fn comm(time: u64, numbers: [u32; 2], name: &[u8; 8]) -> Vec<u8> {
        record(abi::PERF_RECORD_COMM, &[&words(&numbers), name, &trailer(time)])
    }

    /// Collects the samples: times and threads.
    #[derive(Default)]
    struct Collected(Vec<(u64, u32)>);

    impl Chunks for Collected {
        fn append(&mut self, _most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()> {
            let mut bytes = Vec::new();
            take(&mut bytes)?;
            let mut rest = bytes.as_slice();
            while let Some(record) = next_record(&mut rest)? {
                if record.kind == abi::PERF_RECORD_SAMPLE {
                    self.0.push((record.word(24).unwrap(), tid_of(record.word(16).unwrap())));
                }
            }
            Ok(())
        }

        fn finish_round(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn table() -> Table {
        let entry = |group: &str, name: &str, id| (group.to_owned(), name.to_owned(), id);
        Table::from_entries(vec![entry("task", "task_rename", 11), entry("irq", "irq_handler_entry", 12)])
    }

    /// An engine with two CPUs, whose rounds have these bytes: the samples of each CPU, and then the threads of each.
    fn engine(rounds: VecDeque<Vec<Vec<u8>>>) -> SimulatedEngine {
        let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
        let slots = [slot(TASK, 0), slot(TASK, 1), slot(IRQ, 0), slot(IRQ, 1)];
        let pairs: Vec<_> = (1..).map(SampleId).zip(slots).collect();
        let mut engine = SimulatedEngine::new(SampleIds::new(&pairs), Script { rounds, ..Script::default() });
        engine.attached.cpus = [0, 1].map(Cpu::new).into_iter().collect();
        engine.attached.thread_ids = [(90, 0), (91, 1)].map(|(id, cpu)| (SampleId(id), Cpu::new(cpu))).to_vec();
        engine
    }

    fn chosen(only: &OnlyProcesses, engine: &SimulatedEngine, running: &[RunningThread]) -> ChosenRounds {
        with_ends(only, Vec::new(), engine, running).unwrap()
    }

    fn with_ends(
        only: &OnlyProcesses,
        ends: Vec<(u32, ProcessEnd)>,
        engine: &SimulatedEngine,
        running: &[RunningThread],
    ) -> Result<ChosenRounds, Error> {
        let attach = attach();
        let at_start = AtStart { threads: running.to_vec(), cgroups: Vec::new() };
        ChosenRounds::of(only, ends, engine, &attach, &table(), &at_start, &mut ())
    }

    fn attach() -> AttachOptions {
        AttachOptions {
            choice: Choice::default(),
            clock: Clock::Monotonic,
            ring_size: 0,
            process: ProcessFields::Thread,
            budget: None,
        }
    }

    fn running(pid: u32, parent: u32, name: &str) -> RunningThread {
        RunningThread { pid, tid: pid, parent, name: name.to_owned() }
    }

    fn of_pid(pid: u32) -> OnlyProcesses {
        OnlyProcesses {
            processes: ProcessFilter { pids: vec![tid(pid)], names: Vec::new(), cgroups: Vec::new() },
            command: false,
        }
    }

    #[test]
    fn a_child_is_chosen_although_its_parent_started_on_another_cpu() {
        // 5 starts 6 on CPU 0, and 6 starts 7 on CPU 1. The first round takes only the later record: the earlier one comes after
        // the round has read the ring of CPU 0.
        let none = Vec::new;
        let first = vec![none(), sample(30, 2, [7, 7]), none(), fork(20, [7, 6, 7, 6])];
        let second = vec![sample(31, 1, [9, 9]), none(), fork(10, [6, 5, 6, 5]), none()];
        let mut engine = engine([first, second].into());
        let mut rounds = chosen(&of_pid(5), &engine, &[running(5, 1, "sh"), running(9, 1, "sh")]);
        let mut kept = Collected::default();
        rounds.round_that_began_at(Ns(5), &mut engine, &mut kept).unwrap();
        assert!(kept.0.is_empty(), "the sample waits");
        rounds.round_that_began_at(Ns(40), &mut engine, &mut kept).unwrap();
        assert_eq!(kept.0, [(30, 7)]);
        let others = rounds.others(&engine);
        assert_eq!((others.of, others.in_interrupts), (vec![(Tpid::new(TASK), Cpu::new(0), 1)], 0));
    }

    #[test]
    fn what_happens_in_an_interrupt_belongs_to_no_process_and_is_counted() {
        let bytes = [sample(1, 3, [5, 5]), sample(2, 1, [5, 5]), sample(3, 3, [9, 9])].concat();
        let mut engine = engine([vec![bytes, Vec::new(), Vec::new(), Vec::new()]].into());
        let mut rounds = chosen(&of_pid(5), &engine, &[running(5, 1, "sh")]);
        let mut kept = Collected::default();
        rounds.last_round(&mut engine, &mut kept).unwrap();
        assert_eq!(kept.0, [(2, 5)]);
        let others = rounds.others(&engine);
        assert_eq!((others.of, others.in_interrupts), (vec![(Tpid::new(IRQ), Cpu::new(0), 2)], 1));
    }

    #[test]
    fn a_cgroup_is_chosen_by_the_sample_also_if_it_is_made_meanwhile_or_the_thread_has_ended() {
        let in_cgroup = |time, thread: u32, cgroup: u64| {
            let mut bytes = sample(time, 1, [thread, thread]);
            bytes.extend(cgroup.to_ne_bytes());
            bytes[6] = 40;
            bytes
        };
        let made = record(abi::PERF_RECORD_CGROUP, &[&8u64.to_ne_bytes(), b"/web/new\0\0\0\0\0\0\0\0", &trailer(2)]);
        let samples = [in_cgroup(1, 5, 7), in_cgroup(3, 5, 8), in_cgroup(4, 5, 9), in_cgroup(5, u32::MAX, 7)].concat();
        let mut engine = engine([vec![samples, Vec::new(), made, Vec::new()]].into());
        let only = OnlyProcesses {
            processes: ProcessFilter {
                cgroups: vec![CgroupPattern::path("/web").unwrap()],
                ..ProcessFilter::default()
            },
            command: false,
        };
        let cgroup = |id, path: &str| RunningCgroup { id, path: path.to_owned() };
        let attach = AttachOptions { process: ProcessFields::Cgroup, ..attach() };
        let start = |cgroups| {
            let at_start = AtStart { threads: Vec::new(), cgroups };
            ChosenRounds::of(&only, Vec::new(), &engine, &attach, &table(), &at_start, &mut ())
        };
        let error = start(vec![cgroup(1, "/"), cgroup(9, "/webs")]).map(drop).unwrap_err().to_string();
        assert!(error.contains("there is no cgroup /web"), "{error}");
        let mut rounds = start(vec![cgroup(1, "/"), cgroup(7, "/web"), cgroup(9, "/webs")]).unwrap();
        let mut kept = Collected::default();
        rounds.last_round(&mut engine, &mut kept).unwrap();
        assert_eq!(kept.0, [(1, 5), (3, 5), (5, u32::MAX)]);
    }

    #[test]
    fn command_is_chosen_from_its_start_whatever_had_its_number_before() {
        let samples = [sample(5, 1, [7, 7]), sample(6, 1, [5, 5])].concat();
        let mut engine = engine([vec![samples, Vec::new(), fork(4, [7, 5, 7, 5]), Vec::new()]].into());
        let only = OnlyProcesses { processes: ProcessFilter::default(), command: true };
        let mut rounds = chosen(&only, &engine, &[running(5, 1, "tp-perf"), running(7, 1, "ended")]);
        rounds.command_started(7);
        let mut kept = Collected::default();
        rounds.last_round(&mut engine, &mut kept).unwrap();
        assert_eq!(kept.0, [(5, 7)]);
    }

    #[test]
    fn a_process_that_ended_before_is_an_error() {
        let engine = engine(VecDeque::new());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let end = end_of_process(child.id()).unwrap();
        child.wait().unwrap();
        let error = with_ends(&of_pid(5), vec![(5, end)], &engine, &[running(6, 1, "sh")]).map(drop).unwrap_err();
        assert!(error.to_string().contains("process 5 ended while tp-perf attached"), "{error}");
    }

    /// Random threads on two CPUs. Rounds cut each ring at any time behind their begin. What they keep is what a look at the
    /// sorted records chooses.
    #[test]
    fn rounds_keep_what_a_replay_of_all_records_would_choose() {
        let names = [b"make\0\0\0\0", b"gcc\0\0\0\0\0", b"ld\0\0\0\0\0\0"];
        let patterns = || vec![NamePattern::new("gcc").unwrap()];
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            // By CPU: samples, and records about threads.
            let mut rings: [Vec<Timed>; 4] = Default::default();
            let mut changes: Vec<ThreadChange> =
                [running(5, 1, "make"), running(6, 1, "gcc")].iter().flat_map(changes_of).collect();
            let (mut samples, mut alive) = (Vec::new(), vec![[5, 5], [6, 6]]);
            for time in 1..400 {
                let (cpu, [process, thread]) = (random.usize(0..2), alive[random.usize(0..alive.len())]);
                let change = |what| ThreadChange { time: Ns(time), tid: tid(thread), what };
                match random.u32(0..10) {
                    0 => {
                        // A new process or thread. Few numbers: some come again.
                        let new = random.u32(5..20);
                        if alive.iter().any(|of| of.contains(&new)) {
                            continue;
                        }
                        let child = if random.bool() { [new, new] } else { [process, new] };
                        alive.push(child);
                        let parent = if child[0] == new { process } else { 1 };
                        rings[2 + cpu].push((time, fork(time, [child[0], parent, new, thread])));
                        let what = ThreadFact::Forked { process: tid(child[0]), parent: tid(parent), by: tid(thread) };
                        changes.push(ThreadChange { tid: tid(new), ..change(what) });
                    }
                    1 => {
                        let name = names[random.usize(0..names.len())];
                        rings[2 + cpu].push((time, comm(time, [process, thread], name)));
                        let text = std::str::from_utf8(name).unwrap().trim_end_matches('\0');
                        changes.push(change(ThreadFact::Named(text.into())));
                    }
                    // A process ends with all its threads.
                    2 if alive.iter().any(|[of, _]| *of != process) => alive.retain(|[of, _]| *of != process),
                    _ => {
                        rings[cpu].push((time, sample(time, 1 + cpu as u64, [process, thread])));
                        samples.push((time, thread));
                    }
                }
            }
            let names = if random.bool() { patterns() } else { Vec::new() };
            let pids = if names.is_empty() || random.bool() { vec![tid(5)] } else { Vec::new() };
            let only = OnlyProcesses { processes: ProcessFilter { pids, names, cgroups: Vec::new() }, command: false };

            let mut sorted = ChosenThreads::of(&only.processes);
            sorted.add(&changes).unwrap();
            let takes = |(time, thread): &&(u64, u32)| {
                sorted.until(Ns(*time));
                sorted.takes(tid(*thread))
            };
            let expected: Vec<(u64, u32)> = samples.iter().filter(takes).copied().collect();

            let begins: Vec<u64> = (0..400).filter(|_| random.u32(0..40) == 0).collect();
            let cut = |begin: u64, random: &mut fastrand::Rng, rings: &mut [Vec<Timed>; 4]| -> Vec<Vec<u8>> {
                let taken = rings.iter_mut().map(|ring| {
                    let end = begin + random.u64(0..30);
                    let later = ring.split_off(ring.partition_point(|(time, _)| *time <= end));
                    std::mem::replace(ring, later).into_iter().flat_map(|(_, bytes)| bytes).collect()
                });
                taken.collect()
            };
            let mut cuts: VecDeque<_> = begins.iter().map(|begin| cut(*begin, &mut random, &mut rings)).collect();
            cuts.push_back(cut(1_000, &mut random, &mut rings));
            let mut engine = engine(cuts);
            let mut rounds = chosen(&only, &engine, &[running(5, 1, "make"), running(6, 1, "gcc")]);
            let mut kept = Collected::default();
            for begin in begins {
                rounds.round_that_began_at(Ns(begin), &mut engine, &mut kept).unwrap();
            }
            rounds.last_round(&mut engine, &mut kept).unwrap();
            kept.0.sort_unstable();
            assert_eq!(kept.0, expected, "seed {seed}");
            let left_out: u64 = rounds.others(&engine).of.iter().map(|(.., hits)| hits).sum();
            assert_eq!(left_out as usize + expected.len(), samples.len());
        }
    }
}
