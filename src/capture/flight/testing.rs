//! A flight recorder of a simulated machine with two CPUs, whose hits are all known.

use super::{FlightNews, FlightPlace, FlightRecorder, LastLimits, TriggerTaken};
use crate::capture::{AttachOptions, CaptureOptions, Choice, OnlyProcesses, StopRules};
use crate::control::Signals;
use crate::drain::{Request, Results, drain};
use crate::engine::ProcessFields;
use crate::engine::simulated::{Script, Simulated, SimulatedEngine, SimulatedReading};
use crate::events::thinning::model::Thinning;
use crate::events::{Cpu, Event, Ns, Reading, RungStep, SampleIds, Sink, StepOnCpu, Tpid};
use crate::os::clock::Clock;
use crate::perf_data::record::{push_lost, push_sample};
use crate::recording::TriggerKind;
use crate::source::{self, Place};
use crate::tracefs::Table;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A round each second.
pub(super) const SECOND: u64 = 1_000_000_000;
/// When the counters of each CPU are read after a round: from, exactly, to.
pub(super) const READS: [(u64, u64, u64); 2] = [(100_000, 117_500, 130_000), (200_000, 204_500, 230_000)];
/// How long after a round begins each ring is taken.
pub(super) const TAKEN: [u64; 2] = [10_000, 60_000];
/// The recording begins so long after the round before it.
pub(super) const BEGIN: u64 = 250_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Sampled,
    Lost,
    Thinned,
}

/// A hit of a slot. The slots are (tracepoint 1, CPU 0), (1, 1), (2, 0), (2, 1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) time: u64,
    pub(super) slot: usize,
    pub(super) fate: Fate,
}

pub(super) fn cpu_of(slot: usize) -> usize {
    slot % 2
}

/// All hits of the machine until this second. Many come while the counters are read. Tracepoint 2 is thinned at these times.
pub(super) fn hits(seconds: u64, steps: &[(u64, u64)]) -> Vec<Hit> {
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
pub(super) fn until(hits: &[Hit], slot: usize, time: u64) -> impl Iterator<Item = &Hit> {
    hits.iter().filter(move |hit| hit.slot == slot && hit.time <= time)
}

/// The machine: it has a round and a reading in each second, and these steps.
pub(super) fn script(hits: &[Hit], seconds: u64, ids: &SampleIds) -> Script {
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

pub(super) fn table() -> Table {
    Table::from_entries((1..=2).map(|id| ("group".to_owned(), format!("tracepoint_{id}"), id)).collect())
}

pub(super) type Recorder = FlightRecorder<SimulatedEngine>;

pub(super) struct Flight {
    pub(super) recorder: Recorder,
    pub(super) hits: Vec<Hit>,
    /// The number of rounds so far.
    pub(super) rounds: u64,
    /// (time, one in) of tracepoint 2.
    pub(super) steps: Vec<(u64, u64)>,
    pub(super) folder: TempDir,
}

impl Flight {
    pub(super) fn new(limits: LastLimits, steps: &[(u64, u64)]) -> Self {
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

    pub(super) fn within(seconds: u64, after: u64) -> Self {
        Flight::new(limits(seconds, after), &[])
    }

    /// The next second: a round, a mark, and the steps in the second that follows.
    pub(super) fn second(&mut self) {
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

    pub(super) fn take_steps(&mut self) {
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
    pub(super) fn act(&mut self) -> Vec<FlightNews> {
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
    pub(super) fn dump(&mut self) -> PathBuf {
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
    pub(super) fn expected(&self, slot: usize, from: u64, to: u64) -> (u64, u64) {
        let read = |round: u64| round * SECOND + READS[cpu_of(slot)].1;
        let all = self.hits.iter().filter(|hit| hit.slot == slot && hit.time <= read(to));
        let lost = all.clone().filter(|hit| hit.time > read(from) && hit.fate == Fate::Lost).count();
        let recorded = all.filter(|hit| hit.time >= from * SECOND + BEGIN && hit.fate == Fate::Sampled).count();
        (recorded as u64, lost as u64)
    }

    pub(super) fn check(&self, recording: &Path, from: u64, to: u64) -> Results {
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
    pub(super) fn begin_writing_now(&mut self, news: &mut Vec<FlightNews>) {
        let waiting = self.waiting.take().unwrap();
        self.begin_writing(waiting, news).unwrap();
        // Two rounds have come with one reading. The next round is in the second of the next reading again.
        self.engine.script.readings.pop_front();
    }
}

pub(super) fn limits(seconds: u64, after: u64) -> LastLimits {
    LastLimits { time: Duration::from_secs(seconds), after: Duration::from_secs(after), bytes: 64 << 20 }
}

#[derive(Default)]
pub(super) struct All(pub(super) Vec<Event>);

impl Sink for All {
    fn events(&mut self, events: &[Event], _table: &Table) {
        self.0.extend(events);
    }
}

pub(super) fn read(recording: &Path) -> (Results, Vec<Event>) {
    let source = source::open(&Place::Path(recording.to_owned()), None).unwrap();
    let mut all = All::default();
    let results = drain(source, Request::for_a_look(), &mut [&mut all], &mut Signals::pair().unwrap().0, &mut ());
    (results, all.0)
}
