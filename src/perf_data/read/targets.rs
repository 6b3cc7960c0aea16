//! What `Records` knows about each sample id, and about each CPU.

use crate::events::{Cpu, Ns, Reading, SampleId, Slot, Tpid};
use crate::memory::{Held, TooMuch};
use crate::perf_data::Header;
use std::collections::HashMap;

/// An upper bound for CPU numbers (`NR_CPUS` is at most 8192 on x86-64).
const MOST_CPUS: u32 = 8_192;

/// The memory in bytes of a sample id: its target, its place in the maps, and its accounts at the end.
pub(super) const OF_ID: u64 = 320;

/// How to find the event of a sample.
pub(super) enum SamplesOf {
    /// By the id at this offset in the sample.
    IdAt(usize),
    /// All samples belong to one event, which has this target.
    One(usize),
}

/// The event of a sample id.
pub(super) struct Target {
    /// `None` for an event that is not a tracepoint.
    pub tpid: Option<Tpid>,
    /// `None` if the file does not have the CPU, or only the samples have it.
    pub cpu: Option<Cpu>,
    /// The index of the CPU in `cpus`; `None` if the samples have the CPU.
    pub place: Option<u32>,
    pub wanted: bool,
    pub time_at: u16,
    pub cpu_at: u16,
    /// The position of the process and the thread in a sample; 0 if the samples do not have them.
    pub thread_at: u16,
    /// How many bytes before the end of a sample its cgroup begins; 0 if the samples do not have it.
    pub cgroup_from_end: u16,
    /// The position of the flags of a hit in a sample; 0 if the samples do not have them.
    pub flags_at: u16,
    /// Whether all samples are hits in interrupts.
    pub of_interrupts: bool,
    pub least: u16,
    /// The index of the event in `attrs`.
    pub event: u32,
    /// The CPU of the id in the file's index, even if the samples also have the CPU.
    pub listed_cpu: Option<Cpu>,
    pub samples: u64,
    /// Losses according to LOST_SAMPLES records.
    pub lost: u64,
    /// The kernel's counter.
    pub count: Option<Reading>,
}

impl Target {
    pub fn slot(&self) -> Option<Slot> {
        self.tpid.map(|tpid| Slot { tpid, cpu: self.cpu })
    }
}

/// The state of one CPU.
pub(super) struct OfCpu {
    /// `None` for events whose CPU is not known.
    pub cpu: Option<Cpu>,
    /// The CPU's queue in the merge, once it has one.
    pub queue: Option<usize>,
    pub wanted: bool,
    pub lost: u64,
    /// The newest time of samples that the filter leaves out.
    pub passed: Ns,
}

/// Whether these flags of a hit show that an interrupt caused it (TRACE_FLAG_HARDIRQ, TRACE_FLAG_SOFTIRQ, TRACE_FLAG_NMI).
pub(super) fn is_interrupt(flags: u8) -> bool {
    flags & (0x08 | 0x10 | 0x40) != 0
}

/// Whether the number is a plausible CPU number.
pub(super) fn is_one(cpu: &Cpu) -> bool {
    cpu.get() < MOST_CPUS
}

/// The CPU in a sample, from the first 4 bytes of a word.
pub(super) fn told_cpu(word: u64) -> Option<Cpu> {
    Cpu::try_from(word as u32).ok().filter(is_one)
}

/// The number of the last event of each sample id. A file may give an id to several events, or several times to one. Takes
/// the memory of the ids.
pub(super) fn last_of_each_id(header: &Header, held: &mut Held) -> Result<HashMap<SampleId, u32>, TooMuch> {
    let mut last_of = HashMap::new();
    for (number, event) in (0u32..).zip(&header.events) {
        for id in &event.ids {
            if last_of.insert(*id, number).is_none() {
                held.grow(OF_ID)?;
            }
        }
    }
    Ok(last_of)
}
