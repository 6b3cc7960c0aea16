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
mod repeated;
mod run;
mod steering;
mod summary;
mod totals;
mod visit_times;

pub use budget::{Budget, RungChange, SeenHits, VISITS_PER_SECOND, WindowCost};
pub use formats::{EachWindow, csv, csv_repeated, csv_window, csv_windows_head, json, json_window};
pub use repeated::{CONFIDENCE, Mean, MeanRow, OneRun, RepeatedCount};
pub use run::{CountRun, run};
pub use steering::CountCost;
pub use summary::{CostSummary, CountRow, CountSummary, CpuHits, EstimatedHits, NotCounted};
pub use totals::{PartlyTotal, TotalHits, Totals};

use crate::capture::{Choice, Chosen, Error};
use crate::control::{CommandLine, Launch, Progress, Running, Signals, Streams};
use crate::engine::{Attached, Counting, Detaching, HitCost, Kernel, is_hit_by_visits};
use crate::events::{Sink, Tpid};
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
    /// Stop after this time.
    pub duration: Option<Duration>,
    /// The part of the time of all CPUs that counting may take, between 0 and 1. `None` counts each hit, whatever it
    /// costs.
    pub budget: Option<f64>,
    /// Whether to measure the cost of a hit before the start. A budget needs it.
    pub measure_cost: bool,
    /// The COMMAND to run. Counting stops when it ends.
    pub command: Option<CommandLine>,
}

impl CountOptions {
    /// Counts each hit in windows of this length, until somebody stops it.
    pub fn of(choice: Choice, every: Duration) -> Self {
        CountOptions { choice, every, duration: None, budget: None, measure_cost: false, command: None }
    }
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
        let mut chosen = Chosen::of(kernel, &options.choice)?;
        let cost = options.measure_cost.then(|| kernel.hit_cost(&chosen.table));
        let (engine, attach) = chosen.count(kernel, &options.choice, signals, progress)?;
        // Others are attached to its tracepoint now, so closing it takes no time.
        let hit_cost = cost.map(|(hit_cost, event)| {
            drop(event);
            hit_cost
        });
        privileges::keep_opening(options.budget.is_some());
        privileges::give_up(options.command.as_ref().map_or(Starts::Nothing, CommandLine::rights))?;
        let Chosen { table, mut selection, .. } = chosen;
        engine.attached().weighted.iter().for_each(|tpid| selection.exclude(*tpid, Exclusion::NotCounted));
        Ok(Counters { engine, table, selection, attach, hit_cost })
    }

    /// The result of attaching.
    pub fn attached(&self) -> &Attached {
        self.engine.attached()
    }

    /// Counts until the first of these: the duration is over, COMMAND ends, or the user asks to stop. Once started,
    /// COMMAND is in `running`, even if this fails. With `is_last`, COMMAND cannot be started again.
    ///
    /// # Errors
    /// If the events could not be switched on or off, or if COMMAND could not be started. If the counters cannot be
    /// read, the run ends ([`CountRun::problem`]).
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &mut self,
        kernel: &impl Kernel,
        options: &CountOptions,
        is_last: bool,
        streams: Streams<'_>,
        sinks: &mut [&mut dyn Sink],
        running: &mut Option<Running>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<CountRun, Error> {
        let nofile_limit = self.attached().descriptor_limit;
        let launch = |line| Launch { line, nofile_limit, streams, is_last };
        let command = options.command.as_ref().map(launch);
        let tracepoints = self.table.tracepoints().iter().filter(|tracepoint| is_hit_by_visits(tracepoint));
        let disturbed: Vec<Tpid> = tracepoints.map(|tracepoint| tracepoint.tpid).collect();
        run::run(
            &mut self.engine,
            kernel,
            options,
            self.hit_cost,
            &disturbed,
            command,
            sinks,
            running,
            signals,
            progress,
        )
    }

    /// Detaches in the background.
    pub fn detach(self) -> Detaching {
        self.engine.detach()
    }
}
