//! The attachments of a measurement: one for each way, all with the same tracepoints and CPUs.
//!
//! An event that is off is not in the kernel's list of its tracepoint (`perf_trace_add` puts it there when it goes
//! on). So the attachments of the other ways do not slow down the way that is measured, and several attachments
//! that are off cost the same as one: the call from the tracepoint into perf.

use super::measurement::WatchedHits;
use super::{MeasureOptions, Way};
use crate::capture::{self, AttachOptions, Chosen, Error, RecordSteering, RunTask, StopRules};
use crate::control::{Launch, Progress, Running, Signals};
use crate::counting::{self, CountOptions, NoBeside, RunWith, Totals, USUAL_WINDOW, hit_by_visits};
use crate::engine::{Attached, Counting, Detaching, Engine, HitCost, Kernel, RecordCost, Sampling};
use crate::events::{Counted, Rung, Sink, Tpid};
use crate::recording::StopReason;
use crate::spool::Spool;
use std::io;
use std::time::Duration;

/// All ways, attached and off.
pub(super) struct Attachments<K: Kernel> {
    of_ways: Vec<(Way, Attachment<K>)>,
    /// The time that attaching took.
    pub took: Duration,
}

/// A way, attached and off.
enum Attachment<K: Kernel> {
    Rings {
        engine: K::Sampling,
        so_far: SoFar,
        /// The budget, and the cost of a hit.
        budget: Option<(f64, RecordCost)>,
    },
    Counters {
        engine: Box<K::Counting>,
        options: Box<CountOptions>,
        /// The cost of a hit, and the tracepoints that visits hit themselves.
        cost: (HitCost, Vec<Tpid>),
    },
}

/// What the runs of a way that records have done so far.
#[derive(Clone, Copy)]
struct SoFar {
    /// The hits that the kernel counted.
    hits: u64,
    /// The events lost. `None` if the kernel does not report losses.
    lost: Option<u64>,
    /// The number of tracepoints that the budget has detached.
    detached: u64,
}

/// How a run with the events of one way on ended.
pub(super) struct WatchedRun {
    pub stop_reason: StopReason,
    pub hits: WatchedHits,
    /// The error that ended the run, if there was one.
    pub problem: Option<io::Error>,
}

