//! Who causes the hits of a few tracepoints, from samples that are taken beside a count.
//!
//! The count has the number of hits, and the samples have the shares: of `n` samples of a tracepoint, a part belongs to a process,
//! and the same part of its hits is the estimate. The kernel records one in N hits with its process. N depends on the rate, so
//! that a second has at least 500 samples, if there are enough hits. Records about threads are always on, so that names are right at their time.
//!
//! ```text
//!   window        │ on  off                 │ on  off                 │      a hot tracepoint
//!                 │ on                      │ on                      │      all others
//! ```

use super::view::WhoBy;
use crate::capture::{AtStart, Choice, Error, RingBytes, next_record, read_changes};
use crate::engine::{AttachRequest, Detaching, Kernel, LEAST_RING, ProcessFields, Sampling};
use crate::events::{CgroupId, Event, KnownThreads, Ns, SampleId, Tpid};
use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::perf_data::{Layout, ThreadsRead, Trailer, own_layout};
use crate::processes::Process;
use crate::tracefs::Table;
use perf_event_open_sys::bindings as abi;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::{Duration, Instant};

/// The least number of samples in a second, if there are enough hits.
const SAMPLES_A_SECOND: f64 = 500.0;
/// Tracepoints with more hits per second in total are sampled only in a part of each window, because each of their hits then costs
/// more.
const HOT: f64 = 20_000.0;
/// The length of that part, in seconds.
const HOT_PART: f64 = 0.1;
/// One in so many hits is a sample. These are prime, because a multiple of a loop's length would always find the same process.
const ONE_IN: [u64; 6] = [1, 7, 61, 509, 4_093, 32_749];
/// The size of each ring in bytes.
const RING: usize = if LEAST_RING > (128 << 10) { LEAST_RING } else { 128 << 10 };
/// The most processes that are told apart.
const MOST_PROCESSES: usize = 10_000;
/// 95 % of a normal distribution lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;

/// The tracepoints to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoTarget {
    /// The tracepoints, with their hits per second.
    pub tracepoints: Vec<(Tpid, f64)>,
    /// The CPUs.
    pub cpus: CpuList,
}

