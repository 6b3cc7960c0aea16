//! Measures how much each way of watching slows down a COMMAND. COMMAND runs in rounds. Each round has one run of
//! each arm: with nothing attached (if asked for), with the events attached and off, and with those of each way on.
//!
//! ```text
//!   attach all ways, off ── warm-up ── round 1 ─────────── round 2 ─────────── …  ── detach, in the background
//!                                      off, count, record  record, off, count
//! ```
//!
//! Between these runs, only the group leaders are switched, so the figures exclude attaching and detaching. All
//! arms but the one with nothing attached have the same attachments, so only the events that are on differ.
//! The module `schedule` shows where runs with nothing attached come.

mod arms;
mod attachments;
mod comparison;
mod estimate;
mod figures;
mod formats;
mod measurement;
mod output;
mod runs;
mod schedule;
mod words;

pub use arms::{Arm, Way};
pub use comparison::{Comparison, RunTimes, Times};
pub use estimate::{Claim, Estimate, FEWEST_PAIRS, confidence};
pub(crate) use figures::ArmComparison;
pub use figures::{Cost, Figures, WayFigures};
pub use formats::{write_json, write_markdown};
pub use measurement::{MeasuredRun, Overhead, SCHEMA, WatchedHits};
pub use output::CommandOutput;
pub(crate) use words::{findings, interval, percent, rows, what_was_run};

use crate::capture::{self, AttachOptions, Chosen};
use crate::control::{CommandLine, Progress, Running, Signals};
use crate::engine::{Detaching, Kernel, expected_detach, held_by_others};
use crate::os::machine::{hostname, kernel_release};
use crate::os::privileges::{self, Starts};
use crate::recording::Tool;
use crate::units::{Plural, Seconds};
use attachments::Attachments;
use runs::Runs;
use schedule::{MeasureStep, schedule};
use std::io;
use std::time::SystemTime;

/// The validated options of a measurement.
#[derive(Debug, Clone)]
pub struct MeasureOptions {
    /// The ways to measure, each once.
    pub ways: Vec<Way>,
    /// Whether to measure COMMAND with nothing attached too.
    pub nothing_attached: bool,
    /// What to watch. Ways that do not record ignore the rings.
    pub attach: AttachOptions,
    /// Whether to compress recorded events, as `tp-perf --compress` does.
    pub compress: bool,
    /// The budget of [`Way::Budget`] and [`Way::RecordBudget`], as a part of the time of all CPUs.
    pub budget: f64,
    /// The program to run and measure.
    pub command: CommandLine,
    /// A program to run before each run of COMMAND.
    pub prepare: Option<CommandLine>,
    /// The number of rounds.
    pub rounds: usize,
    /// The number of uncounted runs before the rounds, and after each wait for a detach.
    pub warmup: usize,
    /// Whether to show COMMAND's output.
    pub show_output: bool,
    /// Whether to continue if COMMAND fails.
    pub ignore_failure: bool,
}

impl MeasureOptions {
    /// The arms of each round.
    fn arms(&self) -> Vec<Arm> {
        let nothing = self.nothing_attached.then_some(Arm::Nothing);
        nothing.into_iter().chain([Arm::Off]).chain(self.ways.iter().copied().map(Arm::On)).collect()
    }
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Capturing failed.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// There is no place for COMMAND's output.
    #[error("failed to make a temporary file in `{folder}`: {cause}")]
    Scratch {
        /// The folder.
        folder: String,
        /// The cause.
        cause: io::Error,
    },
    /// The recorded events could not be stored.
    #[error("failed to store the events of run {run} of {of}: {cause}")]
    Keeping {
        /// The number of the run, starting at 1.
        run: usize,
        /// The number of all runs.
        of: usize,
        /// The cause.
        cause: io::Error,
    },
    /// The counters could not be read.
    #[error("failed to read the counters in run {run} of {of}: {cause}")]
    Reading {
        /// The number of the run, starting at 1.
        run: usize,
        /// The number of all runs.
        of: usize,
        /// The cause.
        cause: io::Error,
    },
    /// COMMAND or its `--prepare` program failed.
    #[error("{what} exited with code {code} in run {run} of {of} ({kind})")]
    Failed {
        /// The program: `COMMAND` or `--prepare`.
        what: &'static str,
        /// Whether it was COMMAND.
        is_command: bool,
        /// Its exit code.
        code: i32,
        /// The number of the run, starting at 1.
        run: usize,
        /// The number of all runs, including the warm-up.
        of: usize,
        /// `warm-up`, or the name of the arm.
        kind: &'static str,
        /// The end of its output.
        output: Vec<u8>,
    },
}

