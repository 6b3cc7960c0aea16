//! What every subcommand works with.

use crate::capture::StopRules;
use crate::control::{Manner, Progress, Signals};
use crate::terminal::{Stdout, TerminalProgress};
use anyhow::Context as _;

/// The user's side of a run: what stops it, who watches it, and where its results go.
pub struct Context {
    /// What asks for the end. Nothing does before [`Context::begin`].
    pub signals: Signals,
    /// What is shown while it goes on, and the notices.
    pub progress: TerminalProgress,
    /// Where results go.
    pub out: Stdout,
}

impl Context {
    /// Before anything begins: a signal ends the process as usual.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Context {
            signals: Signals::new().context("failed to take over signals")?,
            progress: TerminalProgress::new(StopRules::default(), false),
            out: Stdout::default(),
        })
    }

    /// For a test: prints and shows nothing, keeps the results, and leaves the process's signals alone.
    pub fn of_test(signals: Signals) -> Self {
        let progress = TerminalProgress::new(StopRules::default(), true);
        Context { signals, progress, out: Stdout::keeping() }
    }

    /// From here on signals ask for the end, and this shows the progress. The user hears of what was adjusted.
    pub fn begin(&mut self, progress: TerminalProgress, manner: &Manner) -> anyhow::Result<()> {
        self.signals.take_over().context("failed to take over signals")?;
        self.progress = progress;
        manner.adjustments.iter().for_each(|adjustment| self.progress.note(adjustment));
        Ok(())
    }
}
