//! Long tests, to be run by hand: `TP_PERF_ENDURANCE=1 cargo test --release --test it endurance`. They need an
//! otherwise idle machine. The seed of the random moments is printed; `TP_PERF_SEED` sets it. `TP_PERF_SOAK_SECONDS` is the
//! length of the long capture, by default an hour.

use crate::common::Test;
use crate::kernel::rig::{Background, RENAME, Recording, Rig, shown};
use nix::sys::signal::Signal;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use tp_perf::os::clock::Clock;
use tp_perf::os::cpus::CpuList;

pub const TESTS: &[Test] = &[
    ("a_capture_killed_at_any_moment_replays_with_its_newest_events", asked_for, kills),
    ("a_storm_into_small_rings_is_accounted_for_exactly", asked_for, small_rings),
    ("a_storm_while_tp_perf_stands_still_is_accounted_for_exactly", asked_for, stopped),
    ("five_captures_at_once_are_each_accounted_for_exactly", asked_for, five_at_once),
    ("a_long_capture_takes_no_more_memory_and_no_more_descriptors", asked_for, soak),
];

/// How often a capture is killed.
const KILLS: usize = 200;
/// The newest event that a killed capture keeps is at most this old in the median.
const NEWEST: Duration = Duration::from_millis(200);
const TEN_MILLION: u64 = 10_000_000;
const ROUNDS: usize = 3;

fn asked_for() -> Result<(), String> {
    let is_asked = env::var_os("TP_PERF_ENDURANCE").is_some();
    if is_asked { Ok(()) } else { Err("TP_PERF_ENDURANCE=1, because it takes minutes".to_owned()) }
}

/// Random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = env::var("TP_PERF_SEED").map_or(now, |seed| seed.parse().expect("TP_PERF_SEED is a number"));
        eprintln!("TP_PERF_SEED={seed}");
        Random(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn kills() {
    let mut random = Random::new();
    let mut ages = Vec::new();
    let mut events = 0;
    // The rate of a busy machine, without the cost of many tracepoints.
    let _storms: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|cpu| Background::storm(*cpu)).collect();
    for number in 0..KILLS {
        let rig = Rig::new();
        let compress = (number % 2 == 1).then_some("--compress");
        let capture = Background::start(rig.command(&["-q", "-t", RENAME]).args(compress));
        capture.wait_until_it_polls();
        let on = Clock::Monotonic.now_ns().unwrap();
        sleep(Duration::from_micros(1 + random.below(2_000_000)));
        let killed = Clock::Monotonic.now_ns().unwrap();
        capture.signal(Signal::SIGKILL);
        assert_eq!(capture.end().status.signal(), Some(9));
        if !rig.path("rec").join("events.perf").exists() {
            // It was killed before its first events were on the disk, so all since the start are lost.
            ages.push(Duration::from_nanos(killed.since(on)));
            continue;
        }
        let replay = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
            .arg("replay")
            .arg(rig.path("rec"))
            .arg("-o")
            .arg(rig.path("again"))
            .output()
            .unwrap();
        assert_eq!(replay.status.code(), Some(1), "kill {number}: {}", shown(&replay));
        let recording = Recording::read(&rig.path("again"));
        let newest = recording.rows.last().map_or(on.0, |(newest, ..)| *newest);
        assert_eq!(recording.rows.len() as i64, recording.events("recorded"));
        events += recording.rows.len();
        ages.push(Duration::from_nanos(killed.0.saturating_sub(newest)));
    }
    ages.sort_unstable();
    let median = ages[ages.len() / 2];
    eprintln!(
        "{} killed captures have {events} events in all; the newest one is {median:?} old in the median, \
         and at most {:?}",
        ages.len(),
        ages.last().unwrap()
    );
    assert!(median <= NEWEST, "{median:?}");
}

/// Asserts that the kernel's counts are at least the hits of a storm, and exactly those recorded and lost.
fn assert_exact(recording: &Recording, hits: u64) -> (i64, i64) {
    let [recorded, lost, counted] = ["recorded", "lost", "counted"].map(|field| recording.events(field));
    assert!(counted >= hits as i64, "{counted} of {hits}");
    assert_eq!(recorded + lost, counted, "{:?}", recording.summary["unaccounted"]);
    (recorded, lost)
}

