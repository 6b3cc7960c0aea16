//! Windows: the hits of each tracepoint in stretches of time.

use crate::events::{Event, EventHits, Ns, RowRun, RungStep, Sink, Tpid};
use crate::tracefs::Table;
use std::io;

/// The hits of a tracepoint in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ExportedHits {
    pub tpid: Tpid,
    /// `None` if they are unknown, because the tracepoint was detached.
    pub hits: Option<u64>,
    pub is_estimate: bool,
    /// The part of the hits that was recorded, or the part of the time in which the tracepoint was watched.
    pub watched: f32,
    pub standard_error: Option<f64>,
}

/// A window.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ExportedWindow {
    pub from: Ns,
    pub length_ns: u64,
    /// By tpid. Those without hits are missing.
    pub hits: Vec<ExportedHits>,
}

/// A consumer of windows, which come in time order. Windows without hits may be missing.
pub(super) trait TakesWindows {
    fn window(&mut self, window: &ExportedWindow, table: &Table) -> io::Result<()>;
}

/// Makes windows of events. The first one begins with the first event.
pub(super) struct EventWindows<'a> {
    length_ns: u64,
    to: &'a mut dyn TakesWindows,
    hits: EventHits,
    origin: Option<Ns>,
    /// The number of the window, the first time behind it, and the time of its last event.
    index: u64,
    end: Ns,
    last: Ns,
    /// The events, and the hits, by tpid.
    sums: Vec<(u64, u64)>,
    hit: Vec<Tpid>,
    table: Table,
    /// The number of windows with events.
    pub number: u64,
    failed: Option<io::Error>,
}

impl<'a> EventWindows<'a> {
    pub fn new(length_ns: u64, to: &'a mut dyn TakesWindows) -> Self {
        EventWindows {
            length_ns,
            to,
            hits: EventHits::default(),
            origin: None,
            index: 0,
            end: Ns(0),
            last: Ns(0),
            sums: Vec::new(),
            hit: Vec::new(),
            table: Table::default(),
            number: 0,
            failed: None,
        }
    }

    /// Ends the last window at this time, unless it is full before. Returns the number of windows with events.
    pub fn finish(mut self, end: Ns) -> io::Result<u64> {
        let table = std::mem::take(&mut self.table);
        self.close(Some(end), &table);
        self.failed.map_or(Ok(self.number), Err)
    }

    fn close(&mut self, end: Option<Ns>, table: &Table) {
        let Some(origin) = self.origin.filter(|_| !self.hit.is_empty()) else { return };
        self.hit.sort_unstable();
        let sums = &mut self.sums;
        let hits = self.hit.drain(..).map(|tpid| {
            let (events, hits) = std::mem::take(&mut sums[tpid.index()]);
            let is_estimate = hits > events;
            let watched = if is_estimate { (events as f64 / hits as f64) as f32 } else { 1.0 };
            ExportedHits { tpid, hits: Some(hits), is_estimate, watched, standard_error: None }
        });
        let from = origin.saturating_add(self.index.saturating_mul(self.length_ns));
        let most = self.length_ns.min(Ns::MAX.since(from));
        let length_ns = match end {
            // The last event is within the window.
            Some(end) => end.since(from).clamp(self.last.since(from).saturating_add(1).min(most), most),
            None => most,
        };
        let window = ExportedWindow { from, length_ns, hits: hits.collect() };
        self.number += 1;
        self.failed = self.failed.take().or(self.to.window(&window, table).err());
    }

    fn turn(&mut self, time: Ns, table: &Table) {
        self.close(None, table);
        let origin = *self.origin.get_or_insert(time);
        self.index = time.since(origin) / self.length_ns;
        self.end = origin.saturating_add((self.index + 1).saturating_mul(self.length_ns));
    }
}

impl Sink for EventWindows<'_> {
    fn only_some(&mut self) {
        self.hits.only_some();
    }

    fn events(&mut self, events: &[Event], table: &Table) {
        if self.table.tracepoints().len() != table.tracepoints().len() {
            self.table = table.clone();
        }
        for event in events {
            // The last window of all has no end that fits in 64 bits.
            if self.origin.is_none() || event.time >= self.end && self.end < Ns::MAX {
                self.turn(event.time, table);
            }
            let place = event.tpid().index();
            if place >= self.sums.len() {
                self.sums.resize(place + 1, (0, 0));
            }
            let hits = self.hits.of_next(event);
            let sum = &mut self.sums[place];
            if sum.0 == 0 {
                self.hit.push(event.tpid());
            }
            *sum = (sum.0 + 1, sum.1.saturating_add(hits));
            self.last = event.time;
        }
    }

    fn steps(&mut self, steps: &[RungStep]) {
        self.failed = self.failed.take().or(self.hits.steps(steps).err().map(Into::into));
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        self.hits.rows(runs);
    }

    fn takes_more(&self) -> bool {
        self.failed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The begin of a window, its length, and the hits by tpid.
    type KeptWindow = (u64, u64, Vec<(u32, u64)>);

    #[derive(Default)]
    struct Kept(Vec<KeptWindow>);

    impl TakesWindows for Kept {
        fn window(&mut self, window: &ExportedWindow, _: &Table) -> io::Result<()> {
            let hits = window.hits.iter().map(|hits| (hits.tpid.get(), hits.hits.unwrap()));
            self.0.push((window.from.0, window.length_ns, hits.collect()));
            Ok(())
        }
    }

    fn windows(length_ns: u64, end: u64, events: &[(u64, u32)]) -> Vec<KeptWindow> {
        let mut kept = Kept::default();
        let mut windows = EventWindows::new(length_ns, &mut kept);
        let event = |(time, tpid): &(u64, u32)| Event::new(Ns(*time), None, Tpid::new(*tpid));
        windows.events(&events.iter().map(event).collect::<Vec<_>>(), &Table::default());
        windows.finish(Ns(end)).unwrap();
        kept.0
    }

    #[test]
    fn windows_begin_with_the_first_event_and_end_with_the_source() {
        let events = [(100, 2), (105, 1), (109, 2), (110, 1), (135, 3)];
        let first = [(100, 10, vec![(1, 1), (2, 2)]), (110, 10, vec![(1, 1)])];
        let last = |length| (130, length, vec![(3, 1)]);
        assert_eq!(windows(10, 500, &events), [&first[..], &[last(10)]].concat());
        assert_eq!(windows(10, 137, &events), [&first[..], &[last(7)]].concat());
        assert_eq!(windows(10, 120, &events), [&first[..], &[last(6)]].concat(), "the last event is in it");
        assert_eq!(windows(10, 0, &[]), []);
    }

    #[test]
    fn times_at_the_end_of_all_times_are_counted() {
        let counted = windows(1 << 62, u64::MAX, &[(0, 1), (u64::MAX - 1, 1), (u64::MAX, 2)]);
        assert_eq!(counted.len(), 2);
        assert_eq!(counted[1].2, [(1, 1), (2, 1)]);
    }
}
