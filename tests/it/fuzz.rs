//! The fuzz targets with mutations of stored inputs, on stable Rust.
//!
//! | variable | effect |
//! |---|---|
//! | `TP_PERF_FUZZ_SECONDS` | how long each target runs; otherwise, each takes a fixed number of inputs |
//! | `TP_PERF_FUZZ_SEED` | the seed of the first input; a failure prints the seed of its input |
//!
//! The seeds are in `fuzz/seeds`, in a folder for each target. `it seeds fuzz/seeds` writes them again.

#[path = "../../fuzz/targets.rs"]
pub mod targets;

use crate::common::report::fixture;
use crate::common::{Test, nothing_more, perf_file};
use fastrand::Rng;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use targets::{TARGETS, Target};
use tp_perf::perf_data::record::{finished_round, push_lost, push_sample};
use tp_perf::perf_data::{document, kind};

pub const TESTS: &[Test] = &[
    ("perf_data", nothing_more, perf_data),
    ("records", nothing_more, records),
    ("compressed", nothing_more, compressed),
    ("log_csv", nothing_more, log_csv),
    ("tables", nothing_more, tables),
    ("session", nothing_more, session),
    ("library", nothing_more, library),
    #[cfg(feature = "monitor")]
    ("journal", nothing_more, journal),
    #[cfg(feature = "monitor")]
    ("hour", nothing_more, hour),
    ("every_target_has_seeds", nothing_more, every_target_has_seeds),
];

fn perf_data() {
    fuzz("perf_data");
}

fn records() {
    fuzz("records");
}

fn compressed() {
    fuzz("compressed");
}

fn log_csv() {
    fuzz("log_csv");
}

fn tables() {
    fuzz("tables");
}

fn session() {
    fuzz("session");
}

fn library() {
    fuzz("library");
}

#[cfg(feature = "monitor")]
fn journal() {
    fuzz("journal");
}

#[cfg(feature = "monitor")]
fn hour() {
    fuzz("hour");
}

/// The number of mutated inputs of each target, unless the time is given.
const INPUTS: u64 = 200;

/// The longest input in bytes.
const LONGEST: usize = 200_000;

/// With a given time, an input that takes longer than this ends the test.
const HANG: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}

/// Runs a target with its seeds, and then with mutations of them.
fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|(its, _)| *its == name).unwrap();
    let seeds = seeds(name);
    seeds.iter().for_each(|seed| run(target, seed, "a stored seed"));
    let seed = number("TP_PERF_FUZZ_SEED").unwrap_or(20);
    let Some(seconds) = number("TP_PERF_FUZZ_SECONDS") else {
        (seed..seed + INPUTS).for_each(|seed| run_mutation(target, &seeds, seed));
        return;
    };
    let (begin, watched) = (Instant::now(), Watch::begin(name));
    let mut next = seed;
    while begin.elapsed().as_secs() < seconds {
        watched.seed.store(next, Relaxed);
        run_mutation(target, &seeds, next);
        next += 1;
    }
    println!("fuzz {name}: {} inputs in {seconds} s, from seed {seed}", next - seed);
}

fn run_mutation(target: &Target, seeds: &[Vec<u8>], seed: u64) {
    let input = mutation(seeds, &mut Rng::with_seed(seed));
    run(target, &input, &format!("TP_PERF_FUZZ_SEED={seed}"));
}

fn run((name, target): &Target, input: &[u8], origin: &str) {
    if catch_unwind(|| target(input)).is_err() {
        let path = std::env::temp_dir().join(format!("tp-perf-fuzz-{name}"));
        let kept = fs::write(&path, input).map_or("not kept".to_owned(), |()| format!("in {}", path.display()));
        panic!("the target {name} fails ({origin}); the input is {kept}");
    }
}

/// Ends the process if one input takes too long.
struct Watch {
    seed: Arc<AtomicU64>,
    _end: mpsc::Sender<()>,
}