fn small_rings() {
    for _ in 0..ROUNDS {
        let recording = Rig::new().storm(&["--ring-size", "64K"], TEN_MILLION, None);
        let (recorded, lost) = assert_exact(&recording, TEN_MILLION);
        eprintln!("rings of 64 KiB: {recorded} recorded + {lost} lost");
    }
}

fn stopped() {
    for _ in 0..ROUNDS {
        let rig = Rig::new();
        let capture = Background::start(&mut rig.command(&["-q", "-t", RENAME, "--ring-size", "64K"]));
        capture.wait_until_it_polls();
        let storms: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|cpu| Background::storm(*cpu)).collect();
        sleep(Duration::from_secs(1));
        capture.signal(Signal::SIGSTOP);
        sleep(Duration::from_secs(4));
        capture.signal(Signal::SIGCONT);
        sleep(Duration::from_secs(1));
        drop(storms);
        capture.signal(Signal::SIGINT);
        let output = capture.end();
        assert!(output.status.success(), "{}", shown(&output));
        let (recorded, lost) = assert_exact(&Recording::read(&rig.path("rec")), 1);
        assert!(lost > 0, "a ring was full for four seconds");
        eprintln!("stopped for 4 s: {recorded} recorded + {lost} lost");
    }
}

fn five_at_once() {
    for _ in 0..ROUNDS {
        let rigs: Vec<Rig> = (0..5).map(|_| Rig::new()).collect();
        let captures: Vec<Background> =
            rigs.iter().map(|rig| Background::start(&mut rig.command(&["-q", "-d", "1h", "-t", RENAME]))).collect();
        captures.iter().for_each(Background::wait_until_it_polls);
        let storm = Command::new(env::current_exe().unwrap()).args(["storm", "1000000"]).status();
        assert!(storm.unwrap().success());
        captures.iter().for_each(|capture| capture.signal(Signal::SIGINT));
        for (capture, rig) in captures.into_iter().zip(&rigs) {
            let output = capture.end();
            assert!(output.status.success(), "{}", shown(&output));
            let (recorded, lost) = assert_exact(&Recording::read(&rig.path("rec")), 1_000_000);
            eprintln!("one of five: {recorded} recorded + {lost} lost");
        }
    }
}

/// The kilobytes of memory that belong to a process alone, and the number of its descriptors.
fn taken(pid: u32) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let memory = line.trim().trim_end_matches(" kB").parse().unwrap();
    (memory, std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count())
}

fn soak() {
    let seconds = env::var("TP_PERF_SOAK_SECONDS").map_or(3_600, |seconds| seconds.parse().expect("a number"));
    let rig = Rig::new();
    let capture = Background::start(&mut rig.command(&["-q", "--compress"]));
    capture.wait_until_it_polls();
    // Each process that starts and ends hits dozens of tracepoints. An hour of many more would fill the disk.
    let programs = || Background::start(Command::new("sh").args(["-c", "while :; do /bin/true; sleep 0.02; done"]));
    let cpus = CpuList::online().unwrap();
    let loads: Vec<_> = cpus.as_slice().iter().flat_map(|_| [Background::busy(), programs()]).collect();
    // The first tenth fills the buffers.
    let mut samples = Vec::new();
    for _ in 0..100 {
        sleep(Duration::from_millis(seconds * 10));
        samples.push(taken(capture.id()));
    }
    let descriptors: Vec<usize> = samples.iter().map(|(_, descriptors)| *descriptors).collect();
    assert!(descriptors.iter().all(|number| *number == descriptors[0]), "{descriptors:?}");
    let most = |part: &[(u64, usize)]| part.iter().map(|(memory, _)| *memory).max().unwrap();
    let (early, late) = (most(&samples[10..40]), most(&samples[70..]));
    drop(loads);
    capture.signal(Signal::SIGINT);
    let output = capture.end();
    assert!(output.status.success(), "{}", shown(&output));
    let recording = std::fs::read(rig.path("rec/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&recording).unwrap();
    eprintln!("{seconds} s: {early} kB early, {late} kB late, {} descriptors, {}", descriptors[0], summary["events"]);
    assert!(late <= early + early / 10 + 1024, "{samples:?}");
}
