//! Merging the CPUs' events into time order.
//!
//! # What the merge assumes
//!
//! An event is stamped, then written to its CPU's ring, then published; an interrupt between these steps delays the
//! event by as long as the interrupt takes, so within a ring time can step back a little. Rings know nothing of each
//! other. What orders them is the round:
//!
//! ```text
//!            round r−1          round r            round r+1
//!   cpu 0  ──●──●───┤ taken ├──●────●────┤ taken ├──●───
//!   cpu 1  ────●──●─┤ taken ├●───────────┤ taken ├────●─
//!                ▲
//!                newest of round r−1
//! ```
//!
//! All of round r−1 was stamped before round r began. What is first seen in round r+1 was not in its ring when round r
//! took from it, so it was published after round r began. Once round r has been taken, everything older than the newest
//! event of round r−1 is therefore complete, but for events on their way from stamp to publication. Rounds can follow
//! each other within microseconds; an interrupt, and a virtual CPU that its host has put aside, take longer. So the
//! **watermark** stays [`LATENESS_NS`] behind that newest event: what is below it is passed on, in the order of (time, cpu,
//! arrival). An event that took longer and arrives below the watermark is **late**: it is counted, and left out, because
//! its place has gone by. (perf's FINISHED_ROUND means the same, without the allowance.)
//!
//! Memory holds the events of two rounds and of the allowance, whatever the length of the capture.

use crate::events::{Cpu, Ns, Tpid};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// How long an event may be on its way from stamp to publication, in nanoseconds, and still find its place.
pub const LATENESS_NS: u64 = 50_000_000;

/// One tracepoint hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// By the capture's clock.
    pub time: Ns,
    /// The CPU it fired on; `None` if the source does not tell it.
    pub cpu: Option<Cpu>,
    /// The tracepoint.
    pub tpid: Tpid,
}

// A capture has millions of them in memory.
const _: () = assert!(size_of::<Event>() == 16);

/// The merge over the queues of all CPUs.
#[derive(Debug, Default)]
pub struct Merge {
    queues: Vec<Queue>,
    /// The queues' numbers in the order of their CPUs.
    order: Vec<usize>,
    /// The newest time of all rounds that are finished.
    newest: Ns,
    watermark: Ns,
    waiting: usize,
}

/// One CPU's events that have not been passed on yet.
#[derive(Debug, Default)]
struct Queue {
    cpu: Option<Cpu>,
    events: Vec<Event>,
    newest: Ns,
    out_of_order: bool,
    late: u64,
}

impl Merge {
    /// Adds a queue for a CPU, and gives its number. Among events of the same time those of a lower CPU come first, and
    /// those of an unknown one last.
    pub fn add_queue(&mut self, cpu: Option<Cpu>) -> usize {
        let number = self.queues.len();
        self.queues.push(Queue { cpu, ..Default::default() });
        let key = |cpu: Option<Cpu>| (cpu.is_none(), cpu);
        let place = self.order.partition_point(|queue| key(self.queues[*queue].cpu) <= key(cpu));
        self.order.insert(place, number);
        number
    }

    /// Takes in an event, in the order of arrival in its queue.
    #[inline]
    pub fn push(&mut self, queue: usize, event: Event) {
        let queue = &mut self.queues[queue];
        if event.time < self.watermark {
            queue.late += 1;
            return;
        }
        queue.out_of_order |= event.time < queue.newest;
        queue.newest = queue.newest.max(event.time);
        queue.events.push(event);
        self.waiting += 1;
    }

    /// Ends a round: appends to `out` all that is complete by now.
    pub fn finish_round(&mut self, out: &mut Vec<Event>) {
        let watermark = self.newest.saturating_sub(LATENESS_NS);
        self.watermark = watermark;
        if self.waiting == 0 {
            return;
        }
        self.newest = self.queues.iter().map(|queue| queue.newest).max().unwrap_or_default();
        self.pass_on(out, |event| event.time < watermark);
    }

