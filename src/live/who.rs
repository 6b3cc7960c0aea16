//! Who causes the hits of a few tracepoints, from samples that are taken beside a count.
//!
//! The count has the number of hits, and the samples have the shares: of `n` samples, a part belongs to a process, and the same
//! part of the hits is the estimate. The kernel records one in N hits with its process. N depends on the rate, so that a second
//! has at least 500 samples, if there are enough hits. Hot tracepoints are sampled in short stretches at random times.
//!
//! ```text
//!   window │      on      on        on  on         on  │      hot tracepoints
//!          │ on                                        │      all others
//! ```
//!
//! Records about threads are always on, so that names are right at their time. The answer is about the last ten seconds.

use super::shares::{FEWEST_ROUNDS, SampledRound, WhoAnswer, answer};
use super::view::WhoBy;
use crate::capture::{AtStart, Choice, Error, RingBytes, next_record, read_changes, sampled_event};
use crate::engine::{AttachRequest, Detaching, Kernel, LEAST_RING, ProcessFields, Sampling};
use crate::events::{Event, KnownThreads, Ns, Tpid};
use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::perf_data::{Layout, ThreadsRead, Trailer, own_layout};
use crate::processes::Process;
use crate::tracefs::Table;
use fastrand::Rng;
use perf_event_open_sys::bindings as abi;
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// The least number of samples in a second, if there are enough hits.
const SAMPLES_A_SECOND: f64 = 500.0;
/// Tracepoints with more hits per second in total are sampled only in a part of each window, because each of their hits then costs
/// more.
const HOT: f64 = 20_000.0;
/// That part, and the stretches in which it comes.
const HOT_PART: f64 = 0.1;
const STRETCHES: u32 = 5;
/// One in so many hits is a sample. These are prime, because a multiple of a loop's length would always find the same process.
const ONE_IN: [u64; 12] = [1, 3, 7, 17, 41, 97, 229, 541, 1_297, 3_089, 7_393, 17_713];
/// The size of each ring in bytes: room for three thousand samples.
const RING: usize = if LEAST_RING > (128 << 10) { LEAST_RING } else { 128 << 10 };
/// The answer is about so much time.
const REMEMBERED: Duration = Duration::from_secs(10);
/// N fits as long as the rate is within this factor of what it was.
const FITS: f64 = 4.0;
/// Below this many hits per second, N is 1 anyway.
const RARE: f64 = 500.0;
/// After this time, it is better to begin again: the threads that have ended take memory.
const LONGEST: Duration = Duration::from_secs(600);

/// The tracepoints to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoTarget {
    /// The tracepoints.
    pub tracepoints: Vec<Tpid>,
    /// The hits per second of all of them.
    pub rate: f64,
    /// The CPUs.
    pub cpus: CpuList,
}

/// The samples of a few tracepoints.
#[derive(Debug)]
pub struct Who<E> {
    engine: E,
    target: WhoTarget,
    is_on: bool,
    /// When sampling goes on and off in this window, the next time last.
    switches: Vec<Instant>,
    layout: Layout,
    trailer: Trailer,
    reader: ThreadsRead,
    rings: RingBytes,
    /// By slot: whether all its hits happen in interrupts.
    of_interrupts: Vec<bool>,
    threads: KnownThreads,
    /// The samples that are newer than the last round, so records about their threads may be missing.
    waiting: Vec<Event>,
    /// The last rounds, the newest last.
    rounds: VecDeque<SampledRound>,
    began: Instant,
    last_round: Instant,
    random: Rng,
}

