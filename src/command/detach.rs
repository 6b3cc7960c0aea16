//! The detach, which continues when all other work is done.

use super::context::Context;
use crate::capture;
use crate::control::Progress;
use crate::engine::Detaching;
use crate::units::Plural;
use anyhow::Context as _;
use std::time::Duration;

/// If `wait` is set, waits for the detach and returns its duration. Prints a note if the detach continues in the background.
pub fn finish_detach(detaching: &mut Detaching, wait: bool, context: &mut Context) -> anyhow::Result<Option<Duration>> {
    let Context { signals, progress, .. } = context;
    let tracepoints = detaching.tracepoints();
    let mut took = None;
    if wait {
        let step = &mut |done| progress.detaching(done, tracepoints);
        took = capture::wait_for_detach(detaching, signals, step).context("failed to wait for the detach")?;
        progress.phase_ends();
    }
    if let Some(pid) = detaching.pid() {
        let (count, seconds) = (Plural(tracepoints as u64, "tracepoint"), detaching.expected().as_secs().max(1));
        progress.note(&format!("detaching {count} in the background: about {seconds} s (pid {pid})"));
    }
    Ok(took)
}
