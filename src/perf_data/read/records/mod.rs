//! Decodes the records of a perf.data stream into events, losses and counters.

use crate::events::Event;
use crate::events::Filter;
use crate::events::merge::Merge;
use crate::events::stream::Loss;
use crate::events::{CgroupId, Cpu, Ns, SampleId, SampleIds, Tpid};
use crate::memory::{Held, TooMuch};
use crate::perf_data::read::steps::StepsRead;
use crate::perf_data::read::targets::{OF_ID, OfCpu, SamplesOf, Target, is_interrupt, told_cpu};
use crate::perf_data::read::threads::ThreadsRead;
use crate::perf_data::record::{self, Damaged, HEADER_SIZE, Record};
use crate::perf_data::{Attr, Fault, Layout, Notes, Trailer, kind};
use crate::tracefs::Table;
use perf_event_open_sys::bindings as abi;
use std::collections::HashMap;
use std::io;

mod losses;
mod opened;

/// An upper bound for the hits of a tracepoint on a CPU: 3 million in each second of 3 years.
const MOST_HITS: u64 = 1 << 48;

/// The memory in bytes of an entry that finds the target of a tracepoint on a CPU.
const OF_ON_CPU: u64 = 80;

/// The decoder of records, for plain and for decompressed records.
pub(super) struct Records {
    ids: SampleIds<()>,
    samples_of: SamplesOf,
    /// Per sample id: everything needed to decode a sample, close together in memory.
    targets: Vec<Target>,
    /// Additional targets, for events whose CPU is known only from their samples: the target's index, and the
    /// place of the CPU.
    on_cpu: HashMap<(Tpid, Option<Cpu>), (usize, u32)>,
    attrs: Vec<Attr>,
    trailer: Trailer,
    cpus: Vec<OfCpu>,
    /// The index in `cpus` of each CPU.
    places: HashMap<Option<Cpu>, u32>,
    unknown: u64,
    /// Whether tp-perf wrote the file. Only then do READ records contain the counters of tp-perf's
    /// accounting.
    own: bool,
    /// Whether the rings have other events besides tracepoints. A LOST record then does not show which of
    /// them were lost.
    shared: bool,
    lost_unassigned: u64,
    /// Records about threads that tp-perf's own events lost.
    threads_lost: u64,
    /// Whether a round has begun and not ended.
    within_round: bool,
    /// Whether a counter came twice, or has an impossible value.
    miscounted: bool,
    /// Whether the file has losses per event.
    lost_told: bool,
    earliest: Ns,
    /// The memory of the sample ids.
    held: Held,
    /// The reason if decoding stopped because it takes too much memory.
    too_much: Option<TooMuch>,
    /// What is wrong with the last record, if more is known than that it is damaged.
    reason: Option<String>,
    pub notes: Notes,
    pub table: Table,
    pub unnamed: usize,
    filter: Filter,
    pub clock_offset: i64,
    pub count_only: bool,
    /// Losses since the last [`take_losses`](crate::events::stream::Decode::take_losses).
    pub losses: Vec<Loss>,
    pub steps: StepsRead,
    pub threads: ThreadsRead,
}

impl Records {
    /// The reason if decoding stopped because it takes too much memory.
    pub fn too_much(&self) -> Option<TooMuch> {
        self.too_much
    }

    /// What is wrong with a damaged record, if that is known.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Makes the target of one id of an event, or of the event itself. `listed_cpu` is the CPU of the id in
    /// the file's index.
    fn target(&mut self, event: u32, layout: Layout, tpid: Option<Tpid>, listed_cpu: Option<Cpu>) -> Target {
        let cpu = listed_cpu.filter(|_| layout.cpu.is_none());
        Target {
            tpid,
            cpu,
            place: layout.cpu.is_none().then(|| self.cpu(cpu)),
            wanted: tpid.is_some(),
            time_at: layout.time.unwrap_or(0) as u16,
            cpu_at: layout.cpu.unwrap_or(0) as u16,
            thread_at: layout.thread.unwrap_or(0) as u16,
            cgroup_from_end: layout.cgroup_from_end.unwrap_or(0) as u16,
            flags_at: layout.flags.unwrap_or(0) as u16,
            of_interrupts: false,
            least: layout.least as u16,
            event,
            listed_cpu,
            samples: 0,
            lost: 0,
            count: None,
        }
    }

