//! `tp-perf overhead`: it counts known numbers of events, and handles COMMAND correctly.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, RENAME, Rig, eventually, shown};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};

pub const TESTS: &[Test] = &[
    ("each_captured_run_has_exactly_its_events", nothing_more, known_events),
    ("lost_events_are_counted_in_the_run_that_lost_them", nothing_more, known_losses),
    ("a_failing_command_ends_the_measurement_with_its_output_and_exit_code", nothing_more, failing),
    ("the_prepare_command_runs_before_each_run", nothing_more, preparing),
    ("the_output_of_command_goes_to_stderr_if_requested", nothing_more, shown_output),
    ("ctrl_c_keeps_the_complete_pairs", nothing_more, interrupted),
    ("sigterm_ends_command_too", nothing_more, terminated),
    ("an_unwritable_directory_is_named_in_the_error", nothing_more, no_scratch),
];

/// `tp-perf overhead` with one tracepoint, in the rig's directory.
fn overhead(rig: &Rig, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(["overhead", "-t", RENAME]).args(words).current_dir(rig.path("")).stdin(Stdio::null());
    command
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", shown(output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(output)))
}

fn storm(options: &[&str], number: &str) -> Value {
    let myself = std::env::current_exe().unwrap();
    let rig = Rig::new();
    json(
        &overhead(&rig, options)
            .args(["--format", "json", "--"])
            .arg(myself)
            .arg("storm")
            .args(number.split(' '))
            .output()
            .unwrap(),
    )
}

/// Whether this is the number of renames in a storm of `number`. The storm's process is renamed at its start
/// too, and other processes may rename themselves at the same time.
fn is_storm(events: &Value, number: u64) -> bool {
    (number + 1..number + 300).contains(&events.as_u64().unwrap())
}

