//! Measures how much capturing slows down a COMMAND, with pairs of runs: one with capturing, one without.
//!
//! ```text
//!   attach once, off ── warm-up ── pair 1 ──────── pair 2 ──────── …  ── detach, in the background
//!                                  off, on         on, off               in each pair in random order
//! ```
//!
//! Between runs, only the group leaders are switched, so the figures exclude attaching and detaching. In the
//! runs without capturing, the tracepoints are attached but disabled. This too costs COMMAND a little.

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
use crate::os::privileges::{self, Starts};
use crate::recording::Tool;
use runs::{AllRuns, Runs};
use std::io;
use std::time::{Duration, SystemTime};

/// The validated options of a measurement.
#[derive(Debug, Clone)]
pub struct MeasureOptions {
    /// What to capture.
    pub attach: AttachOptions,
    /// Whether to compress the captured events, as `tp-perf --compress` does.
    pub compress: bool,
    /// The program to run and measure.
    pub command: CommandLine,
    /// A program to run before each run of COMMAND.
    pub prepare: Option<CommandLine>,
    /// The number of pairs of runs.
    pub pairs: usize,
    /// The number of uncounted runs before the pairs.
    pub warmup: usize,
    /// Whether to show COMMAND's output.
    pub show_output: bool,
    /// Whether to continue if COMMAND fails.
    pub ignore_failure: bool,
}

impl MeasureOptions {
    /// The number of runs of COMMAND, including the warm-up.
    fn runs(&self) -> usize {
        self.warmup + 2 * self.pairs
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
    /// The captured events could not be stored.
    #[error("failed to store the events of run {run} of {of}: {cause}")]
    Keeping {
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
        /// `warm-up`, `capturing` or `not capturing`.
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
    /// The detach, which continues in the background.
    pub detaching: Detaching,
}

/// Measures the overhead. On return, `running` has COMMAND if it may still be running.
///
/// # Errors
/// Fails if something goes wrong before anything is attached. Later errors are in [`Measured::result`].
pub fn measure(
    kernel: &impl Kernel,
    options: &MeasureOptions,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Measured, Error> {
    let mut chosen = Chosen::of(kernel, &options.attach.choice)?;
    let output = CommandOutput::new(options.show_output)?;
    // Check before attaching that temporary files can be made.
    drop(capture::scratch_file()?);
    let (mut engine, attach) = chosen.attach(kernel, &options.attach, None, signals, progress)?;
    privileges::give_up(options.command.rights()).map_err(capture::Error::from)?;
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
        self_excluded: options.attach.choice.excludes_self(),
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
    let given_up = privileges::give_up(Starts::Nothing).map_err(capture::Error::from);
    let detaching = engine.detach();
    overhead.detach_expected = detaching.expected();
    let result = result.and_then(|AllRuns| Ok(given_up.map(|()| overhead)?));
    Ok(Measured { result, detaching })
}
