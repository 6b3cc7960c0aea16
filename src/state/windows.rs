//! Counts events by window. A session stores these counts and nothing else of the events.

use super::losses::divide;
use crate::events::stream::Loss;
use crate::events::{Event, Ns, Sink, Tick, Tpid};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::tracefs::Table;
use crate::units::{Grouped, Plural};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The most windows of a session. More mean that a clock is broken, or that the windows are far too short.
pub const MOST_WINDOWS: usize = 250_000;
/// The memory in bytes of a window, of a count in a window, of a loss, and of a tracepoint in a session's window.
const OF_WINDOW: u64 = 128;
const OF_COUNT: u64 = 32;
const OF_LOSS: u64 = 96;
/// A session has a count for each of its windows and tracepoints, and a comparison has a number for each.
pub(super) const OF_CELL: u64 = 16;

/// The windows of a source cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// The source would have more than [`MOST_WINDOWS`] windows.
    #[error("it has too many windows of this length (more than {})", Grouped(MOST_WINDOWS as u64))]
    Windows,
    /// The counts in the windows take too much memory.
    #[error(transparent)]
    Memory(#[from] TooMuch),
}

/// A window that lost more than this part of its events is not used: the lost ones may have been of a few
/// tracepoints.
pub(super) const MOST_LOST: f64 = 0.1;

/// A window at the end may lack this part of its length. So a capture of ten seconds has ten windows of a
/// second, although its first event comes a moment after its begin.
pub(super) const MOST_MISSING: f64 = 0.05;

/// The least length in nanoseconds of a window at the end that should be `width` long.
pub fn least_of(width: u64) -> u64 {
    width - (width as f64 * MOST_MISSING) as u64
}

/// The length of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// In nanoseconds.
    Ns(u64),
    /// In events.
    Events(u64),
}

impl Length {
    /// How many windows of the other length make one of this length. `None` if no whole number does.
    pub fn of(self, other: Length) -> Option<usize> {
        let (whole, part) = match (self, other) {
            (Length::Ns(whole), Length::Ns(part)) | (Length::Events(whole), Length::Events(part)) => (whole, part),
            _ => return None,
        };
        (part > 0 && whole > 0 && whole.is_multiple_of(part)).then(|| usize::try_from(whole / part).ok()).flatten()
    }

    /// The number without its unit.
    pub fn number(self) -> u64 {
        let (Length::Ns(number) | Length::Events(number)) = self;
        number
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Length::Ns(ns) => write!(f, "{}", humantime::format_duration(Duration::from_nanos(ns))),
            Length::Events(events) => write!(f, "{}", Plural(events, "event")),
        }
    }
}

/// A sink that counts events by window. The first window begins at the first event. Ticks are windows already, and keep
/// their true lengths.
#[derive(Debug)]
pub struct Windows {
    length: Length,
    /// The time of the first event.
    origin: Option<Ns>,
    /// The finished windows.
    done: Vec<Window>,
    /// The begin of the current window.
    begin: Ns,
    /// The counts of the current window, by tpid.
    counts: Vec<u64>,
    /// The tpids whose counts are not 0.
    counted_now: Vec<Tpid>,
    /// The events of the current window.
    events: u64,
    losses: Vec<Loss>,
    /// By tpid, whether it has events in a finished window; and the number of such tpids.
    hit: (Vec<bool>, usize),
    /// The number of counts in the finished windows that are not 0.
    counted: u64,
    held: Held,
    too_many: Option<TooMany>,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// Its begin, by the source's clock.
    pub begin: Ns,
    /// Its length in nanoseconds.
    pub ns: u64,
    /// Events by tpid, ascending. Tracepoints without events are omitted.
    pub counts: Vec<(Tpid, u64)>,
    /// Events lost in it, over all tracepoints. The rings date a loss only roughly, so it may belong to the
    /// next window.
    pub lost: u64,
}