impl<E: Sampling> Who<E> {
    /// Attaches. Needs the right to open events. Nothing is sampled before [`begin_window`](Self::begin_window).
    ///
    /// # Errors
    /// If the events cannot be opened, or the threads of this machine cannot be listed.
    pub fn attach<K: Kernel<Sampling = E>>(
        kernel: &K,
        table: &Table,
        target: WhoTarget,
        choice: &Choice,
        process: ProcessFields,
    ) -> Result<Self, Error> {
        let part = if target.rate > HOT { HOT_PART } else { 1.0 };
        let wanted = target.rate * part / SAMPLES_A_SECOND;
        let one_in = ONE_IN.into_iter().rev().find(|one_in| *one_in as f64 <= wanted).unwrap_or(1);
        let request = AttachRequest {
            tracepoints: target.tracepoints.iter().map(|tpid| table.get(*tpid)).collect(),
            cpus: target.cpus.clone(),
            clock: Clock::Monotonic,
            ring_size: RING,
            wakeup_watermark: RING / 2,
            exclude_thread: choice.excluded_thread(),
            process,
            sampled_cpu: false,
            may_thin: false,
            one_in: Some(one_in),
        };
        let engine = kernel.attach(&request, &mut crate::engine::unwatched)?;
        let mut threads = KnownThreads::default();
        // From now on, the kernel records what changes.
        if let Some(at_start) = AtStart::read(process)? {
            threads.add(&at_start.changes().collect::<Vec<_>>())?;
        }
        let slots = engine.sample_ids().slots().iter();
        let of_interrupts = slots.map(|slot| table.get(slot.tpid).is_of_interrupts()).collect();
        Ok(Who::with(engine, target, of_interrupts, threads, process))
    }

    fn with(
        engine: E,
        target: WhoTarget,
        of_interrupts: Vec<bool>,
        threads: KnownThreads,
        process: ProcessFields,
    ) -> Self {
        let (layout, trailer) = own_layout(process, false);
        Who {
            engine,
            target,
            is_on: false,
            switches: Vec::new(),
            layout,
            trailer,
            reader: ThreadsRead::default(),
            rings: RingBytes::default(),
            of_interrupts,
            threads,
            waiting: Vec::new(),
            rounds: VecDeque::new(),
            began: Instant::now(),
            last_round: Instant::now(),
            random: Rng::new(),
        }
    }

    /// The tracepoints that it looks at.
    pub fn target(&self) -> &WhoTarget {
        &self.target
    }

    /// Whether another N suits this rate, or it has lasted for long. It is then better to attach again.
    pub fn is_stale(&self, rate: f64) -> bool {
        let factor = rate.max(RARE) / self.target.rate.max(RARE);
        !(1.0 / FITS..=FITS).contains(&factor) || self.began.elapsed() > LONGEST
    }

    /// When [`act`](Self::act) is to be called within this window.
    pub fn due(&self) -> Option<Instant> {
        self.switches.last().copied()
    }

    /// Begins a window of this length: chooses the stretches in which hot tracepoints are sampled.
    ///
    /// # Errors
    /// If the events cannot be switched.
    pub fn begin_window(&mut self, length: Duration) -> io::Result<()> {
        let is_hot = self.target.rate > HOT;
        self.switch(!is_hot)?;
        self.switches.clear();
        if is_hot {
            let (now, each) = (Instant::now(), length / STRETCHES);
            for stretch in 0..STRETCHES {
                let on = now + each * stretch + each.mul_f64((1.0 - HOT_PART) * self.random.f64());
                self.switches.extend([on, on + each.mul_f64(HOT_PART)]);
            }
            self.switches.reverse();
        }
        Ok(())
    }

    /// Switches the sampling on or off if it is time to.
    ///
    /// # Errors
    /// If the events cannot be switched.
    pub fn act(&mut self) -> io::Result<()> {
        while self.switches.last().is_some_and(|at| Instant::now() >= *at) {
            self.switches.pop();
            self.switch(!self.is_on)?;
        }
        Ok(())
    }

    fn switch(&mut self, on: bool) -> io::Result<()> {
        if self.is_on != on {
            if on {
                self.engine.enable()?
            } else {
                self.engine.disable()?
            }
            self.is_on = on;
        }
        Ok(())
    }

    /// Takes the samples so far.
    ///
    /// # Errors
    /// If the rings cannot be read, or if the changes of threads take too much memory.
    pub fn round(&mut self) -> io::Result<()> {
        let begin = Clock::Monotonic.now_ns()?;
        let now = Instant::now();
        self.engine.round(&mut self.rings)?;
        let mut round = SampledRound { time: now - self.last_round, ..SampledRound::default() };
        self.last_round = now;
        self.take(begin, &mut round)?;
        self.rounds.push_back(round);
        let mut time: Duration = self.rounds.iter().map(|round| round.time).sum();
        while time > REMEMBERED && self.rounds.len() > FEWEST_ROUNDS {
            time -= self.rounds.pop_front().map_or(Duration::ZERO, |round| round.time);
        }
        Ok(())
    }

