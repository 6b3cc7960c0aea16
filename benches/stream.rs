//! Measures how many events per second tp-perf decodes and merges, writes to log.csv, or adds to a report.
//!
//! `cargo bench` prints the throughput in elements (events) per second for each number of rings. The cost per
//! event grows with the logarithm of the number of rings, but not with the number of events.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use tp_perf::activity::Activity;
use tp_perf::events::stream::EventStream;
use tp_perf::events::{Cpu, Event, Ns, SampleId, SampleIds, Sink, Slot, Tpid};
use tp_perf::memory;
use tp_perf::os::clock::Clock;
use tp_perf::perf_data::PerfData;
use tp_perf::perf_data::input::Input;
use tp_perf::perf_data::record::{finished_round, push_sample};
use tp_perf::perf_data::{Compressor, Features, Head};
use tp_perf::recording::{LogWriter, RecordingDir};
use tp_perf::tracefs::Table;

/// The number of tracepoints that Linux 6.18 captures by default.
const TRACEPOINTS: u32 = 1568;
const ROUND: u64 = 200_000;

/// Bytes in memory, in pieces of 1 MiB, as the spool returns them.
struct Bytes(Rc<Vec<u8>>, usize);

impl Input for Bytes {
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        let start = self.1;
        self.1 = self.0.len().min(start + (1 << 20));
        Ok((start < self.1).then(|| &self.0[start..self.1]))
    }
}

/// A cheap pseudo-random generator with the same numbers in every run (xorshift64).
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn id(ring: u32, tracepoint: u32) -> u64 {
    5_000 + u64::from(tracepoint * 1024 + ring)
}

fn ids(rings: u32) -> SampleIds {
    // At 1024 rings, the table of all ids is larger than any cache, as in a real capture.
    let slots = (0..TRACEPOINTS).flat_map(|t| {
        (0..rings).map(move |cpu| (SampleId(id(cpu, t)), Slot { tpid: Tpid::new(t + 1), cpu: Some(Cpu::new(cpu)) }))
    });
    SampleIds::new(&slots.collect::<Vec<_>>())
}

fn table() -> Table {
    let entries =
        (0..TRACEPOINTS).map(|n| (format!("group_{:02}", n / 20), format!("a_tracepoint_name_{n}"), u64::from(n)));
    Table::from_entries(entries.collect())
}

/// A file of rounds. Events are spread over the rings at random, and few tracepoints have most events.
fn bytes(rings: u32, events: u64) -> Vec<u8> {
    let (features, ids) = (Features::default(), ids(rings));
    let head = Head {
        table: &table(),
        ids: &ids,
        clock: Clock::Monotonic,
        lost_known: true,
        sampled_cpu: false,
        threads: None,
        features: &features,
        facts: "",
    };
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let mut out = head.encode();
    for start in (0..events).step_by(ROUND as usize) {
        let mut round = vec![Vec::new(); rings as usize];
        for n in start..events.min(start + ROUND) {
            let r = random(&mut state);
            let ring = (r % u64::from(rings)) as u32;
            let tracepoint = ((r >> 32) % u64::from(TRACEPOINTS)).min((r >> 20) % 64) as u32;
            push_sample(&mut round[ring as usize], id(ring, tracepoint), 1_000_000_000 + n * 800);
        }
        out.extend(round.concat());
        out.extend(finished_round());
    }
    out
}

fn decode_and_merge(criterion: &mut Criterion) {
    // A capture raises the bound as well: 1.6 million sample ids need more than the bound of a foreign file.
    memory::raise_bound(1 << 30);
    let mut group = criterion.benchmark_group("decode_and_merge");
    group.sample_size(10);
    let cases = [(2, 1_000_000), (16, 1_000_000), (128, 1_000_000), (1024, 1_000_000), (2, 100_000), (2, 10_000_000)];
    for (rings, events) in cases {
        let bytes = Rc::new(bytes(rings, events));
        group.throughput(Throughput::Elements(events));
        group.bench_function(BenchmarkId::new(format!("{rings}_rings"), events), |bencher| {
            bencher.iter_batched(
                || EventStream::new(PerfData::piped(Bytes(Rc::clone(&bytes), 0)).unwrap()),
                |mut stream| {
                    let mut count = 0;
                    while let Some(batch) = stream.next_batch().unwrap() {
                        count += black_box(batch).len();
                    }
                    assert_eq!(count as u64, events);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn write_csv(criterion: &mut Criterion) {
    const EVENTS: u64 = 1_000_000;
    let table = table();
    let event = |n| {
        let tpid = Tpid::new((n % u64::from(TRACEPOINTS)) as u32 + 1);
        Event::new(Ns(2_069_046_799_106 + n * 800), None, tpid)
    };
    let events: Vec<_> = (0..EVENTS).map(event).collect();
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let directory = RecordingDir::create(&folder.path().join("rec"), false).unwrap();
    let mut group = criterion.benchmark_group("write_csv");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("rows", |bencher| {
        bencher.iter(|| {
            let mut log = LogWriter::new(directory.file("log.csv").unwrap());
            log.write(&events, &table).unwrap();
            assert_eq!(log.finish().unwrap(), EVENTS);
        });
    });
    group.finish();
}

/// Decodes, merges, and adds the events to a report: for the terminal, and for plots and pages. Compare with
/// `decode_and_merge`.
fn activity(criterion: &mut Criterion) {
    const EVENTS: u64 = 1_000_000;
    let bytes = Rc::new(bytes(2, EVENTS));
    let mut group = criterion.benchmark_group("activity");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    for (name, cells, cpus) in [("terminal", 1 << 15, false), ("pictures", 1 << 18, true)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || EventStream::new(PerfData::piped(Bytes(Rc::clone(&bytes), 0)).unwrap()),
                |mut stream| {
                    let mut activity = Activity::new(cells);
                    if cpus {
                        activity = activity.with_cpus(cells / 8);
                    }
                    while stream.next_batch().unwrap().is_some() {
                        let (batch, table) = stream.batch();
                        activity.events(batch, table);
                    }
                    activity.finish();
                    assert_eq!(black_box(activity).tracepoints.totals().iter().sum::<u64>(), EVENTS);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Compresses real ring bytes repeatedly, as `--compress` does: 23,921 events of a kernel build.
fn compress(criterion: &mut Criterion) {
    let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/make.perf.zst")).unwrap();
    let events = zstd::decode_all(file).unwrap();
    // Skips the head, which is a third of the file.
    let ring_bytes = &events[events.len() - 500_000..];
    let mut group = criterion.benchmark_group("compress");
    group.throughput(Throughput::Elements(ring_bytes.len() as u64 / 24)).sample_size(10);
    group.bench_function("ring_bytes", |bencher| {
        let mut compressor = Compressor::new().unwrap();
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            compressor.push(black_box(ring_bytes), &mut out).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, decode_and_merge, activity, write_csv, compress);
criterion_main!(benches);
