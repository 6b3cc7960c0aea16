//! A simulated kernel for tests, with any number of CPUs and any failure. It does not use the real kernel.

use super::{
    AttachRequest, Attached, Chunks, CountRequest, CountersRead, Counting, Detaching, Engine, Error, HitCost, Kernel,
    Opened, RecordCost, Refusal, Sampling, descriptors_needed,
};
use crate::events::{
    Counted, Ns, Partly, Reading, Rung, RungStep, SampleId, SampleIds, Slot, StepOnCpu, Tick, Tpid, Visits,
};
use crate::os::clock::Clock;
use crate::os::cpus::{Cpu, CpuList};
use crate::os::machine::MachineTimes;
use crate::tracefs::{self, Table, Tracepoint};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// One round: per CPU, the bytes in its ring. They are whole records.
pub type Round = Vec<Vec<u8>>;

/// The script of a simulated kernel: its rounds, windows and counters while the events are on.
#[derive(Default)]
pub struct Script {
    /// The contents of the rings in each round. After the last one, rounds find nothing.
    pub rounds: VecDeque<Round>,
    /// The counters at the end.
    pub counted: Vec<Counted>,
    /// Per window: the hits of each slot. After the last one, windows have no hits.
    pub windows: VecDeque<Vec<u64>>,
    /// What each reading of the counters with their times finds. After the last one, readings find the same again.
    pub readings: VecDeque<SimulatedReading>,
    /// Called at each round and tick, with its number from 0.
    pub at_round: Option<Box<dyn FnMut(usize)>>,
}

/// A reading of the counters with their times.
#[derive(Debug, Clone, Default)]
pub struct SimulatedReading {
    /// When each CPU's counters were read: between these times. The last one counts for all further CPUs.
    pub at: Vec<(Ns, Ns)>,
    /// The counter of each slot.
    pub readings: Vec<Reading>,
    /// How long the events have been on; the real time if `None`.
    pub on: Option<Duration>,
}

/// A simulated kernel.
pub struct Simulated<F> {
    /// Its tracepoints.
    pub table: Table,
    /// Its CPUs.
    pub cpus: CpuList,
    /// The tracepoints that it refuses to open, as (`group:name`, reason).
    pub refuses: Vec<(String, String)>,
    /// The number of descriptors that it allows a process.
    pub descriptors: u64,
    /// Makes the script, given the open events.
    pub script: F,
}

impl<F: Fn(&SampleIds) -> Script> Simulated<F> {
    fn open(&self, tracepoints: &[&Tracepoint], cpus: &CpuList, opened: Opened<'_>) -> Result<SimulatedEngine, Error> {
        let (needed, allowed) = (descriptors_needed(tracepoints.len(), cpus.len()), self.descriptors);
        if needed > allowed {
            return Err(Error::TooFewDescriptors { needed, allowed, tracepoints: tracepoints.len(), cpus: cpus.len() });
        }
        let total = tracepoints.len() * cpus.len();
        if (0..=total).any(|open| opened(open, total).is_break()) {
            return Err(Error::Interrupted);
        }
        let mut refused = Vec::new();
        let mut slots = Vec::new();
        for tracepoint in tracepoints {
            let tpid = tracepoint.tpid;
            match self.refuses.iter().find(|(name, _)| *name == tracepoint.full_name()) {
                Some((_, reason)) => refused.push(Refusal { tpid, reason: reason.clone() }),
                None => slots.extend(cpus.as_slice().iter().map(|cpu| Slot { tpid, cpu: Some(*cpu) })),
            }
        }
        let ids = SampleIds::new(&(1_000..).map(SampleId).zip(slots).collect::<Vec<_>>());
        let attached = Attached {
            cpus: cpus.clone(),
            refused,
            weighted: tracepoints.iter().filter(|t| t.is_weighted()).map(|t| t.tpid).collect(),
            lost_known: true,
            descriptor_limit: (1024, 1024),
            ..Attached::default()
        };
        let script = (self.script)(&ids);
        Ok(SimulatedEngine { attached, ..SimulatedEngine::new(ids, script) })
    }
}

impl<F: Fn(&SampleIds) -> Script> Kernel for Simulated<F> {
    type Sampling = SimulatedEngine;
    type Counting = SimulatedEngine;

    fn online(&self) -> io::Result<CpuList> {
        Ok(self.cpus.clone())
    }

    fn table(&self) -> Result<Table, tracefs::Error> {
        Ok(self.table.clone())
    }