impl Window {
    /// All its events.
    pub fn events(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

impl Windows {
    /// No windows yet. Each window will have this length.
    ///
    /// # Panics
    /// Panics if the length is 0.
    pub fn new(length: Length) -> Self {
        assert!(length.number() > 0, "the length of a window is more than 0");
        Windows {
            length,
            origin: None,
            done: Vec::new(),
            begin: Ns(0),
            counts: Vec::new(),
            counted_now: Vec::new(),
            events: 0,
            losses: Vec::new(),
            hit: (Vec::new(), 0),
            counted: 0,
            held: Held::nothing(MemoryOf::Windows),
            too_many: None,
        }
    }

    /// The length of each window.
    pub fn length(&self) -> Length {
        self.length
    }

    /// The windows that were watched completely, or nearly so. `end` is the time after which no event could
    /// come. Without it, the last event is the end.
    pub fn finish(mut self, end: Option<Ns>) -> Result<Vec<Window>, TooMany> {
        // The current window extends beyond the end and is dropped, unless it is complete or nearly so.
        if let (Some(_), Some(end), Length::Ns(width)) = (self.origin, end, self.length) {
            let is_whole = |begin: Ns| end.since(begin) >= least_of(width) && begin.checked_add(width).is_some();
            while is_whole(self.begin) && self.end_window(self.begin + width) {}
        }
        if let Some(too_many) = self.too_many {
            return Err(too_many);
        }
        let mut windows = self.done;
        // The last tick may have come early.
        if let Length::Ns(width) = self.length {
            windows.pop_if(|last| last.ns < least_of(width));
        }
        if let Some(origin) = windows.first().map(|window| window.begin) {
            let lost = divide(self.losses, origin, windows.iter().map(|window| window.begin + window.ns));
            windows.iter_mut().zip(lost).for_each(|(window, lost)| window.lost = lost);
        }
        Ok(windows)
    }

    /// Ends the current window. Returns false if there are too many.
    fn end_window(&mut self, end: Ns) -> bool {
        // A source may have a million tpids, and empty windows between two events.
        self.counted_now.sort_unstable();
        let counts = self.counted_now.drain(..).map(|tpid| (tpid, std::mem::take(&mut self.counts[tpid.index()])));
        let counts: Vec<(Tpid, u64)> = counts.collect();
        let (hit, number) = &mut self.hit;
        hit.resize(self.counts.len(), false);
        *number += counts.iter().filter(|(tpid, _)| !std::mem::replace(&mut hit[tpid.index()], true)).count();
        self.counted += counts.len() as u64;
        if self.done.len() == MOST_WINDOWS {
            self.too_many = Some(TooMany::Windows);
            return false;
        }
        if !self.fits() {
            return false;
        }
        self.done.push(Window { begin: self.begin, ns: end - self.begin, counts, lost: 0 });
        (self.begin, self.events) = (end, 0);
        true
    }

    /// Takes the memory for the finished windows, for one more, and for the session that is made of them. Returns false
    /// if that is too much.
    fn fits(&mut self) -> bool {
        // Memory that is free later cannot bring back what was left out.
        if self.too_many.is_some() {
            return false;
        }
        let windows = self.done.len() as u64 + 1;
        let bytes = windows * (OF_WINDOW + self.hit.1 as u64 * OF_CELL)
            + self.counted * OF_COUNT
            + self.losses.len() as u64 * OF_LOSS;
        self.too_many = self.held.resize(bytes).err().map(TooMany::Memory);
        self.too_many.is_none()
    }

    /// Counts hits of a tracepoint in the current window.
    fn count(&mut self, tpid: Tpid, hits: u64) {
        if tpid.index() >= self.counts.len() {
            self.counts.resize(tpid.index() + 1, 0);
        }
        let count = &mut self.counts[tpid.index()];
        if *count == 0 && hits > 0 {
            self.counted_now.push(tpid);
        }
        *count += hits;
    }

    /// Ends the windows that are over at the time of the next event. Returns false if there are too many.
    fn advance(&mut self, time: Ns) -> bool {
        match self.length {
            Length::Ns(width) => {
                while let Some(end) = self.begin.checked_add(width).filter(|end| time >= *end) {
                    if !self.end_window(end) {
                        return false;
                    }
                }
                true
            }
            // Its length in time is known only when the next event comes.
            Length::Events(events) => self.events < events || self.end_window(time.max(self.begin)),
        }
    }
}

impl Sink for Windows {
    fn events(&mut self, events: &[Event], _table: &Table) {
        let Some(first) = events.first() else { return };
        if self.origin.is_none() {
            (self.origin, self.begin) = (Some(first.time), first.time);
        }
        let mut rest = events;
        while let Some(first) = rest.first() {
            if self.too_many.is_some() || !self.advance(first.time) {
                return;
            }
            // Take all events of the current window at once. Every event passes here, so the work must be
            // small.
            let within = match self.length {
                Length::Ns(width) => match self.begin.checked_add(width) {
                    Some(end) => rest.partition_point(|event| event.time < end),
                    None => rest.len(),
                },
                Length::Events(events) => rest.len().min(usize::try_from(events - self.events).unwrap_or(usize::MAX)),
            };
            let (now, later) = rest.split_at(within);
            for event in now {
                match self.counts.get_mut(event.tpid().index()) {
                    Some(count) if *count > 0 => *count += 1,
                    _ => self.count(event.tpid(), 1),
                }
            }
            self.events += now.len() as u64;
            rest = later;
        }
    }

    fn losses(&mut self, losses: &[Loss]) {
        if self.too_many.is_none() && !losses.is_empty() {
            self.losses.extend_from_slice(losses);
            self.fits();
        }
    }

    fn tick(&mut self, tick: &Tick<'_>) {
        if self.too_many.is_some() {
            return;
        }
        self.begin = tick.from;
        for (slot, hits) in tick.hit() {
            self.count(slot.tpid, hits);
        }
        self.end_window(tick.to);
    }

    fn takes_more(&self) -> bool {
        self.too_many.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Cpu, Slot};

    fn event(time: u64, tpid: u32) -> Event {
        Event::new(Ns(time), None, Tpid::new(tpid))
    }

    fn windows(events: &[Event], end: Option<u64>) -> Vec<Window> {
        let mut windows = Windows::new(Length::Ns(100));
        // Sinks receive events in batches.
        events.chunks(2).for_each(|batch| windows.events(batch, &Table::default()));
        windows.finish(end.map(Ns)).unwrap()
    }

    fn counts(windows: &[Window]) -> Vec<Vec<(u32, u64)>> {
        let of = |window: &Window| window.counts.iter().map(|(tpid, count)| (tpid.get(), *count)).collect();
        windows.iter().map(of).collect()
    }

    #[test]
    fn events_are_counted_where_they_are_and_silence_is_a_window() {
        let events =
            [event(1_000, 3), event(1_099, 1), event(1_050, 3), event(1_300, 2), event(1_399, 2), event(1_420, 9)];
        let counted = windows(&events, Some(1_600));
        assert_eq!(counts(&counted), [vec![(1, 1), (3, 2)], vec![], vec![], vec![(2, 2)], vec![(9, 1)], vec![]]);
        assert_eq!(counted[0].events(), 3);
        // The same in one batch, with an event exactly at the end of a window.
        let mut whole = Windows::new(Length::Ns(100));
        whole.events(&[event(1_000, 3), event(1_099, 1), event(1_100, 2), event(1_350, 2)], &Table::default());
        assert_eq!(counts(&whole.finish(None).unwrap()), [vec![(1, 1), (3, 1)], vec![(2, 1)], vec![]]);
        // The last window counts only if it is nearly complete.
        assert_eq!(windows(&events, Some(1_494)).len(), 4);
        assert_eq!(windows(&events, Some(1_495)).len(), 5);
        assert_eq!(windows(&events, None).len(), 4);
        assert!(windows(&[], Some(5_000)).is_empty());
        assert!(windows(&events[..1], Some(1_094)).is_empty(), "shorter than a window");
    }

    #[test]
    fn ticks_are_windows_with_their_own_lengths() {
        let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
        let slots = [slot(3, 0), slot(3, 1), slot(1, 0)];
        let ticked = |ticks: &[(u64, u64, [u64; 3])]| {
            let mut windows = Windows::new(Length::Ns(100));
            for (from, to, hits) in ticks {
                windows.tick(&Tick {
                    from: Ns(*from),
                    to: Ns(*to),
                    late_ns: 0,
                    slots: &slots,
                    hits,
                    partly: &[],
                    cost: None,
                });
            }
            windows.finish(None).unwrap()
        };
        let all = [(5, 105, [1, 2, 0]), (105, 215, [0, 0, 0]), (215, 305, [0, 9, 4]), (305, 400, [1, 0, 0])];
        let windows = ticked(&all);
        assert_eq!(counts(&windows), [vec![(3, 3)], vec![], vec![(1, 4), (3, 9)], vec![(3, 1)]]);
        let spans: Vec<_> = windows.iter().map(|window| (window.begin.0, window.ns)).collect();
        assert_eq!(spans, [(5, 100), (105, 110), (215, 90), (305, 95)]);
        // The last window ended early.
        assert_eq!(ticked(&[all[0], (105, 199, [5; 3])]).len(), 1);
    }

    #[test]
    fn windows_of_events_last_until_they_are_full() {
        let events = [event(10, 3), event(14, 1), event(20, 3), event(31, 2), event(32, 2), event(40, 9)];
        let mut windows = Windows::new(Length::Events(2));
        events.chunks(4).for_each(|batch| windows.events(batch, &Table::default()));
        windows.losses(&[Loss { cpu: None, lost: 3, from: Ns(15), to: Ns(18) }]);
        let windows = windows.finish(Some(Ns(90))).unwrap();
        assert_eq!(counts(&windows), [vec![(1, 1), (3, 1)], vec![(2, 1), (3, 1)]], "the last window may be incomplete");
        let times: Vec<_> = windows.iter().map(|window| (window.begin.0, window.ns, window.lost)).collect();
        assert_eq!(times, [(10, 10, 3), (20, 12, 0)]);
    }

    #[test]
    fn lengths_that_are_whole_parts_of_one_another_go_together() {
        let ns = Length::Ns;
        assert_eq!((ns(300).of(ns(100)), ns(100).of(ns(300)), ns(250).of(ns(100))), (Some(3), None, None));
        assert_eq!((Length::Events(10).of(ns(10)), Length::Events(10).of(Length::Events(5))), (None, Some(2)));
        assert_eq!(
            (ns(1_500_000_000).to_string(), Length::Events(2_000).to_string()),
            ("1s 500ms".to_owned(), "2,000 events".to_owned())
        );
    }

    #[test]
    fn losses_are_in_the_windows_that_they_were_in() {
        let mut counted = Windows::new(Length::Ns(100));
        counted.losses(&[Loss { cpu: None, lost: 7, from: Ns(900), to: Ns(1_050) }]);
        counted.events(&[event(1_000, 1), event(1_399, 1)], &Table::default());
        counted.losses(&[
            Loss { cpu: None, lost: 30, from: Ns(1_150), to: Ns(1_300) },
            Loss { cpu: None, lost: 5, from: Ns(2_000), to: Ns(3_000) },
            Loss { cpu: None, lost: 1, from: Ns(1_110), to: Ns(1_110) },
        ]);
        let counted = counted.finish(Some(Ns(1_400))).unwrap();
        assert_eq!(counted.iter().map(|window| window.lost).collect::<Vec<_>>(), [7, 11, 20, 0]);
    }

    #[test]
    fn a_clock_that_jumps_is_no_session_and_no_hang() {
        for (events, end) in [(vec![event(0, 1), event(u64::MAX - 1, 1)], None), (vec![event(0, 1)], Some(Ns::MAX))] {
            let mut windows = Windows::new(Length::Ns(100));
            windows.events(&events, &Table::default());
            assert_eq!(windows.finish(end), Err(TooMany::Windows));
        }
    }

    #[test]
    fn a_window_costs_what_was_hit_in_it_and_not_the_highest_tpid() {
        let mut windows = Windows::new(Length::Ns(10));
        let last = MOST_WINDOWS as u64 - 2;
        windows.events(&[event(0, 4_000_000), event(last / 2 * 10, 7), event(last * 10, 2)], &Table::default());
        let windows = windows.finish(Some(Ns(last * 10 + 10))).unwrap();
        assert_eq!(windows.len(), MOST_WINDOWS - 1);
        assert_eq!(windows.iter().map(Window::events).sum::<u64>(), 3);
    }

    #[test]
    fn what_no_memory_should_hold_is_no_session() {
        crate::memory::apart(1 << 20, || {
            let mut windows = Windows::new(Length::Ns(10));
            // Each window has another tracepoint, so the number of counts grows with the square of the windows.
            windows.events(&(0..400).map(|n| event(n * 10, n as u32 + 1)).collect::<Vec<_>>(), &Table::default());
            assert!(matches!(windows.finish(None), Err(TooMany::Memory(TooMuch { part: MemoryOf::Windows, .. }))));
            let mut windows = Windows::new(Length::Ns(10));
            windows.losses(&vec![Loss { cpu: None, lost: 1, from: Ns(0), to: Ns(0) }; 25_000]);
            assert!(!windows.takes_more());
        });
    }

    #[test]
    fn the_end_of_all_times_is_no_end_of_the_work() {
        let counted = windows(&[event(u64::MAX - 150, 1), event(u64::MAX, 1)], Some(u64::MAX));
        assert_eq!(counts(&counted), [vec![(1, 1)]]);
    }
}
