//! The pace of a recording, kept by its replay.

use crate::events::{Event, Ns};
use crate::recording::{self, LogWriter};
use crate::tracefs::Table;
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

    /// Writes events when their time has come, and gives how many. Ends early if `stop` says so, which is
    /// told while the next one is waited for how many have been written.
    pub fn write(
        &mut self,
        mut events: &[Event],
        table: &Table,
        mut log: Option<&mut LogWriter<'_>>,
        mut stop: impl FnMut(usize) -> bool,
    ) -> Result<usize, recording::Error> {
        let all = events.len();
        while let Some(next) = events.first() {
            let (begin, first) = *self.begin.get_or_insert_with(|| (Instant::now(), next.time));
            let due = |time: Ns| Duration::try_from_secs_f64(time.since(first) as f64 * 1e-9 / self.speed);
            let now = begin.elapsed();
            let ready = events.partition_point(|event| due(event.time).is_ok_and(|due| due <= now));
            if ready > 0 {
                if let Some(log) = &mut log {
                    log.write(&events[..ready], table)?;
                    log.flush()?;
                }
                events = &events[ready..];
                continue;
            }
            if stop(all - events.len()) {
                return Ok(all - events.len());
            }
            std::thread::sleep(due(next.time).map_or(PATIENCE, |due| (due - now).min(PATIENCE)));
        }
        Ok(all)
    }
}
