//! The accounts of a summary: they have only what belongs to tracepoints, and they add up, whatever the source.

use crate::common::report::{fixture, path, report};
use crate::common::screen::assert_screen;
use crate::common::{Test, tests};
use crate::fuzz::targets::assert_adds_up;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;
use tp_perf::drain::{Request, Signals, drain};
use tp_perf::source::{self, Place};

pub const TESTS: &[Test] = tests![
    losses_of_other_events_are_not_losses_of_tracepoints,
    losses_that_belong_to_no_known_event_have_a_number_of_their_own,
    members_of_sampled_groups_are_not_captured_and_never_gone,
    the_counts_of_every_fixture_are_the_sums_of_its_accounts,
    the_counts_of_mutated_files_are_the_sums_of_their_accounts,
];

/// `perf record` of a busy hardware event next to two tracepoints, with rings that overflowed.
const MIXED: &str = "lost-mixed-hardware.data";

/// `perf record` of a sampled group: a leader and two members.
const LEADER: &str = "leader-sampling.data";

/// What a replay prints, and its summary.
fn replayed(source: &Path, words: &[&str]) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let rec = folder.path().join("rec");
    let output = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(["replay", path(source), "-o", path(&rec)])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = std::fs::read(rec.join("summary.json")).unwrap();
    let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (printed.replace(path(folder.path()), "[folder]"), serde_json::from_slice(&summary).unwrap())
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn losses_of_other_events_are_not_losses_of_tracepoints() {
    let (printed, summary) = replayed(&fixture(MIXED), &[]);
    let events = &summary["events"];
    assert_eq!((&events["recorded"], &events["lost"]), (&34.into(), &5_302.into()));
    let lost: Vec<_> = summary["per_tracepoint"].as_array().unwrap().iter().map(|account| &account["lost"]).collect();
    assert_eq!(lost, [3_080, 2_222]);
    assert_eq!(events["lost_unassigned"], 0);
    assert!(printed.contains("`perf record -m") && !printed.contains("--ring-size"), "{printed}");
    let (_, chosen) = replayed(&fixture(MIXED), &["-t", "sched:sched_wakeup"]);
    assert_eq!(chosen["events"]["lost"], 2_222);
}

fn losses_that_belong_to_no_known_event_have_a_number_of_their_own() {
    // perf before 6.1 writes no LOST_SAMPLES. Here, these records get a type that no reader knows.
    let mut bytes = std::fs::read(fixture(MIXED)).unwrap();
    let data = 744..744 + 101_640;
    let mut at = data.start;
    while at < data.end {
        if bytes[at..at + 4] == 13u32.to_ne_bytes() {
            bytes[at..at + 4].copy_from_slice(&40u32.to_ne_bytes());
        }
        at += usize::from(u16::from_ne_bytes([bytes[at + 6], bytes[at + 7]]));
    }
    let file = file(&bytes);
    let (printed, summary) = replayed(file.path(), &[]);
    let events = &summary["events"];
    assert_eq!(
        (&events["recorded"], &events["lost"], &events["lost_unassigned"]),
        (&34.into(), &0.into(), &29_984.into())
    );
    assert_screen("accounts_unassigned", &printed.replace(path(file.path()), "[file]"));
}

fn members_of_sampled_groups_are_not_captured_and_never_gone() {
    let bytes = std::fs::read(fixture(LEADER)).unwrap();
    // The same file, but the leader and a member have changed their tracepoints.
    let (leader, member) = (0x176u64.to_ne_bytes(), 0x356u64.to_ne_bytes());
    let place = |config: [u8; 8]| bytes.windows(8).position(|word| word == config).unwrap();
    let mut swapped = bytes.clone();
    swapped[place(leader)..][..8].copy_from_slice(&member);
    swapped[place(member)..][..8].copy_from_slice(&leader);
    let folder = tempfile::tempdir().unwrap();
    let [other, leader] = ["swapped.data", "leader.data"].map(|name| folder.path().join(name));
    std::fs::write(&leader, &bytes).unwrap();
    std::fs::write(&other, &swapped).unwrap();
    let named = |text: String| text.replace(path(folder.path()), "[folder]");
    let (printed, summary) = replayed(&leader, &[]);
    assert_eq!((&summary["events"]["recorded"], &summary["tracepoints"]["captured"]), (&200.into(), &1.into()));
    let output = report(&[path(&leader), path(&other)]);
    assert!(output.status.success());
    let notes = String::from_utf8(output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_screen("accounts_sampled_groups", &named(format!("{printed}\n{text}{notes}")));
}

/// The summary of a file, if tp-perf reads it.
fn summary(place: &Place) -> Option<Value> {
    let source = source::open(place, None).ok()?;
    let results = drain(source, Request::for_a_look(), &mut [], &mut Signals::new().unwrap(), &mut ());
    Some(serde_json::to_value(results.summary).unwrap())
}

/// All recordings in `fixtures/`, unpacked.
fn recordings() -> Vec<(String, Vec<u8>)> {
    let mut recordings = Vec::new();
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_recording = [".perf.zst", ".perf", ".data", ".log.csv.zst"].iter().any(|end| name.ends_with(end));
        if path.is_file() && is_recording {
            let bytes = std::fs::read(&path).unwrap();
            let bytes = if name.ends_with(".zst") { zstd::decode_all(&*bytes).unwrap() } else { bytes };
            recordings.push((name, bytes));
        }
    }
    recordings.sort();
    recordings
}

fn the_counts_of_every_fixture_are_the_sums_of_its_accounts() {
    let recordings = recordings();
    assert!(recordings.len() > 12);
    for (name, bytes) in recordings {
        let summary = summary(&Place::Path(file(&bytes).path().to_owned())).unwrap();
        assert!(summary["events"]["recorded"].as_u64().unwrap() > 0, "{name}");
        assert_adds_up(&summary, &name);
    }
}

fn the_counts_of_mutated_files_are_the_sums_of_their_accounts() {
    let mut rng = fastrand::Rng::with_seed(20);
    let mut read = 0;
    for (name, bytes) in recordings() {
        // Small files have more kinds of records in the same number of bytes.
        let mutations = if bytes.len() < 200_000 { 60 } else { 3 };
        for mutation in 0..mutations {
            let mut mutated = bytes.clone();
            for _ in 0..rng.usize(1..8) {
                let place = rng.usize(0..mutated.len());
                mutated[place] = if rng.bool() { rng.u8(..) } else { mutated[place] ^ (1 << rng.u8(0..8)) };
            }
            if rng.u8(..5) == 0 {
                mutated.truncate(rng.usize(0..mutated.len()));
            }
            let mutated = file(&mutated);
            if let Some(summary) = summary(&Place::Path(mutated.path().to_owned())) {
                read += 1;
                assert_adds_up(&summary, &format!("{name}, mutation {mutation}"));
            }
        }
    }
    assert!(read > 100, "only {read} mutated files were readable");
}