impl Watch {
    fn begin(name: &str) -> Self {
        let (seed, name) = (Arc::new(AtomicU64::new(0)), name.to_owned());
        let (_end, ended) = mpsc::channel();
        let current = Arc::clone(&seed);
        std::thread::spawn(move || {
            let mut last = u64::MAX;
            while ended.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = current.load(Relaxed);
                if now == last {
                    eprintln!("the target {name} does not end (TP_PERF_FUZZ_SEED={now})");
                    std::process::abort();
                }
                last = now;
            }
        });
        Watch { seed, _end }
    }
}

/// The stored inputs of a target, and for files of perf also the fixtures.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut paths = files(&folder);
    if name == "perf_data" {
        paths.extend(files(&fixture("")).into_iter().filter(|path| path.extension().is_some_and(|end| end == "data")));
    }
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// One of the seeds, with a few mutations.
fn mutation(seeds: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let any = |random: &mut Rng| seeds[random.usize(..seeds.len())].as_slice();
    let mut input = any(random).to_vec();
    for _ in 0..random.usize(1..6) {
        let from = random.usize(..=input.len());
        let length = (1 << random.usize(..9)).min(input.len() - from);
        let part = from..from + length;
        match random.u8(..10) {
            0..=4 => {
                // A mutation of a short part is fast, however long the input is.
                let part = from..from + length.min(16);
                let mut bytes = input[part.clone()].to_vec();
                let mut session = mutatis::Session::new().seed(random.u64(..));
                // A part without bytes may have no mutation.
                let _ = session.mutate(&mut bytes);
                input.splice(part, bytes);
            }
            5 => {
                let edges = [0, 1, 8, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, i64::MAX as u64, u64::MAX];
                let (edge, width) = (edges[random.usize(..edges.len())], [1, 2, 4, 8][random.usize(..4)]);
                let at = from / width * width;
                input.splice(at..(at + width).min(input.len()), edge.to_ne_bytes()[..width].iter().copied());
            }
            6 => {
                let other = any(random);
                let begin = random.usize(..=other.len());
                let end = (begin + length).min(other.len());
                input.splice(part, other[begin..end].iter().copied());
            }
            7 => {
                let copy = input[part].to_vec();
                input.splice(from..from, copy);
            }
            8 => drop(input.drain(part)),
            _ => input.truncate(from.max(input.len() / 8)),
        }
    }
    input.truncate(LONGEST);
    input
}

fn every_target_has_seeds() {
    let mut all = 0;
    for (name, _) in TARGETS {
        assert!(TESTS.iter().any(|(test, ..)| test == name), "{name} has a test");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        assert!(folder.join(format!("fuzz_targets/{name}.rs")).is_file(), "{name} is a target of `cargo fuzz`");
        let sizes =
            files(&folder.join("seeds").join(name)).iter().map(|file| file.metadata().unwrap().len()).sum::<u64>();
        assert!(sizes > 0, "{name}");
        all += sizes;
    }
    assert!(all < 300_000, "the seeds have {all} bytes");
}

