//! Counts hits, without rings and without samples.
//!
//! ```text
//!   attach, off ── run ─────────────────────────────── (run again) ── detach, in the background
//!                  on, window, window, …, window, off
//! ```
//!
//! A run ends its windows on time, and sends a tick per window to sinks. [`Totals`] adds the ticks up, and a
//! [`CountSummary`] has everything that a run found.

mod budget;
mod formats;
mod observer;
mod repeated;
mod run;
mod steering;
mod summary;
mod totals;
mod visit_times;

pub use formats::{EachWindow, csv, csv_repeated, csv_window, csv_windows_head, json, json_window};
pub use repeated::{CONFIDENCE, Mean, MeanRow, OneRun, RepeatedCount};
pub use run::{Beside, CountRun, NoBeside, RunWith, run};
pub use steering::CountCost;
pub use summary::{CostSummary, CountRow, CountSummary, CpuHits, EstimatedHits, NotCounted};
pub use totals::{PartlyTotal, TotalHits, Totals};

use crate::capture::{Choice, Chosen, Error};
use crate::control::{CommandLine, Launch, Progress, Signals, Streams};
use crate::engine::{Attached, Counting, Detaching, HitCost, Kernel, is_hit_by_visits};
use crate::events::Tpid;
use crate::os::privileges::{self, Starts};
use crate::tracefs::{Exclusion, Selection, Table};
use std::time::Duration;

/// The length of a window, unless the user sets it.
pub const USUAL_WINDOW: Duration = Duration::from_secs(1);

/// The validated options of counting.
#[derive(Debug, Clone)]
pub struct CountOptions {
    /// The tracepoints and CPUs.
    pub choice: Choice,
    /// The length of a window.
    pub every: Duration,
    /// The length of the first window, if it differs.
    pub first: Option<Duration>,
    /// Stop after this time.
    pub duration: Option<Duration>,
    /// The part of the time of all CPUs that counting may take, between 0 and 1. `None` counts each hit, whatever it
    /// costs.
    pub budget: Option<f64>,
    /// Whether to measure the cost of a hit before the start. A budget needs it.
    pub measure_cost: bool,
    /// Whether events will be opened while counting, in addition to those of tracepoints that move between rungs.
    pub opens_later: bool,
    /// The COMMAND to run. Counting stops when it ends.
    pub command: Option<CommandLine>,
}

impl CountOptions {
    /// Counts each hit in windows of this length, until somebody stops it.
    pub fn of(choice: Choice, every: Duration) -> Self {
        CountOptions {
            choice,
            every,
            first: None,
            duration: None,
            budget: None,
            measure_cost: false,
            opens_later: false,
            command: None,
        }
    }
}

/// The tracepoints that visits hit themselves, so visits cannot estimate their hits.
pub fn hit_by_visits(table: &Table) -> Vec<Tpid> {
    let tracepoints = table.tracepoints().iter().filter(|tracepoint| is_hit_by_visits(tracepoint));
    tracepoints.map(|tracepoint| tracepoint.tpid).collect()
}

/// Tracepoints that are attached for counting, and off.
#[derive(Debug)]
pub struct Counters<E> {
    engine: E,
    /// All tracepoints of the kernel.
    pub table: Table,
    /// The choice of tracepoints.
    pub selection: Selection,
    /// The time that attaching took.
    pub attach: Duration,
    /// The cost of a hit, if it was measured.
    hit_cost: Option<HitCost>,
}

impl<E: Counting> Counters<E> {
    /// Attaches, and gives up all rights that only attaching needs.
    ///
    /// # Errors
    /// If the tracepoints cannot be listed, chosen or opened, or if the rights cannot be given up.
    pub fn attach<K: Kernel<Counting = E>>(
        kernel: &K,
        options: &CountOptions,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Self, Error> {
        let chosen = Chosen::of(kernel, &options.choice)?;
        let cost = options.measure_cost.then(|| kernel.hit_cost(&chosen.table));
        let mut counters = Self::of_chosen(kernel, chosen, options, signals, progress)?;
        // Others are attached to its tracepoint now, so closing it takes no time.
        counters.hit_cost = cost.map(|(hit_cost, event)| {
            drop(event);
            hit_cost
        });
        privileges::keep_opening(options.budget.is_some() || options.opens_later);
        privileges::give_up(options.command.as_ref().map_or(Starts::Nothing, CommandLine::rights))?;
        Ok(counters)
    }

    fn of_chosen<K: Kernel<Counting = E>>(
        kernel: &K,
        mut chosen: Chosen,
        options: &CountOptions,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Self, Error> {
        let (engine, attach) = chosen.count(kernel, &options.choice, options.budget.is_some(), signals, progress)?;
        let Chosen { table, mut selection, .. } = chosen;
        engine.attached().weighted.iter().for_each(|tpid| selection.exclude(*tpid, Exclusion::NotCounted));
        Ok(Counters { engine, table, selection, attach, hit_cost: None })
    }

    /// Detaches in the background, and attaches again: to the CPUs that are online now, and without reading tracefs, for which the
    /// rights may be gone.
    ///
    /// # Errors
    /// As [`attach`](Self::attach). The detach goes on even then.
    pub fn attach_again<K: Kernel<Counting = E>>(
        self,
        kernel: &K,
        options: &CountOptions,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> (Detaching, Result<Self, Error>) {
        let Counters { engine, table, hit_cost, .. } = self;
        let detaching = engine.detach();
        let chosen = Chosen::again(kernel, table, &options.choice);
        let again = chosen.and_then(|chosen| Self::of_chosen(kernel, chosen, options, signals, progress));
        (detaching, again.map(|counters| Counters { hit_cost, ..counters }))
    }

    /// The result of attaching.
    pub fn attached(&self) -> &Attached {
        self.engine.attached()
    }

    /// How to start the COMMAND of these options. With `is_last`, no program can be started after it.
    pub fn launch<'a>(&self, options: &'a CountOptions, streams: Streams<'a>, is_last: bool) -> Option<Launch<'a>> {
        let nofile_limit = self.attached().descriptor_limit;
        options.command.as_ref().map(|line| Launch { line, nofile_limit, streams, is_last })
    }

    /// Counts until the first of these: the duration is over, COMMAND ends, or the user asks to stop.
    ///
    /// # Errors
    /// If the events could not be switched on or off, or if COMMAND could not be started. If the counters cannot be
    /// read, the run ends ([`CountRun::problem`]).
    pub fn run(
        &mut self,
        kernel: &impl Kernel,
        options: &CountOptions,
        with: RunWith<'_, '_>,
    ) -> Result<CountRun, Error> {
        let hit_by_visits = hit_by_visits(&self.table);
        let cost = self.hit_cost.map(|cost| (cost, hit_by_visits.as_slice()));
        run::run(&mut self.engine, kernel, options, cost, with)
    }

    /// Detaches in the background.
    pub fn detach(self) -> Detaching {
        self.engine.detach()
    }
}