/// The outcome of a measurement.
#[derive(Debug)]
pub struct Measured {
    /// The runs. If the user stopped the measurement, there are fewer than asked for.
    pub result: Result<Overhead, Error>,
    /// The detaches that continue in the background: one for each way, all of the same tracepoints.
    pub detaching: Vec<Detaching>,
}

/// Measures the overhead. On return, `running` has COMMAND if it may still be running.
///
/// # Errors
/// Fails if something goes wrong before everything is attached. Later errors are in [`Measured::result`].
pub fn measure<K: Kernel>(
    kernel: &K,
    options: &MeasureOptions,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Measured, Error> {
    let mut chosen = Chosen::of(kernel, &options.attach.choice)?;
    privileges::keep_opening(options.ways.contains(&Way::Budget));
    let output = CommandOutput::new(options.show_output)?;
    // Check before attaching that temporary files can be made.
    drop(capture::scratch_file()?);
    let steps = schedule(&options.arms(), options.rounds, options.warmup, &mut fastrand::Rng::new());
    let attached_by_others = if options.nothing_attached { held_by_others() } else { Vec::new() };
    let attachments = Attachments::attach(kernel, &mut chosen, options, signals, progress)?;
    let mut overhead = conditions(options, &chosen, &attachments, attached_by_others);
    note_waits(&overhead, &steps, progress);

    let is_run = |step: &&MeasureStep| matches!(step, MeasureStep::WarmUp | MeasureStep::Run { .. });
    let mut runs = Runs {
        kernel,
        options,
        chosen: &mut chosen,
        rings: overhead.ring_size * overhead.cpus.len(),
        // Later attachments find the limit that the first one has raised.
        nofile_limit: attachments.nofile_limit(),
        attachments: Some(attachments),
        detaching: Vec::new(),
        waits: Vec::new(),
        output,
        running,
        signals,
        progress,
        done: 0,
        of: steps.iter().filter(is_run).count(),
    };
    let result = runs.all(&steps, &mut overhead.runs);
    runs.progress.phase_ends();
    privileges::keep_opening(false);
    let given_up = privileges::give_up(Starts::Nothing).map_err(capture::Error::from);
    let detaching = match runs.attachments {
        Some(attachments) => attachments.detach(),
        None => runs.detaching,
    };
    overhead.detach = runs.waits.last().copied();
    overhead.detach_waits = runs.waits;
    let result = result.and_then(|()| Ok(given_up.map(|()| overhead)?));
    Ok(Measured { result, detaching })
}

/// A measurement that has no runs yet.
fn conditions<K: Kernel>(
    options: &MeasureOptions,
    chosen: &Chosen,
    attachments: &Attachments<K>,
    attached_by_others: Vec<i32>,
) -> Overhead {
    let first = attachments.attached().next().expect("there is a way to measure");
    let records = options.ways.iter().any(|way| !way.counts());
    let not_counted = if options.ways.iter().any(|way| way.counts()) { first.weighted.len() } else { 0 };
    let (captured, _, refused) = chosen.selection.counts(&chosen.table);
    let tracepoints = if records { captured } else { captured - not_counted };
    Overhead {
        schema: SCHEMA,
        tool: Tool::this(),
        kernel: kernel_release(),
        hostname: hostname(),
        command: options.command.words(),
        prepare: options.prepare.as_ref().and_then(|prepare| prepare.words().pop()),
        cpus: first.cpus.as_slice().to_vec(),
        arms: options.arms(),
        tracepoints,
        not_counted,
        refused,
        ring_size: attachments.attached().map(|attached| attached.ring_size).max().unwrap_or(0),
        clock: options.attach.clock.to_string(),
        self_excluded: options.attach.choice.excludes_self(),
        compress: options.compress,
        started: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        pid: std::process::id(),
        rounds_asked: options.rounds,
        warmup: options.warmup,
        attach: attachments.took,
        detach_expected: expected_detach(tracepoints),
        detach: None,
        detach_waits: Vec::new(),
        attached_by_others,
        runs: Vec::new(),
    }
}

/// Notes how long runs with nothing attached will wait, and who disturbs them.
fn note_waits(overhead: &Overhead, steps: &[MeasureStep], progress: &mut dyn Progress) {
    let waits = steps.iter().filter(|step| **step == MeasureStep::Detach).count();
    if waits > 0 {
        let (waits, each) = (Plural(waits as u64, "time"), Seconds(overhead.detach_expected));
        progress.note(&format!("the runs with nothing attached wait for the detach {waits}, about {each} each"));
    }
    if let Some(others) = words::others(overhead) {
        progress.note(&format!("{others}; stop it, or wait until it has detached, and measure again"));
    }
}
