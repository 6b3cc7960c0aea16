//! The effect of Ctrl-C and SIGTERM on a command that reads sources.

use super::context::Context;
use crate::terminal::erase_progress;
use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::thread;

/// Whether one signal is enough to end the process.
static ENDS_AT_FIRST: AtomicBool = AtomicBool::new(false);
/// The first signal, or 0.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// The first Ctrl-C or SIGTERM stops the reading, and the command prints its results so far. A second one ends the process at
/// once, whatever the process waits for.
pub fn end_at_second_signal() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("failed to take over signals")?;
    let wait = move || {
        let mut number = 0;
        for signal in signals.forever() {
            number += 1;
            FIRST.store(signal, SeqCst);
            if number > 1 || ENDS_AT_FIRST.load(SeqCst) {
                end(signal);
            }
        }
    };
    thread::Builder::new().spawn(wait).map(drop).context("failed to start a thread; allow more processes (`ulimit -u`)")
}

fn end(signal: i32) {
    erase_progress();
    process::exit(128 + signal);
}

/// Compares states. That can take minutes, and has no results before its end. So the first Ctrl-C or SIGTERM ends the process.
/// [`end_at_second_signal`] must have been called.
pub fn compare<T>(work: impl FnOnce() -> T) -> T {
    ENDS_AT_FIRST.store(true, SeqCst);
    // The thread that waits for signals has seen one, and did not yet see that one is enough.
    match FIRST.load(SeqCst) {
        0 => {}
        signal => end(signal),
    }
    let result = work();
    ENDS_AT_FIRST.store(false, SeqCst);
    result
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
