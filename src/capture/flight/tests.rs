//! Flight recorders of a simulated machine.

use super::testing::*;
use super::*;
use crate::capture::Error;
use crate::events::{CgroupId, Event, Ns};
use crate::recording::{EVENTS, GROUPS, SUMMARY, StopReason, TRACEPOINTS};
use std::fs;

#[test]
fn a_recording_has_exactly_the_events_between_two_readings_and_balances() {
    let mut flight = Flight::within(5, 0);
    (0..12).for_each(|_| flight.second());
    let recording = flight.dump();
    // Five seconds before the last round, and at most one more.
    let results = flight.check(&recording, 7, 13);
    let summary = results.summary;
    assert_eq!(summary.stop_reason, Some(StopReason::Trigger));
    assert_eq!(summary.triggers.len(), 1);
    assert_eq!((summary.triggers[0].kind, summary.last.unwrap().time_ns), (TriggerKind::Signal, 5 * SECOND));
    for file in [EVENTS, TRACEPOINTS, GROUPS] {
        assert!(recording.join(file).is_file(), "{file}");
    }
    assert!(!recording.join(SUMMARY).exists());
}

#[test]
fn capturing_goes_on_and_the_next_recording_overlaps() {
    let mut flight = Flight::within(4, 0);
    (0..6).for_each(|_| flight.second());
    let first = flight.dump();
    (0..2).for_each(|_| flight.second());
    let second = flight.dump();
    assert_ne!(first, second);
    flight.check(&first, 2, 7);
    // The mark at the end of the first recording came with round 7, and round 8 followed at once.
    let (results, events) = read(&second);
    assert!(results.problem.is_none() && !events.is_empty());
    assert_eq!(results.summary.events.unaccounted, Some(0), "{:?}", results.summary.unaccounted);
}

#[test]
fn the_first_recording_begins_with_the_capture() {
    let mut flight = Flight::within(30, 0);
    (0..3).for_each(|_| flight.second());
    let recording = flight.dump();
    let (results, events) = read(&recording);
    assert_eq!(results.summary.events.unaccounted, Some(0), "{:?}", results.summary.unaccounted);
    // What came in the first microseconds is not kept.
    assert!(events.iter().all(|event| event.time.0 >= 20_000));
    assert!(events.len() > 4_000, "{}", events.len());
}

#[test]
fn thinning_before_and_within_a_recording_is_accounted_for() {
    let steps = [
        (2 * SECOND + SECOND / 2, 17),
        (4 * SECOND + SECOND / 2, 257),
        (9 * SECOND + SECOND / 3, 17),
        (10 * SECOND + SECOND / 3, 1),
        (12 * SECOND + SECOND / 3, 17),
    ];
    for (rounds, from, stretches) in
        [(6, 3, vec![17, 257]), (8, 5, vec![257]), (11, 8, vec![257, 17]), (14, 11, vec![17]), (17, 14, vec![17])]
    {
        let mut flight = Flight::new(limits(3, 0), &steps);
        (0..rounds).for_each(|_| flight.second());
        let recording = flight.dump();
        let results = flight.check(&recording, from, rounds + 1);
        let summary = results.summary;
        assert!(summary.events.thinned > 0, "after {rounds} rounds");
        let budget = summary.budget.unwrap();
        let found: Vec<u64> = budget.stretches.iter().map(|stretch| stretch.one_in).collect();
        assert_eq!(found, stretches, "after {rounds} rounds");
        // Without the kernel's counters, the events stand for nearly the same number of hits.
        let counted: u64 = summary.per_tracepoint.iter().filter_map(|of| of.counted).sum();
        assert_eq!(summary.events.counted, Some(counted));
    }
}

#[test]
fn the_kept_bytes_are_bounded_by_time_and_by_size() {
    let mut flight = Flight::new(LastLimits { bytes: 100_000, ..limits(5, 0) }, &[]);
    for second in 0..30 {
        flight.second();
        let kept = flight.recorder.rounds.kept();
        // A round has 54 kB.
        assert!(kept.end - kept.start <= 100_000, "{} in second {second}", kept.end - kept.start);
        assert!(flight.recorder.marks.all.len() <= 3);
    }
    let mut flight = Flight::within(5, 0);
    for _ in 0..30 {
        flight.second();
        assert!(flight.recorder.marks.all.len() <= 7, "{}", flight.recorder.marks.all.len());
    }
    assert!(flight.recorder.status().memory <= 2 << 20);
}

#[test]
fn many_bytes_make_a_mark_before_its_time() {
    let mut flight = Flight::new(LastLimits { bytes: 100_000, ..limits(600, 0) }, &[]);
    for second in 1..20 {
        // No mark is due by its time.
        flight.recorder.marks.all.back_mut().unwrap().time = Instant::now() + Duration::from_secs(3_600);
        assert!(flight.recorder.act(None).unwrap().is_empty());
        let kept = flight.recorder.rounds.kept();
        assert!(kept.end - kept.start <= 120_000, "{} in second {second}", kept.end - kept.start);
    }
    assert!(flight.recorder.marks.all.len() >= 2);
}

