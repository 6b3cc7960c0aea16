//! Watches this machine: a capture that keeps nothing except counts by windows.

use crate::capture;
use crate::control::{Progress, Running, Signals};
use crate::engine::{Detaching, Kernel};
use crate::events::Filter;
use crate::state::{self, Length, Session, WINDOW, Windows};

/// Captures, and counts the events by windows of this length, or of a second. The detach continues afterwards, even if the
/// events cannot be counted.
///
/// # Errors
/// If the capture fails, or if the events cannot be kept until they are counted.
pub(super) fn watch_machine(
    kernel: &impl Kernel,
    options: &capture::CaptureOptions,
    length: Option<Length>,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(Result<Session, state::Error>, Detaching), capture::Error> {
    let mut windows = Windows::new(length.unwrap_or(WINDOW));
    let (results, detaching) = capture::watch(kernel, options, &mut [&mut windows], running, signals, progress)?;
    Ok((Session::of_whole_source("this machine", results, &Filter::default(), windows), detaching))
}
