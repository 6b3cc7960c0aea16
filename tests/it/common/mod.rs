//! Shared by the tests: lists of tests, checks that must hold for every stream, and files made by tests.

pub mod budget;
pub mod library;
pub mod report;
pub mod screen;
pub mod sudo;

use std::io::Write;
use tempfile::NamedTempFile;
use tp_perf::events::Event;
use tp_perf::events::stream::{Decoded, EventStream};
use tp_perf::events::{Cpu, SampleId, SampleIds, Slot, Tpid};
use tp_perf::os::clock::Clock;
use tp_perf::perf_data::record::{finished_round, push_lost, push_sample};
use tp_perf::perf_data::{Features, Head, document};
use tp_perf::recording::{Ending, Facts, StopReason, Tool};
use tp_perf::tracefs::Table;

/// A test: its name, its needs, and its function.
pub type Test = (&'static str, Needs, fn());

/// Returns an error that names what is missing, if the test cannot run on this machine.
pub type Needs = fn() -> Result<(), String>;

/// The needs of most tests.
pub fn nothing_more() -> Result<(), String> {
    Ok(())
}

/// Makes a list of tests that run anywhere, from the names of their functions.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        &[$((stringify!($test), $crate::common::nothing_more, $test)),*]
    };
}
pub(crate) use tests;

/// Everything read from a stream.
#[derive(Debug)]
pub struct Read {
    pub events: Vec<Event>,
    pub decoded: Decoded,
    pub error: Option<String>,
}

/// Reads a stream to its end.
pub fn drain(mut stream: EventStream) -> Read {
    let mut events = Vec::new();
    let error = loop {
        match stream.next_batch() {
            Ok(Some(batch)) => events.extend_from_slice(batch),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(events.is_sorted_by_key(|event: &Event| (event.time, event.cpu())));
    let decoded = stream.decoded();
    let late: u64 = decoded.per_cpu.iter().map(|cpu| cpu.late).sum();
    let samples: u64 = decoded.samples.iter().map(|(_, samples)| samples).sum();
    assert_eq!(samples, events.len() as u64 + late, "every sample came out or is counted as late");
    // The table has the tracepoint of every event.
    events.iter().for_each(|event| assert!(stream.table().find(event.tpid()).is_some()));
    Read { events, decoded, error }
}

/// A perf.data file of these tracepoints (group, name), with rounds of samples (time, tpid, CPU from 0 to 3).
/// With `lost`, the second round starts with a LOST record of CPU 0 (samples, time).
pub fn perf_file(
    tracepoints: &[(&str, &str)],
    rounds: &[&[(u64, u32, u32)]],
    lost: Option<(u64, u64)>,
) -> NamedTempFile {
    perf_file_of(&facts(), &ending(), tracepoints, rounds, lost)
}

/// A perf.data file like that of [`perf_file`], with these notes of tp-perf.
pub fn perf_file_of(
    facts: &Facts,
    ending: &Ending,
    tracepoints: &[(&str, &str)],
    rounds: &[&[(u64, u32, u32)]],
    lost: Option<(u64, u64)>,
) -> NamedTempFile {
    perf_file_with(facts, tracepoints, &[], rounds, lost, |_| document(&serde_json::to_string(ending).unwrap()))
}

/// A perf.data file like that of [`perf_file`], with this behind its head, and with the end that `end` makes of its sample ids.
pub fn perf_file_with(
    facts: &Facts,
    tracepoints: &[(&str, &str)],
    behind_head: &[u8],
    rounds: &[&[(u64, u32, u32)]],
    lost: Option<(u64, u64)>,
    end: impl FnOnce(&SampleIds) -> Vec<u8>,
) -> NamedTempFile {
    let entries = (500..).zip(tracepoints).map(|(id, (group, name))| ((*group).to_owned(), (*name).to_owned(), id));
    let table = Table::from_entries(entries.collect());
    let id = |tpid: u32, cpu: u32| u64::from(100 + tpid * 4 + cpu);
    let tpids = 1..=tracepoints.len() as u32;
    let pairs = tpids.flat_map(|tpid| {
        (0..4).map(move |cpu| (SampleId(id(tpid, cpu)), Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) }))
    });
    let (features, ids) = (Features::default(), SampleIds::new(&pairs.collect::<Vec<_>>()));
    let facts = serde_json::to_string(facts).unwrap();
    let head = Head {
        table: &table,
        ids: &ids,
        clock: Clock::Monotonic,
        lost_known: true,
        sampled_cpu: false,
        threads: None,
        features: &features,
        facts: &facts,
    };
    let mut bytes = head.encode();
    bytes.extend(behind_head);
    for (number, round) in rounds.iter().enumerate() {
        if let (1, Some((lost, time))) = (number, lost) {
            push_lost(&mut bytes, id(1, 0), lost, time);
        }
        round.iter().for_each(|(time, tpid, cpu)| push_sample(&mut bytes, id(*tpid, *cpu), *time));
        bytes.extend(finished_round());
    }
    bytes.extend(end(&ids));
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    file
}

pub fn facts() -> Facts {
    Facts {
        schema: Facts::schema_with(None, false),
        tool: Tool { name: "tp-perf".to_owned(), version: "0".to_owned() },
        kernel: "6.18.0".to_owned(),
        hostname: "here".to_owned(),
        cpus: [0, 1, 2, 3].map(Cpu::new).to_vec(),
        offline_cpus: Vec::new(),
        clock: Clock::Monotonic,
        clock_offset_ns: 0,
        command: None,
        arguments: Vec::new(),
        events: None,
        started: "2026-01-01T00:00:00Z".to_owned(),
        ring_size: 4096,
        budget: None,
        only: None,
        last: None,
        attach_ns: 1,
        self_excluded: true,
        pid: 1,
        left_out: Default::default(),
    }
}

pub fn ending() -> Ending {
    Ending {
        started: "2026-01-01T00:00:00Z".to_owned(),
        stop_reason: StopReason::Duration,
        problem: None,
        command_exit: None,
        capture_ns: 1_000_000_000,
        detach_ns: None,
        detach_expected_ns: 0,
        own_cpu_ns: 0,
        gone_cpus: Vec::new(),
        unwatched: Vec::new(),
        cost: None,
        others: None,
        triggers: Vec::new(),
    }
}
