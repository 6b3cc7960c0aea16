//! The screens of `learn`, `states`, `identify`, and `check`.

use super::stage::{Stage, heads, screen};
use crate::common::library::{IDLE, session};
use crate::common::screen::{assert_screen, on_terminal, visible};
use crate::states::long_recording;
use std::fs;

/// The library of these screens.
const LIBRARY: &str = "--library library";

/// Adds the library to these commands.
fn with_library<const N: usize>(lines: [&str; N]) -> [String; N] {
    lines.map(|line| format!("{line} {LIBRARY}"))
}

/// Learns both states from five sessions each.
fn learned(stage: &Stage) {
    stage.sessions();
    for state in ["idle", "web"] {
        let sessions: Vec<String> = (1..=5).map(|number| format!("{state}{number}.json")).collect();
        let line = format!("learn {state} {} {LIBRARY} -q", sessions.join(" "));
        let output = stage.command(&line).output().unwrap();
        assert!(output.status.success(), "{}", visible(&output.stderr));
    }
}

pub fn learn_and_list() {
    let lines = with_library([
        "states",
        "learn idle idle1.json",
        "states show idle",
        "learn idle idle2.json idle3.json",
        "learn web web1.json",
        "states",
        "states show idle",
        "states remove idle 20260102T030111Z",
        "states remove web",
        "states",
    ]);
    assert_screen("states", &screen(Stage::sessions, &lines.each_ref().map(String::as_str)));
}

pub fn states_of_recordings() {
    let lines = [
        "learn idle fixtures/idle.perf.zst --window 500events --library library",
        "learn build fixtures/make.perf.zst --window 500events --library library",
        "states --library library",
        "states show build --library library",
        "identify fixtures/apache.perf.zst --window 500events --library library",
        "identify fixtures/idle.perf.zst --window 500events --library library",
        "learn losing fixtures/overflow.perf.zst --window 1ms --library losing",
        "identify fixtures/idle.perf.zst --window 500events --library losing",
        "learn half long.perf --to 6s --library halves",
        "report long.perf --states --library halves",
        "report long.perf --states --library halves --format markdown",
        "report fixtures/make.perf.zst --states --top 1 --library halves",
    ];
    let prepare = |stage: &Stage| {
        fs::copy(long_recording().path(), stage.path("long.perf")).unwrap();
    };
    assert_screen("states_of_recordings", &screen(prepare, &lines));
}

pub fn identify() {
    let lines = with_library([
        "identify evening.json",
        "identify same.json",
        "identify silent.json --fail-unknown",
        "identify new.json --alpha 0.2",
        "identify evening.json --window 2s",
        "identify same.json evening.json --verbose",
        "states --evaluate",
    ]);
    assert_screen("identify", &screen(learned, &lines.each_ref().map(String::as_str)));
    let stage = Stage::new();
    learned(&stage);
    let [json, csv, evaluation] = with_library([
        "identify evening.json --format json",
        "identify evening.json --format csv",
        "states --evaluate --format json",
    ]);
    assert_screen("identify_for_programs", &heads(&stage, &[(&json, 90), (&csv, 12), (&evaluation, 60)]));
}

pub fn check() {
    let lines = with_library([
        "check --against idle same.json",
        "check --against idle,web same.json",
        "check --against idle new.json",
        "check --against web same.json",
        "check --against idle lossy.json",
        "check --against idle evening.json",
        "check --against idle same.json nothing.json new.json",
        "check --against idle same.json -q",
        "check --against web same.json -q",
    ]);
    assert_screen("check", &screen(learned, &lines.each_ref().map(String::as_str)));
    let stage = Stage::new();
    learned(&stage);
    let [passed, failed, lossy, json] = with_library([
        "check --against idle same.json --format junit",
        "check --against idle new.json --format junit",
        "check --against idle lossy.json nothing.json --format junit",
        "check --against idle evening.json --format json",
    ]);
    assert_screen("check_for_programs", &heads(&stage, &[(&passed, 40), (&failed, 40), (&lossy, 40), (&json, 200)]));
}

pub fn follow() {
    let lines = with_library([
        "identify evening.json --follow",
        "identify evening.json --follow --verbose",
        "check --against idle evening.json --follow",
        "check --against idle same.json --follow",
        "check --against idle evening.json --follow -q",
        "states --suggest-tracepoints",
    ]);
    assert_screen("follow", &screen(learned, &lines.each_ref().map(String::as_str)));
    let stage = Stage::new();
    learned(&stage);
    let [identified, checked] = with_library([
        "identify evening.json --follow --format json",
        "check --against idle evening.json --follow --format json",
    ]);
    assert_screen("follow_for_programs", &heads(&stage, &[(&identified, 20), (&checked, 20)]));
}

/// Without a terminal, tables have whole names and all columns, so programs can read them.
pub fn whole_names_in_a_pipe() {
    let stage = Stage::new();
    stage.sessions();
    let state = "a-state-whose-name-is-longer-than-any-column-of-a-table-on-a-terminal-of-80-columns";
    let tracepoint = "a_group_with_a_long_name:and_a_tracepoint_whose_name_is_longer_than_any_column_of_a_table";
    let mut new = session(&[(40, IDLE)], 78);
    new["counts"][tracepoint] = (0..40).map(|_| 5_000u64).collect::<Vec<_>>().into();
    stage.write("new.json", new.to_string());
    for number in 1..=5 {
        let mut session = session(&[(30, IDLE)], number);
        session["not_hit"][tracepoint.split_once(':').unwrap().0] = vec![tracepoint.split_once(':').unwrap().1].into();
        stage.write(&format!("idle{number}.json"), session.to_string());
    }
    let learn = format!("learn {state} idle1.json idle2.json idle3.json idle4.json idle5.json -q {LIBRARY}");
    assert!(stage.command(&learn).output().unwrap().status.success());
    for (line, names) in [
        ("states", &[state][..]),
        ("states --evaluate", &[state]),
        ("identify idle1.json", &[state]),
        ("identify new.json", &[state, tracepoint]),
        (&format!("check --against {state} new.json"), &[state, tracepoint]),
    ] {
        let line = format!("{line} {LIBRARY}");
        let piped = visible(&stage.command(&line).output().unwrap().stdout);
        assert!(names.iter().all(|name| piped.contains(name)) && !piped.contains('…'), "{line}: {piped}");
        let shown = visible(&on_terminal(stage.command(&line), 80).stdout);
        let is_too_long = |line: &&str| line.chars().count() > 80 && line.split_whitespace().count() > 1;
        assert_eq!(shown.lines().find(is_too_long), None, "a terminal has no longer lines: {line}: {shown}");
    }
}

/// Without a terminal, the output is laid out for 80 columns, as far as no name is cut.
pub fn piped() {
    let stage = Stage::new();
    learned(&stage);
    for line in [
        "replay fixtures/idle.perf.zst",
        "report fixtures/idle.perf.zst",
        "identify evening.json --library library",
        "check --against idle new.json --library library",
        "states --library library",
    ] {
        let piped = stage.command(line).output().unwrap();
        let shown = on_terminal(stage.command(line), 80);
        assert_eq!(visible(&piped.stdout), visible(&shown.stdout), "{line}");
        assert_eq!((piped.status, &piped.stderr), (shown.status, &shown.stderr), "{line}");
    }
}