/// The samples of a few tracepoints.
#[derive(Debug)]
pub struct Who<E> {
    engine: E,
    target: WhoTarget,
    /// One in so many hits of each tracepoint is a sample.
    one_in: Vec<(Tpid, u64)>,
    is_hot: bool,
    is_on: bool,
    /// When sampling goes off in this window.
    off_at: Option<Instant>,
    layout: Layout,
    trailer: Trailer,
    reader: ThreadsRead,
    rings: RingBytes,
    /// By slot: whether all its hits happen in interrupts.
    of_interrupts: Vec<bool>,
    threads: KnownThreads,
    /// The samples that are newer than the last round, so records about their threads may be missing.
    waiting: Vec<Event>,
    counts: HashMap<Process, BTreeMap<Tpid, u64>>,
    samples: BTreeMap<Tpid, u64>,
    began: Instant,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoAnswer {
    /// The number of samples.
    pub samples: u64,
    /// The time since the first look.
    pub time: Duration,
    /// The processes or cgroups, the largest share first.
    pub rows: Vec<WhoRow>,
    /// Whether all events were looked at, so nothing is estimated.
    pub is_exact: bool,
}

/// A process or a cgroup.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoRow {
    /// Its name for people.
    pub words: String,
    /// The number of processes.
    pub processes: usize,
    /// The other name: of processes, the cgroup with the most samples; of a cgroup, the process with the most.
    pub mostly: Option<String>,
    /// Its share of the hits, from 0 to 1.
    pub share: f64,
    /// The ends of the 95 % interval of its share.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

impl<E: Sampling> Who<E> {
    /// Attaches, and begins to sample. Needs the right to open events.
    ///
    /// # Errors
    /// If the events cannot be opened or switched, or the threads of this machine cannot be listed.
    pub fn attach<K: Kernel<Sampling = E>>(
        kernel: &K,
        table: &Table,
        target: WhoTarget,
        choice: &Choice,
        process: ProcessFields,
    ) -> Result<Self, Error> {
        let rate: f64 = target.tracepoints.iter().map(|(_, rate)| rate).sum();
        let is_hot = rate > HOT;
        let part = if is_hot { HOT_PART } else { 1.0 };
        let one_in = |(tpid, rate): &(Tpid, f64)| {
            let wanted = rate * part * target.tracepoints.len() as f64 / SAMPLES_A_SECOND;
            (*tpid, ONE_IN.into_iter().rev().find(|one_in| *one_in as f64 <= wanted).unwrap_or(1))
        };
        let one_in: Vec<(Tpid, u64)> = target.tracepoints.iter().map(one_in).collect();
        let request = AttachRequest {
            tracepoints: target.tracepoints.iter().map(|(tpid, _)| table.get(*tpid)).collect(),
            cpus: target.cpus.clone(),
            clock: Clock::Monotonic,
            ring_size: RING,
            wakeup_watermark: RING / 2,
            exclude_thread: choice.excluded_thread(),
            process,
            may_thin: true,
        };
        let engine = kernel.attach(&request, &mut crate::engine::unwatched)?;
        let mut threads = KnownThreads::default();
        // From now on, the kernel records what changes.
        if let Some(at_start) = AtStart::read(process)? {
            threads.add(&at_start.changes().collect::<Vec<_>>())?;
        }
        let slots = engine.sample_ids().slots().iter();
        let of_interrupts = slots.map(|slot| table.get(slot.tpid).is_of_interrupts()).collect();
        let (layout, trailer) = own_layout(process);
        let mut who = Who {
            engine,
            target,
            one_in,
            is_hot,
            is_on: false,
            off_at: None,
            layout,
            trailer,
            reader: ThreadsRead::default(),
            rings: RingBytes::default(),
            of_interrupts,
            threads,
            waiting: Vec::new(),
            counts: HashMap::new(),
            samples: BTreeMap::new(),
            began: Instant::now(),
        };
        who.begin_window().map_err(Error::Run)?;
        Ok(who)
    }

    /// The tracepoints that it looks at.
    pub fn target(&self) -> &WhoTarget {
        &self.target
    }

    /// When [`act`](Self::act) is to be called within this window.
    pub fn due(&self) -> Option<Instant> {
        self.off_at
    }

    /// Samples again, for a part of the window if the tracepoints are hot.
    ///
    /// # Errors
    /// If the events cannot be switched.
    pub fn begin_window(&mut self) -> io::Result<()> {
        if !self.is_on {
            self.engine.enable()?;
            self.is_on = true;
            self.engine.thin(&self.one_in, &mut Vec::new())?;
        }
        self.off_at = self.is_hot.then(|| Instant::now() + Duration::from_secs_f64(HOT_PART));
        Ok(())
    }

    /// Ends the sampling in this window if it is time to.
    ///
    /// # Errors
    /// If the events cannot be switched.
    pub fn act(&mut self) -> io::Result<()> {
        if self.off_at.is_some_and(|off| Instant::now() >= off) {
            self.engine.disable()?;
            (self.is_on, self.off_at) = (false, None);
        }
        Ok(())
    }

    /// Takes the samples so far.
    ///
    /// # Errors
    /// If the rings cannot be read, or if the changes of threads take too much memory.
    pub fn round(&mut self) -> io::Result<()> {
        let begin = Clock::Monotonic.now_ns()?;
        self.engine.round(&mut self.rings)?;
        self.take(begin)
    }