fn known_events() {
    let measured = storm(&["--runs", "4", "--warmup", "2"], "20000");
    let runs = measured["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &measured["pairs"], &measured["lost"]), (8, &4.into(), &0.into()));
    let captured: Vec<_> = runs.iter().filter(|run| run["captured"] == true).collect();
    assert_eq!(captured.len(), 4);
    for run in runs {
        assert!(run["wall_ns"].as_u64() > Some(0) && run["cpu_ns"].as_u64() > Some(0) && run["exit"] == 0, "{run}");
        assert_eq!(run["events"].is_null(), run["captured"] == false, "{run}");
    }
    for run in &captured {
        assert!(is_storm(&run["events"], 20_000) && run["own_cpu_ns"].is_u64(), "{run}");
    }
    let first = runs.chunks(2).filter(|pair| pair[0]["captured"] == true).count();
    assert_eq!(first, 2, "captured and uncaptured runs are first equally often");
    let all: u64 = captured.iter().map(|run| run["events"].as_u64().unwrap()).sum();
    assert_eq!(measured["events"], all);
}

fn known_losses() {
    let measured = storm(&["--runs", "2", "--ring-size", "64K"], "300000 stopped");
    let mut lost = 0;
    for run in measured["runs"].as_array().unwrap().iter().filter(|run| run["captured"] == true) {
        // Recorded and lost hits both count as events.
        assert!(is_storm(&run["events"], 300_000), "{run}");
        lost += run["lost"].as_u64().unwrap();
    }
    assert_eq!(measured["lost"], lost);
    assert!(lost > 0, "a ring of 64 KiB loses events in a storm: {measured}");
}

fn failing() {
    let rig = Rig::new();
    let script = "echo ran >> ran; echo some words; echo others >&2; exit 7";
    let output = overhead(&rig, &["--", "sh", "-c", script]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    assert!(
        stderr.contains("some words\nothers\n") && stderr.contains("COMMAND exited with code 7 in run 1 of 11"),
        "{stderr}"
    );
    assert!(output.stdout.is_empty());
    assert_eq!(fs::read_to_string(rig.path("ran")).unwrap().lines().count(), 1, "COMMAND runs only once");

    let words = ["--ignore-failure", "-r", "1", "--format", "json", "--", "sh", "-c", "exit 7"];
    let measured = json(&overhead(&rig, &words).output().unwrap());
    assert!(measured["runs"].as_array().unwrap().iter().all(|run| run["exit"] == 7), "{measured}");
}

fn preparing() {
    let rig = Rig::new();
    let words = ["-p", "echo prepared >> order", "-r", "2", "-w", "1", "--", "sh", "-c", "echo ran >> order"];
    let output = overhead(&rig, &words).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(fs::read_to_string(rig.path("order")).unwrap(), "prepared\nran\n".repeat(5));

    // Hits of --prepare do not belong to a run. Here it is a storm, and COMMAND has only the rename at its
    // start.
    let storm = format!("'{}' storm 20000", std::env::current_exe().unwrap().display());
    let measured = json(
        &overhead(&rig, &["-p", &storm, "-r", "1", "-w", "0", "--format", "json", "--", "true"]).output().unwrap(),
    );
    let runs = measured["runs"].as_array().unwrap();
    let captured: Vec<_> = runs.iter().filter(|run| run["captured"] == true).collect();
    assert!(runs.len() == 2 && captured.len() == 1 && is_storm(&captured[0]["events"], 0), "{measured}");

    let output = overhead(&rig, &["-p", "echo no tree here; exit 3", "--", "touch", "ran"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "COMMAND's code is COMMAND's: {stderr}");
    assert!(stderr.contains("no tree here") && stderr.contains("--prepare exited with code 3"), "{stderr}");
    assert!(!rig.path("ran").exists());
}

fn shown_output() {
    let rig = Rig::new();
    let words = [
        "--show-output",
        "-r",
        "1",
        "-w",
        "0",
        "--format",
        "json",
        "--",
        "sh",
        "-c",
        "echo to stdout; echo to stderr >&2",
    ];
    let output = overhead(&rig, &words).output().unwrap();
    json(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((stderr.matches("to stdout").count(), stderr.matches("to stderr").count()), (2, 2), "{stderr}");

    let output = overhead(&rig, &[&["-q"], &words[1..]].concat()).output().unwrap();
    json(&output);
    assert!(output.stderr.is_empty(), "{}", shown(&output));
}

/// Starts a measurement whose third run sleeps, and waits for that run.
fn waiting(rig: &Rig) -> Background {
    let script = "echo $$ >> ran; test $(wc -l < ran) -lt 3 || exec sleep 600";
    let child = Background::start(&mut overhead(rig, &["-w", "0", "--format", "json", "--", "sh", "-c", script]));
    eventually("the third run has begun", || {
        fs::read_to_string(rig.path("ran")).is_ok_and(|ran| ran.lines().count() == 3)
    });
    child
}

/// The process of the third run.
fn third(rig: &Rig) -> nix::unistd::Pid {
    let ran = fs::read_to_string(rig.path("ran")).unwrap();
    nix::unistd::Pid::from_raw(ran.lines().nth(2).unwrap().parse().unwrap())
}

fn interrupted() {
    let rig = Rig::new();
    let child = waiting(&rig);
    // From a terminal, both tp-perf and COMMAND get the signal.
    child.signal(Signal::SIGINT);
    nix::sys::signal::kill(third(&rig), Signal::SIGINT).unwrap();
    let output = child.end();
    assert_eq!(output.status.code(), Some(130), "{}", shown(&output));
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&measured["pairs"], &measured["pairs_asked"]), (&1.into(), &5.into()));
}

fn terminated() {
    let rig = Rig::new();
    let child = waiting(&rig);
    child.signal(Signal::SIGTERM);
    let output = child.end();
    assert_eq!(output.status.code(), Some(143), "{}", shown(&output));
    assert!(nix::sys::signal::kill(third(&rig), None).is_err(), "COMMAND still runs");
}

fn no_scratch() {
    let rig = Rig::new();
    let output = overhead(&rig, &["--", "true"]).current_dir("/proc").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("temporary file in `/proc`") && stderr.contains("choose a directory"), "{stderr}");
}