    /// Takes the bytes of a round that began at this time.
    fn take(&mut self, begin: Ns, round: &mut SampledRound) -> io::Result<()> {
        let of_threads = self.engine.attached().thread_ids.len();
        let mut rings = std::mem::take(&mut self.rings.bytes);
        let of_samples = rings.len().saturating_sub(of_threads);
        let (samples, threads) = rings.split_at_mut(of_samples);
        for bytes in threads {
            read_changes(bytes, &mut self.reader, &self.trailer, false)?;
            bytes.clear();
        }
        for bytes in samples {
            self.read_samples(bytes, round)?;
            bytes.clear();
        }
        self.rings.bytes = rings;
        self.threads.add(&std::mem::take(&mut self.reader.changes)).map_err(io::Error::from)?;
        self.waiting.sort_by_key(|event| event.time);
        let old = self.waiting.partition_point(|event| event.time <= begin);
        for event in self.waiting.drain(..old) {
            self.threads.until(event.time);
            round.samples += 1;
            *round.of.entry(Process::of(event, &self.threads)).or_default() += 1;
        }
        Ok(())
    }

    fn read_samples(&mut self, mut bytes: &[u8], round: &mut SampledRound) -> io::Result<()> {
        let thread_at = self.layout.thread.unwrap_or(0);
        while let Some(record) = next_record(&mut bytes)? {
            if record.kind == abi::PERF_RECORD_LOST {
                round.lost += record.word(16).unwrap_or(0);
            }
            let ids = self.engine.sample_ids();
            let sampled = sampled_event(&record, ids, &self.layout, &self.of_interrupts);
            let Some((_, event, cgroup)) = sampled else { continue };
            let of_cpu = event.cpu().map_or(0, |cpu| cpu.get());
            self.waiting.push(self.reader.event(event, of_cpu, record.bytes, thread_at, cgroup)?);
        }
        Ok(())
    }

    /// The answer so far.
    pub fn answer(&self, by: WhoBy) -> WhoAnswer {
        answer(&self.rounds, by)
    }

