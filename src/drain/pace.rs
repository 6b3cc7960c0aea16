//! The pace of a recording, kept by its replay.

use crate::events::{Event, Ns};
use std::time::{Duration, Instant};

/// Signals are looked at this often.
const PATIENCE: Duration = Duration::from_millis(50);

/// Gives events out at the times at which they happened, or some times as fast.
pub(super) struct Pace {
    speed: f64,
    begin: Option<(Instant, Ns)>,
}

impl Pace {
    /// So many times as fast as it was.
    pub fn new(speed: f64) -> Self {
        Pace { speed, begin: None }
    }

    /// Gives events when their time has come, and returns how many. Ends early if `give` says that no more are wanted, or if
    /// `stop` says so, which is told how many have been given while the next one is waited for.
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