    /// Takes the bytes of a round that began at this time.
    fn take(&mut self, begin: Ns) -> io::Result<()> {
        let of_threads = self.engine.attached().thread_ids.len();
        let mut rings = std::mem::take(&mut self.rings.bytes);
        let of_samples = rings.len().saturating_sub(of_threads);
        let (samples, threads) = rings.split_at_mut(of_samples);
        for bytes in threads {
            read_changes(bytes, &mut self.reader, &self.trailer)?;
            bytes.clear();
        }
        for bytes in samples {
            self.read_samples(bytes)?;
            bytes.clear();
        }
        self.rings.bytes = rings;
        self.threads.add(&std::mem::take(&mut self.reader.changes)).map_err(io::Error::from)?;
        self.waiting.sort_by_key(|event| event.time);
        let old = self.waiting.partition_point(|event| event.time <= begin);
        for event in self.waiting.drain(..old).collect::<Vec<_>>() {
            self.threads.until(event.time);
            self.count(event);
        }
        Ok(())
    }

    fn read_samples(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let (time_at, thread_at) = (self.layout.time.unwrap_or(0), self.layout.thread.unwrap_or(0));
        while let Some(record) = next_record(&mut bytes)? {
            if record.kind != abi::PERF_RECORD_SAMPLE {
                continue;
            }
            let (Some(id), Some(time)) = (record.word(8), record.word(time_at)) else { continue };
            let Some(place) = self.engine.sample_ids().find(SampleId(id)) else { continue };
            let slot = self.engine.sample_ids().slots()[place];
            let event = Event::new(Ns(time), slot.cpu, slot.tpid);
            let cgroup = self.layout.cgroup_from_end.and_then(|from_end| record.bytes.len().checked_sub(from_end));
            let cgroup = cgroup.and_then(|at| record.word(at)).map(CgroupId);
            let of_cpu = slot.cpu.map_or(0, |cpu| cpu.get());
            let event = self.reader.event(event, of_cpu, record.bytes, thread_at, cgroup)?;
            self.waiting.push(if self.of_interrupts[place] { event.in_interrupt() } else { event });
        }
        Ok(())
    }

    fn count(&mut self, event: Event) {
        let process = Process::of(event, &self.threads);
        *self.samples.entry(event.tpid()).or_default() += 1;
        if self.counts.len() < MOST_PROCESSES || self.counts.contains_key(&process) {
            *self.counts.entry(process).or_default().entry(event.tpid()).or_default() += 1;
        }
    }

    /// The answer so far.
    pub fn answer(&self, by: WhoBy) -> WhoAnswer {
        answer(&self.counts, &self.samples, &self.one_in, by, self.began.elapsed())
    }

    /// Detaches in the background.
    pub fn detach(self) -> Detaching {
        self.engine.detach()
    }
}

/// Sums by the name of processes, or by cgroup.
pub(super) struct WhoSums {
    by: WhoBy,
    sums: BTreeMap<String, WhoSum>,
}

#[derive(Default)]
struct WhoSum {
    processes: usize,
    of: BTreeMap<Tpid, u64>,
    others: BTreeMap<String, u64>,
}

impl WhoSums {
    pub fn new(by: WhoBy) -> Self {
        WhoSums { by, sums: BTreeMap::new() }
    }

    /// Adds the hits of a process.
    pub fn add(&mut self, process: &Process, of: impl IntoIterator<Item = (Tpid, u64)>) {
        let cgroup = process.cgroup.as_deref().map(str::to_owned);
        let (words, other) = match self.by {
            WhoBy::Cgroup => (cgroup.unwrap_or_else(|| "no cgroup".to_owned()), Some(process.words())),
            WhoBy::Process | WhoBy::Nobody => (process.words(), cgroup),
        };
        let sum = self.sums.entry(words).or_default();
        sum.processes += 1;
        for (tpid, number) in of {
            *sum.of.entry(tpid).or_default() += number;
            if let Some(other) = &other {
                *sum.others.entry(other.clone()).or_default() += number;
            }
        }
    }

