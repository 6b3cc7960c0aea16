//! Merges the events of all CPUs into time order.
//!
//! # What the merge assumes
//!
//! The kernel timestamps an event, then writes it to its CPU's ring, then publishes it. An interrupt between
//! these steps delays the event for as long as the interrupt takes, so time can step back a little within a
//! ring. Rings are not ordered among each other. Only the rounds order them:
//!
//! ```text
//!            round r−1          round r            round r+1
//!   cpu 0  ──●──●───┤ taken ├──●────●────┤ taken ├──●───
//!   cpu 1  ────●──●─┤ taken ├●───────────┤ taken ├────●─
//!                ▲
//!                newest of round r−1
//! ```
//!
//! All events of round r−1 were timestamped before round r began. An event that first appears in round r+1
//! was not in its ring when round r took from that ring, so it was published after round r began. Therefore,
//! once round r has been taken, all events older than the newest event of round r−1 are there, except for
//! events on their way from timestamp to publication. Rounds can follow each other within microseconds, but
//! an interrupt takes longer, and so does a host that has descheduled a virtual CPU. So the **watermark**
//! stays [`LATENESS_NS`] behind that newest event. The merge passes on all events below the watermark,
//! ordered by (time, cpu, arrival). An event that takes longer and arrives below the watermark is **late**:
//! the merge counts it and leaves it out, because later events have already been passed on. (perf's
//! FINISHED_ROUND means the same, but without the allowance.)
//!
//! Memory holds only the events of two rounds and of the allowance, however long the capture is.

use crate::events::{Cpu, Ns, Tpid};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// The allowance in nanoseconds: how long an event may take from its timestamp to its publication without
/// being late.
pub const LATENESS_NS: u64 = 50_000_000;

/// A hit recorded with its time, CPU, and tracepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The time of the hit, by the capture's clock.
    pub time: Ns,
    /// The CPU of the hit; `None` if the source does not record it.
    pub cpu: Option<Cpu>,
    /// The tracepoint.
    pub tpid: Tpid,
}

// Memory holds millions of events during a capture.
const _: () = assert!(size_of::<Event>() == 16);

/// The merge over the queues of all CPUs.
#[derive(Debug, Default)]
pub struct Merge {
    queues: Vec<Queue>,
    /// The numbers of the queues, ordered by CPU.
    order: Vec<usize>,
    /// The newest time in all finished rounds.
    newest: Ns,
    watermark: Ns,
    waiting: usize,
    /// The number of events for which the queues have memory.
    capacity: usize,
    /// Whether a queue must be sorted before it is passed on.
    out_of_order: bool,
}

/// The events of one CPU that have not been passed on yet.
#[derive(Debug, Default)]
struct Queue {
    cpu: Option<Cpu>,
    events: Vec<Event>,
    newest: Ns,
    out_of_order: bool,
    late: u64,
}

impl Merge {
    /// Adds a queue for a CPU, and returns the number of the queue. Among events of the same time, lower CPUs
    /// come first and an unknown CPU comes last.
    pub fn add_queue(&mut self, cpu: Option<Cpu>) -> usize {
        let number = self.queues.len();
        self.queues.push(Queue { cpu, ..Default::default() });
        let key = |cpu: Option<Cpu>| (cpu.is_none(), cpu);
        let place = self.order.partition_point(|queue| key(self.queues[*queue].cpu) <= key(cpu));
        self.order.insert(place, number);
        number
    }

    /// Takes an event. Events must be pushed in the order in which they arrived in their queue.
    #[inline]
    pub fn push(&mut self, queue: usize, event: Event) {
        let queue = &mut self.queues[queue];
        if event.time < self.watermark {
            queue.late += 1;
            return;
        }
        if event.time < queue.newest {
            (queue.out_of_order, self.out_of_order) = (true, true);
        }
        queue.newest = queue.newest.max(event.time);
        if queue.events.len() == queue.events.capacity() {
            self.capacity += queue.grow();
        }
        queue.events.push(event);
        self.waiting += 1;
    }

