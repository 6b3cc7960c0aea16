use super::*;
use crate::events::Tpid;
use proptest::prelude::*;

/// miri is slow, so it runs these tests with fewer events. It finds the same errors with them.
const IN_MIRI: bool = cfg!(miri);
const MANY_RINGS: usize = if IN_MIRI { 64 } else { 1024 };
const MANY_EVENTS: usize = if IN_MIRI { 200 } else { 2000 };

fn event(time: u64, cpu: u32, tpid: u32) -> Event {
    Event::new(Ns(time), Some(Cpu::new(cpu)), Tpid::new(tpid))
}

/// A merge in which each queue has the number of its CPU.
fn merge(queues: usize) -> Merge {
    let mut merge = Merge::default();
    (0..queues).for_each(|cpu| assert_eq!(merge.add_queue(Some(Cpu::new(cpu as u32))), cpu));
    merge
}

/// The events taken in one round, as (queue, event).
type TakenRound = Vec<(usize, Event)>;

/// Feeds rounds to a merge. Returns all merged events, and the number of late ones.
fn merged(queues: usize, rounds: &[TakenRound]) -> (Vec<Event>, u64) {
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
    let round =
        vec![(1, event(5, 1, 1)), (1, event(5, 1, 2)), (0, event(5, 0, 3)), (0, event(5, 0, 4)), (0, event(4, 0, 5))];
    let (out, late) = merged(2, &[round]);
    assert_eq!(out.iter().map(|event| event.tpid().get()).collect::<Vec<_>>(), [5, 3, 4, 1, 2]);
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
    merge.push(unknown, Event::new(Ns(1), None, Tpid::new(4)));
    merge.push(nine, event(1, 9, 2));
    merge.push(two, event(1, 2, 3));
    assert_eq!(merge.waiting(), 4);
    merge.finish(&mut out);
    let cpus: Vec<_> = out.iter().map(|event| event.cpu().map(Cpu::get)).collect();
    assert_eq!(cpus, [Some(2), Some(5), Some(9), None]);
}

#[test]
fn among_many_equal_times_arrival_decides_even_in_disorder() {
    let mut round: Vec<_> = (1..=1_000).map(|n| (0, event(7, 0, n))).collect();
    round.push((0, event(6, 0, 1_001)));
    let (out, _) = merged(1, &[round]);
    assert_eq!(out[0].tpid(), Tpid::new(1_001));
    assert!(out[1..].iter().map(|event| event.tpid().get()).eq(1..=1_000));
}

#[test]
fn an_event_one_round_behind_keeps_its_place() {
    // An interrupt delays the event at 15, so it is published after round 1 took from its ring.
    let rounds =
        [vec![(0, event(10, 0, 1)), (1, event(20, 1, 2))], vec![(0, event(15, 0, 3)), (1, event(30, 1, 4))], vec![]];
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
        assert!(merge.waiting() <= 302 && merge.capacity <= 2 * 400, "{merge:?}");
        out.clear();
    }
}

/// The work of a round does not depend on the events that wait. Otherwise, these tests would take hours.
const MANY_WAITING: u32 = if IN_MIRI { 100 } else { 2_000_000 };
const MANY_ROUNDS: u32 = if IN_MIRI { 50 } else { 200_000 };

#[test]
fn an_event_that_steps_back_does_not_touch_those_that_wait() {
    let mut merge = merge(1);
    let mut out = Vec::new();
    (0..MANY_WAITING).for_each(|_| merge.push(0, event(LATENESS_NS, 0, 1)));
    for n in 0..MANY_ROUNDS {
        merge.push(0, event(LATENESS_NS - 1 - u64::from(n % 7), 0, 2));
        merge.finish_round(&mut out);
    }
    assert_eq!((out.len(), merge.waiting()), (0, (MANY_WAITING + MANY_ROUNDS) as usize));
    merge.finish(&mut out);
    assert!(out.is_sorted_by_key(|event| event.time) && out.len() == (MANY_WAITING + MANY_ROUNDS) as usize);
    assert_eq!((merge.waiting(), merge.early), (0, 0));
}

