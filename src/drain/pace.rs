//! Replays a recording at its original speed, or at a multiple of it.

use crate::events::{Event, Ns};
use std::time::{Duration, Instant};

/// Signals are checked at least this often.
const PATIENCE: Duration = Duration::from_millis(50);

/// Delays events until their time has come.
pub(super) struct Pace {
    speed: f64,
    begin: Option<(Instant, Ns)>,
}

impl Pace {
    /// `speed` is a multiple of the original speed.
    pub fn new(speed: f64) -> Self {
        Pace { speed, begin: None }
    }

    /// Calls `give` with events whose time has come, and returns how many events it gave. Ends early if
    /// `give` returns false. While waiting for the next event, calls `stop` with the number given so far, and
    /// ends early if that returns true.
    pub fn give(
        &mut self,
        mut events: &[Event],
        give: &mut dyn FnMut(&[Event]) -> bool,
        stop: &mut dyn FnMut(usize) -> bool,
    ) -> usize {
        let all = events.len();
        while let Some(next) = events.first() {
            let (begin, first) = *self.begin.get_or_insert_with(|| (Instant::now(), next.time));
            let due = |time: Ns| Duration::try_from_secs_f64(time.since(first) as f64 * 1e-9 / self.speed);
            let now = begin.elapsed();
            let ready = events.partition_point(|event| due(event.time).is_ok_and(|due| due <= now));
            if ready > 0 {
                let wants_more = give(&events[..ready]);
                events = &events[ready..];
                if wants_more { continue } else { break }
            }
            if stop(all - events.len()) {
                break;
            }
            std::thread::sleep(due(next.time).map_or(PATIENCE, |due| (due - now).min(PATIENCE)));
        }
        all - events.len()
    }
}
