//! Runs `identify --follow` and `check --follow` on sessions made for the tests.

use crate::common::library::{IDLE, LibraryRig, WEB, session};
use crate::common::report::path;
use crate::common::{Test, tests};
use serde_json::{Value, json};

pub const TESTS: &[Test] = tests![
    each_change_of_state_is_a_line,
    an_alarm_has_its_cause_and_its_end,
    an_alarm_becomes_part_of_the_state,
    a_few_tracepoints_tell_the_states_apart,
    copies_of_a_session_count_once,
    what_does_not_go_with_following_is_wrong_usage,
];

const NEITHER: [u64; 3] = [10, 80, 10];

/// A library of two states.
fn rig() -> LibraryRig {
    let rig = LibraryRig::new();
    rig.learn("idle", IDLE, 4);
    rig.learn("web", WEB, 4);
    rig
}

/// The lines of JSON, and the exit code.
fn lines(rig: &LibraryRig, words: &[&str]) -> (Vec<Value>, Option<i32>) {
    let output = rig.call(&[words, &["--follow", "--format", "json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code())
}

fn each_change_of_state_is_a_line() {
    let rig = rig();
    let source = session(&[(30, IDLE), (20, WEB), (20, NEITHER), (30, IDLE)], 99);
    let source = rig.session("source", &source);
    let (lines, code) = lines(&rig, &["identify", path(&source)]);
    let [begin, turns @ .., end] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(
        (&begin["kind"], &begin["states"], &begin["schema"]),
        (&json!("begin"), &json!(["idle", "web"]), &json!(2))
    );
    let of = |turn: &Value| (turn["states"].clone(), (turn["since_ns"].as_u64().unwrap() - 99) / 1_000_000_000);
    let expected = [(json!(["idle"]), 0), (json!(["web"]), 30), (json!([]), 50), (json!(["idle"]), 70)];
    assert_eq!(turns.iter().map(of).collect::<Vec<_>>(), expected);
    assert!(turns[2]["groups"][0]["tracepoints"][0]["tracepoint"].is_string(), "{:#}", turns[2]);
    assert_eq!((&end["kind"], &end["windows"], code), (&json!("end"), &json!(100), Some(0)));
    let output = rig.call(&["identify", "--follow", "--fail-unknown", path(&source)]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("web since 30.0 s") && text.contains("unknown (nearest"), "{text}");
}

fn an_alarm_has_its_cause_and_its_end() {
    let rig = rig();
    let storm = session(&[(40, IDLE), (30, WEB), (50, IDLE)], 98);
    let storm = rig.session("storm", &storm);
    let quiet = rig.session("quiet", &session(&[(200, IDLE)], 97));
    let (found, code) = lines(&rig, &["check", "--against", "idle", path(&storm), path(&quiet)]);
    let kinds: Vec<&str> = found.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!((&kinds[..], code), (&["begin", "alarm", "all_clear", "end", "begin", "end"][..], Some(3)));
    let alarm = &found[1];
    assert_eq!(
        (&alarm["looks_like"], &alarm["state"], &alarm["onset"]),
        (&json!(["web"]), &json!("idle"), &json!("step"))
    );
    assert_eq!(alarm["since_ns"], 40_000_000_098u64);
    assert_eq!((&found[3]["alarms"], &found[5]["alarms"]), (&json!(1), &json!(0)));
    let (found, code) = lines(&rig, &["check", "--against", "idle", path(&quiet)]);
    assert_eq!((found.len(), code), (2, Some(0)));
    // A quiet check reports alarms only.
    let output = rig.call(&["check", "--against", "idle", "--follow", "-q", path(&quiet)]);
    assert!(output.stdout.is_empty() && output.status.success());
}

/// The user says that an alarm was fine, by learning its windows.
fn an_alarm_becomes_part_of_the_state() {
    let rig = rig();
    let night = |seed| session(&[(60, IDLE), (60, [60, 40, 5]), (60, IDLE)], seed);
    let first = rig.session("first", &night(96));
    let (found, code) = lines(&rig, &["check", "--against", "idle", path(&first)]);
    assert_eq!(code, Some(3), "{found:?}");
    for seed in 0..4 {
        let fine = rig.session("fine", &session(&[(40, [60, 40, 5])], 300 + seed));
        rig.well(&["learn", "idle", path(&fine)]);
    }
    let second = rig.session("second", &night(95));
    let (found, code) = lines(&rig, &["check", "--against", "idle", path(&second)]);
    assert_eq!((found.len(), code), (2, Some(0)), "{found:?}");
}

fn a_few_tracepoints_tell_the_states_apart() {
    let rig = LibraryRig::new();
    let many = |shares, seed: u64| {
        let mut session = session(&[(30, shares)], seed);
        let mut random = fastrand::Rng::with_seed(seed);
        for number in 0..60 {
            let counts: Vec<u64> = (0..30).map(|_| 5_000 + random.u64(..500)).collect();
            session["counts"][format!("g{}:t{number}", number % 3)] = counts.into();
        }
        session
    };
    for (state, shares) in [("idle", IDLE), ("web", WEB)] {
        for seed in 0..4 {
            let session = rig.session("made", &many(shares, seed * 31 + shares[0]));
            rig.well(&["learn", state, path(&session)]);
        }
    }
    let found = rig.json(&["states", "--suggest-tracepoints"]);
    assert_eq!((&found["suffice"], &found["of"]), (&json!(true), &json!(63)), "{found:#}");
    let few = found["tracepoints"].as_array().unwrap().len();
    assert_eq!(few, 32, "{found:#}");
    let text = rig.well(&["states", "--suggest-tracepoints"]);
    assert!(text.starts_with(&format!("{few} tracepoints of 63 that were hit suffice")), "{text}");
    let source = rig.session("source", &many(WEB, 5));
    let found = rig.json(&["identify", "--few-tracepoints", path(&source)]);
    assert_eq!((&found["library"]["tracepoints"], &found["stretches"][0]["nearest"]), (&json!(few), &json!("web")));
    let (found, code) = lines(&rig, &["check", "--against", "idle", "--few-tracepoints", path(&source)]);
    assert_eq!((&found[1]["nearest"], code), (&json!("web"), Some(3)));
}

fn copies_of_a_session_count_once() {
    let rig = rig();
    let source = rig.session("source", &session(&[(30, IDLE)], 90));
    let before = rig.json(&["identify", path(&source)]);
    // A copy under another name, as when somebody copies files.
    let folder = rig.path("library/idle");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(&file, folder.join("zzz-copy.json")).unwrap();
    let after = rig.json(&["identify", path(&source)]);
    assert_eq!(before["stretches"], after["stretches"]);
    assert_eq!(after["library"]["states"][0]["sessions"], 4);
    let text = rig.well(&["identify", path(&source)]);
    assert!(text.contains("session zzz-copy of idle is not used, because it repeats"), "{text}");
}

fn what_does_not_go_with_following_is_wrong_usage() {
    let rig = rig();
    for (words, said) in [
        (&["identify", "--follow", "--format", "csv"][..], "--follow has no CSV"),
        (&["identify", "--follow", "--window", "100events"], "windows of a length in time"),
        (&["check", "--against", "idle", "--follow", "--format", "junit"], "--follow has no JUnit"),
        (&["check", "--against", "idle", "--save", "d"], "--follow"),
        (&["check", "--against", "idle", "--silence", "1m"], "--follow"),
        (&["check", "--against", "idle", "--follow", "--silence", "x"], "--silence"),
        (&["check", "--against", "idle", "--follow", "--save", "d", "source"], "--save"),
        (&["states", "--suggest-tracepoints", "--evaluate"], "--evaluate"),
        (&["states", "list", "--suggest-tracepoints"], "--suggest-tracepoints"),
    ] {
        let output = rig.call(words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(said), "{words:?}: {error}");
    }
    let one = LibraryRig::new();
    one.learn("idle", IDLE, 3);
    let output = one.call(&["states", "--suggest-tracepoints"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains("single state"), "{error}");
}
