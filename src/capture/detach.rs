//! Waits for a detach.

use crate::control::{Signals, wait_for_any};
use crate::engine::Detaching;
use std::io;
use std::time::Duration;

/// Waits for a detach, and returns how long it took. If the user asks to stop, returns `None`, and detaching
/// continues in the background. Calls `step` with the number of tracepoints detached so far.
pub fn wait_for_detach(
    detaching: &mut Detaching,
    signals: &mut Signals,
    step: &mut dyn FnMut(usize),
) -> io::Result<Option<Duration>> {
    let asked_before = signals.asked();
    let mut done = 0;
    loop {
        let Some(progress) = detaching.wake_descriptor() else { return Ok(Some(detaching.took())) };
        let descriptors = signals.wake_descriptors().chain([progress]);
        let ready = wait_for_any(descriptors, None)?;
        if signals.asked() > asked_before {
            return Ok(None);
        }
        if ready.last() == Some(&true) {
            done += detaching.wait_for_more()?;
            step(done);
        }
    }
}