    /// Detaches in the background.
    pub fn detach(self) -> Detaching {
        self.engine.detach()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::simulated::{Script, SimulatedEngine};
    use crate::events::{Cpu, SampleId, SampleIds, Slot};
    use crate::live::WhoRow;
    use crate::os::running_threads::RunningThread;
    use crate::perf_data::push_record;

    /// A look at tracepoints 1 and 2 of CPU 0, at the threads `make` (5) and `gcc` (6).
    fn who(rate: f64) -> Who<SimulatedEngine> {
        let slot = |tpid| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(0)) };
        let ids = SampleIds::new(&[(SampleId(1), slot(1)), (SampleId(2), slot(2))]);
        let engine = SimulatedEngine::new(ids, Script::default());
        let running = |pid, name: &str| RunningThread { pid, tid: pid, parent: 1, name: name.to_owned() };
        let at_start = AtStart { threads: vec![running(5, "make"), running(6, "gcc")], ..AtStart::default() };
        let mut threads = KnownThreads::default();
        threads.add(&at_start.changes().collect::<Vec<_>>()).unwrap();
        let target = WhoTarget { tracepoints: [1, 2].map(Tpid::new).to_vec(), rate, cpus: "0".parse().unwrap() };
        Who::with(engine, target, vec![false, true], threads, ProcessFields::Thread)
    }

    fn sample(bytes: &mut Vec<u8>, id: u64, thread: u32, time: u64) {
        let mut body = Vec::new();
        body.extend(id.to_ne_bytes());
        body.extend(thread.to_ne_bytes());
        body.extend(thread.to_ne_bytes());
        body.extend(time.to_ne_bytes());
        push_record(bytes, abi::PERF_RECORD_SAMPLE, &[&body]);
    }

    /// A round of a second that began at this time.
    fn take(who: &mut Who<SimulatedEngine>, bytes: Vec<u8>, begin: u64) {
        who.rings.bytes = vec![bytes];
        let mut round = SampledRound { time: Duration::from_secs(1), ..SampledRound::default() };
        who.take(Ns(begin), &mut round).unwrap();
        who.rounds.push_back(round);
    }

    fn shares(who: &Who<SimulatedEngine>) -> Vec<(String, f64)> {
        who.answer(WhoBy::Process).rows.into_iter().map(|row| (row.words, row.share)).collect()
    }

    #[test]
    fn samples_count_for_the_process_of_their_time() {
        let mut who = who(100.0);
        let mut bytes = Vec::new();
        (0..8).for_each(|time| sample(&mut bytes, 1, if time < 6 { 6 } else { 5 }, 10 + time));
        (0..8).for_each(|time| sample(&mut bytes, 2, 6, 20 + time));
        push_record(&mut bytes, abi::PERF_RECORD_LOST, &[&1u64.to_ne_bytes(), &7u64.to_ne_bytes()]);
        take(&mut who, bytes, 100);
        let expected = [("in interrupts", 0.5), ("gcc", 0.375), ("make", 0.125)];
        assert_eq!(shares(&who), expected.map(|(name, share)| (name.to_owned(), share)));
        let answer = who.answer(WhoBy::Process);
        assert_eq!((answer.samples, answer.lost, answer.time), (16, 7, Duration::from_secs(1)));
        assert!(answer.rows.iter().all(|row| row.interval.is_none()), "one round says nothing about the others");
        assert_eq!(who.answer(WhoBy::Cgroup).rows[0].mostly.as_deref(), Some("in interrupts"));
    }

    #[test]
    fn samples_newer_than_the_round_wait_for_the_next_one() {
        let mut who = who(10.0);
        let mut bytes = Vec::new();
        sample(&mut bytes, 1, 5, 90);
        sample(&mut bytes, 1, 6, 110);
        take(&mut who, bytes, 100);
        assert_eq!(shares(&who), [("make".to_owned(), 1.0)]);
        take(&mut who, Vec::new(), 200);
        assert_eq!(shares(&who), [("gcc".to_owned(), 0.5), ("make".to_owned(), 0.5)]);
    }

    /// The process that runs changes rarely, so the samples of a round are of one process, or of two.
    #[test]
    fn the_interval_has_the_truth_also_if_processes_take_turns() {
        let mut random = Rng::with_seed(3);
        let (mut within, rounds) = (0, 600);
        for _ in 0..rounds {
            let mut who = who(300.0);
            let (mut runs, mut time) = (if random.f64() < 0.3 { 5 } else { 6 }, 0);
            for round in 1..=20 {
                let mut bytes = Vec::new();
                for _ in 0..50 {
                    if random.f64() < 0.05 {
                        runs = if random.f64() < 0.3 { 5 } else { 6 };
                    }
                    time += 1;
                    sample(&mut bytes, 1, runs, time);
                }
                take(&mut who, bytes, round * 50);
            }
            let is_within =
                |row: &WhoRow| row.words == "make" && row.interval.is_some_and(|(low, high)| low <= 0.3 && 0.3 <= high);
            within += usize::from(who.answer(WhoBy::Process).rows.iter().any(is_within));
        }
        assert!(within * 100 >= rounds * 92, "{within} of {rounds}");
    }

    #[test]
    fn hot_tracepoints_are_sampled_for_a_part_of_a_window() {
        let mut rare = who(10.0);
        rare.begin_window(Duration::from_secs(1)).unwrap();
        assert!(rare.is_on && rare.due().is_none());
        let mut hot = who(1e6);
        hot.begin_window(Duration::from_secs(1)).unwrap();
        assert!(!hot.is_on && hot.switches.len() == 2 * STRETCHES as usize);
        let on: Duration = hot.switches.rchunks(2).map(|pair| pair[0] - pair[1]).sum();
        assert!(on > Duration::from_millis(95) && on < Duration::from_millis(105), "{on:?}");
        assert!(hot.switches.is_sorted_by(|one, other| one > other));
        hot.switches = vec![Instant::now()];
        hot.act().unwrap();
        assert!(hot.is_on && hot.due().is_none());
    }

    #[test]
    fn another_rate_needs_another_n() {
        let who = who(10_000.0);
        assert!(!who.is_stale(5_000.0) && !who.is_stale(30_000.0) && who.is_stale(100.0) && who.is_stale(1e6));
    }
}
