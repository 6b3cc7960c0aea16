//! What Ctrl-C and SIGTERM do to a command that reads.

use super::context::Context;
use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One Ctrl-C or SIGTERM ends a replay with what there is. Whatever it hangs in, a second one ends it.
pub fn end_at_second_signal() -> anyhow::Result<()> {
    let first = Arc::new(AtomicBool::new(false));
    let register = |signal| -> io::Result<()> {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&first))?;
        flag::register(signal, Arc::clone(&first)).map(drop)
    };
    [SIGINT, SIGTERM].into_iter().try_for_each(register).context("failed to take over signals")
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
