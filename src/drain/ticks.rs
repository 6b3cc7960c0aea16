//! Sends the ticks of a counting engine to sinks.

use crate::control::{Signals, wait_for_any};
use crate::engine::Counting;
use crate::events::Sink;
use std::io;
use std::time::{Duration, Instant};

/// Switches the events on, sends a tick to the sinks every `every`, and switches the events off after `most`
/// windows or when the user asks to stop. A request to stop ends the last window early. Returns the number of
/// windows.
///
/// The deadlines do not drift: each is a multiple of `every` after the start. If a tick is late, its window
/// is longer and the next one shorter.
///
/// # Errors
/// If the events cannot be switched on or off, or read. The sinks have received every tick until then, and
/// their end.
pub fn ticks(
    engine: &mut impl Counting,
    every: Duration,
    most: Option<u64>,
    sinks: &mut [&mut dyn Sink],
    signals: &mut Signals,
) -> io::Result<u64> {
    engine.enable()?;
    let begin = Instant::now();
    let mut due = begin;
    let mut windows = 0;
    let result = loop {
        if most.is_some_and(|most| windows >= most) || signals.asked() > 0 {
            break Ok(windows);
        }
        due += every;
        if let Err(error) = wait_until(due, signals) {
            break Err(error);
        }
        match engine.tick() {
            Ok(tick) => sinks.iter_mut().for_each(|sink| sink.tick(&tick)),
            Err(error) => break Err(error),
        }
        windows += 1;
    };
    sinks.iter_mut().for_each(|sink| sink.end());
    engine.disable()?;
    result
}

/// Sleeps until `due`, or until the user asks to stop.
fn wait_until(due: Instant, signals: &mut Signals) -> io::Result<()> {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || signals.asked() > 0 {
            return Ok(());
        }
        wait_for_any(signals.wake_descriptors().into_iter(), Some(left))?;
    }
}
