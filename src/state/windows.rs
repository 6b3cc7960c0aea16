//! Events counted by window: all that is kept of a session.

use crate::merge::Event;
use crate::results::Sink;
use crate::stream::Loss;

/// More windows than this are no session: they would be of a broken clock, or far too short.
pub const MOST_WINDOWS: usize = 1_000_000;

/// A source would have more than [`MOST_WINDOWS`] windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {most} windows of this length: choose longer ones (--window), or a part of it", most = MOST_WINDOWS)]
pub struct TooMany;

/// How long the windows of a source are, and where the first begins: at its first event.
#[derive(Debug)]
pub struct Windows {
    width: u64,
    /// The time of the first event.
    origin: Option<u64>,
    /// Those that are over.
    done: Vec<Window>,
    /// By tpid, of the window that goes on.
    counts: Vec<u64>,
    /// The tpids in it.
    hit: Vec<u32>,
    losses: Vec<Loss>,
    too_many: bool,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// Events by tpid, ascending; only those that were hit.
    pub counts: Vec<(u32, u64)>,
    /// Samples lost in it, of all tracepoints; as far as the rings tell when, to the next window at the worst.
    pub lost: u64,
}

impl Window {
    /// All its events.
    pub fn events(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

impl Windows {
    /// None yet; each is to be so many nanoseconds long.
    ///
    /// # Panics
    /// If that is 0.
    pub fn new(width: u64) -> Self {
        assert!(width > 0, "a window has a length");
        Windows {
            width,
            origin: None,
            done: Vec::new(),
            counts: Vec::new(),
            hit: Vec::new(),
            losses: Vec::new(),
            too_many: false,
        }
    }

    /// The windows that were captured as a whole. `end`: when events could come no more; without it that is the last event.
    pub fn finish(mut self, end: Option<u64>) -> Result<Vec<Window>, TooMany> {
        let Some(origin) = self.origin else { return Ok(Vec::new()) };
        // What began last goes on beyond the end, but for one that ends there.
        let last = (self.done.len() as u64).saturating_mul(self.width).saturating_add(origin);
        let whole = end.map_or(0, |end| end.saturating_sub(last) / self.width);
        for _ in 0..whole {
            if !self.end_window() {
                break;
            }
        }
        if self.too_many {
            return Err(TooMany);
        }
        let mut windows = self.done;
        for loss in &self.losses {
            spread(loss, origin, self.width, &mut windows);
        }
        Ok(windows)
    }

    /// False if there may be no more.
    fn end_window(&mut self) -> bool {
        self.too_many |= self.done.len() == MOST_WINDOWS;
        if self.too_many {
            return false;
        }
        self.hit.sort_unstable();
        let counts = self.hit.drain(..).map(|tpid| (tpid, std::mem::take(&mut self.counts[tpid as usize]))).collect();
        self.done.push(Window { counts, lost: 0 });
        true
    }
}

impl Sink for Windows {
    fn take(&mut self, events: &[Event]) {
        let Some(first) = events.first() else { return };
        let origin = *self.origin.get_or_insert(first.time);
        let mut end = (self.done.len() as u64 + 1).saturating_mul(self.width).saturating_add(origin);
        for event in events {
            while event.time >= end && end < u64::MAX {
                if !self.end_window() {
                    return;
                }
                end = end.saturating_add(self.width);
            }
            let tpid = event.tpid as usize;
            if self.counts.len() <= tpid {
                self.counts.resize(tpid + 1, 0);
            }
            if self.counts[tpid] == 0 {
                self.hit.push(event.tpid);
            }
            self.counts[tpid] += 1;
        }
    }

    fn take_losses(&mut self, losses: &[Loss]) {
        self.losses.extend_from_slice(losses);
    }
}

/// Shares out a loss among the windows in which it may have been, by how long it was in each.
fn spread(loss: &Loss, origin: u64, width: u64, windows: &mut [Window]) {
    let (from, to) = (loss.from.max(origin) - origin, loss.to.max(origin) - origin);
    let (first, last) = (from / width, to / width);
    let mut left = loss.lost;
    for index in first..=last {
        let Some(window) = usize::try_from(index).ok().and_then(|index| windows.get_mut(index)) else { return };
        let within = (to.min((index + 1).saturating_mul(width)) - from.max(index * width)) as f64;
        let share = if index == last { left } else { (loss.lost as f64 * within / (to - from) as f64).round() as u64 };
        window.lost += share.min(left);
        left -= share.min(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time: u64, tpid: u32) -> Event {
        Event { time, cpu: 0, tpid }
    }

    fn windows(events: &[Event], end: Option<u64>) -> Vec<Window> {
        let mut windows = Windows::new(100);
        // In batches, as they come.
        events.chunks(2).for_each(|batch| windows.take(batch));
        windows.finish(end).unwrap()
    }

    fn counts(windows: &[Window]) -> Vec<Vec<(u32, u64)>> {
        windows.iter().map(|window| window.counts.clone()).collect()
    }

    #[test]
    fn events_are_counted_where_they_are_and_silence_is_a_window() {
        let events =
            [event(1_000, 3), event(1_099, 1), event(1_050, 3), event(1_300, 2), event(1_399, 2), event(1_420, 9)];
        let counted = windows(&events, Some(1_600));
        assert_eq!(counts(&counted), [vec![(1, 1), (3, 2)], vec![], vec![], vec![(2, 2)], vec![(9, 1)], vec![]]);
        assert_eq!(counted[0].events(), 3);
        // The last window is no whole one.
        assert_eq!(windows(&events, Some(1_499)).len(), 4);
        assert_eq!(windows(&events, None).len(), 4);
        assert!(windows(&[], Some(5_000)).is_empty());
        assert!(windows(&events[..1], Some(1_099)).is_empty(), "shorter than a window");
    }

    #[test]
    fn losses_are_in_the_windows_that_they_were_in() {
        let mut counted = Windows::new(100);
        counted.take_losses(&[Loss { cpu: 0, lost: 7, from: 900, to: 1_050 }]);
        counted.take(&[event(1_000, 1), event(1_399, 1)]);
        counted.take_losses(&[
            Loss { cpu: 1, lost: 30, from: 1_150, to: 1_300 },
            Loss { cpu: 0, lost: 5, from: 2_000, to: 3_000 },
            Loss { cpu: 0, lost: 1, from: 1_110, to: 1_110 },
        ]);
        let counted = counted.finish(Some(1_400)).unwrap();
        assert_eq!(counted.iter().map(|window| window.lost).collect::<Vec<_>>(), [7, 11, 20, 0]);
    }

    #[test]
    fn a_clock_that_jumps_is_no_session_and_no_hang() {
        for (events, end) in [(vec![event(0, 1), event(u64::MAX - 1, 1)], None), (vec![event(0, 1)], Some(u64::MAX))] {
            let mut windows = Windows::new(100);
            windows.take(&events);
            assert_eq!(windows.finish(end), Err(TooMany));
        }
    }

    #[test]
    fn the_end_of_all_times_is_no_end_of_the_work() {
        let counted = windows(&[event(u64::MAX - 150, 1), event(u64::MAX, 1)], Some(u64::MAX));
        assert_eq!(counts(&counted), [vec![(1, 1)]]);
    }
}
