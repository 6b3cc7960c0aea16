//! Keeps the budget of a recording while it runs: reads the counters, moves tracepoints between rungs, and returns each move, for
//! a note among the events.

use super::thinning::{EVERY, OwnTime, Thinner};
use crate::engine::{RecordCost, Sampling};
use crate::events::thinning::Steps;
use crate::events::{RungStep, Slot, Tpid};
use crate::os::thread::cpu_time;
use crate::perf::Room;
use crate::perf_data::document;
use crate::recording::CostOfRecording;
use crate::spool::Spool;
use crate::text::json_line;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

/// The lengths of the first windows. If a recording starts under load, it is soon within its budget.
const FIRST: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(100)];

/// A shorter last window says little about the cost of a recording.
const SHORTEST: Duration = Duration::from_millis(125);

/// Keeps the budget of a recording.
pub struct RecordSteering {
    thinner: Thinner,
    slots: Vec<Slot>,
    /// The first of the weighted tracepoints, if there are some. Their counters do not show their hits.
    weighted: Option<Tpid>,
    cost: CostOfRecording,
    /// Per slot: the counters at the last reading.
    before: Vec<u64>,
    /// The number of samples at the last reading.
    samples: u64,
    /// When the last window began, and this thread's CPU time then.
    at: Instant,
    cpu: Duration,
    /// The CPU time of the moves in this window.
    moving: Duration,
    /// The sum over the windows of cost × length, in seconds; and the sum of their lengths.
    sums: (f64, f64),
}

/// The hits of each tracepoint in a window, and what the window cost.
struct WindowRead {
    length: Duration,
    own: OwnTime,
    hits: BTreeMap<Tpid, u64>,
    /// A part of the time of all CPUs.
    cost: f64,
}

impl RecordSteering {
    /// The numbers of tracepoints that are thinned, and that are detached.
    pub fn thinned_and_detached(&self) -> (u64, u64) {
        self.thinner.thinned_and_detached()
    }

    /// Whether it has detached a tracepoint.
    pub fn has_detached(&self) -> bool {
        self.cost.detached > 0
    }

    /// Steers a recording with this budget, a part of the time of all CPUs.
    pub fn new(budget: f64, cost: RecordCost, engine: &impl Sampling) -> Self {
        let attached = engine.attached();
        let slots = engine.sample_ids().slots().to_vec();
        // The kernel samples each hit of a weighted tracepoint, whatever the period.
        let tpids: BTreeSet<Tpid> = slots.iter().map(|slot| slot.tpid).collect();
        let (weighted, thinnable): (BTreeSet<_>, BTreeSet<_>) =
            tpids.into_iter().partition(|tpid| attached.weighted.contains(tpid));
        RecordSteering {
            thinner: Thinner::new(budget, attached.cpus.len(), cost, thinnable),
            weighted: weighted.first().copied(),
            before: vec![0; slots.len()],
            samples: 0,
            slots,
            cost: CostOfRecording::new(budget, cost),
            at: Instant::now(),
            cpu: Duration::ZERO,
            moving: Duration::ZERO,
            sums: (0.0, 0.0),
        }
    }

    /// Starts, just after the events went on: makes each event record every hit.
    /// `samples` is the number of samples so far. Returns the steps.
    pub fn start<E: Sampling>(&mut self, engine: &mut E, samples: u64) -> io::Result<Vec<RungStep>> {
        let steps = engine.record_all()?;
        self.before.copy_from_slice(engine.hits()?);
        self.samples = samples;
        (self.at, self.cpu) = (Instant::now(), cpu_time()?);
        Ok(steps)
    }

    /// Takes CPU time of this thread that is no cost of the recording.
    pub fn leave_out(&mut self, time: Duration) {
        self.cpu += time;
    }

    /// The time until the next reading.
    pub fn left(&self) -> Duration {
        let length = FIRST.get(self.cost.windows as usize).copied().unwrap_or(EVERY);
        length.saturating_sub(self.at.elapsed())
    }

    /// Ends a window if it is time to, and keeps the budget in the next one. `samples` is the number of samples so far. Appends
    /// the steps to `steps`, also if it fails: the file needs them.
    pub fn window<E: Sampling>(&mut self, engine: &mut E, samples: u64, steps: &mut Vec<RungStep>) -> io::Result<()> {
        if !self.left().is_zero() {
            return Ok(());
        }
        let WindowRead { length, own, hits, cost } = self.read(engine, samples)?;
        self.count(cost);
        let from = steps.len();
        let moved = engine.thin(&self.thinner.decide(&hits, length, own), steps);
        let steps = &steps[from..];
        self.cost.steps += steps.len() as u64;
        self.cost.detached += steps.iter().filter(|step| step.one_in == 0).count() as u64;
        moved?;
        self.moving = cpu_time()?.saturating_sub(self.cpu);
        Ok(())
    }

    /// The cost so far: that of a recording which ends with the last window.
    fn so_far(&self) -> CostOfRecording {
        let (sum, length) = self.sums;
        CostOfRecording { part: sum / length.max(1e-9), ..self.cost }
    }

    /// The cost so far, and the length of the windows in seconds. Its `most` is that of the windows since the last call.
    pub(super) fn mark(&mut self) -> (CostOfRecording, f64) {
        let so_far = self.so_far();
        self.cost.most = 0.0;
        (so_far, self.sums.1)
    }