    /// The index of a CPU in `cpus`, which gets a new entry if needed.
    fn cpu(&mut self, cpu: Option<Cpu>) -> u32 {
        *self.places.entry(cpu).or_insert_with(|| {
            let wanted = self.filter.takes_cpu(cpu);
            self.cpus.push(OfCpu { cpu, queue: None, wanted, lost: 0, passed: Ns(0) });
            self.cpus.len() as u32 - 1
        })
    }

    /// Whether the CPU of each tracepoint's events is known.
    pub fn knows_cpus(&self) -> bool {
        let mut tracepoints = self.targets.iter().filter(|target| target.tpid.is_some());
        tracepoints.all(|target| target.place.is_none() || target.cpu.is_some())
    }

    /// Whether the thread of each tracepoint's events is known.
    pub fn knows_threads(&self) -> bool {
        let mut tracepoints = self.targets.iter().filter(|target| target.tpid.is_some());
        tracepoints.all(|target| target.thread_at > 0)
    }

    /// Whether the cgroup of each tracepoint's events is known.
    pub fn knows_cgroups(&self) -> bool {
        let mut tracepoints = self.targets.iter().filter(|target| target.tpid.is_some());
        self.knows_threads() && tracepoints.all(|target| target.cgroup_from_end > 0)
    }

    pub fn restrict(&mut self, filter: Filter) {
        for target in &mut self.targets {
            target.wanted = target.tpid.is_some_and(|tpid| filter.takes(self.table.get(tpid)))
                && (target.place.is_none() || filter.takes_cpu(target.cpu));
        }
        for cpu in &mut self.cpus {
            cpu.wanted = filter.takes_cpu(cpu.cpu);
        }
        self.filter = filter;
    }

