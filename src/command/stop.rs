//! What Ctrl-C and SIGTERM do to a command that reads.

use super::context::Context;
use crate::terminal::erase_progress;
use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process;
use std::thread;

/// One Ctrl-C or SIGTERM ends a replay with what there is. Whatever it hangs in, a second one ends it.
pub fn end_at_second_signal() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("failed to take over signals")?;
    thread::spawn(move || {
        if let Some(second) = signals.forever().nth(1) {
            erase_progress();
            process::exit(128 + second);
        }
    });
    Ok(())
}

/// The exit code of a command that came to its end, or that a signal stopped.
pub fn stopped(context: &mut Context) -> u8 {
    let signals = &mut context.signals;
    match (signals.asked(), signals.interrupts()) {
        (0, _) => 0,
        (_, 0) => 128 + SIGTERM as u8,
        _ => 128 + SIGINT as u8,
    }
}