#[test]
fn triggers_within_the_time_behind_the_first_are_merged_and_later_ones_are_queued() {
    let mut flight = Flight::within(4, 3);
    (0..6).for_each(|_| flight.second());
    let trigger = |flight: &mut Flight, text: &str| flight.recorder.trigger(TriggerKind::Rule, text).unwrap();
    assert_eq!(trigger(&mut flight, "a"), TriggerTaken::Begun);
    // Nothing of the time before the trigger is forgotten while the recording waits.
    flight.second();
    let begin = flight.recorder.marks.all.front().unwrap().at;
    flight.second();
    assert_eq!(trigger(&mut flight, "b"), TriggerTaken::Merged);
    assert!(flight.recorder.waiting.is_some());
    flight.second();
    assert_eq!(flight.recorder.marks.all.front().unwrap().at, begin);
    let mut news = Vec::new();
    flight.recorder.begin_writing_now(&mut news);
    assert_eq!(trigger(&mut flight, "c"), TriggerTaken::Queued);
    assert_eq!(trigger(&mut flight, "d"), TriggerTaken::Queued);
    while flight.recorder.writing.is_some() {
        flight.recorder.write(&mut news);
    }
    let texts = |news: &FlightNews| match news {
        FlightNews::Written { path, .. } => {
            read(path).0.summary.triggers.into_iter().map(|trigger| trigger.text).collect::<Vec<_>>()
        }
        news => panic!("{news:?}"),
    };
    assert_eq!(news.iter().map(texts).collect::<Vec<_>>(), [["a", "b"]]);
    flight.recorder.waiting.as_mut().unwrap().until = Instant::now();
    assert_eq!(flight.act().iter().map(texts).collect::<Vec<_>>(), [["c", "d"]]);
    assert_eq!(flight.recorder.status().written, 2);
}

#[test]
fn if_what_comes_behind_a_trigger_is_too_much_it_ends_early() {
    let mut flight = Flight::new(LastLimits { bytes: 150_000, ..limits(4, 30) }, &[]);
    (0..4).for_each(|_| flight.second());
    flight.recorder.trigger(TriggerKind::Alarm, "").unwrap();
    let mut seconds = 0;
    while flight.recorder.waiting.as_ref().unwrap().until > Instant::now() {
        flight.second();
        seconds += 1;
        assert!(seconds < 10);
    }
    assert!(flight.recorder.rounds.kept().end - flight.recorder.rounds.kept().start <= 250_000);
    assert!(matches!(flight.act()[..], [FlightNews::Written { .. }]));
}

#[test]
fn a_recording_that_cannot_be_written_leaves_nothing_and_capturing_goes_on() {
    let mut flight = Flight::within(4, 0);
    (0..6).for_each(|_| flight.second());
    // A directory in the place of the file.
    let place = flight.folder.path().join("missing/rec");
    let there = std::mem::replace(&mut flight.recorder.place, FlightPlace::Numbered(place));
    flight.recorder.trigger(TriggerKind::Signal, "").unwrap();
    assert!(matches!(flight.act()[..], [FlightNews::Failed { .. }]));
    flight.recorder.place = there;
    // A disk that becomes full.
    flight.recorder.trigger(TriggerKind::Signal, "").unwrap();
    let mut news = Vec::new();
    flight.recorder.begin_writing_now(&mut news);
    flight.recorder.writing.as_mut().unwrap().fill_disk();
    while flight.recorder.writing.is_some() {
        flight.recorder.write(&mut news);
    }
    assert!(
        matches!(&news[..], [FlightNews::Failed { triggers, cause: Error::Flight(cause) }]
            if triggers.len() == 1 && cause.kind() == io::ErrorKind::StorageFull),
        "{news:?}"
    );
    assert_eq!(fs::read_dir(flight.folder.path()).unwrap().count(), 0);
    assert_eq!((flight.recorder.status().written, flight.recorder.status().failed), (0, 2));
    (0..3).for_each(|_| flight.second());
    let (results, events) = read(&flight.dump());
    assert!(results.problem.is_none() && events.len() > 1_000);
    assert_eq!(results.summary.events.unaccounted, Some(0));
}

/// Notes what a tap gets.
#[derive(Default)]
struct Tapped {
    events: Vec<Event>,
    steps: usize,
    rounds: usize,
}

impl EventTap for Tapped {
    fn steps(&mut self, steps: &[RungStep]) {
        self.steps += steps.len();
    }

    fn changes(&mut self, _: &[ThreadChange]) {}

    fn event(&mut self, event: Event, cgroup: Option<CgroupId>) {
        assert!(cgroup.is_none());
        self.events.push(event);
    }

    fn end_round(&mut self, _: Ns) {
        self.rounds += 1;
    }
}

#[test]
fn a_tap_gets_each_event_once_also_those_of_rounds_for_a_recording() {
    let mut flight = Flight::new(limits(2, 0), &[(2 * SECOND + 500_000_000, 17)]);
    let mut tap = Tapped::default();
    for second in 0..8 {
        flight.second();
        if second == 4 {
            flight.dump();
        }
        if second % 2 == 0 {
            flight.recorder.pass_on(Some(&mut tap)).unwrap();
        }
    }
    flight.recorder.pass_on(Some(&mut tap)).unwrap();
    assert_eq!(tap.events.len() as u64, flight.recorder.status().samples);
    let mut keys: Vec<_> = tap.events.iter().map(|event| (event.time, event.cpu(), event.tpid())).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), tap.events.len(), "no event comes twice");
    assert_eq!((tap.rounds, tap.steps), (5, 0), "steps of the test's own are no steps of the recorder");
}