/// Writes the seeds.
pub fn write_seeds(folder: &Path) {
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    };
    let records = records_of_a_capture();
    write("records", "capture", &records);
    write("compressed", "capture", &records);
    let whole = [targets::head(), records].concat();
    write("perf_data", "capture", &whole);
    write("perf_data", "capture.zst", &zstd::encode_all(&whole[..], 1).unwrap());
    let rounds: [&[(u64, u32, u32)]; 2] = [&[(1_000, 1, 0), (1_010, 2, 1)], &[(2_000, 1, 2), (1_990, 2, 3)]];
    let file = perf_file(&[("sched", "sched_switch"), ("irq", "irq_handler_entry")], &rounds, Some((3, 1_500)));
    write("perf_data", "recording", &fs::read(file.path()).unwrap());

    let log = zstd::decode_all(&*fs::read(fixture("perf-file.log.csv.zst")).unwrap()).unwrap();
    let rows = log.split_inclusive(|byte| *byte == b'\n').skip(1).take(60).collect::<Vec<_>>().concat();
    write("log_csv", "rows", &rows);
    write("log_csv", "odd", b"5,1,1,\"a \"\"b\"\", c\"\n5,1,1,\"a \"\"b\"\", c\"\r\n7,2,3,\xC3\xA9\n6,2,3,\xC3\xA9\n");
    write("perf_data", "log.csv", &[b"timestamp,tpid,gid,tracepoint name\n", &rows[..]].concat());
    let table = "tpid,gid,tracepoint name,group name,tracefs id,status\n1,1,sched_switch,sched,300,captured\n\
                 2,1,\"a, b\",sched,301,excluded: by -x\n9,3,x,irq,7,\n";
    write("tables", "three", table.as_bytes());

    let [session] = &files(&fixture("library-0.1.0/make"))[..] else { panic!("the library has one session") };
    let session = shortened(&fs::read_to_string(session).unwrap());
    let sessions = [session.clone(), session.replace("[1,", "[2,"), session.replace("\"ns\"", "\"events\"")];
    sessions
        .iter()
        .zip(["whole", "other", "damaged"])
        .for_each(|(session, name)| write("session", name, session.as_bytes()));
    write("library", "four", [&sessions[..], &sessions[..1]].concat().join("\0").as_bytes());

    #[cfg(feature = "monitor")]
    for (target, name, bytes) in crate::history::seeds() {
        write(target, name, &bytes);
    }
}

/// A session with only some of its tracepoints.
fn shortened(json: &str) -> String {
    let mut session: serde_json::Value = serde_json::from_str(json).unwrap();
    for names in ["counts", "not_hit", "left_out"] {
        let names = session[names].as_object_mut().unwrap();
        let drop: Vec<String> = names.keys().skip(12).cloned().collect();
        drop.iter().for_each(|name| drop_name(names, name));
        names
            .values_mut()
            .filter_map(|names| names.as_array_mut())
            .filter(|names| names.iter().any(|name| name.is_string()))
            .for_each(|names| names.truncate(5));
    }
    serde_json::to_string(&session).unwrap()
}

fn drop_name(names: &mut serde_json::Map<String, serde_json::Value>, name: &str) {
    names.remove(name);
}

/// The records of a capture: two rounds, a loss, counters, and an ending.
fn records_of_a_capture() -> Vec<u8> {
    let mut bytes = Vec::new();
    let samples = |bytes: &mut Vec<u8>, from: u64| {
        (0..40).for_each(|n| push_sample(bytes, n % 4 + 1, from + (n ^ 3) * 1_000));
        bytes.extend(finished_round());
    };
    samples(&mut bytes, 1_000_000);
    // A tracepoint was thinned, and another was detached.
    bytes.extend(document(
        r#"{"steps":[{"tpid":1,"at":1500000,"one_in":17,"counters":[[0,9,11]]},{"tpid":2,"at":1600000,"one_in":0,"counters":[[0,5,5]]}]}"#,
    ));
    push_lost(&mut bytes, 2, 7, 1_050_000);
    samples(&mut bytes, 2_000_000);
    for id in 1..=4u64 {
        // READ: pid and tid, the counter, its losses, the time, and the id.
        let body: Vec<u8> = [0, 25, id - 1, 3_000_000, id].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect();
        let size = (8 + body.len()) as u16;
        bytes.extend([&8u32.to_ne_bytes()[..], &0u16.to_ne_bytes(), &size.to_ne_bytes(), &body].concat());
    }
    bytes.extend(kind::FINISHED_ROUND.to_ne_bytes());
    bytes.extend([0, 0, 8, 0]);
    let ending = r#"{"started":"2026-01-01T00:00:00Z","stop_reason":"duration","problem":null,"command_exit":null,"capture_ns":9,"detach_ns":null,"detach_expected_ns":0,"own_cpu_ns":0,"gone_cpus":[]}"#;
    bytes.extend(document(ending));
    bytes
}
