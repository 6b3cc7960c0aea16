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
    finish_detaches(std::slice::from_mut(detaching), wait, context)
}

/// The same for several detaches of the same tracepoints, which began at the same time.
pub fn finish_detaches(
    detaches: &mut [Detaching],
    wait: bool,
    context: &mut Context,
) -> anyhow::Result<Option<Duration>> {
    let Context { signals, progress, .. } = context;
    let mut took = None;
    for detaching in detaches.iter_mut().filter(|_| wait) {
        let tracepoints = detaching.tracepoints();
        let step = &mut |done| progress.detaching(done, tracepoints);
        let waited = capture::wait_for_detach(detaching, signals, step).context("failed to wait for the detach")?;
        progress.phase_ends();
        took = waited.max(took);
        if waited.is_none() {
            // The user stopped the waiting.
            took = None;
            break;
        }
    }
    let pids: Vec<String> = detaches.iter().filter_map(Detaching::pid).map(|pid| pid.to_string()).collect();
    if let Some(slowest) = detaches.iter().max_by_key(|detaching| detaching.tracepoints()).filter(|_| !pids.is_empty())
    {
        let (count, seconds) =
            (Plural(slowest.tracepoints() as u64, "tracepoint"), slowest.expected().as_secs().max(1));
        progress.note(&format!(
            "detaching {count} in the background: about {seconds} s (pid {}); you can capture again meanwhile",
            pids.join(" and ")
        ));
    }
    Ok(took)
}
