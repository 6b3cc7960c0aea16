//! The fuzz targets. `cargo fuzz` runs them with inputs of its own, and the test `fuzz` runs them with mutations of the
//! stored seeds.
//!
//! Each target takes any bytes, and panics if a rule is broken: events come out in time order, each of them is counted and
//! has a known tracepoint, the accounts add up, and what was read can be written and read again.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use tp_perf::drain::{Request, Results, Signals, drain};
use tp_perf::events::{Cpu, Event, Ns, SampleId, SampleIds, Sink, Slot, Tpid};
use tp_perf::memory::apart;
use tp_perf::os::clock::Clock;
use tp_perf::perf_data::{Compressor, Features, Head};
use tp_perf::recording::read_tracepoints;
use tp_perf::source::{self, Place};
use tp_perf::state::{ALPHA, Identification, Known, Learned, Library, Session};
use tp_perf::tracefs::Table;

/// A target: its name, which is also that of the folder with its seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("perf_data", perf_data),
    ("records", records),
    ("compressed", compressed),
    ("log_csv", log_csv),
    ("tables", tables),
    ("session", session),
    ("library", library),
    #[cfg(feature = "monitor")]
    ("journal", histories::journal),
    #[cfg(feature = "monitor")]
    ("hour", histories::hour),
];

#[cfg(feature = "monitor")]
#[path = "histories.rs"]
pub mod histories;

/// The bound in bytes of the memory that an input takes.
const MEMORY: u64 = 48 << 20;

/// The most events that are read of an input. A small input can unpack to a billion.
const MOST_EVENTS: u64 = 1 << 20;

/// Any bytes as a file: both forms of perf.data, compressed or not, and logs.
pub fn perf_data(bytes: &[u8]) {
    drain_file(bytes);
}

/// Any bytes behind the head of a recording of tp-perf's.
pub fn records(bytes: &[u8]) {
    drain_file(&[&head(), bytes].concat());
}

/// Any bytes as the contents of compressed records, behind the same head.
pub fn compressed(bytes: &[u8]) {
    let mut file = head();
    let mut compressor = Compressor::new().unwrap();
    for piece in bytes.chunks(1_000) {
        compressor.push(piece, &mut file).unwrap();
    }
    drain_file(&file);
}

/// Any rows behind the header of a log.
pub fn log_csv(bytes: &[u8]) {
    drain_file(&[b"timestamp,tpid,gid,tracepoint name\n", bytes].concat());
}

/// Any bytes as the `tracepoints.csv` beside a log.
pub fn tables(bytes: &[u8]) {
    let file = file(bytes);
    let Ok(table) = apart(MEMORY, || read_tracepoints(file.path())) else { return };
    for tracepoint in table.tracepoints() {
        assert_eq!(table.find(tracepoint.tpid), Some(tracepoint), "each tracepoint is found by its number");
    }
}

/// Any bytes as the file of a session.
pub fn session(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(session) = Session::parse(text) else { return };
    assert_eq!(Session::parse(&session.to_json()).ok().as_ref(), Some(&session), "what is written is read");
    let learned = Learned { name: "it".to_owned(), sessions: vec![("it".to_owned(), session.clone())] };
    compare(vec![learned], &session);
}

/// Any bytes as the files of a library. A NUL ends a file. The files belong to two states in turn.
pub fn library(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    for (number, file) in bytes.split(|byte| *byte == 0).take(8).enumerate() {
        let state = folder.path().join(["even", "odd"][number % 2]);
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join(format!("{number}.json")), file).unwrap();
    }
    let library = Library::at(folder.path().to_owned());
    let Ok(states) = apart(MEMORY, || library.states()) else { return };
    let first = states.usable.first().and_then(|state| state.sessions.first());
    let Some((_, session)) = first.cloned() else { return };
    compare(states.usable, &session);
}

/// Identifies a session among the states of a library.
fn compare(library: Vec<Learned>, session: &Session) {
    // A comparison of a million windows is not wrong, but slow.
    let windows: usize = library.iter().flat_map(|state| &state.sessions).map(|(_, session)| session.windows).sum();
    if windows > 2_000 {
        return;
    }
    apart(MEMORY, || {
        if let Ok(known) = Known::of(library, Some(session.window))
            && let Ok(identification) = Identification::of(session, known, ALPHA)
        {
            let ends: Vec<usize> = identification.stretches.iter().map(|stretch| stretch.to).collect();
            assert!(ends.is_sorted(), "the stretches are in time order");
        }
    });
}

