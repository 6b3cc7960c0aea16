//! The context that every subcommand gets.

use crate::capture::StopRules;
use crate::control::{Manner, Progress, Signals};
use crate::os::spare::make_room;
use crate::terminal::{Stdout, TerminalProgress};
use anyhow::Context as _;

/// The user's side of a run: the signals that stop it, the progress, and the output.
pub struct Context {
    /// The signals that ask for the end. They do so only after [`Context::begin`].
    pub signals: Signals,
    /// The progress and the notes.
    pub progress: TerminalProgress,
    /// The output for results.
    pub out: Stdout,
}

impl Context {
    /// The context at the start. Fails if tp-perf can open too few files for anything. Until [`Context::begin`], a signal ends the process as usual.
    pub fn new() -> anyhow::Result<Self> {
        make_room()?;
        Ok(Context {
            signals: Signals::new().context("failed to take over signals")?,
            progress: TerminalProgress::new(StopRules::default(), false),
            out: Stdout::default(),
        })
    }

    /// A context for tests. It prints nothing, keeps the results, and leaves the process's signals alone.
    pub fn of_test(signals: Signals) -> Self {
        let progress = TerminalProgress::new(StopRules::default(), true);
        Context { signals, progress, out: Stdout::keeping() }
    }

    /// From now on, signals ask for the end, and `progress` shows the progress. Prints a note for each adjusted option.
    pub fn begin(&mut self, progress: TerminalProgress, manner: &Manner) -> anyhow::Result<()> {
        self.signals.take_over().context("failed to take over signals")?;
        self.progress = progress;
        manner.adjustments.iter().for_each(|adjustment| self.progress.note(adjustment));
        Ok(())
    }
}
