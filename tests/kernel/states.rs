//! States of this machine: known events are in known windows, and nothing stays but counts.

use super::Test;
use super::rig::{RENAME, Rig, nothing_more, shown};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};

pub const TESTS: &[Test] = &[
    ("learning_from_the_machine_keeps_counts_only", nothing_more, learned),
    ("this_machine_is_identified_and_checked", nothing_more, identified),
];

fn call(rig: &Rig, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(words).current_dir(rig.path(".")).stdin(Stdio::null()).output().unwrap()
}

fn learn(rig: &Rig, number: u64) {
    let (myself, number) = (std::env::current_exe().unwrap(), number.to_string());
    let myself = myself.to_str().unwrap();
    let words = [
        "learn",
        "storm",
        "--library",
        "library",
        "-t",
        RENAME,
        "--window",
        "100events",
        "--",
        myself,
        "storm",
        &number,
    ];
    let output = call(rig, &words);
    assert!(output.status.success(), "{}", shown(&output));
}

fn learned() {
    let rig = Rig::new();
    learn(&rig, 1_000);
    let files: Vec<_> = fs::read_dir(rig.path("library/storm")).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let session: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let counts: Vec<u64> = session["counts"][RENAME].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    // The storm, and perhaps others meanwhile.
    assert!(counts.len() >= 10 && counts.iter().all(|count| *count == 100), "{counts:?}");
    assert_eq!(session["origin"]["clock"], "monotonic");
    let there: Vec<_> = fs::read_dir(rig.path(".")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(there, ["library"], "what was captured is gone");
}

fn identified() {
    let rig = Rig::new();
    learn(&rig, 2_000);
    learn(&rig, 3_000);
    let myself = std::env::current_exe().unwrap();
    let storm = ["--", myself.to_str().unwrap(), "storm", "2500"];
    let words = ["identify", "--library", "library", "-t", RENAME, "--window", "100events", "--format", "json"];
    let output = call(&rig, &[&words[..], &storm].concat());
    assert!(output.status.success(), "{}", shown(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["stretches"][0]["state"], "storm", "{found:#}");
    // There is one tracepoint only, so that every share is as learned; its rate is what the machine makes of it.
    let words = ["check", "--against", "storm", "--library", "library", "-t", RENAME, "--window", "100events", "-q"];
    let output = call(&rig, &[&words[..], &storm].concat());
    assert!([Some(0), Some(3)].contains(&output.status.code()) && output.stdout.is_empty(), "{}", shown(&output));
}
