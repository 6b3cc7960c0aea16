//! Chooses the events of processes.

use crate::events::{ChosenThreads, Event, ProcessFilter, ThreadChange, Tid};
use crate::memory::TooMuch;

/// Keeps the events of the chosen processes.
pub(super) struct ChosenProcesses {
    threads: ChosenThreads,
    /// The thread of the last event, and whether it is chosen.
    last: Option<(Option<Tid>, bool)>,
    kept: Vec<Event>,
}

impl ChosenProcesses {
    /// `None` if the filter keeps all processes.
    pub fn of(filter: &ProcessFilter) -> Option<Self> {
        let threads = ChosenThreads::of(filter);
        filter.chooses().then_some(ChosenProcesses { threads, last: None, kept: Vec::new() })
    }

    /// Takes what happened to threads.
    ///
    /// # Errors
    /// If that takes too much memory.
    pub fn threads(&mut self, changes: &[ThreadChange]) -> Result<(), TooMuch> {
        self.threads.add(changes)
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
        if self.threads.until(event.time) {
            self.last = None;
        }
        let tid = event.tid();
        let takes = match self.last {
            Some((last, takes)) if last == tid => takes,
            _ => tid.is_some_and(|tid| {
                self.threads.saw(tid);
                self.threads.takes(tid)
            }),
        };
        self.last = Some((tid, takes));
        // An interrupt belongs to no process.
        takes && !event.is_in_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::threads::testing::{self, named, tid};
    use crate::events::{NamePattern, Ns, Tpid};

    /// A new process, forked by the first thread of its parent.
    fn forked(time: u64, process: u32, parent: u32) -> ThreadChange {
        testing::forked(time, [process, parent, process, parent])
    }

    /// The threads of the kept events, which are one at each of these times.
    fn kept(filter: &ProcessFilter, changes: &[ThreadChange], events: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let mut chosen = ChosenProcesses::of(filter).unwrap();
        chosen.threads(changes).unwrap();
        let event = |(time, thread): &(u64, u32)| Event::new(Ns(*time), None, Tpid::new(1)).in_thread(tid(*thread));
        let mut events: Vec<Event> = events.iter().map(event).collect();
        events.push(Event::new(Ns(99), None, Tpid::new(1)));
        let interrupts: Vec<Event> = events.iter().map(|event| event.in_interrupt()).collect();
        assert!(chosen.part(&interrupts[..1]).is_empty());
        chosen.part(&events).iter().map(|event| (event.time.0, event.tid().unwrap().get())).collect()
    }

    #[test]
    fn a_process_is_chosen_with_those_that_it_starts_from_then_on() {
        let filter = ProcessFilter { pids: vec![tid(5)], names: Vec::new(), cgroups: Vec::new() };
        let changes = [forked(0, 5, 1), forked(0, 6, 5), forked(20, 7, 5), forked(30, 8, 7), forked(30, 9, 1)];
        let events = [(10, 5), (10, 6), (10, 7), (20, 7), (30, 8), (40, 9), (50, 6)];
        assert_eq!(kept(&filter, &changes, &events), [(10, 5), (20, 7), (30, 8)]);
    }

    #[test]
    fn a_number_that_another_process_has_later_is_not_chosen() {
        let filter = ProcessFilter { pids: vec![tid(5)], names: Vec::new(), cgroups: Vec::new() };
        let changes = [forked(0, 5, 1), forked(20, 7, 5), forked(40, 7, 1), forked(50, 5, 1), forked(60, 8, 5)];
        let events = [(10, 5), (20, 7), (40, 7), (50, 5), (60, 8)];
        assert_eq!(kept(&filter, &changes, &events), [(10, 5), (20, 7)]);
        // The chosen process may itself begin during the capture.
        let changes = [forked(5, 5, 1), forked(20, 7, 5)];
        assert_eq!(kept(&filter, &changes, &[(10, 5), (20, 7)]), [(10, 5), (20, 7)]);
    }

    #[test]
    fn a_name_is_that_of_the_time_and_both_choices_must_match() {
        let names = vec![NamePattern::new("gc*").unwrap()];
        let filter = ProcessFilter { pids: Vec::new(), names: names.clone(), cgroups: Vec::new() };
        let changes = [forked(0, 5, 1), named(0, 5, "make"), named(20, 5, "gcc"), forked(25, 6, 5)];
        let events = [(10, 5), (20, 5), (30, 6), (30, 7)];
        assert_eq!(kept(&filter, &changes, &events), [(20, 5), (30, 6)]);
        let filter = ProcessFilter { pids: vec![tid(6)], names, cgroups: Vec::new() };
        assert_eq!(kept(&filter, &changes, &events), [(30, 6)]);
        assert!(ChosenProcesses::of(&ProcessFilter::default()).is_none());
    }
}