    /// Decodes whole records, and returns the number of their bytes. Stops at a record that only the level of
    /// the file can handle, and returns that record too.
    #[inline]
    pub fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
        merge: &mut Merge,
        out: &mut Vec<Event>,
    ) -> Result<(usize, Option<Record<'a>>), Damaged> {
        let mut rest = bytes;
        loop {
            let offset = bytes.len() - rest.len();
            let at = |damaged: Damaged| Damaged { offset: offset as u64, ..damaged };
            let Some(record) = record::first(rest).map_err(at)? else { return Ok((offset, None)) };
            if record.kind == abi::PERF_RECORD_SAMPLE {
                self.sample(record, merge).map_err(at)?;
            } else if matches!(
                record.kind,
                kind::COMPRESSED
                    | kind::COMPRESSED2
                    | kind::AUXTRACE
                    | kind::HEADER_ATTR
                    | kind::TRACING_DATA
                    | kind::SIMPLEPERF..
            ) {
                return Ok((offset, Some(record)));
            } else {
                self.other(record, merge, out).map_err(at)?;
            }
            rest = &rest[record.bytes.len()..];
        }
    }

    #[inline]
    fn sample(&mut self, record: Record<'_>, merge: &mut Merge) -> Result<(), Damaged> {
        let mut index = match self.samples_of {
            SamplesOf::IdAt(place) => {
                let id = record.word(place).ok_or_else(|| record.damaged())?;
                let Some(index) = self.ids.find(SampleId(id)) else {
                    self.unknown += 1;
                    return Ok(());
                };
                index
            }
            SamplesOf::One(index) => index,
        };
        let target = &self.targets[index];
        if record.bytes.len() < usize::from(target.least) {
            return Err(record.damaged());
        }
        let Some(tpid) = target.tpid else {
            // perf writes the samples of BPF behind the last round.
            self.within_round |= !self.attrs[target.event as usize].is_bpf_output();
            return Ok(());
        };
        self.within_round = true;
        let time = Ns(record.word(usize::from(target.time_at)).ok_or_else(|| record.damaged())?);
        self.earliest = self.earliest.min(time);
        if !target.wanted {
            self.pass(index, time, record);
            return Ok(());
        }
        let place = match target.place {
            Some(place) => place,
            None => {
                let Some((on_cpu, place)) = self.target_on_cpu(index, tpid, record)? else { return Ok(()) };
                index = on_cpu;
                place
            }
        };
        let target = &mut self.targets[index];
        target.samples += 1;
        let time = time.wrapping_add_signed(self.clock_offset);
        if let Some(more_hits) = &mut self.steps.more_hits {
            more_hits.event(Event::new(time, target.cpu, tpid));
        }
        if self.count_only {
            return Ok(());
        }
        let (cpu, thread_at, flags_at) = (target.cpu, usize::from(target.thread_at), usize::from(target.flags_at));
        let (of_interrupts, cgroup_from_end) = (target.of_interrupts, usize::from(target.cgroup_from_end));
        let mut event = Event::new(time, cpu, tpid);
        if thread_at > 0 {
            let is_flagged = || flags_at > 0 && record.bytes.get(flags_at).is_some_and(|flags| is_interrupt(*flags));
            if of_interrupts || is_flagged() {
                event = event.in_interrupt();
            }
            let cgroup_at =
                record.bytes.len().checked_sub(cgroup_from_end).filter(|at| (8..record.bytes.len()).contains(at));
            let cgroup = cgroup_at.and_then(|at| record.word(at)).map(CgroupId);
            let with_thread = self.threads.event(event, place, record.bytes, thread_at, cgroup);
            event = with_thread.map_err(|cause| self.faulty(record, cause.into()))?;
        }
        let of_cpu = &mut self.cpus[place as usize];
        let queue = match of_cpu.queue {
            Some(queue) => queue,
            None => *of_cpu.queue.insert(merge.add_queue(cpu)),
        };
        merge.push(queue, event);
        Ok(())
    }

    /// Skips a sample that the filter leaves out, but notes its time, because a later loss begins after it.
    fn pass(&mut self, index: usize, time: Ns, record: Record<'_>) {
        let target = &self.targets[index];
        let place = match target.place {
            Some(place) => place,
            None => {
                let told = record.word(usize::from(target.cpu_at)).and_then(told_cpu);
                let Some(told) = told else { return };
                self.cpu(Some(told))
            }
        };
        let cpu = &mut self.cpus[place as usize];
        cpu.passed = cpu.passed.max(time.wrapping_add_signed(self.clock_offset));
    }

    /// The target of an event on the CPU that the sample has, and the place of that CPU. `None` if the filter
    /// leaves the CPU out.
    fn target_on_cpu(&mut self, index: usize, tpid: Tpid, record: Record<'_>) -> Result<Option<(usize, u32)>, Damaged> {
        let target = &self.targets[index];
        let cpu = record.word(usize::from(target.cpu_at)).and_then(told_cpu).ok_or_else(|| record.damaged())?;
        let Some((target, place)) = self.target_of(index, tpid, Some(cpu)) else { return Err(record.damaged()) };
        Ok(self.targets[target].wanted.then_some((target, place)))
    }

    /// The target of an event on this CPU, and the place of that CPU. `None` if a new target takes too much memory.
    fn target_of(&mut self, index: usize, tpid: Tpid, cpu: Option<Cpu>) -> Option<(usize, u32)> {
        if let Some(found) = self.on_cpu.get(&(tpid, cpu)) {
            return Some(*found);
        }
        self.too_much = self.held.grow(OF_ID + OF_ON_CPU).err();
        if self.too_much.is_some() {
            return None;
        }
        let target = &self.targets[index];
        let Target { time_at, cpu_at, thread_at, cgroup_from_end, flags_at, of_interrupts, least, event, .. } = *target;
        let of_tracepoint = target.wanted;
        let place = self.cpu(cpu);
        let wanted = of_tracepoint && self.cpus[place as usize].wanted;
        let found = (self.targets.len(), place);
        self.on_cpu.insert((tpid, cpu), found);
        self.targets.push(Target {
            tpid: Some(tpid),
            cpu,
            place: Some(place),
            wanted,
            time_at,
            cpu_at,
            thread_at,
            cgroup_from_end,
            flags_at,
            of_interrupts,
            least,
            event,
            listed_cpu: cpu,
            samples: 0,
            lost: 0,
            count: None,
        });
        Some(found)
    }

    fn other(&mut self, record: Record<'_>, merge: &mut Merge, out: &mut Vec<Event>) -> Result<(), Damaged> {
        match record.kind {
            kind::FINISHED_ROUND => {
                self.within_round = false;
                merge.finish_round(out);
            }
            abi::PERF_RECORD_LOST => {
                let (Some(id), Some(lost)) = (record.word(8), record.word(16)) else { return Err(record.damaged()) };
                self.within_round = true;
                self.lost(SampleId(id), lost, record, merge);
            }
            abi::PERF_RECORD_COMM => {
                let comm = self.threads.comm(record, &self.trailer, self.clock_offset);
                comm.map_err(|fault| self.faulty(record, fault))?;
            }
            abi::PERF_RECORD_CGROUP => {
                let cgroup = self.threads.cgroup(record, &self.trailer, self.clock_offset);
                cgroup.map_err(|fault| self.faulty(record, fault))?;
            }
            abi::PERF_RECORD_FORK => {
                let fork = self.threads.fork(record, self.clock_offset);
                fork.map_err(|fault| self.faulty(record, fault))?;
            }
            abi::PERF_RECORD_LOST_SAMPLES => self.lost_samples(record).ok_or_else(|| record.damaged())?,
            abi::PERF_RECORD_READ if self.own => self.counter(record),
            kind::HEADER_EVENT_TYPE => {
                let note = self.note(&record.bytes[HEADER_SIZE..]);
                note.map_err(|fault| self.faulty(record, fault))?;
            }
            // Other types of the kernel and of perf, with room for types that future versions add.
            1..=40 | 64..=100 => {}
            _ => return Err(record.damaged()),
        }
        Ok(())
    }

    /// The error for a record, whose reason is kept.
    fn faulty(&mut self, record: Record<'_>, fault: Fault) -> Damaged {
        match fault {
            Fault::TooMuch(cause) => self.too_much = Some(cause),
            Fault::Damaged(reason) => self.reason = Some(reason),
        }
        record.damaged()
    }

    /// Takes the body of a record with a part of a note.
    fn note(&mut self, body: &[u8]) -> Result<(), Fault> {
        self.notes.take(body)?;
        let steps = self.notes.take_steps()?;
        if let Some(step) = steps.iter().find(|step| self.table.find(step.tpid).is_none()) {
            return Err(format!("tp-perf's note has a step of tpid {}, which the file does not have", step.tpid).into());
        }
        let earlier = steps.iter().flat_map(|step| &step.earlier);
        let mut earlier = earlier.map(|earlier| earlier.hits.saturating_add(earlier.unsure));
        if steps.iter().flat_map(|step| &step.on).any(|on| on.before.max(on.after) > MOST_HITS)
            || earlier.any(|hits| hits > MOST_HITS)
        {
            return Err(format!("a note of steps has more than {MOST_HITS} hits").into());
        }
        let mut cpus = steps.iter().flat_map(|step| &step.on).map(|on| on.cpu);
        if let Some(cpu) = cpus.find(|cpu| !self.places.contains_key(&Some(*cpu))) {
            return Err(format!("tp-perf's note has a counter of CPU {cpu}, which the file does not have").into());
        }
        let slots = self.table.tracepoints().len() as u64 * self.places.len() as u64;
        Ok(self.steps.add(steps, self.clock_offset, slots)?)
    }

    /// Whether the records since the last FINISHED_ROUND come from a ring. Whenever perf has taken something from
    /// the rings, it writes a FINISHED_ROUND behind that.
    pub fn is_within_round(&self) -> bool {
        self.within_round
    }

    /// Fails if tp-perf's last note is cut short.
    pub fn check_notes(&self) -> io::Result<()> {
        match self.notes.is_whole() {
            true => Ok(()),
            false => {
                let message = "the file ends within tp-perf's note of how the capture ended";
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
            }
        }
    }

    /// The time of the earliest event so far, whether or not the filter keeps it.
    pub fn earliest(&self) -> Option<Ns> {
        (self.earliest != Ns::MAX).then(|| self.earliest.wrapping_add_signed(self.clock_offset))
    }
}
