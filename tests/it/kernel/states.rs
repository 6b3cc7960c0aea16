//! States of this machine: known events are in known windows, and only counts are kept.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{RENAME, Rig, shown};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};

pub const TESTS: &[Test] = &[
    ("learning_from_the_machine_keeps_counts_only", nothing_more, learned),
    ("this_machine_is_identified_and_checked", nothing_more, identified),
    ("a_storm_raises_an_alarm_whose_windows_can_be_learned", nothing_more, followed),
];

fn call(rig: &Rig, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(words).current_dir(rig.path(".")).stdin(Stdio::null()).output().unwrap()
}

/// The captured tracepoints: the one that a storm hits, and those that `copy` hits.
const SELECTION: [&str; 6] = ["-t", RENAME, "-t", "syscalls:sys_enter_read", "-t", "syscalls:sys_enter_write"];

fn storm(number: u64) -> Vec<String> {
    let myself = std::env::current_exe().unwrap();
    vec![myself.to_str().unwrap().to_owned(), "storm".to_owned(), number.to_string()]
}

/// A load that reads and writes a byte `number` times.
fn copy(number: u64) -> Vec<String> {
    ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", &format!("count={number}")].map(str::to_owned).to_vec()
}

/// Compares a load with the library `library`, or adds it to the library.
fn watch(rig: &Rig, words: &[&str], load: &[String]) -> Output {
    let common = ["--library", "library", "--window", "100events"];
    let load: Vec<&str> = load.iter().map(String::as_str).collect();
    call(rig, &[words, &common, &SELECTION, &["--"], &load].concat())
}

fn learn(rig: &Rig, state: &str, load: &[String]) {
    let output = watch(rig, &["learn", state], load);
    assert!(output.status.success(), "{}", shown(&output));
}

fn learned() {
    let rig = Rig::new();
    learn(&rig, "storm", &storm(1_000));
    let files: Vec<_> = fs::read_dir(rig.path("library/storm")).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let session: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let rows: Vec<Vec<u64>> =
        serde_json::from_value(session["counts"].as_object().unwrap().values().cloned().collect()).unwrap();
    // Each window has a hundred events, of the storm and of other processes.
    assert!(
        rows[0].len() >= 10 && (0..rows[0].len()).all(|window| rows.iter().map(|row| row[window]).sum::<u64>() == 100)
    );
    let renames: u64 = serde_json::from_value::<Vec<u64>>(session["counts"][RENAME].clone()).unwrap().iter().sum();
    assert!(renames > 900, "all renames are there except those of the incomplete window: {renames}");
    assert_eq!(session["origin"]["clock"], "monotonic");
    let there: Vec<_> = fs::read_dir(rig.path(".")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(there, ["library"], "the captured events are gone");
}

fn identified() {
    let rig = Rig::new();
    for number in [2_000, 2_500, 3_000, 3_500] {
        learn(&rig, "storm", &storm(number));
        learn(&rig, "copy", &copy(number));
    }
    for (state, load) in [("storm", storm(2_700)), ("copy", copy(2_700))] {
        let output = watch(&rig, &["identify", "--format", "json"], &load);
        assert!(output.status.success(), "{}", shown(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = found["stretches"].as_array().unwrap();
        let length = |stretch: &&Value| stretch["to"].as_u64().unwrap() - stretch["from"].as_u64().unwrap();
        assert_eq!(all.iter().max_by_key(length).unwrap()["nearest"], state, "{found:#}");
    }
    let output = watch(&rig, &["check", "--against", "storm", "-q"], &copy(2_700));
    assert!(output.status.code() == Some(3) && output.stdout.is_empty(), "{}", shown(&output));
}

/// Windows of 200 ms, so that the test is short: an alarm takes eight of them, and all clear takes thirty.
fn followed() {
    let rig = Rig::new();
    let common = [&["--library", "library", "--window", "200ms"], &SELECTION[..]].concat();
    for _ in 0..4 {
        let output = call(&rig, &[&["learn", "quiet", "-d", "5s"], &common[..]].concat());
        assert!(output.status.success(), "{}", shown(&output));
    }
    let storm = storm(500).join(" ");
    let load = format!("sleep 4; for i in $(seq 60); do {storm}; sleep 0.05; done; sleep 12");
    let words = ["check", "--against", "quiet", "--follow", "--save", "alarms", "--format", "json"];
    let output = call(&rig, &[&words[..], &common, &["--", "sh", "-c", &load]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let lines: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind = |kind: &str| lines.iter().find(|line| line["kind"] == kind).unwrap_or_else(|| panic!("{lines:#?}"));
    let (alarm, clear) = (of_kind("alarm"), of_kind("all_clear"));
    let groups = alarm["groups"].as_array().unwrap();
    assert!(groups.iter().any(|group| group["group"] == "task"), "{alarm:#}");
    assert!(alarm["time"].as_str().unwrap().ends_with('Z') && clear["number"] == alarm["number"]);
    assert_eq!(of_kind("end")["not_reported"], 0);
    // Its windows are a session.
    let saved = fs::read_dir(rig.path("alarms/not-quiet")).unwrap().next().unwrap().unwrap().path();
    let session: Value = serde_json::from_str(&fs::read_to_string(&saved).unwrap()).unwrap();
    let renames: u64 = session["counts"][RENAME].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert!(renames > 10_000, "most of the renames: {renames}");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("if alarm 1 was fine: `tp-perf learn quiet alarms/not-quiet/"), "{message}");
    let output = call(&rig, &["learn", "quiet", saved.to_str().unwrap(), "--library", "library"]);
    assert!(output.status.success(), "{}", shown(&output));
    // With that storm, renames are the hottest tracepoint of the state.
    let words = ["check", "--against", "quiet", "--budget", "0.0001%", "-d", "3s"];
    let output = call(&rig, &[&words[..], &common].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    // What a hit costs, and how much others read and write meanwhile, decides whether all three are too hot.
    let leaves_out = message.contains("tp-perf leaves out ") && message.contains(": task:task_rename");
    assert!(leaves_out || message.contains("is too small to count any tracepoint"), "{message}");
    let output = call(&rig, &[&["check", "--against", "quiet", "--budget", "0.0000001%"], &common[..]].concat());
    let message = String::from_utf8_lossy(&output.stderr);
    // A tracepoint that no session hit is never too hot.
    let is_refused = output.status.code() == Some(1) && message.contains("is too small to count any tracepoint");
    assert!(is_refused || message.contains("leaves out 2 of the 3 tracepoints"), "{message}");
}
