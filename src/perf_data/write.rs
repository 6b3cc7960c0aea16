//! Encodes everything that tp-perf writes to a file besides the ring bytes.

use crate::events::{Cpu, Ns, Reading, SampleId, SampleIds, Slot};
use crate::os::cgroups::RunningCgroup;
use crate::os::clock::Clock;
use crate::os::running_threads::RunningThread;
use crate::perf::ProcessFields;
use crate::perf_data::attr::SIZE;
use crate::perf_data::attr::SampleFields;
use crate::perf_data::header::MARK;
use crate::perf_data::{Attr, Features, MAGIC, PIPE_HEADER, kind, push_record, tracing_data};
use crate::tracefs::Table;
use perf_event_open_sys::bindings as abi;

/// The maximum number of bytes that tp-perf puts into one record, whose size field has 16 bits.
const MOST_IN_RECORD: usize = 65_000;

/// The head of a file: everything before the events.
#[derive(Debug)]
pub struct Head<'a> {
    /// All tracepoints of the kernel.
    pub table: &'a Table,
    /// The opened events.
    pub ids: &'a SampleIds,
    /// The requested clock. The kernel timestamps the samples with [`Clock::sampled`].
    pub clock: Clock,
    /// Whether the counters include the number of lost samples.
    pub lost_known: bool,
    /// Whether samples have their CPU.
    pub sampled_cpu: bool,
    /// The threads, if samples have theirs.
    pub threads: Option<HeadThreads<'a>>,
    /// Data for perf: machine, arguments, compression.
    pub features: &'a Features,
    /// tp-perf's own facts, one line of text.
    pub facts: &'a str,
}

/// The threads in the head of a file.
#[derive(Debug, Clone, Copy)]
pub struct HeadThreads<'a> {
    /// The events that record changes of threads.
    pub ids: &'a [(SampleId, Cpu)],
    /// The threads that ran before the events.
    pub running: &'a [RunningThread],
    /// The cgroups that existed before the events, if samples have theirs.
    pub cgroups: Option<&'a Vec<RunningCgroup>>,
}

impl HeadThreads<'_> {
    fn fields(&self) -> ProcessFields {
        if self.cgroups.is_some() { ProcessFields::Cgroup } else { ProcessFields::Thread }
    }
}

impl Head<'_> {
    /// Encodes the head. Its length is a multiple of 8 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(PIPE_HEADER.to_ne_bytes());
        self.features.encode(&mut out);
        let pairs: Vec<(SampleId, Slot)> =
            self.ids.ids().iter().copied().zip(self.ids.slots().iter().copied()).collect();
        let process = self.threads.map_or(ProcessFields::None, |threads| threads.fields());
        let fields = SampleFields { weight: false, process, cpu: self.sampled_cpu };
        for events in pairs.chunk_by(|(_, a), (_, b)| a.tpid == b.tpid) {
            let tracepoint = self.table.get(events[0].1.tpid);
            let clock = self.clock.sampled().number();
            let fields = SampleFields { weight: tracepoint.is_weighted(), ..fields };
            let attr = Attr::tracepoint(tracepoint.tracefs_id, clock, fields, self.lost_known);
            for events in events.chunks((MOST_IN_RECORD - SIZE) / 8) {
                let ids: Vec<u8> = events.iter().flat_map(|(id, _)| id.0.to_ne_bytes()).collect();
                push_record(&mut out, kind::HEADER_ATTR, &[&attr.encode(), &ids]);
            }
        }
        let of_threads = self.threads.map_or(&[][..], |threads| threads.ids);
        if !of_threads.is_empty() {
            let attr = Attr::threads(self.clock.sampled().number(), fields, self.lost_known);
            let ids: Vec<u8> = of_threads.iter().flat_map(|(id, _)| id.0.to_ne_bytes()).collect();
            push_record(&mut out, kind::HEADER_ATTR, &[&attr.encode(), &ids]);
        }
        let on_cpus = pairs.iter().map(|(id, slot)| (*id, slot.cpu));
        let on_cpus: Vec<_> = on_cpus.chain(of_threads.iter().map(|(id, cpu)| (*id, Some(*cpu)))).collect();
        push_cpus(&mut out, &on_cpus);
        push_names(&mut out, self.table);
        out.extend(document(self.facts));
        if let Some(threads) = self.threads {
            // At time 0: pid, tid, time, the CPU if samples have it, and the sample id.
            let end = &[0; 32][..if self.sampled_cpu { 32 } else { 24 }];
            threads.running.iter().for_each(|thread| push_thread(&mut out, thread, end));
            threads.cgroups.into_iter().flatten().for_each(|cgroup| push_cgroup(&mut out, cgroup, end));
        }
        out
    }
}