    /// Reads the hits of the window, and adds up its cost. `samples` is the number of samples so far.
    fn read<E: Sampling>(&mut self, engine: &mut E, samples: u64) -> io::Result<WindowRead> {
        let cpu_before = cpu_time()?;
        let now = engine.hits()?;
        let mut hits = BTreeMap::<Tpid, u64>::new();
        for ((slot, now), before) in self.slots.iter().zip(now).zip(&self.before) {
            *hits.entry(slot.tpid).or_default() += now.saturating_sub(*before);
        }
        self.before.copy_from_slice(now);
        if let Some(first) = self.weighted {
            let attached = engine.attached();
            hits.retain(|tpid, _| !attached.weighted.contains(tpid));
            // Each hit of a weighted tracepoint is a sample. So all of them together have the samples that the others have not.
            let rest = (samples - self.samples) as f64 - self.thinner.samples_of(&hits);
            hits.insert(first, rest.max(0.0) as u64);
        }
        let (at, cpu) = (Instant::now(), cpu_time()?);
        let (length, own) = (at - self.at, cpu.saturating_sub(self.cpu));
        (self.at, self.cpu, self.samples) = (at, cpu, samples);
        let cost = self.thinner.cost_of(&hits, length, own) * self.cost.budget;
        let seconds = length.as_secs_f64();
        self.sums = (self.sums.0 + cost * seconds, self.sums.1 + seconds);
        let reading = cpu.saturating_sub(cpu_before);
        let copying = own.saturating_sub(reading).saturating_sub(std::mem::take(&mut self.moving));
        Ok(WindowRead { length, own: OwnTime { reading, copying }, hits, cost })
    }

    /// Counts a window with this cost.
    fn count(&mut self, cost: f64) {
        let is_over = cost > self.cost.budget;
        self.cost.windows += 1;
        self.cost.over += u64::from(is_over);
        self.cost.over_later += u64::from(is_over && self.cost.windows > 2);
        self.cost.most = self.cost.most.max(cost);
    }

    /// Ends the last window, and returns the cost of the recording. The events are off by now. `samples` is the number of
    /// samples in the whole recording.
    pub fn end<E: Sampling>(mut self, engine: &mut E, samples: u64) -> io::Result<CostOfRecording> {
        let WindowRead { length, cost, .. } = self.read(engine, samples)?;
        if length >= SHORTEST {
            self.count(cost);
        }
        Ok(self.so_far())
    }
}

/// Notes steps among the events.
pub(super) fn note_steps(spool: &mut Spool, steps: Vec<RungStep>) -> io::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let note = encode_steps(steps);
    spool.append(note.len(), |room| room.fill(&note))
}

/// A note of steps.
pub(super) fn encode_steps(steps: Vec<RungStep>) -> Vec<u8> {
    document(&json_line(&Steps { steps }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::simulated::{Script, SimulatedEngine};
    use crate::events::{Cpu, SampleId, SampleIds};

    fn slot(tpid: u32) -> Slot {
        Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(0)) }
    }

    /// A recording of two tracepoints with these hits in each window, started.
    fn started(windows: &[[u64; 2]], weighted: &[u32]) -> (SimulatedEngine, RecordSteering) {
        let ids = SampleIds::new(&[(SampleId(1), slot(1)), (SampleId(2), slot(2))]);
        let script = Script { windows: windows.iter().map(|hits| hits.to_vec()).collect(), ..Script::default() };
        let mut engine = SimulatedEngine::new(ids, script);
        engine.attached.cpus = "0".parse().unwrap();
        engine.attached.weighted = weighted.iter().copied().map(Tpid::new).collect();
        let mut steering = RecordSteering::new(0.5, RecordCost::ELSEWHERE, &engine);
        steering.start(&mut engine, 0).unwrap();
        (engine, steering)
    }

    /// Its cost after the first window.
    fn cost_of_first(windows: &[[u64; 2]], weighted: &[u32]) -> CostOfRecording {
        let (mut engine, mut steering) = started(windows, weighted);
        std::thread::sleep(steering.left());
        steering.window(&mut engine, 0, &mut Vec::new()).unwrap();
        steering.cost
    }

    #[test]
    fn hits_before_the_events_went_on_cost_nothing() {
        let cost = cost_of_first(&[[1 << 40, 1 << 40], [10, 10]], &[]);
        assert!(cost.windows == 1 && cost.over == 0 && cost.steps == 0, "{cost:?}");
        let cost = cost_of_first(&[[0, 0], [1 << 40, 10]], &[]);
        assert!(cost.windows == 1 && cost.over == 1 && cost.steps == 1, "{cost:?}");
    }

    #[test]
    fn the_counter_of_a_weighted_tracepoint_costs_nothing() {
        let cost = cost_of_first(&[[0, 0], [1 << 40, 10]], &[1]);
        assert!(cost.windows == 1 && cost.over == 0 && cost.steps == 0, "{cost:?}");
    }

    #[test]
    fn a_recording_of_less_than_half_a_window_is_not_judged() {
        let (mut engine, mut steering) = started(&[[0, 0], [1 << 40, 0]], &[]);
        // However slow this machine is, the window has no length.
        steering.at += Duration::from_secs(3_600);
        let cost = steering.end(&mut engine, 0).unwrap();
        assert!(cost.windows == 0 && cost.over == 0 && cost.most == 0.0, "{cost:?}");
    }
}
