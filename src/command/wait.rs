//! Waits for a COMMAND that outlives its capture.

use super::context::Context;
use crate::control::{Progress, Running};
use anyhow::Context as _;

/// Waits for COMMAND, and returns its exit code. Passes SIGTERM on to COMMAND. Ctrl-C, which COMMAND gets from the terminal
/// itself, ends the waiting; the result is then `None`.
pub fn wait_for_command(mut command: Running, context: &mut Context) -> anyhow::Result<Option<i32>> {
    let Context { signals, progress, .. } = context;
    let interrupts_before = signals.interrupts();
    let mut terminates_passed_on = 0;
    let mut told = false;
    loop {
        // Signals first, then COMMAND. If COMMAND ends between the two checks, the second one sees it. If it ends later, its
        // signal ends the wait.
        signals.check();
        if let Some(code) = command.exit_code().context("failed to wait for COMMAND")? {
            return Ok(Some(code));
        }
        if signals.terminates() > terminates_passed_on {
            terminates_passed_on = signals.terminates();
            terminate(&command, progress);
        }
        if signals.interrupts() > interrupts_before {
            progress.note(&format!("COMMAND continues without tp-perf (pid {})", command.pid()));
            return Ok(None);
        }
        if !told {
            progress.note("waiting for COMMAND to end (Ctrl-C stops waiting)");
            told = true;
        }
        signals.wait()?;
    }
}

/// Passes SIGTERM on to COMMAND. Prints a note if tp-perf lacks the right to do so.
pub fn terminate(command: &Running, progress: &mut dyn Progress) {
    if !command.terminate() {
        let pid = command.pid();
        progress.note(&format!("tp-perf may not stop COMMAND, which has more rights; stop it with `sudo kill {pid}`"));
    }
}