/// Appends the CPU of each sample id.
pub(super) fn push_cpus(out: &mut Vec<u8>, on_cpus: &[(SampleId, Option<Cpu>)]) {
    for (chunk, entries) in (0u64..).zip(on_cpus.chunks(MOST_IN_RECORD / 32)) {
        let first = chunk * (MOST_IN_RECORD / 32) as u64;
        let index = (first..).zip(entries);
        // -1 means any CPU, or any thread.
        let number = |cpu: &Option<Cpu>| cpu.map_or(u64::MAX, |cpu| cpu.get().into());
        let words = index.flat_map(|(index, (id, cpu))| [id.0, index, number(cpu), u64::MAX]);
        let body: Vec<u8> = [entries.len() as u64].into_iter().chain(words).flat_map(u64::to_ne_bytes).collect();
        push_record(out, kind::ID_INDEX, &[&body]);
    }
}

/// Appends the names of all tracepoints.
pub(super) fn push_names(out: &mut Vec<u8>, table: &Table) {
    let mut names = tracing_data::encode(table);
    names.resize(names.len().next_multiple_of(8), 0);
    push_record(out, kind::TRACING_DATA, &[&(names.len() as u32).to_ne_bytes()]);
    out.extend(names);
}

/// Appends the records of a thread that ran before the events, at time 0: FORK, and COMM with its name.
fn push_thread(out: &mut Vec<u8>, thread: &RunningThread, end: &[u8]) {
    let RunningThread { pid, tid, parent, name } = thread;
    let words = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>();
    let time = [0; 8];
    let by = thread.forked_by();
    push_record(out, abi::PERF_RECORD_FORK, &[&words(&[*pid, *parent, *tid, by]), &time, end]);
    push_record(out, abi::PERF_RECORD_COMM, &[&words(&[*pid, *tid]), &text(name), end]);
}

/// Appends the record of a cgroup that existed before the events, at time 0.
fn push_cgroup(out: &mut Vec<u8>, RunningCgroup { id, path }: &RunningCgroup, end: &[u8]) {
    push_record(out, abi::PERF_RECORD_CGROUP, &[&id.to_ne_bytes(), &text(path), end]);
}

/// A text in a record, with at least one zero byte behind it.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
    bytes
}

/// Encodes one of tp-perf's own notes, a line of text.
pub fn document(line: &str) -> Vec<u8> {
    let text = [line.trim_end(), "\n"].concat();
    let mut out = Vec::new();
    for piece in text.as_bytes().chunks(MOST_IN_RECORD) {
        push_record(&mut out, kind::HEADER_EVENT_TYPE, &[&MARK, piece]);
    }
    out
}

/// Encodes the kernel's counters at the end of a capture as READ records, in the kernel's own layout.
/// `now_ns` is the current time by the clock of the samples. The records have a thread and a CPU if samples do.
pub fn counters(
    readings: impl Iterator<Item = (SampleId, Reading)>,
    lost_known: bool,
    now_ns: Ns,
    fields: SampleFields,
) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, reading) in readings {
        let nobody = 0u64.to_ne_bytes();
        let value = reading.value.to_ne_bytes();
        let lost = reading.lost.to_ne_bytes();
        let lost: &[u8] = if lost_known { &lost } else { &[] };
        let thread: &[u8] = if fields.process.has_thread() { &nobody } else { &[] };
        let cpu: &[u8] = if fields.cpu { &nobody } else { &[] };
        push_record(
            &mut out,
            abi::PERF_RECORD_READ,
            &[&nobody, &value, lost, thread, &now_ns.0.to_ne_bytes(), cpu, &id.0.to_ne_bytes()],
        );
    }
    out
}
