//! What capturing costs a COMMAND: runs with and without it, side by side.
//!
//! ```text
//!   attach once, off ── warm-up ── pair 1 ──────── pair 2 ──────── …  ── detach, in the background
//!                                  off, on         on, off               in each pair in random order
//! ```
//!
//! Only the leaders are switched between runs, so that neither attaching nor detaching is in the figures. The runs without
//! are those of a machine whose tracepoints are attached to and off, which costs them a little too.

mod estimate;
mod figures;
mod formats;
mod order;
mod output;
mod runs;
mod words;

pub use estimate::{Claim, Estimate, FEWEST_PAIRS, confidence};
pub use figures::{CapturedEvents, Comparison, Cost, Figures, MeasuredRun, Overhead, RunTimes};
pub use formats::{write_json, write_markdown};
pub use output::CommandOutput;
pub(crate) use words::{findings, interval, percent, rows, what_was_run};

use crate::capture::{self, AttachOptions, Chosen};
use crate::control::{CommandLine, Progress, Running, Signals};
use crate::engine::{Detaching, Engine, Kernel};
use crate::os::machine::{hostname, kernel_release};
use crate::recording::Tool;
use runs::{AllRuns, Runs};
use std::io;
use std::time::{Duration, SystemTime};

/// A measurement, validated.
#[derive(Debug, Clone)]
pub struct MeasureOptions {
    /// What is captured.
    pub attach: AttachOptions,
    /// Compress what is captured, as `tp-perf --compress` does.
    pub compress: bool,
    /// What to run.
    pub command: CommandLine,
    /// What to run before each run of it.
    pub prepare: Option<CommandLine>,
    /// Pairs of runs.
    pub pairs: usize,
    /// Runs before them that do not count.
    pub warmup: usize,
    /// Show COMMAND's output.
    pub show_output: bool,
    /// Measure a COMMAND that fails, too.
    pub ignore_failure: bool,
}

impl MeasureOptions {
    /// Runs of COMMAND in all, those that warm up included.
    fn runs(&self) -> usize {
        self.warmup + 2 * self.pairs
    }
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// As a capture would.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// There is no file for what COMMAND says.
    #[error("failed to make a temporary file in `{folder}`: {cause}")]
    Scratch {
        /// Where.
        folder: String,
        /// Why not.
        cause: io::Error,
    },
    /// What was captured could not be kept.
    #[error("failed to keep what was captured in run {run} of {of}: {cause}")]
    Keeping {
        /// Which run.
        run: usize,
        /// Of how many.
        of: usize,
        /// Why not.
        cause: io::Error,
    },
    /// COMMAND failed, or what prepares it.
    #[error("{what} ended with code {code} in run {run} of {of} ({kind})")]
    Failed {
        /// As the user knows it.
        what: &'static str,
        /// Whether it was COMMAND.
        is_command: bool,
        /// Its exit code.
        code: i32,
        /// Which run.
        run: usize,
        /// Of how many, those that warm up included.
        of: usize,
        /// `warm-up`, `capturing` or `not capturing`.
        kind: &'static str,
        /// What it has said, or the end of that.
        output: Vec<u8>,
    },
}

/// What came of a measurement.
#[derive(Debug)]
pub struct Measured {
    /// The runs; if the user stopped it, fewer than were asked for.
    pub result: Result<Overhead, Error>,
    /// The detach, which goes on.
    pub detaching: Detaching,
}

/// Measures. COMMAND is in `running` if it may still go on when this returns.
///
/// # Errors
/// What fails before anything is attached; the rest is in [`Measured::result`].
pub fn measure(
    kernel: &impl Kernel,
    options: &MeasureOptions,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Measured, Error> {
    let mut chosen = Chosen::of(kernel, &options.attach)?;
    let output = CommandOutput::new(options.show_output)?;
    // Before anything is attached or prepared: whether there can be one.
    drop(capture::scratch_file()?);
    let (mut engine, attach) = chosen.attach(kernel, &options.attach, None, signals, progress)?;
    let attached = engine.attached().clone();
    let nofile_limit = attached.descriptor_limit;
    let rings = attached.ring_size * attached.cpus.len();
    let mut overhead = Overhead {
        schema: figures::SCHEMA,
        tool: Tool::this(),
        kernel: kernel_release(),
        hostname: hostname(),
        command: options.command.words(),
        prepare: options.prepare.as_ref().and_then(|prepare| prepare.words().pop()),
        cpus: attached.cpus.as_slice().to_vec(),
        tracepoints: chosen.selection.captured().count(),
        refused: attached.refused.len(),
        ring_size: attached.ring_size,
        clock: options.attach.clock.to_string(),
        self_excluded: options.attach.excludes_self(),
        compress: options.compress,
        started: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        pid: std::process::id(),
        pairs_asked: options.pairs,
        warmup: options.warmup,
        attach,
        detach_expected: Duration::ZERO,
        detach: None,
        runs: Vec::new(),
    };
    let mut runs =
        Runs { options, engine: &mut engine, rings, nofile_limit, output, running, signals, progress, done: 0 };
    let result = runs.all(&mut overhead.runs);
    progress.phase_ends();
    let detaching = engine.detach();
    overhead.detach_expected = detaching.expected();
    let result = result.map(|AllRuns| overhead);
    Ok(Measured { result, detaching })
}
