//! The screens of `learn`, `states`, `identify`, and `check`.

use super::stage::{Stage, heads, screen};
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
        "check --against idle same.json -q",
        "check --against web same.json -q",
    ]);
    assert_screen("check", &screen(learned, &lines.each_ref().map(String::as_str)));
    let stage = Stage::new();
    learned(&stage);
    let [passed, failed, lossy, json] = with_library([
        "check --against idle same.json --format junit",
        "check --against idle new.json --format junit",
        "check --against idle lossy.json --format junit",
        "check --against idle new.json --format json",
    ]);
    assert_screen("check_for_programs", &heads(&stage, &[(&passed, 40), (&failed, 40), (&lossy, 40), (&json, 60)]));
}

/// Without a terminal, the output is laid out for 80 columns.
pub fn piped() {
    let stage = Stage::new();
    learned(&stage);
    for line in [
        "replay fixtures/idle.perf.zst",
        "report fixtures/idle.perf.zst fixtures/make.perf.zst",
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
