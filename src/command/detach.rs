//! The detach, which goes on when everything else is done.

use super::context::Context;
use crate::capture;
use crate::control::Progress;
use crate::engine::Detaching;
use crate::units::Plural;
use anyhow::Context as _;
use std::time::Duration;

/// Waits for the detach, if that is asked for, and gives how long it took; or says that it goes on.
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