    fn attach(&self, request: &AttachRequest<'_>, opened: Opened<'_>) -> Result<SimulatedEngine, Error> {
        let mut engine = self.open(&request.tracepoints, &request.cpus, opened)?;
        engine.attached.ring_size = request.ring_size;
        Ok(engine)
    }

    fn count(&self, request: &CountRequest<'_>, opened: Opened<'_>) -> Result<SimulatedEngine, Error> {
        let (of_hits, weighted) = request.of_hits();
        let mut engine = self.open(&of_hits.tracepoints, &of_hits.cpus, opened)?;
        engine.attached.weighted = weighted;
        Ok(engine)
    }

    fn hit_cost(&self, _table: &Table) -> (HitCost, Option<OwnedFd>) {
        (HitCost::ELSEWHERE, None)
    }

    fn record_cost(&self, _table: &Table) -> (RecordCost, Option<OwnedFd>) {
        (RecordCost::ELSEWHERE, None)
    }
}

/// An engine that follows a [`Script`].
pub struct SimulatedEngine {
    /// The open events.
    pub ids: SampleIds,
    /// The result of attaching.
    pub attached: Attached,
    /// The script to follow.
    pub script: Script,
    /// Polls readable when a ring is filled up to its watermark. By default it always does; a test can
    /// replace it.
    pub ready: File,
    enabled: bool,
    /// When the events went on, if they are on.
    on: Option<Instant>,
    /// How long the events were on before that.
    was_on: Duration,
    /// The number of rounds and ticks so far.
    taken: usize,
    hits: Vec<u64>,
    /// The last reading with times.
    reading: SimulatedReading,
    at: Ns,
    /// The rungs of the tracepoints that were moved.
    rungs: BTreeMap<Tpid, Rung>,
    partly: Vec<Partly>,
}

impl SimulatedEngine {
    /// An engine with these open events.
    ///
    /// # Panics
    /// If there is no `/dev/null`.
    pub fn new(ids: SampleIds, script: Script) -> Self {
        let (hits, attached) = (vec![0; ids.slots().len()], Attached::default());
        let ready = File::open("/dev/null").expect("every system has /dev/null");
        SimulatedEngine {
            ids,
            attached,
            script,
            ready,
            enabled: false,
            on: None,
            was_on: Duration::ZERO,
            taken: 0,
            hits,
            reading: SimulatedReading::default(),
            at: Ns(0),
            rungs: BTreeMap::new(),
            partly: Vec::new(),
        }
    }

    fn begin_round_or_tick(&mut self) {
        if let Some(at_round) = &mut self.script.at_round {
            at_round(self.taken);
        }
        self.taken += 1;
    }
}

impl Engine for SimulatedEngine {
    fn attached(&self) -> &Attached {
        &self.attached
    }

    fn enable(&mut self) -> io::Result<()> {
        (self.enabled, self.on) = (true, Some(Instant::now()));
        Ok(())
    }

    fn disable(&mut self) -> io::Result<()> {
        assert!(self.enabled, "the events must be on to be switched off");
        self.enabled = false;
        self.was_on += self.on.take().map_or(Duration::ZERO, |on| on.elapsed());
        Ok(())
    }

    fn counters(&self) -> io::Result<Vec<Counted>> {
        assert!(!self.enabled, "the counters are read only with the events off");
        Ok(self.script.counted.clone())
    }

    fn time_on(&self) -> io::Result<Vec<(Cpu, Duration)>> {
        let time = self.was_on + self.on.map_or(Duration::ZERO, |on| on.elapsed());
        Ok(self.attached.cpus.as_slice().iter().map(|cpu| (*cpu, time)).collect())
    }

    fn detach(self) -> Detaching {
        Detaching::done()
    }
}

impl Sampling for SimulatedEngine {
    fn sample_ids(&self) -> &SampleIds {
        &self.ids
    }