    /// Ends the merge: appends to `out` all that is left.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.pass_on(out, |_| true);
    }

    /// How many events of a queue came late.
    pub fn late(&self, queue: usize) -> u64 {
        self.queues[queue].late
    }

    /// The time of the newest event of a queue; 0 before the first.
    pub fn newest(&self, queue: usize) -> Ns {
        self.queues[queue].newest
    }

    /// How many events wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Nothing older than this finds its place any more.
    pub fn watermark(&self) -> Ns {
        self.watermark
    }

    /// Appends the events for which `complete` holds, a prefix of each sorted queue.
    fn pass_on(&mut self, out: &mut Vec<Event>, complete: impl Fn(&Event) -> bool) {
        for queue in &mut self.queues {
            queue.sort();
        }
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
    fn sort(&mut self) {
        if std::mem::take(&mut self.out_of_order) {
            // Stable, so that arrival decides among equal times; and quick, because hardly anything is out of place.
            self.events.sort_by_key(|event| event.time);
        }
    }
}

/// Merges sorted lists; among equal times the list that comes first in `lists` comes first.
fn merge_sorted(lists: &[&[Event]], out: &mut Vec<Event>) {
    out.reserve(lists.iter().map(|list| list.len()).sum());
    let mut rest = lists.to_vec();
    let mut heads: BinaryHeap<Reverse<(Ns, u32)>> =
        (0u32..).zip(lists).filter_map(|(number, list)| Some(Reverse((list.first()?.time, number)))).collect();
    while let Some(Reverse((_, number))) = heads.peek() {
        let number = *number;
        let list = &mut rest[number as usize];
        // As long as this list stays ahead of the next one, which is one of the two below the top, its events need no heap.
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

    /// miri is so slow that a test of much takes many minutes there; of little it finds the same.
    const IN_MIRI: bool = cfg!(miri);
    const MANY_RINGS: usize = if IN_MIRI { 64 } else { 1024 };
    const MANY_EVENTS: usize = if IN_MIRI { 200 } else { 2000 };

    fn event(time: u64, cpu: u32, tpid: u32) -> Event {
        Event { time: Ns(time), cpu: Some(Cpu::new(cpu)), tpid: Tpid::new(tpid) }
    }

    /// A merge whose queues have the numbers of their CPUs.
    fn merge(queues: usize) -> Merge {
        let mut merge = Merge::default();
        (0..queues).for_each(|cpu| assert_eq!(merge.add_queue(Some(Cpu::new(cpu as u32))), cpu));
        merge
    }

    /// What one round takes, as (queue, event).
    type Round = Vec<(usize, Event)>;

    /// Feeds rounds and gives all that came out, and how much was late.
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
    fn equal_times_come_by_cpu_then_by_arrival() {
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
        // The one at 15 is published after round 1 took from its ring, as when an interrupt delays it.
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
        // Two rounds later only what is within the allowance finds its place.
        let delayed = vec![(0, event(19, 0, 3)), (0, event(20, 0, 5))];
        let rounds = [vec![(1, event(at(20), 1, 2))], vec![(1, event(at(30), 1, 4))], delayed];
        let (out, late) = merged(2, &rounds);
        assert_eq!(out.iter().map(|event| event.time.0).collect::<Vec<_>>(), [20, at(20), at(30)]);
        assert_eq!(late, 1);
    }

    #[test]
    fn what_is_below_the_watermark_leaves_memory() {
        let mut merge = merge(2);
        let mut out = Vec::new();
        let rounds = if IN_MIRI { 20 } else { 1_000 };
        for round in 0..rounds {
            // A hundred events a round, and a round in as long as the allowance.
            let time = |n: u64| round * LATENESS_NS + n * (LATENESS_NS / 100);
            (0..100).for_each(|n| merge.push(n % 2, event(time(n as u64), n as u32 % 2, 1)));
            merge.finish_round(&mut out);
            assert!(merge.queues.iter().all(|queue| queue.events.len() <= 151));
            out.clear();
        }
    }

    /// Rounds as a machine makes them. Each event is published up to [`LATENESS_NS`] after its stamp; a round takes from one
    /// ring after the other, any time apart; rounds follow each other at once or after long.
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
        fn all_events_come_out_in_order_whatever_the_delays_within_the_bound((cpus, rounds, expected) in machine()) {
            let (out, late) = merged(cpus, &rounds);
            prop_assert_eq!(late, 0);
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn nothing_is_lost_unsaid_and_the_order_holds_whatever_comes(rounds in proptest::collection::vec(proptest::collection::vec((0usize..5, 0u64..200), 0..50), 0..20)) {
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