impl<K: Kernel> Attachments<K> {
    /// Attaches.
    pub fn attach(
        kernel: &K,
        chosen: &mut Chosen,
        options: &MeasureOptions,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Self, Error> {
        let choice = &options.attach.choice;
        let mut attachments = Attachments { of_ways: Vec::new(), took: Duration::ZERO };
        // Before anything else is attached, which would change the cost.
        let (cost, event) = kernel.hit_cost(&chosen.table);
        let record_cost = options.ways.contains(&Way::RecordBudget).then(|| kernel.record_cost(&chosen.table));
        for way in &options.ways {
            let (attachment, took) = match way {
                Way::Record | Way::RecordBudget => {
                    let budget = (*way == Way::RecordBudget).then_some(options.budget);
                    let attach = AttachOptions { budget, ..options.attach.clone() };
                    let (engine, took) = chosen.attach(kernel, &attach, None, signals, progress)?;
                    let budget = budget.zip(record_cost.as_ref().map(|(cost, _)| *cost));
                    let so_far = SoFar { hits: 0, lost: Some(0), detached: 0 };
                    (Attachment::Rings { engine, so_far, budget }, took)
                }
                Way::Count | Way::Budget => {
                    let budget = (*way == Way::Budget).then_some(options.budget);
                    let (engine, took) = chosen.count(kernel, choice, budget.is_some(), signals, progress)?;
                    let options = Box::new(CountOptions { budget, ..CountOptions::of(choice.clone(), USUAL_WINDOW) });
                    let cost = (cost, hit_by_visits(&chosen.table));
                    (Attachment::Counters { engine: Box::new(engine), options, cost }, took)
                }
            };
            attachments.of_ways.push((*way, attachment));
            attachments.took += took;
        }
        // Other events are attached to the measured tracepoint now, so closing the measuring events takes no time.
        drop((event, record_cost));
        Ok(attachments)
    }

    /// The result of attaching, for each way.
    pub fn attached(&self) -> impl Iterator<Item = &Attached> {
        self.of_ways.iter().map(|(_, attachment)| match attachment {
            Attachment::Rings { engine, .. } => engine.attached(),
            Attachment::Counters { engine, .. } => engine.attached(),
        })
    }

    /// The limit of descriptors `(soft, hard)` before the first way raised it.
    pub fn nofile_limit(&self) -> (u64, u64) {
        self.attached().next().map_or((0, 0), |attached| attached.descriptor_limit)
    }

    /// Runs COMMAND with the events of this way on. A way that records needs a spool.
    pub fn run(
        &mut self,
        way: Way,
        kernel: &K,
        launch: Launch<'_>,
        spool: Option<&mut Spool>,
        running: &mut Option<Running>,
        signals: &mut Signals,
    ) -> Result<WatchedRun, Error> {
        let (_, attachment) =
            self.of_ways.iter_mut().find(|(of, _)| *of == way).expect("all ways of a measurement are attached");
        match attachment {
            Attachment::Rings { engine, so_far, budget } => {
                let spool = spool.expect("a measurement that records has spools");
                let steering = budget.map(|(budget, cost)| RecordSteering::new(budget, cost, engine));
                record(engine, so_far, steering, launch, spool, running, signals)
            }
            Attachment::Counters { engine, options, cost: (cost, hit_by_visits) } => {
                let mut totals = Totals::default();
                let sinks: &mut [&mut dyn Sink] = &mut [&mut totals];
                let command = Some(launch);
                let with = RunWith { command, sinks, running, signals, progress: &mut (), beside: &mut NoBeside };
                let run = counting::run(engine.as_mut(), kernel, options, Some((*cost, hit_by_visits)), with)?;
                let hits = WatchedHits {
                    events: totals.with_estimates().hits.round() as u64,
                    lost: Some(0),
                    detached: engine.moved().iter().filter(|(_, rung)| *rung == Rung::Detached).count() as u64,
                    own_cpu: run.own_cpu,
                };
                Ok(WatchedRun { stop_reason: run.stop_reason, hits, problem: run.problem })
            }
        }
    }

    /// Detaches in the background, with one child process for each way.
    pub fn detach(self) -> Vec<Detaching> {
        let detach = |attachment| match attachment {
            Attachment::Rings { engine, .. } => Engine::detach(engine),
            Attachment::Counters { engine, .. } => Engine::detach(*engine),
        };
        self.of_ways.into_iter().map(|(_, attachment)| detach(attachment)).collect()
    }
}

/// Runs COMMAND as a capture does.
fn record<E: Sampling>(
    engine: &mut E,
    so_far: &mut SoFar,
    steering: Option<RecordSteering>,
    launch: Launch<'_>,
    spool: &mut Spool,
    running: &mut Option<Running>,
    signals: &mut Signals,
) -> Result<WatchedRun, Error> {
    // Drawing a progress bar would add to the measured time.
    let is_thinned = steering.is_some();
    let task = RunTask { rules: &StopRules::default(), command: Some(launch), chosen: None, steering };
    let run = capture::run(engine, task, running, spool, signals, &mut ())?;
    let before = *so_far;
    let detached = before.detached + run.cost.map_or(0, |cost| cost.detached);
    *so_far = SoFar { hits: hits(&run.counted), lost: lost(&run.counted), detached };
    let lost = so_far.lost.zip(before.lost).map(|(now, before)| now.saturating_sub(before));
    let hits = WatchedHits {
        events: match is_thinned {
            // Not every hit becomes a sample.
            true => so_far.hits.saturating_sub(before.hits),
            false => spool.samples() + lost.unwrap_or(0),
        },
        lost,
        detached,
        // Runs with the events off include the time to start COMMAND too, so it is not overhead.
        own_cpu: run.own_cpu.saturating_sub(run.starting_cpu),
    };
    Ok(WatchedRun { stop_reason: run.stop_reason, hits, problem: run.problem })
}

/// The hits that were counted since the events were opened.
fn hits(counted: &[Counted]) -> u64 {
    counted.iter().filter(|counted| !counted.weighted).map(|counted| counted.count.value).sum()
}

/// The events lost since they were opened. `None` if the kernel does not report losses.
fn lost(counted: &[Counted]) -> Option<u64> {
    counted.iter().map(|counted| counted.lost_known.then_some(counted.count.lost)).sum()
}
