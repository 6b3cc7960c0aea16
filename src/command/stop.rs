//! The effect of Ctrl-C and SIGTERM on a command that reads sources.

use super::context::Context;
use crate::terminal::erase_progress;
use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process;
use std::thread;

/// The first Ctrl-C or SIGTERM stops the reading, and the command prints its results so far. A second one ends the process at
/// once, whatever the process waits for.
pub fn end_at_second_signal() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("failed to take over signals")?;
    let wait = move || {
        if let Some(second) = signals.forever().nth(1) {
            erase_progress();
            process::exit(128 + second);
        }
    };
    thread::Builder::new().spawn(wait).map(drop).context("failed to start a thread; allow more processes (`ulimit -u`)")
}

/// The exit code of a command: 0, or the code for the signal that stopped it.
pub fn stopped(context: &mut Context) -> u8 {
    let signals = &mut context.signals;
    match (signals.asked(), signals.interrupts()) {
        (0, _) => 0,
        (_, 0) => 128 + SIGTERM as u8,
        _ => 128 + SIGINT as u8,
    }
}
