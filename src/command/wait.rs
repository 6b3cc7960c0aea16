//! Waiting for a COMMAND that outlives its capture.

use super::context::Context;
use crate::control::{Progress, Running};
use anyhow::Context as _;

/// Waits for it, and gives its exit code. SIGTERM is passed on to it; Ctrl-C, which it gets from the terminal itself, ends
/// the waiting, and then there is no code.
pub fn wait_for_command(mut command: Running, context: &mut Context) -> anyhow::Result<Option<i32>> {
    let Context { signals, progress, .. } = context;
    let interrupts_before = signals.interrupts();
    let mut terminates_passed_on = 0;
    let mut told = false;
    loop {
        // First the signals, then COMMAND: one that ends in between is seen now, one that ends later wakes us.
        signals.check();
        if let Some(code) = command.exit_code().context("failed to wait for COMMAND")? {
            return Ok(Some(code));
        }
        if signals.terminates() > terminates_passed_on {
            terminates_passed_on = signals.terminates();
            command.terminate();
        }
        if signals.interrupts() > interrupts_before {
            progress.note(&format!("COMMAND goes on without tp-perf (pid {})", command.pid()));
            return Ok(None);
        }
        if !told {
            progress.note("waiting for COMMAND to end (Ctrl-C stops waiting)");
            told = true;
        }
        signals.wait()?;
    }
}
