//! How much the server does in a second. More clients than usual must not take the time that the count needs.

use std::time::{Duration, Instant};

/// The most steps in a second: connections that are accepted, and reads and writes.
pub(super) const MOST_STEPS: usize = 1_000;
/// The most bytes that are written in a second.
const MOST_BYTES: usize = 64 << 20;
const SECOND: Duration = Duration::from_secs(1);

/// The work in the current second.
#[derive(Debug)]
pub(super) struct ServerPace {
    since: Instant,
    steps: usize,
    bytes: usize,
}

impl ServerPace {
    pub fn new(now: Instant) -> Self {
        ServerPace { since: now, steps: 0, bytes: 0 }
    }

    /// Begins a new second if the last one is over.
    pub fn begin(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= SECOND {
            *self = ServerPace::new(now);
        }
    }

    /// Notes a step in which so many bytes were written.
    pub fn step(&mut self, bytes: usize) {
        self.steps += 1;
        self.bytes += bytes;
    }

    /// The steps of this second.
    #[cfg(test)]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// When the next second begins, if nothing more may be done in this one.
    pub fn rests_until(&self) -> Option<Instant> {
        (self.steps >= MOST_STEPS || self.bytes >= MOST_BYTES).then(|| self.since + SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_lasts_until_the_next_second() {
        let begin = Instant::now();
        for (steps, bytes) in [(MOST_STEPS, 0), (1, MOST_BYTES)] {
            let mut pace = ServerPace::new(begin);
            for step in 0..steps {
                assert_eq!(pace.rests_until(), None, "{step}");
                pace.step(bytes);
            }
            pace.begin(begin + SECOND / 2);
            assert_eq!(pace.rests_until(), Some(begin + SECOND));
            pace.begin(begin + SECOND);
            assert_eq!(pace.rests_until(), None);
        }
    }
}
