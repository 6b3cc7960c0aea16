//! Chooses the events of processes.

use crate::events::{Event, KnownThreads, Ns, ProcessFilter, ThreadChange, ThreadFact, Tid};
use std::collections::HashSet;

/// Keeps the events of the chosen processes. A process that a chosen one starts meanwhile is chosen too.
pub(super) struct ChosenProcesses<'a> {
    filter: &'a ProcessFilter,
    pids: HashSet<Tid>,
    threads: KnownThreads,
    /// The thread of the last event, and whether it is chosen.
    last: Option<(Option<Tid>, bool)>,
    kept: Vec<Event>,
}

impl<'a> ChosenProcesses<'a> {
    /// `None` if the filter keeps all processes.
    pub fn of(filter: &'a ProcessFilter) -> Option<Self> {
        filter.chooses().then(|| ChosenProcesses {
            filter,
            pids: filter.pids.iter().copied().collect(),
            threads: KnownThreads::default(),
            last: None,
            kept: Vec::new(),
        })
    }

    /// Takes what happened to threads.
    pub fn threads(&mut self, changes: &[ThreadChange]) {
        self.threads.add(changes);
    }

    /// The chosen events of a batch.
    pub fn part(&mut self, batch: &[Event]) -> &[Event] {
        self.kept.clear();
        for event in batch {
            if self.takes(event) {
                self.kept.push(*event);
            }
        }
        &self.kept
    }

    fn takes(&mut self, event: &Event) -> bool {
        let ChosenProcesses { pids, threads, .. } = self;
        let has_changed = threads.until_noting(event.time, &mut |change: &ThreadChange| {
            // Those that were forked before the capture do not count as started meanwhile.
            if let ThreadFact::Forked { process, parent, .. } = change.what
                && change.time > Ns(0)
                && pids.contains(&parent)
            {
                pids.insert(process);
            }
        });
        if has_changed {
            self.last = None;
        }
        let tid = event.tid();
        let takes = match self.last {
            Some((last, takes)) if last == tid => takes,
            _ => tid.is_some_and(|tid| self.takes_thread(tid)),
        };
        self.last = Some((tid, takes));
        // An interrupt belongs to no process.
        takes && !event.is_in_interrupt()
    }

    fn takes_thread(&self, tid: Tid) -> bool {
        let thread = self.threads.of(tid);
        let process = thread.and_then(|thread| thread.process).unwrap_or(tid);
        let name = thread.and_then(|thread| thread.name.as_deref()).unwrap_or_default();
        let ProcessFilter { pids, names } = self.filter;
        (pids.is_empty() || self.pids.contains(&process))
            && (names.is_empty() || names.iter().any(|pattern| pattern.matches(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{NamePattern, Tpid};

    fn tid(number: u32) -> Tid {
        Tid::new(number).unwrap()
    }

    fn forked(time: u64, process: u32, parent: u32) -> ThreadChange {
        let what = ThreadFact::Forked { process: tid(process), parent: tid(parent), by: tid(parent) };
        ThreadChange { time: Ns(time), tid: tid(process), what }
    }

    fn named(time: u64, thread: u32, name: &str) -> ThreadChange {
        ThreadChange { time: Ns(time), tid: tid(thread), what: ThreadFact::Named(name.into()) }
    }

    /// The threads of the kept events, which are one at each of these times.
    fn kept(filter: &ProcessFilter, changes: &[ThreadChange], events: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let mut chosen = ChosenProcesses::of(filter).unwrap();
        chosen.threads(changes);
        let event = |(time, thread): &(u64, u32)| Event::new(Ns(*time), None, Tpid::new(1)).in_thread(tid(*thread));
        let mut events: Vec<Event> = events.iter().map(event).collect();
        events.push(Event::new(Ns(99), None, Tpid::new(1)));
        let interrupts: Vec<Event> = events.iter().map(|event| event.in_interrupt()).collect();
        assert!(chosen.part(&interrupts[..1]).is_empty());
        chosen.part(&events).iter().map(|event| (event.time.0, event.tid().unwrap().get())).collect()
    }

    #[test]
    fn a_process_is_chosen_with_those_that_it_starts_from_then_on() {
        let filter = ProcessFilter { pids: vec![tid(5)], names: Vec::new() };
        let changes = [forked(0, 5, 1), forked(0, 6, 5), forked(20, 7, 5), forked(30, 8, 7), forked(30, 9, 1)];
        let events = [(10, 5), (10, 6), (10, 7), (20, 7), (30, 8), (40, 9), (50, 6)];
        assert_eq!(kept(&filter, &changes, &events), [(10, 5), (20, 7), (30, 8)]);
    }

    #[test]
    fn a_name_is_that_of_the_time_and_both_choices_must_match() {
        let names = vec![NamePattern::new("gc*").unwrap()];
        let filter = ProcessFilter { pids: Vec::new(), names: names.clone() };
        let changes = [forked(0, 5, 1), named(0, 5, "make"), named(20, 5, "gcc"), forked(25, 6, 5)];
        let events = [(10, 5), (20, 5), (30, 6), (30, 7)];
        assert_eq!(kept(&filter, &changes, &events), [(20, 5), (30, 6)]);
        let filter = ProcessFilter { pids: vec![tid(6)], names };
        assert_eq!(kept(&filter, &changes, &events), [(30, 6)]);
        assert!(ChosenProcesses::of(&ProcessFilter::default()).is_none());
    }
}
