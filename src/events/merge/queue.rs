//! The events of one CPU that wait for the watermark.
//!
//! Almost all events arrive in time order. They form one sorted run, at whose end a new event is appended. An event that
//! steps back in time would have to go into the middle of this run, and move all later events. So it goes elsewhere: the
//! events of a round that step back are sorted among themselves, and become a run of their own.
//!
//! ```text
//!   in order    1  4  4  7  9 11 15 15 18 ← 18      runs    3  5  5 13        8 10       early  17 16
//! ```
//!
//! A run is joined with the run behind it as soon as it is at most twice as long. So there are few runs: their number
//! grows with the logarithm of the number of events, and an event moves to another run no more often than that. A round
//! costs as much as the events that it takes and passes on, however many events wait.
//!
//! Arrival decides among equal times. The runs are in the order of arrival. The events in order come before all runs: at
//! its arrival, an event that steps back is older than the newest of them.

use super::Event;
use crate::events::{Cpu, Ns};

/// The events of one CPU that have not been passed on yet.
#[derive(Debug)]
pub(super) struct Queue {
    pub cpu: Option<Cpu>,
    pub late: u64,
    /// The time from which on an event continues the events in order. While there are none, it is [`Ns::MAX`], so that
    /// the first event takes the rare path.
    pub continues_from: Ns,
    in_order: Run,
    /// The events of this round that step back, as they arrived.
    early: Vec<Event>,
    /// Those of finished rounds.
    runs: Vec<Run>,
    /// The newest time before there were no events in order.
    newest_before: Ns,
    /// The time under which the merge finds this queue.
    pub found_at: Option<Ns>,
    /// Whether the merge has noted that the oldest event may have changed in this round.
    pub is_noted: bool,
}

/// Events in time order, which are passed on from the front.
#[derive(Debug, Default)]
struct Run {
    events: Vec<Event>,
    /// The number of events that have been passed on and are still in memory.
    passed: usize,
    /// The number of events that are ready to be passed on.
    ready: usize,
}

impl Queue {
    pub fn new(cpu: Option<Cpu>) -> Self {
        Queue {
            cpu,
            late: 0,
            continues_from: Ns::MAX,
            in_order: Run::default(),
            early: Vec::new(),
            runs: Vec::new(),
            newest_before: Ns(0),
            found_at: None,
            is_noted: false,
        }
    }

    /// Whether an event at [`continues_from`](Self::continues_from) or later needs more memory.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.in_order.events.len() == self.in_order.events.capacity()
    }

    /// Makes room for more events in order, and returns for how many. The room grows by a quarter: doubling it could
    /// waste half of the memory.
    #[cold]
    pub fn grow(&mut self) -> usize {
        grow(&mut self.in_order.events)
    }

    /// Appends an event at [`continues_from`](Self::continues_from) or later.
    #[inline]
    pub fn push(&mut self, event: Event) {
        self.continues_from = event.time;
        self.in_order.events.push(event);
    }

    /// Whether there are no events in order, and one of this time would be the first.
    pub fn begins_with(&self, time: Ns) -> bool {
        self.in_order.is_empty() && time >= self.newest_before
    }

    /// Takes an event that steps back. Returns for how many events it made room.
    pub fn push_early(&mut self, event: Event) -> usize {
        let more = if self.early.len() == self.early.capacity() { grow(&mut self.early) } else { 0 };
        self.early.push(event);
        more
    }

    /// The time of the newest event, whether or not it has been passed on; 0 before the first.
    pub fn newest(&self) -> Ns {
        self.in_order.events.last().map_or(self.newest_before, |event| event.time)
    }

    /// The time of the oldest event. No event may be in `early`.
    pub fn oldest(&self) -> Option<Ns> {
        self.all_runs().filter_map(|run| Some(run.waiting().first()?.time)).min()
    }

    /// The number of events for which there is memory.
    pub fn capacity(&self) -> usize {
        self.all_runs().map(|run| run.events.capacity()).sum::<usize>() + self.early.capacity()
    }

    fn all_runs(&self) -> impl Iterator<Item = &Run> {
        std::iter::once(&self.in_order).chain(&self.runs)
    }

    /// Makes a run of the events that stepped back in this round.
    pub fn settle(&mut self) {
        if self.early.is_empty() {
            return;
        }
        let mut run = Run { events: std::mem::take(&mut self.early), ..Run::default() };
        run.sort();
        run.events.shrink_to_fit();
        let is_short = |older: &mut Run, run: &Run| older.waiting().len() <= 2 * run.waiting().len();
        while let Some(older) = self.runs.pop_if(|older| is_short(older, &run)) {
            run = older.joined(run);
        }
        self.runs.push(run);
    }

    /// Finds the events that are `complete`; in each run, they are a prefix.
    pub fn find_ready(&mut self, complete: impl Fn(&Event) -> bool) {
        for run in std::iter::once(&mut self.in_order).chain(&mut self.runs) {
            run.ready = run.waiting().partition_point(&complete);
        }
    }

    /// The events that were found to be ready, in sorted lists. Among equal times, the list that comes first wins.
    pub fn ready(&self) -> impl Iterator<Item = &[Event]> {
        self.all_runs().filter(|run| run.ready > 0).map(|run| &run.waiting()[..run.ready])
    }

    /// Removes the events that were found to be ready. Returns their number, and how many of them had stepped back.
    pub fn pass_on(&mut self) -> (usize, usize) {
        let newest = self.newest();
        let in_order = self.in_order.pass_on();
        if self.in_order.is_empty() {
            (self.continues_from, self.newest_before) = (Ns::MAX, newest);
        }
        let early = self.runs.iter_mut().map(Run::pass_on).sum::<usize>();
        self.runs.retain(|run| !run.is_empty());
        (in_order + early, early)
    }
}

/// Makes room for more events, and returns for how many.
fn grow(events: &mut Vec<Event>) -> usize {
    let before = events.capacity();
    events.reserve_exact((before / 4).max(64));
    events.capacity() - before
}

impl Run {
    fn waiting(&self) -> &[Event] {
        &self.events[self.passed..]
    }

    fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    fn sort(&mut self) {
        // The sort is stable, so arrival decides among equal times. It finds stretches that are in order, and only merges
        // them.
        self.events.sort_by_key(|event| event.time);
    }

    /// This run together with the run that follows in the order of arrival.
    fn joined(mut self, later: Run) -> Run {
        self.events.drain(..self.passed);
        self.passed = 0;
        self.events.reserve_exact(later.events.len());
        self.events.extend_from_slice(later.waiting());
        drop(later);
        self.sort();
        self
    }

    /// Removes the events that are ready, and returns their number.
    fn pass_on(&mut self) -> usize {
        let ready = std::mem::take(&mut self.ready);
        self.passed += ready;
        // The rest moves to the front only if it is not much longer than the events that have made room. So an event
        // moves a few times at most, and little memory is wasted.
        if self.passed >= self.waiting().len() / 4 {
            self.events.drain(..self.passed);
            self.passed = 0;
        }
        ready
    }
}