#[test]
fn an_event_that_is_passed_on_does_not_touch_those_that_wait() {
    let mut merge = merge(1);
    let mut out = Vec::new();
    (0..MANY_WAITING).for_each(|n| merge.push(0, event(n.into(), 0, 1)));
    for n in 0..MANY_ROUNDS {
        merge.push(0, event(LATENESS_NS + u64::from(n), 0, 2));
        merge.finish_round(&mut out);
    }
    assert!(out.iter().map(|event| event.time.0).eq(0..u64::from(MANY_ROUNDS) - 2), "one in each round");
    assert_eq!(merge.waiting(), MANY_WAITING as usize + 2);
}

#[test]
fn a_queue_without_events_in_a_round_costs_nothing() {
    let queues = if IN_MIRI { 20 } else { 8_192 };
    let mut merge = merge(queues);
    let mut out = Vec::new();
    (0..queues).for_each(|cpu| merge.push(cpu, event(2 * LATENESS_NS, cpu as u32, 1)));
    for n in 0..10 * u64::from(MANY_ROUNDS) {
        merge.push(7, event(n, 7, 2));
        merge.finish_round(&mut out);
        out.clear();
    }
    assert_eq!(merge.oldest.len(), queues);
}

/// What the merge returns and counts as late, in the simplest way.
fn expected(queues: usize, rounds: &[TakenRound]) -> (Vec<Event>, u64) {
    let (mut out, mut late) = (Vec::new(), 0);
    let mut waiting: Vec<Event> = Vec::new();
    let (mut watermark, mut newest, mut newest_before) = (Ns(0), Ns(0), Ns(0));
    for round in rounds {
        // Only the order of arrival within a queue counts.
        for queue in 0..queues {
            for (_, event) in round.iter().filter(|(of, _)| *of == queue) {
                match event.time < watermark {
                    true => late += 1,
                    false => waiting.push(*event),
                }
                newest = if event.time < watermark { newest } else { newest.max(event.time) };
            }
        }
        watermark = newest_before.saturating_sub(LATENESS_NS);
        newest_before = newest;
        waiting.sort_by_key(|event| (event.time, event.cpu()));
        out.extend(waiting.extract_if(.., |event| event.time < watermark));
    }
    out.extend(waiting);
    (out, late)
}

/// Realistic rounds. Each event is published up to [`LATENESS_NS`] after its timestamp. A round takes
/// from one ring after the other, with any time in between. The pauses between rounds can be short or
/// long.
fn machine() -> impl Strategy<Value = (usize, Vec<TakenRound>, Vec<Event>)> {
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
        expected.sort_by_key(|event| (event.time, event.cpu()));
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
        prop_assert!(out.is_sorted_by_key(|event| (event.time, event.cpu())));
    }

    #[test]
    fn whatever_arrives_is_ordered_like_by_one_sort_in_each_round(rounds in proptest::collection::vec(proptest::collection::vec((0usize..3, 0u64..40), 0..30), 0..20), newer in 0u64..9) {
        // Times within a few allowances, many of them equal, and in most cases newer from round to round.
        let time = |round: usize, time: u64| (time + round as u64 * newer) * (LATENESS_NS / 8);
        let mut tpids = 1..;
        let rounds: Vec<TakenRound> = rounds.into_iter().enumerate().map(|(n, round)| round.into_iter().map(|(queue, at)| {
            (queue, event(time(n, at), queue as u32, tpids.next().unwrap()))
        }).collect()).collect();
        prop_assert_eq!(merged(3, &rounds), expected(3, &rounds));
    }

    #[test]
    fn a_thousand_rings_merge_like_one_sort(events in proptest::collection::vec((0..MANY_RINGS, 0u64..1000), 0..MANY_EVENTS)) {
        let round: Vec<_> = events.iter().zip(1..).map(|((queue, time), n)| (*queue, event(*time, *queue as u32, n))).collect();
        let mut expected: Vec<_> = round.iter().map(|(_, event)| *event).collect();
        expected.sort_by_key(|event| (event.time, event.cpu()));
        prop_assert_eq!(merged(MANY_RINGS, &[round]).0, expected);
    }
}
