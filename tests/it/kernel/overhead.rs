//! `tp-perf overhead`: it watches known numbers of hits in each way, attaches and detaches as it reports, and handles
//! COMMAND correctly.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, RENAME, Rig, eventually, shown};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};

pub const TESTS: &[Test] = &[
    ("each_watched_run_has_exactly_its_hits", nothing_more, known_hits),
    ("lost_events_are_counted_in_the_run_that_lost_them", nothing_more, known_losses),
    ("everything_is_attached_except_in_runs_with_nothing_attached", nothing_more, nothing_attached),
    ("another_tp_perf_with_tracepoints_is_reported", nothing_more, another_tp_perf),
    ("a_failing_command_ends_the_measurement_with_its_output_and_exit_code", nothing_more, failing),
    ("the_prepare_command_runs_before_each_run", nothing_more, preparing),
    ("the_output_of_command_goes_to_stderr_if_requested", nothing_more, shown_output),
    ("ctrl_c_keeps_the_complete_rounds", nothing_more, interrupted),
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

/// The runs of this arm.
fn of_arm<'a>(measured: &'a Value, arm: &str) -> Vec<&'a Value> {
    measured["runs"].as_array().unwrap().iter().filter(|run| run["arm"] == arm).collect()
}

fn sum(runs: &[&Value], field: &str) -> u64 {
    runs.iter().map(|run| run[field].as_u64().unwrap()).sum()
}

fn known_hits() {
    let measured = storm(&["--ways", "record,count", "--runs", "3", "--warmup", "2"], "20000");
    let runs = measured["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &measured["pairs"], &measured["pairs_asked"]), (9, &3.into(), &3.into()));
    for run in runs {
        assert!(run["wall_ns"].as_u64() > Some(0) && run["cpu_ns"].as_u64() > Some(0) && run["exit"] == 0, "{run}");
        assert_eq!(run["events"].is_null(), run["arm"] == "off", "{run}");
    }
    for (index, way) in ["record", "count"].into_iter().enumerate() {
        let runs = of_arm(&measured, way);
        assert_eq!(runs.len(), 3);
        for run in &runs {
            assert!(is_storm(&run["events"], 20_000) && run["own_cpu_ns"].is_u64(), "{run}");
        }
        let figures = &measured["ways"][index];
        assert_eq!((&figures["way"], &figures["lost"]), (&way.into(), &0.into()));
        assert_eq!(figures["events"], sum(&runs, "events"));
    }
    for arm in ["off", "record", "count"] {
        let first = runs.chunks(3).filter(|round| round[0]["arm"] == arm).count();
        assert_eq!(first, 1, "each arm is first equally often");
    }
    let counted = storm(&["--ways", "count", "--runs", "1", "--warmup", "0"], "1000");
    assert_eq!((&counted["ring_size"], &counted["arms"]), (&0.into(), &serde_json::json!(["off", "count"])));
    assert!(is_storm(&of_arm(&counted, "count")[0]["events"], 1_000), "{counted}");
}

fn known_losses() {
    let measured = storm(&["--ways", "count,record", "--runs", "2", "--ring-size", "64K"], "300000 stopped");
    let recorded = of_arm(&measured, "record");
    for run in recorded.iter().chain(&of_arm(&measured, "count")) {
        // Recorded and lost hits both count as events. A counter loses nothing, even if tp-perf stands still.
        assert!(is_storm(&run["events"], 300_000), "{run}");
    }
    let lost = sum(&recorded, "lost");
    assert_eq!((&measured["ways"][0]["lost"], &measured["ways"][1]["lost"]), (&lost.into(), &0.into()));
    assert!(recorded.iter().all(|run| run["lost"].as_u64() > Some(0)), "a ring of 64 KiB loses events: {measured}");
}

/// Each child process of tp-perf that detaches later holds the tracepoints of one way. COMMAND counts them.
fn nothing_attached() {
    let rig = Rig::new();
    let script =
        "grep -l tp-perf-detach $(printf '/proc/%s/comm ' $(cat /proc/$PPID/task/$PPID/children)) | wc -l >> held";
    let words = ["--ways", "record,count", "--nothing-attached", "-r", "4", "-w", "1", "--format", "json", "-q"];
    let measured = json(&overhead(&rig, &words).args(["--", "sh", "-c", script]).output().unwrap());
    assert_eq!(measured["arms"], serde_json::json!(["nothing", "off", "record", "count"]));
    let runs = measured["runs"].as_array().unwrap();
    let waits = measured["detach_waits_ns"].as_array().unwrap().len();
    assert_eq!((runs.len(), &measured["pairs"]), (16, &4.into()));
    assert!((2..=4).contains(&waits), "{measured}");
    // Without the warm-ups: one at the start, and one after each wait.
    let held = fs::read_to_string(rig.path("held")).unwrap();
    let mut held: Vec<&str> = held.lines().collect();
    assert_eq!(held.len(), 16 + 1 + waits);
    assert_eq!(held.remove(0), "2", "the warm-up at the start has everything attached");
    let mut was_attached = true;
    for run in runs {
        let is_attached = run["arm"] != "nothing";
        if was_attached && !is_attached {
            assert_eq!(held.remove(0), "0", "the warm-up after a wait has nothing attached");
        }
        assert_eq!(held.remove(0), if is_attached { "2" } else { "0" }, "{run}");
        was_attached = is_attached;
    }
    let first = runs.chunks(4).filter(|round| round[0]["arm"] == "nothing").count();
    let last = runs.chunks(4).filter(|round| round[3]["arm"] == "nothing").count();
    assert_eq!((first, last), (2, 2), "runs with nothing attached are first and last equally often");
    assert!(measured["attached_off"]["wall"]["change"]["value"].is_f64(), "{measured}");
    assert!(measured["ways"][1]["against_nothing"]["wall"]["change"]["value"].is_f64(), "{measured}");
}

fn another_tp_perf() {
    let rig = Rig::new();
    let other = Background::start(&mut rig.command(&["-t", RENAME]));
    other.wait_until_it_polls();
    let words = ["--nothing-attached", "-r", "1", "-w", "0", "--format", "json", "--", "true"];
    let output = overhead(&rig, &words).output().unwrap();
    other.signal(Signal::SIGINT);
    other.end();
    let measured = json(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!measured["attached_by_others"].as_array().unwrap().is_empty(), "{measured}");
    assert!(stderr.contains("another tp-perf had tracepoints attached (pid "), "{stderr}");
    assert!(stderr.contains("wait for the detach 1 time"), "{stderr}");
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
    let recorded = of_arm(&measured, "record");
    assert!(recorded.len() == 1 && is_storm(&recorded[0]["events"], 0), "{measured}");

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