    /// Ends a round: appends to `out` all events below the new watermark.
    pub fn finish_round(&mut self, out: &mut Vec<Event>) {
        let watermark = self.newest.saturating_sub(LATENESS_NS);
        self.watermark = watermark;
        if self.waiting == 0 {
            return;
        }
        self.newest = self.queues.iter().map(|queue| queue.newest).max().unwrap_or_default();
        self.pass_on(out, |event| event.time < watermark);
    }

    /// Ends the merge: appends all remaining events to `out`.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.pass_on(out, |_| true);
    }

    /// The number of late events of a queue.
    pub fn late(&self, queue: usize) -> u64 {
        self.queues[queue].late
    }

    /// The time of the newest event of a queue; 0 before the first event.
    pub fn newest(&self, queue: usize) -> Ns {
        self.queues[queue].newest
    }

    /// The number of events that have not been passed on yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The memory in bytes that the waiting events take, with that for passing all of them on.
    pub fn memory(&self) -> usize {
        let sorting = if self.out_of_order { self.waiting / 2 } else { 0 };
        (self.capacity + self.waiting + sorting) * size_of::<Event>()
    }

    /// The current watermark. An event older than this is late.
    pub fn watermark(&self) -> Ns {
        self.watermark
    }

    /// Appends all events that are `complete`; in each sorted queue, they are a prefix.
    fn pass_on(&mut self, out: &mut Vec<Event>, complete: impl Fn(&Event) -> bool) {
        for queue in &mut self.queues {
            queue.sort();
        }
        self.out_of_order = false;
        let in_order = self.order.iter().map(|number| &self.queues[*number]);
        let ready: Vec<&[Event]> =
            in_order.map(|queue| &queue.events[..queue.events.partition_point(&complete)]).collect();
        merge_sorted(&ready, out);
        let lengths: Vec<usize> = ready.iter().map(|events| events.len()).collect();
        for (number, length) in self.order.iter().zip(lengths) {
            self.queues[*number].events.drain(..length);
            self.waiting -= length;
        }
    }
}

impl Queue {
    /// Makes room for more events, and returns for how many. The room grows by a quarter: doubling it could waste half
    /// of the memory.
    #[cold]
    fn grow(&mut self) -> usize {
        let before = self.events.capacity();
        self.events.reserve_exact((before / 4).max(64));
        self.events.capacity() - before
    }

    fn sort(&mut self) {
        if std::mem::take(&mut self.out_of_order) {
            // The sort is stable, so arrival decides among equal times. It is fast, because few events are
            // out of place.
            self.events.sort_by_key(|event| event.time);
        }
    }
}