/// The head of a recording of two tracepoints on two CPUs.
pub fn head() -> Vec<u8> {
    let table = Table::from_entries(vec![("a".into(), "b".into(), 7), ("a".into(), "c".into(), 8)]);
    let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
    let pairs = [(1, 1, 0), (2, 1, 1), (3, 2, 0), (4, 2, 1)].map(|(id, tpid, cpu)| (SampleId(id), slot(tpid, cpu)));
    let ids = SampleIds::new(&pairs);
    let features = Features::default();
    // Without facts, the file counts as one of perf. tp-perf's own facts begin the seeds.
    Head {
        table: &table,
        ids: &ids,
        clock: Clock::Monotonic,
        lost_known: true,
        sampled_cpu: false,
        threads: None,
        features: &features,
        facts: FACTS,
    }
    .encode()
}

const FACTS: &str = r#"{"schema":2,"tool":{"name":"tp-perf","version":"0"},"kernel":"6","hostname":"h","cpus":[0,1],"offline_cpus":[],"clock":"monotonic","clock_offset_ns":0,"command":null,"arguments":[],"events":null,"started":"2026-01-01T00:00:00Z","ring_size":4096,"attach_ns":1,"self_excluded":true,"pid":1,"left_out":[]}"#;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Checks the events of a stream, and stops after [`MOST_EVENTS`].
#[derive(Default)]
struct Checked {
    last: Ns,
    events: u64,
}

impl Sink for Checked {
    fn events(&mut self, events: &[Event], table: &Table) {
        self.events += events.len() as u64;
        for event in events {
            assert!(event.time >= self.last, "events are in time order");
            self.last = event.time;
            assert!(table.find(event.tpid()).is_some(), "every event has a known tracepoint");
        }
    }

    fn takes_more(&self) -> bool {
        self.events < MOST_EVENTS
    }
}

/// Reads a file to its end, and checks the rules.
fn drain_file(bytes: &[u8]) {
    let file = file(bytes);
    apart(MEMORY, || drain_path(file.path()));
}

fn drain_path(path: &Path) {
    let Ok(source) = source::open(&Place::Path(path.to_owned()), None) else { return };
    let mut checked = Checked::default();
    let mut signals = Signals::new().unwrap();
    let Results { summary, .. } = drain(source, Request::for_a_look(), &mut [&mut checked], &mut signals, &mut ());
    if checked.takes_more() {
        let events = &summary.events;
        assert_eq!(events.recorded, checked.events + events.late, "every sample came out or is counted as late");
    }
    assert_adds_up(&serde_json::to_value(&summary).unwrap(), "an input");
}

/// Compares the counts of all events with the sums of the accounts. Where the accounts do not know a number, they
/// have null.
pub fn assert_adds_up(summary: &Value, what: &str) {
    for accounts in ["per_tracepoint", "per_cpu"] {
        for count in ["recorded", "thinned", "lost", "counted", "unaccounted", "late"] {
            let all = part_of(&summary["events"], count);
            let each = summary[accounts].as_array().unwrap().iter().map(|account| part_of(account, count));
            // Where only the ring of a CPU knows its losses, no tracepoint has them, and there may be no tracepoint.
            if (accounts, count) == ("per_tracepoint", "lost") && each.len() == 0 {
                continue;
            }
            if all.is_null() || each.clone().any(Value::is_null) {
                // A tracepoint's account has no late events. Losses of a whole ring have no tracepoint.
                assert!(all.is_null() || accounts == "per_tracepoint", "{what}: {count} {accounts}");
                continue;
            }
            let number = |value: &Value| value.as_i64().map(i128::from).or(value.as_u64().map(i128::from)).unwrap();
            // The counts of a damaged file may exceed 64 bits.
            let sum = each.map(number).sum::<i128>().min(u64::MAX.into());
            assert_eq!(sum, number(all), "{what}: {count} {accounts}\n{summary:#}");
        }
    }
}

/// A count of an account. Without a budget, no account has thinned hits.
fn part_of<'a>(account: &'a Value, count: &str) -> &'a Value {
    static NONE: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::from(0));
    match &account[count] {
        Value::Null if count == "thinned" => &NONE,
        value => value,
    }
}