    /// The rows, the largest share first. `row` makes one from its name, the number of processes, their hits, and the other name.
    pub fn rows(self, row: impl Fn(String, usize, &BTreeMap<Tpid, u64>, Option<String>) -> WhoRow) -> Vec<WhoRow> {
        let rows = self.sums.into_iter().map(|(words, WhoSum { processes, of, others })| {
            let mostly = others.into_iter().max_by_key(|(_, number)| *number).map(|(name, _)| name);
            row(words, processes, &of, mostly)
        });
        let mut rows: Vec<WhoRow> = rows.collect();
        rows.sort_by(|one, other| other.share.total_cmp(&one.share).then_with(|| one.words.cmp(&other.words)));
        rows
    }
}

/// Estimates the shares. A sample counts for the hits that it stands for.
fn answer(
    counts: &HashMap<Process, BTreeMap<Tpid, u64>>,
    samples: &BTreeMap<Tpid, u64>,
    one_in: &[(Tpid, u64)],
    by: WhoBy,
    time: Duration,
) -> WhoAnswer {
    let mut sums = WhoSums::new(by);
    counts.iter().for_each(|(process, of)| sums.add(process, of.iter().map(|(tpid, number)| (*tpid, *number))));
    let hits = |(tpid, one_in): &(Tpid, u64)| Some((*tpid, *samples.get(tpid)? as f64 * *one_in as f64));
    let hits: Vec<(Tpid, f64)> = one_in.iter().filter_map(hits).collect();
    let all: f64 = hits.iter().map(|(_, hits)| hits).sum();
    let row = |words, processes, of: &BTreeMap<Tpid, u64>, mostly| {
        let (mut share, mut centre, mut variance) = (0.0, 0.0, 0.0);
        for (tpid, hits) in &hits {
            let weight = hits / all;
            let number = samples[tpid] as f64;
            let its = of.get(tpid).copied().unwrap_or(0) as f64;
            share += weight * its / number;
            // The interval has two more samples on either side (Agresti and Coull, 1998).
            let likely = (its + 2.0) / (number + 4.0);
            centre += weight * likely;
            variance += weight * weight * likely * (1.0 - likely) / (number + 4.0);
        }
        let within = DEVIATIONS * variance.sqrt();
        // Rounding must not make it more than all.
        let share = share.min(1.0);
        let (low, high) = ((centre - within).clamp(0.0, share), (centre + within).clamp(share, 1.0));
        WhoRow { words, processes, mostly, share, low, high }
    };
    WhoAnswer { samples: samples.values().sum(), time, rows: sums.rows(row), is_exact: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::simulated::{Script, SimulatedEngine};
    use crate::events::{Cpu, SampleIds, Slot};
    use crate::os::running_threads::RunningThread;
    use crate::perf_data::push_record;

    const SAMPLE: u32 = abi::PERF_RECORD_SAMPLE;

    fn target(rates: &[(u32, u64)]) -> WhoTarget {
        let tracepoints = rates.iter().map(|(tpid, one_in)| (Tpid::new(*tpid), *one_in as f64)).collect();
        WhoTarget { tracepoints, cpus: "0".parse().unwrap() }
    }

    /// A look at tracepoints 1 and 2 of CPU 0, with one sample in so many hits, at the threads `make` (5) and `gcc` (6).
    fn who(one_in: &[(u32, u64)]) -> Who<SimulatedEngine> {
        let slot = |tpid| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(0)) };
        let ids = SampleIds::new(&[(SampleId(1), slot(1)), (SampleId(2), slot(2))]);
        let engine = SimulatedEngine::new(ids, Script::default());
        let running = |pid, name: &str| RunningThread { pid, tid: pid, parent: 1, name: name.to_owned() };
        let at_start = AtStart { threads: vec![running(5, "make"), running(6, "gcc")], ..AtStart::default() };
        let mut threads = KnownThreads::default();
        threads.add(&at_start.changes().collect::<Vec<_>>()).unwrap();
        let (layout, trailer) = own_layout(ProcessFields::Thread);
        Who {
            engine,
            target: target(one_in),
            one_in: one_in.iter().map(|(tpid, one_in)| (Tpid::new(*tpid), *one_in)).collect(),
            is_hot: false,
            is_on: false,
            off_at: None,
            layout,
            trailer,
            reader: ThreadsRead::default(),
            rings: RingBytes::default(),
            of_interrupts: vec![false, true],
            threads,
            waiting: Vec::new(),
            counts: HashMap::new(),
            samples: BTreeMap::new(),
            began: Instant::now(),
        }
    }

