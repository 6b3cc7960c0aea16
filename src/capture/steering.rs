//! Keeps the budget of a recording while it runs: reads the counters, moves tracepoints between rungs, and notes each move
//! among the events.

use super::thinning::{OwnTime, Thinner};
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

/// The time between two readings of the counters.
const EVERY: Duration = Duration::from_millis(250);

/// Keeps the budget of a recording.
pub struct RecordSteering {
    thinner: Thinner,
    slots: Vec<Slot>,
    cost: CostOfRecording,
    /// Per slot: the counters at the last reading.
    before: Vec<u64>,
    /// When the last window began, and this thread's CPU time then.
    at: Instant,
    cpu: Duration,
    /// The CPU time of the changes in this window.
    changing: Duration,
    /// The sum over the windows of cost × length, in seconds; and the sum of their lengths.
    sums: (f64, f64),
}

impl RecordSteering {
    /// Steers a recording with this budget, a part of the time of all CPUs.
    pub fn new(budget: f64, cost: RecordCost, engine: &impl Sampling) -> Self {
        let attached = engine.attached();
        let slots = engine.sample_ids().slots().to_vec();
        // The kernel samples each hit of a weighted tracepoint, whatever the period.
        let tpids: BTreeSet<Tpid> = slots.iter().map(|slot| slot.tpid).collect();
        let thinnable = tpids.into_iter().filter(|tpid| !attached.weighted.contains(tpid));
        RecordSteering {
            thinner: Thinner::new(budget, attached.cpus.len(), cost, thinnable),
            before: vec![0; slots.len()],
            slots,
            cost: CostOfRecording { budget, hit: cost, part: 0.0, most: 0.0, windows: 0, over: 0, steps: 0 },
            at: Instant::now(),
            cpu: Duration::ZERO,
            changing: Duration::ZERO,
            sums: (0.0, 0.0),
        }
    }

    /// Begins, just after the events went on: makes each event record every hit.
    pub fn begin<E: Sampling>(&mut self, engine: &mut E, spool: &mut Spool) -> io::Result<()> {
        note(spool, engine.record_all()?)?;
        (self.at, self.cpu) = (Instant::now(), cpu_time()?);
        Ok(())
    }

    /// The time until the next reading.
    pub fn left(&self) -> Duration {
        EVERY.saturating_sub(self.at.elapsed())
    }

    /// Ends a window if it is time to, and keeps the budget in the next one.
    pub fn window<E: Sampling>(&mut self, engine: &mut E, spool: &mut Spool) -> io::Result<()> {
        if !self.left().is_zero() {
            return Ok(());
        }
        let (window, own, hits) = self.read(engine)?;
        let mut steps = Vec::new();
        for (tpid, one_in) in self.thinner.decide(&hits, window, own) {
            steps.push(engine.thin(tpid, one_in)?);
        }
        if steps.iter().any(|step| step.one_in == 0) {
            engine.finish_moves()?;
        }
        self.cost.steps += steps.len() as u64;
        note(spool, steps)?;
        self.changing = cpu_time()?.saturating_sub(self.cpu);
        Ok(())
    }

    /// Reads the hits of the window, and adds up its cost.
    fn read<E: Sampling>(&mut self, engine: &mut E) -> io::Result<(Duration, OwnTime, BTreeMap<Tpid, u64>)> {
        let cpu_before = cpu_time()?;
        let now = engine.hits()?;
        let mut hits = BTreeMap::<Tpid, u64>::new();
        for ((slot, now), before) in self.slots.iter().zip(now).zip(&self.before) {
            *hits.entry(slot.tpid).or_default() += now.saturating_sub(*before);
        }
        self.before.copy_from_slice(now);
        let (at, cpu) = (Instant::now(), cpu_time()?);
        let (window, own) = (at - self.at, cpu.saturating_sub(self.cpu));
        (self.at, self.cpu) = (at, cpu);
        let cost = self.thinner.cost_of(&hits, window, own) * self.cost.budget;
        let seconds = window.as_secs_f64();
        self.sums = (self.sums.0 + cost * seconds, self.sums.1 + seconds);
        self.cost.windows += 1;
        self.cost.over += u64::from(cost > self.cost.budget);
        self.cost.most = self.cost.most.max(cost);
        let reading = cpu.saturating_sub(cpu_before);
        let copying = own.saturating_sub(reading).saturating_sub(std::mem::take(&mut self.changing));
        Ok((window, OwnTime { reading, copying }, hits))
    }

    /// Ends the last window. The events are off. Returns the cost of the recording.
    pub fn end<E: Sampling>(mut self, engine: &mut E) -> io::Result<CostOfRecording> {
        self.read(engine)?;
        let (sum, length) = self.sums;
        Ok(CostOfRecording { part: sum / length.max(1e-9), ..self.cost })
    }
}

/// Notes steps among the events.
fn note(spool: &mut Spool, steps: Vec<RungStep>) -> io::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let note = document(&json_line(&Steps { steps }));
    spool.append(note.len(), |room| room.fill(&note))
}
