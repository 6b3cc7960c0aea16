//! Flight recorders of a simulated machine with two CPUs, whose hits are all known.

use super::*;
use crate::capture::{AttachOptions, Choice, Error, OnlyProcesses, StopRules};
use crate::control::Signals;
use crate::drain::{Request, Results, drain};
use crate::engine::ProcessFields;
use crate::engine::simulated::{Script, Simulated, SimulatedEngine, SimulatedReading};
use crate::events::thinning::model::Thinning;
use crate::events::{CgroupId, Cpu, Event, Ns, Reading, RungStep, SampleIds, Sink, StepOnCpu, Tpid};
use crate::os::clock::Clock;
use crate::perf_data::record::{push_lost, push_sample};
use crate::recording::{EVENTS, GROUPS, SUMMARY, StopReason, TRACEPOINTS};
use crate::source::{self, Place};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A round each second.
const SECOND: u64 = 1_000_000_000;
/// When the counters of each CPU are read after a round: from, exactly, to.
const READS: [(u64, u64, u64); 2] = [(100_000, 117_500, 130_000), (200_000, 204_500, 230_000)];
/// How long after a round begins each ring is taken.
const TAKEN: [u64; 2] = [10_000, 60_000];
/// The recording begins so long after the round before it.
const BEGIN: u64 = 250_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sampled,
    Lost,
    Thinned,
}

/// A hit of a slot. The slots are (tracepoint 1, CPU 0), (1, 1), (2, 0), (2, 1).
#[derive(Debug, Clone, Copy)]
struct Hit {
    time: u64,
    slot: usize,
    fate: Fate,
}

fn cpu_of(slot: usize) -> usize {
    slot % 2
}

/// All hits of the machine until this second. Many come while the counters are read. Tracepoint 2 is thinned at these times.
fn hits(seconds: u64, steps: &[(u64, u64)]) -> Vec<Hit> {
    let mut hits = Vec::new();
    for second in 0..seconds {
        let dense = (0..400_000).step_by(1_700);
        for (number, after) in dense.chain((400_000..SECOND).step_by(3_100_000)).enumerate() {
            for slot in 0..4 {
                let is_lost = second % 3 == 1 && number % 40 == 7;
                let fate = if is_lost { Fate::Lost } else { Fate::Sampled };
                hits.push(Hit { time: second * SECOND + after + slot as u64 * 13, slot, fate });
            }
        }
    }
    hits.sort_by_key(|hit| hit.time);
    for slot in [2, 3] {
        let (mut thinning, mut number, mut taken) = (Thinning::default(), 0, 0);
        let mut steps = steps.iter().peekable();
        for hit in hits.iter_mut().filter(|hit| hit.slot == slot) {
            while let Some((at, one_in)) = steps.next_if(|(at, _)| *at < hit.time) {
                let on = StepOnCpu { cpu: Cpu::new(0), at: Ns(*at), before: number, after: number };
                thinning.step(*one_in, on);
            }
            number += 1;
            let samples = number - thinning.up_to(number, number).least;
            if samples == taken {
                hit.fate = Fate::Thinned;
            }
            taken = samples;
        }
    }
    hits
}

/// The hits of a slot until this time.
fn until(hits: &[Hit], slot: usize, time: u64) -> impl Iterator<Item = &Hit> {
    hits.iter().filter(move |hit| hit.slot == slot && hit.time <= time)
}

