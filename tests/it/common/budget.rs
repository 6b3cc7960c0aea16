//! A recording with a budget, made by tests: a second in which tracepoints are recorded, thinned, and detached.

use super::{ending, facts, perf_file_with};
use serde_json::Value;
use tempfile::NamedTempFile;
use tp_perf::engine::RecordCost;
use tp_perf::events::thinning::Steps;
use tp_perf::events::{Cpu, Ns, Reading, RungStep, SampleIds, StepOnCpu, Tpid};
use tp_perf::perf_data::{counters, document};
use tp_perf::recording::{CostOfRecording, Ending, Facts};

/// The tracepoints of the recording: a hot one, one that is recorded all the time, and one that is detached.
pub const BUDGETED: [(&str, &str); 3] = [("irq", "hot"), ("irq", "rare"), ("sched", "gone")];
/// The time of the first event.
pub const BEGIN: u64 = 1_000_000_000;
/// From the first event to the last, in nanoseconds.
pub const SPAN: u64 = 1_000_000_000;
/// The hits of the hot tracepoint: one in each millisecond.
pub const HOT: u64 = 1_000;

const MS: u64 = 1_000_000;

/// How much of the end a recording has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEnd {
    /// The counters, and the note of how it ended.
    Whole,
    /// Nothing behind the last event.
    Cut,
}

/// The steps of the recording. The hot tracepoint is recorded for 300 ms, thinned for 600 ms, and recorded again. The other is
/// detached after half a second.
pub fn steps() -> Vec<RungStep> {
    let step = |tpid, at, one_in, counter| RungStep {
        tpid: Tpid::new(tpid),
        at: Ns(BEGIN + at * MS),
        one_in,
        on: vec![StepOnCpu { cpu: Cpu::new(0), at: Ns(BEGIN + at * MS), before: counter, after: counter }],
        earlier: Vec::new(),
    };
    vec![step(1, 300, 17, 300), step(3, 500, 0, 50), step(1, 700, 257, 700), step(1, 900, 1, 900)]
}

/// The samples of the recording (time, tpid, CPU), in time order.
pub fn samples() -> Vec<(u64, u32, u32)> {
    let mut samples: Vec<(u64, u32, u32)> = (0..300).chain(900..HOT).map(|ms| (ms, 1, 0)).collect();
    // The samples that the kernel takes: of the first hit, after the old period, and then in each period.
    samples.extend([300, 301].into_iter().chain((318..700).step_by(17)).map(|ms| (ms, 1, 0)));
    samples.extend([700, 717].map(|ms| (ms, 1, 0)));
    samples.extend((0..20).map(|n| (n * 50 + 7, 2, 1)));
    samples.extend((0..50).map(|n| (n * 10 + 3, 3, 2)));
    let mut samples: Vec<_> = samples.into_iter().map(|(ms, tpid, cpu)| (BEGIN + ms * MS, tpid, cpu)).collect();
    samples.push((BEGIN + SPAN, 2, 1));
    samples.sort_unstable();
    samples
}

/// The facts of the recording.
pub fn budget_facts() -> Facts {
    Facts { schema: Facts::schema_with(Some(0.05), false), budget: Some(0.05), ..facts() }
}

/// The recording.
pub fn budgeted(end: FileEnd) -> NamedTempFile {
    let hit = RecordCost { recorded_ns: 600.0, thinned_ns: 160.0, measured: true };
    let cost =
        CostOfRecording { part: 0.031, most: 0.08, windows: 4, over: 1, steps: 4, ..CostOfRecording::new(0.05, hit) };
    let ending = Ending { cost: Some(cost), ..ending() };
    let whole = |ids: &SampleIds| {
        let count = |(tpid, cpu): (u32, u32)| match (tpid, cpu) {
            (1, 0) => HOT,
            (2, 1) => 21,
            (3, 2) => 50,
            _ => 0,
        };
        let readings = ids
            .ids()
            .iter()
            .zip(ids.slots())
            .map(|(id, slot)| (*id, Reading { value: count((slot.tpid.get(), slot.cpu.unwrap().get())), lost: 0 }));
        let counters = counters(readings, true, Ns(BEGIN + SPAN), Default::default());
        [counters, document(&serde_json::to_string(&ending).unwrap())].concat()
    };
    let note = document(&serde_json::to_string(&Steps { steps: steps() }).unwrap());
    perf_file_with(&budget_facts(), &BUDGETED, &note, &[&samples()], None, |ids| match end {
        FileEnd::Whole => whole(ids),
        FileEnd::Cut => Vec::new(),
    })
}

/// The stretches in the part `budget` of a summary: the name of the tracepoint, and `one_in`.
pub fn stretches_of(summary: &Value) -> Vec<(String, u64)> {
    let mut stretches = Vec::new();
    for tracepoint in summary["budget"]["tracepoints"].as_array().unwrap() {
        let name = tracepoint["name"].as_str().unwrap();
        let its = tracepoint["stretches"].as_array().unwrap().iter();
        stretches.extend(its.map(|stretch| (name.to_owned(), stretch["one_in"].as_u64().unwrap())));
    }
    stretches
}