    fn sample(bytes: &mut Vec<u8>, id: u64, thread: u32, time: u64) {
        let mut body = Vec::new();
        body.extend(id.to_ne_bytes());
        body.extend(thread.to_ne_bytes());
        body.extend(thread.to_ne_bytes());
        body.extend(time.to_ne_bytes());
        push_record(bytes, SAMPLE, &[&body]);
    }

    fn shares(who: &Who<SimulatedEngine>) -> Vec<(String, f64)> {
        who.answer(WhoBy::Process).rows.into_iter().map(|row| (row.words, row.share)).collect()
    }

    #[test]
    fn samples_count_for_the_process_of_their_time_and_for_the_hits_that_they_stand_for() {
        let mut who = who(&[(1, 3), (2, 2)]);
        let mut bytes = Vec::new();
        (0..8).for_each(|time| sample(&mut bytes, 1, if time < 6 { 6 } else { 5 }, 10 + time));
        (0..4).for_each(|time| sample(&mut bytes, 2, 6, 20 + time));
        who.rings.bytes = vec![bytes];
        who.take(Ns(100)).unwrap();
        let expected = [("gcc", 0.75 * 0.75), ("in interrupts", 0.25), ("make", 0.25 * 0.75)];
        assert_eq!(shares(&who), expected.map(|(name, share)| (name.to_owned(), share)));
        let answer = who.answer(WhoBy::Process);
        assert_eq!(answer.samples, 12);
        assert!(answer.rows.iter().all(|row| row.low < row.share && row.share < row.high), "{answer:?}");
        assert_eq!(who.answer(WhoBy::Cgroup).rows[0].mostly.as_deref(), Some("gcc"));
    }

    #[test]
    fn samples_newer_than_the_round_wait_for_the_next_one() {
        let mut who = who(&[(1, 1)]);
        let mut bytes = Vec::new();
        sample(&mut bytes, 1, 5, 90);
        sample(&mut bytes, 1, 6, 110);
        who.rings.bytes = vec![bytes];
        who.take(Ns(100)).unwrap();
        assert_eq!(shares(&who), [("make".to_owned(), 1.0)]);
        who.take(Ns(200)).unwrap();
        assert_eq!(shares(&who), [("gcc".to_owned(), 0.5), ("make".to_owned(), 0.5)]);
        assert_eq!(who.answer(WhoBy::Process).rows[0].processes, 1);
    }

    #[test]
    fn the_interval_has_the_truth_nineteen_times_in_twenty() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut within, rounds) = (0, 2_000);
        for _ in 0..rounds {
            let mut who = who(&[(1, 3), (2, 2)]);
            who.of_interrupts = vec![false, false];
            let mut bytes = Vec::new();
            for time in 0..60 {
                let (id, part) = if time < 30 { (1, 0.3) } else { (2, 0.8) };
                sample(&mut bytes, id, if random.f64() < part { 5 } else { 6 }, time);
            }
            who.rings.bytes = vec![bytes];
            who.take(Ns(100)).unwrap();
            let truth = 0.6 * 0.3 + 0.4 * 0.8;
            within += usize::from(
                who.answer(WhoBy::Process)
                    .rows
                    .iter()
                    .any(|row| row.words == "make" && row.low <= truth && truth <= row.high),
            );
        }
        assert!(within * 100 >= rounds * 94, "{within} of {rounds}");
    }

    #[test]
    fn a_hot_tracepoint_is_sampled_for_a_part_of_a_window() {
        let mut who = who(&[(1, 509)]);
        who.is_hot = true;
        who.begin_window().unwrap();
        assert!(who.is_on && who.due().is_some());
        who.off_at = Some(Instant::now());
        who.act().unwrap();
        assert!(!who.is_on && who.due().is_none());
    }
}