/// The machine: it has a round and a reading in each second, and these steps.
fn script(hits: &[Hit], seconds: u64, ids: &SampleIds) -> Script {
    let taken = |round: u64, cpu: usize| round * SECOND + TAKEN[cpu];
    let ring = |round: u64, cpu: usize| {
        let (mut bytes, mut lost) = (Vec::new(), 0);
        let from = if round == 1 { 0 } else { taken(round - 1, cpu) + 1 };
        for hit in hits.iter().filter(|hit| cpu_of(hit.slot) == cpu && (from..=taken(round, cpu)).contains(&hit.time)) {
            match hit.fate {
                Fate::Sampled => {
                    if lost > 0 {
                        push_lost(&mut bytes, ids.ids()[hit.slot].0, std::mem::take(&mut lost), hit.time);
                    }
                    push_sample(&mut bytes, ids.ids()[hit.slot].0, hit.time);
                }
                Fate::Lost => lost += 1,
                Fate::Thinned => {}
            }
        }
        bytes
    };
    let reading = |second: u64| SimulatedReading {
        at: READS.map(|(from, _, to)| (Ns(second * SECOND + from), Ns(second * SECOND + to))).to_vec(),
        readings: (0..4)
            .map(|slot| {
                let counted = || until(hits, slot, second * SECOND + READS[cpu_of(slot)].1);
                let lost = counted().filter(|hit| hit.fate == Fate::Lost).count() as u64;
                Reading { value: counted().count() as u64, lost }
            })
            .collect(),
        on: Some(Duration::from_secs(second)),
    };
    let at_start =
        SimulatedReading { at: vec![(Ns(0), Ns(0))], on: Some(Duration::ZERO), ..SimulatedReading::default() };
    Script {
        rounds: (1..seconds).map(|round| vec![ring(round, 0), ring(round, 1)]).collect(),
        // The first reading is that of the start, before any hit.
        readings: [at_start].into_iter().chain((1..seconds).map(reading)).collect(),
        ..Script::default()
    }
}

fn table() -> Table {
    Table::from_entries((1..=2).map(|id| ("group".to_owned(), format!("tracepoint_{id}"), id)).collect())
}

type Recorder = FlightRecorder<SimulatedEngine>;

struct Flight {
    recorder: Recorder,
    hits: Vec<Hit>,
    /// The number of rounds so far.
    rounds: u64,
    /// (time, one in) of tracepoint 2.
    steps: Vec<(u64, u64)>,
    folder: TempDir,
}

impl Flight {
    fn new(limits: LastLimits, steps: &[(u64, u64)]) -> Self {
        let (seconds, folder) = (40, tempfile::tempdir().unwrap());
        let hits = hits(seconds, steps);
        let of_script = hits.clone();
        let kernel = Simulated {
            table: table(),
            cpus: "0-1".parse().unwrap(),
            refuses: Vec::new(),
            descriptors: 1 << 20,
            script: move |ids: &SampleIds| script(&of_script, seconds, ids),
        };
        let options = CaptureOptions {
            rules: StopRules::default(),
            output: None,
            force: false,
            attach: AttachOptions {
                choice: Choice::default(),
                clock: Clock::Monotonic,
                ring_size: 1 << 20,
                process: ProcessFields::None,
                sampled_cpu: false,
                budget: None,
            },
            compress: false,
            only: OnlyProcesses::default(),
            log_columns: Vec::new(),
            last: Some(limits),
            command: None,
            arguments: Vec::new(),
        };
        let place = FlightPlace::Numbered(folder.path().join("rec"));
        let (mut signals, _senders) = Signals::pair().unwrap();
        let mut recorder = FlightRecorder::attach(&kernel, &options, place, &mut signals, &mut ()).unwrap();
        recorder.start().unwrap();
        Flight { recorder, hits, rounds: 0, steps: steps.to_vec(), folder }
    }

    fn within(seconds: u64, after: u64) -> Self {
        Flight::new(limits(seconds, after), &[])
    }

    /// The next second: a round, a mark, and the steps in the second that follows.
    fn second(&mut self) {
        self.recorder.round().unwrap();
        self.rounds += 1;
        self.recorder.mark().unwrap();
        self.take_steps();
        self.recorder.forget().unwrap();
        // The marks are a second apart, however fast this test is.
        self.recorder.marks.all.iter_mut().for_each(|mark| mark.time -= Duration::from_secs(1));
        if let Some(waiting) = &mut self.recorder.waiting {
            waiting.since -= Duration::from_secs(1);
            waiting.until -= Duration::from_secs(1);
        }
    }

    fn take_steps(&mut self) {
        let now = self.rounds * SECOND;
        for (at, one_in) in self.steps.iter().filter(|(at, _)| (now..now + SECOND).contains(at)) {
            let on = |slot: usize| {
                let counter = until(&self.hits, slot, *at).count() as u64;
                StepOnCpu { cpu: Cpu::new(cpu_of(slot) as u32), at: Ns(*at), before: counter, after: counter }
            };
            let step =
                RungStep { tpid: Tpid::new(2), at: Ns(*at), one_in: *one_in, on: vec![on(2), on(3)], earlier: vec![] };
            self.recorder.marks.add_steps(self.recorder.rounds.kept().end, vec![step]);
        }
    }