/// Merges sorted lists. Among equal times, the list that comes first in `lists` wins.
fn merge_sorted(lists: &[&[Event]], out: &mut Vec<Event>) {
    out.reserve(lists.iter().map(|list| list.len()).sum());
    let mut rest = lists.to_vec();
    let mut heads: BinaryHeap<Reverse<(Ns, u32)>> =
        (0u32..).zip(lists).filter_map(|(number, list)| Some(Reverse((list.first()?.time, number)))).collect();
    while let Some(Reverse((_, number))) = heads.peek() {
        let number = *number;
        let list = &mut rest[number as usize];
        // The next list is one of the two below the top of the heap. Until this list falls behind the next
        // one, its events are copied without using the heap.
        let next = heads.as_slice()[1..].iter().take(2).max();
        let run = match next {
            Some(Reverse(next)) => list.iter().take_while(|event| (event.time, number) < *next).count(),
            None => list.len(),
        };
        out.extend_from_slice(&list[..run]);
        *list = &list[run..];
        if let Some(mut head) = heads.peek_mut() {
            match list.first() {
                Some(first) => *head = Reverse((first.time, number)),
                None => drop(PeekMut::pop(head)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// miri is slow, so it runs these tests with fewer events. It finds the same errors with them.
    const IN_MIRI: bool = cfg!(miri);
    const MANY_RINGS: usize = if IN_MIRI { 64 } else { 1024 };
    const MANY_EVENTS: usize = if IN_MIRI { 200 } else { 2000 };

    fn event(time: u64, cpu: u32, tpid: u32) -> Event {
        Event { time: Ns(time), cpu: Some(Cpu::new(cpu)), tpid: Tpid::new(tpid) }
    }

    /// A merge in which each queue has the number of its CPU.
    fn merge(queues: usize) -> Merge {
        let mut merge = Merge::default();
        (0..queues).for_each(|cpu| assert_eq!(merge.add_queue(Some(Cpu::new(cpu as u32))), cpu));
        merge
    }

    /// The events taken in one round, as (queue, event).
    type Round = Vec<(usize, Event)>;

    /// Feeds rounds to a merge. Returns all merged events, and the number of late ones.
    fn merged(queues: usize, rounds: &[Round]) -> (Vec<Event>, u64) {
        let mut merge = merge(queues);
        let mut out = Vec::new();
        for round in rounds {
            round.iter().for_each(|(queue, event)| merge.push(*queue, *event));
            merge.finish_round(&mut out);
        }
        merge.finish(&mut out);
        (out, (0..queues).map(|queue| merge.late(queue)).sum())
    }

    #[test]
    fn equal_times_are_ordered_by_cpu_then_by_arrival() {
        let round = vec![
            (1, event(5, 1, 1)),
            (1, event(5, 1, 2)),
            (0, event(5, 0, 3)),
            (0, event(5, 0, 4)),
            (0, event(4, 0, 5)),
        ];
        let (out, late) = merged(2, &[round]);
        assert_eq!(out.iter().map(|event| event.tpid.get()).collect::<Vec<_>>(), [5, 3, 4, 1, 2]);
        assert_eq!(late, 0);
    }

    #[test]
    fn queues_may_be_added_in_any_order_and_between_rounds() {
        let mut merge = Merge::default();
        let mut out = Vec::new();
        let five = merge.add_queue(Some(Cpu::new(5)));
        merge.push(five, event(1, 5, 1));
        merge.finish_round(&mut out);
        let unknown = merge.add_queue(None);
        let (two, nine) = (merge.add_queue(Some(Cpu::new(2))), merge.add_queue(Some(Cpu::new(9))));
        merge.push(unknown, Event { cpu: None, ..event(1, 0, 4) });
        merge.push(nine, event(1, 9, 2));
        merge.push(two, event(1, 2, 3));
        assert_eq!(merge.waiting(), 4);
        merge.finish(&mut out);
        let cpus: Vec<_> = out.iter().map(|event| event.cpu.map(Cpu::get)).collect();
        assert_eq!(cpus, [Some(2), Some(5), Some(9), None]);
    }

    #[test]
    fn among_many_equal_times_arrival_decides_even_in_disorder() {
        let mut round: Vec<_> = (1..=1_000).map(|n| (0, event(7, 0, n))).collect();
        round.push((0, event(6, 0, 1_001)));
        let (out, _) = merged(1, &[round]);
        assert_eq!(out[0].tpid, Tpid::new(1_001));
        assert!(out[1..].iter().map(|event| event.tpid.get()).eq(1..=1_000));
    }

    #[test]
    fn an_event_one_round_behind_keeps_its_place() {
        // An interrupt delays the event at 15, so it is published after round 1 took from its ring.
        let rounds = [
            vec![(0, event(10, 0, 1)), (1, event(20, 1, 2))],
            vec![(0, event(15, 0, 3)), (1, event(30, 1, 4))],
            vec![],
        ];
        let (out, late) = merged(2, &rounds);
        assert_eq!(out.iter().map(|event| event.time.0).collect::<Vec<_>>(), [10, 15, 20, 30]);
        assert_eq!(late, 0);
    }

    #[test]
    fn an_event_two_rounds_behind_is_late_and_counted() {
        let at = |time| LATENESS_NS + time;
        // Two rounds later, only an event within the allowance keeps its place.
        let delayed = vec![(0, event(19, 0, 3)), (0, event(20, 0, 5))];
        let rounds = [vec![(1, event(at(20), 1, 2))], vec![(1, event(at(30), 1, 4))], delayed];
        let (out, late) = merged(2, &rounds);
        assert_eq!(out.iter().map(|event| event.time.0).collect::<Vec<_>>(), [20, at(20), at(30)]);
        assert_eq!(late, 1);
    }

    #[test]
    fn events_below_the_watermark_leave_memory() {
        let mut merge = merge(2);
        let mut out = Vec::new();
        let rounds = if IN_MIRI { 20 } else { 1_000 };
        for round in 0..rounds {
            // Each round has a hundred events and lasts as long as the allowance.
            let time = |n: u64| round * LATENESS_NS + n * (LATENESS_NS / 100);
            (0..100).for_each(|n| merge.push(n % 2, event(time(n as u64), n as u32 % 2, 1)));
            merge.finish_round(&mut out);
            assert!(merge.queues.iter().all(|queue| queue.events.len() <= 151));
            out.clear();
        }
    }

    /// Realistic rounds. Each event is published up to [`LATENESS_NS`] after its timestamp. A round takes
    /// from one ring after the other, with any time in between. The pauses between rounds can be short or
    /// long.
    fn machine() -> impl Strategy<Value = (usize, Vec<Round>, Vec<Event>)> {
        let (most, pauses) = if IN_MIRI { (40, 20) } else { (300, 60) };
        let events = proptest::collection::vec((0usize..20, 0..20 * LATENESS_NS, 0..=LATENESS_NS), 0..most);
        let pauses = proptest::collection::vec(prop_oneof![0..1_000u64, 0..2 * LATENESS_NS], 1..pauses);
        (1usize..20, events, pauses, 0..10_000_000u64).prop_map(|(cpus, raw, pauses, apart)| {
            let mut events: Vec<(u64, usize, Event)> = raw
                .into_iter()
                .zip(1..)
                .map(|((cpu, time, delay), tpid)| (time + delay, cpu % cpus, event(time, (cpu % cpus) as u32, tpid)))
                .collect();
            events.sort_by_key(|(published, ..)| *published);
            let mut expected: Vec<_> = events.iter().map(|(.., event)| *event).collect();
            expected.sort_by_key(|event| (event.time, event.cpu));
            let mut rounds = Vec::new();
            let mut now = 0;
            for pause in pauses.into_iter().chain([u64::MAX / 2]) {
                now += pause;
                let mut round = Vec::new();
                for cpu in 0..cpus {
                    now += apart;
                    let taken = events.extract_if(.., |(published, ring, _)| *ring == cpu && *published <= now);
                    round.extend(taken.map(|(_, _, event)| (cpu, event)));
                }
                rounds.push(round);
            }
            (cpus, rounds, expected)
        })
    }

    proptest! {
        #[test]
        fn events_within_the_allowance_come_out_in_order_whatever_the_delays((cpus, rounds, expected) in machine()) {
            let (out, late) = merged(cpus, &rounds);
            prop_assert_eq!(late, 0);
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn every_event_is_passed_on_or_counted_late_and_the_order_holds(rounds in proptest::collection::vec(proptest::collection::vec((0usize..5, 0u64..200), 0..50), 0..20)) {
            let rounds: Vec<Vec<_>> = rounds.into_iter().map(|round| round.into_iter().map(|(queue, time)| (queue, event(time, queue as u32, 1))).collect()).collect();
            let pushed: usize = rounds.iter().map(Vec::len).sum();
            let (out, late) = merged(5, &rounds);
            prop_assert_eq!(out.len() as u64 + late, pushed as u64);
            prop_assert!(out.is_sorted_by_key(|event| (event.time, event.cpu)));
        }

        #[test]
        fn a_thousand_rings_merge_like_one_sort(events in proptest::collection::vec((0..MANY_RINGS, 0u64..1000), 0..MANY_EVENTS)) {
            let round: Vec<_> = events.iter().zip(1..).map(|((queue, time), n)| (*queue, event(*time, *queue as u32, n))).collect();
            let mut expected: Vec<_> = round.iter().map(|(_, event)| *event).collect();
            expected.sort_by_key(|event| (event.time, event.cpu));
            prop_assert_eq!(merged(MANY_RINGS, &[round]).0, expected);
        }
    }
}