    fn thread_counters(&self) -> io::Result<Vec<(SampleId, Reading)>> {
        Ok(Vec::new())
    }

    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.ready.as_fd()]
    }

    /// As [`ready`](Self::ready), its rings are always filled.
    fn fullest(&self) -> f64 {
        1.0
    }

    fn round(&mut self, chunks: &mut dyn Chunks) -> io::Result<()> {
        self.begin_round_or_tick();
        for ring in self.script.rounds.pop_front().unwrap_or_default() {
            chunks.append(ring.len(), &mut |room| room.fill(&ring))?;
        }
        chunks.finish_round()
    }

    fn hits(&mut self) -> io::Result<&[u64]> {
        for (hits, more) in self.hits.iter_mut().zip(self.script.windows.pop_front().unwrap_or_default()) {
            *hits += more;
        }
        Ok(&self.hits)
    }

    fn read_counters(&mut self, read: &mut CountersRead) -> io::Result<()> {
        if let Some(next) = self.script.readings.pop_front() {
            self.reading = next;
        }
        let (cpus, SimulatedReading { at, readings, on }) = (self.attached.cpus.as_slice(), &self.reading);
        read.begin(self.ids.slots().len());
        let last = at.last().copied().unwrap_or_default();
        read.reads = (0..cpus.len().max(1)).map(|cpu| at.get(cpu).copied().unwrap_or(last)).collect();
        for (place, slot) in self.ids.slots().iter().enumerate() {
            read.readings[place] = readings.get(place).copied().unwrap_or_default();
            read.of_read[place] = cpus.iter().position(|cpu| slot.cpu == Some(*cpu)).unwrap_or(0) as u32;
        }
        read.time_on = match on {
            Some(on) => cpus.iter().map(|cpu| (*cpu, *on)).collect(),
            None => self.time_on()?,
        };
        Ok(())
    }

    fn record_all(&mut self) -> io::Result<Vec<RungStep>> {
        Ok(Vec::new())
    }

    fn thin(&mut self, moves: &[(Tpid, u64)], steps: &mut Vec<RungStep>) -> io::Result<()> {
        let at = Clock::Monotonic.now_ns()?;
        steps.extend(moves.iter().map(|(tpid, one_in)| {
            let on_cpu = |(slot, hits): (&Slot, &u64)| {
                let step = StepOnCpu { cpu: slot.cpu?, at, before: *hits, after: *hits };
                (slot.tpid == *tpid).then_some(step)
            };
            let on = self.ids.slots().iter().zip(&self.hits).filter_map(on_cpu).collect();
            RungStep { tpid: *tpid, at, one_in: *one_in, on, earlier: Vec::new() }
        }));
        Ok(())
    }
}

impl Counting for SimulatedEngine {
    /// The times of this machine say nothing about the simulated one.
    fn cpu_times() -> Option<BTreeMap<Cpu, MachineTimes>> {
        None
    }

    /// Every window is a second long.
    fn tick(&mut self) -> io::Result<Tick<'_>> {
        self.begin_round_or_tick();
        self.hits = self.script.windows.pop_front().unwrap_or_else(|| vec![0; self.ids.slots().len()]);
        let from = self.at;
        self.at = Ns(self.at.0 + 1_000_000_000);
        // A tenth of the hits of visited tracepoints is seen, and no hit of detached ones.
        let slots = self.ids.slots();
        let mut seen = BTreeMap::<Tpid, u64>::new();
        for (slot, hits) in slots.iter().zip(&mut self.hits) {
            *hits = match self.rungs.get(&slot.tpid).unwrap_or(&Rung::Counted) {
                Rung::Counted => *hits,
                Rung::Visited => *hits / 10,
                Rung::Detached => 0,
            };
            *seen.entry(slot.tpid).or_default() += *hits;
        }
        let visits = |tpid: &Tpid| {
            let mut visits = Visits::default();
            (0..10).for_each(|_| visits.add(10_000_000, seen.get(tpid).map_or(0, |hits| hits / 10)));
            visits
        };
        let partly = |(tpid, rung): (&Tpid, &Rung)| {
            let estimated = (*rung == Rung::Visited).then(|| visits(tpid).estimate(1_000_000_000, Visits::default()));
            let watched = if *rung == Rung::Visited { 0.1 } else { 0.0 };
            (*rung != Rung::Counted).then_some(Partly { tpid: *tpid, rung: *rung, watched, estimated })
        };
        self.partly = self.rungs.iter().filter_map(partly).collect();
        Ok(Tick { from, to: self.at, late_ns: 0, slots, hits: &self.hits, partly: &self.partly, cost: None })
    }

    fn set_rung(&mut self, tpid: Tpid, rung: Rung) -> io::Result<()> {
        self.rungs.insert(tpid, rung);
        Ok(())
    }

    fn finish_moves(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn is_detaching(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn moved(&self) -> Vec<(Tpid, Rung)> {
        self.rungs.iter().map(|(tpid, rung)| (*tpid, *rung)).collect()
    }

    fn rung(&self, tpid: Tpid) -> Rung {
        self.rungs.get(&tpid).copied().unwrap_or(Rung::Counted)
    }

    fn begin_visit(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end_visit(&mut self) -> io::Result<()> {
        Ok(())
    }
}