    /// Lets the recorder act until it has nothing to write, and returns the news.
    fn act(&mut self) -> Vec<FlightNews> {
        let mut news = Vec::new();
        loop {
            // The round of the call finds nothing. The others are those of `begin_writing`.
            self.recorder.engine.script.rounds.push_front(Vec::new());
            let before = self.recorder.engine.script.rounds.len();
            self.recorder.marks.all.back_mut().unwrap().time = Instant::now() + Duration::from_secs(3_600);
            news.extend(self.recorder.act(None).unwrap());
            if self.recorder.engine.script.rounds.len() + 1 < before {
                self.rounds += 2;
                self.recorder.engine.script.readings.pop_front();
            }
            if self.recorder.writing.is_none() && self.recorder.waiting.is_none() {
                return news;
            }
        }
    }

    /// A trigger in this second, and the recording: its path.
    fn dump(&mut self) -> PathBuf {
        assert_eq!(self.recorder.trigger(TriggerKind::Signal, "").unwrap(), TriggerTaken::Begun);
        let mut news = Vec::new();
        self.recorder.begin_writing_now(&mut news);
        self.rounds += 2;
        while self.recorder.writing.is_some() {
            self.recorder.write(&mut news);
        }
        match news.as_slice() {
            [FlightNews::Written { path, triggers, .. }] if triggers.len() == 1 => path.clone(),
            news => panic!("{news:?}"),
        }
    }

    /// What a recording must have that begins behind the round `from`, and ends behind the round `to`: per slot, the counted, the
    /// recorded, the lost and the thinned hits.
    fn expected(&self, slot: usize, from: u64, to: u64) -> (u64, u64) {
        let read = |round: u64| round * SECOND + READS[cpu_of(slot)].1;
        let all = self.hits.iter().filter(|hit| hit.slot == slot && hit.time <= read(to));
        let lost = all.clone().filter(|hit| hit.time > read(from) && hit.fate == Fate::Lost).count();
        let recorded = all.filter(|hit| hit.time >= from * SECOND + BEGIN && hit.fate == Fate::Sampled).count();
        (recorded as u64, lost as u64)
    }

    fn check(&self, recording: &Path, from: u64, to: u64) -> Results {
        let (results, events) = read(recording);
        assert!(results.problem.is_none(), "{:?}", results.problem);
        let first = events.iter().map(|event| event.time).min().unwrap();
        assert!(first >= Ns(from * SECOND + BEGIN), "{first}");
        let summary = &results.summary;
        for slot in 0..4 {
            let (recorded, _) = self.expected(slot, from, to);
            let is_of = |event: &&Event| {
                event.tpid().get() as usize == 1 + slot / 2 && event.cpu() == Some(Cpu::new(cpu_of(slot) as u32))
            };
            let found = events.iter().filter(is_of).count() as u64;
            // The last samples came while the counters were read.
            assert!(found.abs_diff(recorded) <= 8, "{found} of {recorded}, slot {slot} from {from} to {to}");
        }
        let lost: u64 = (0..4).map(|slot| self.expected(slot, from, to).1).sum();
        assert_eq!((summary.events.lost, summary.events.unaccounted), (lost, Some(0)), "{:?}", summary.unaccounted);
        assert!(summary.unaccounted.is_empty(), "{:?}", summary.unaccounted);
        results
    }
}

impl Recorder {
    /// As when the time behind a trigger is over.
    fn begin_writing_now(&mut self, news: &mut Vec<FlightNews>) {
        let waiting = self.waiting.take().unwrap();
        self.begin_writing(waiting, news).unwrap();
        // Two rounds have come with one reading. The next round is in the second of the next reading again.
        self.engine.script.readings.pop_front();
    }
}

fn limits(seconds: u64, after: u64) -> LastLimits {
    LastLimits { time: Duration::from_secs(seconds), after: Duration::from_secs(after), bytes: 64 << 20 }
}

#[derive(Default)]
struct All(Vec<Event>);

impl Sink for All {
    fn events(&mut self, events: &[Event], _table: &Table) {
        self.0.extend(events);
    }
}

fn read(recording: &Path) -> (Results, Vec<Event>) {
    let source = source::open(&Place::Path(recording.to_owned()), None).unwrap();
    let mut all = All::default();
    let results = drain(source, Request::for_a_look(), &mut [&mut all], &mut Signals::pair().unwrap().0, &mut ());
    (results, all.0)
}

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
