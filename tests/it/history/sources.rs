//! Histories as sources: `report`, `learn`, `identify`, `check`.

use super::host::{Host, S};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tp_perf::events::{Estimated, Partly, Rung, Tpid};

const TRACEPOINTS: u32 = 40;
/// The tracepoint that is visited: `group00:tracepoint_0007`.
const VISITED: u32 = 8;

fn run(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    let output = command.args(words).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(folder: &Path, words: &[&str]) -> Value {
    let (code, out, err) = run(folder, words);
    assert!(matches!(code, Some(0 | 3)), "{words:?}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Lets windows of a second pass. In state 1, other tracepoints are hit than in state 0.
fn windows(host: &mut Host, number: u64, state: u32, random: &mut fastrand::Rng) -> u64 {
    let mut all = 0;
    for _ in 0..number {
        let mut hits: Vec<u64> = (0..TRACEPOINTS)
            .map(|place| match (place / 20 == state, place % 3 == 0) {
                (true, true) => 900 + random.u64(..200),
                (true, false) => 90 + random.u64(..20),
                _ => random.u64(..3),
            })
            .collect();
        hits[VISITED as usize - 1] = 50;
        let estimated = Some(Estimated { hits: 500.0, variance: 100.0 });
        let partly = Partly { tpid: Tpid::new(VISITED), rung: Rung::Visited, watched: 0.1, estimated };
        host.window(S + random.u64(..2_000_000), &hits, &[partly]);
        host.work();
        all += hits.iter().sum::<u64>() + 450;
    }
    all
}

/// A report has the sums, over files and with the journal of the current hour, and knows estimates.
pub fn report() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    // The hour ends after 100 s.
    let mut host = Host::start(&folder.path().join("h"), 3_500 * S, TRACEPOINTS);
    let all = windows(&mut host, 160, 0, &mut random);
    let report = json(folder.path(), &["report", "h", "--format", "json"]);
    let source = &report["sources"][0];
    let history = &source["summary"]["history"];
    assert_eq!((&history["windows"], &history["files"]), (&Value::from(160), &Value::from(2)), "{history}");
    assert_eq!((&history["visited"], &history["detached"]), (&Value::from(1), &Value::from(0)));
    assert_eq!(source["summary"]["events"]["estimated"], all);
    let tracepoints = source["tracepoints"].as_array().unwrap();
    let row = |name: &str| tracepoints.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(row("group00:tracepoint_0007")["events"], 160 * 500);
    assert_eq!(row("group00:tracepoint_0007")["is_estimate"], true);
    assert_eq!(row("group00:tracepoint_0006").get("is_estimate"), None);
    let (_, text, _) = run(folder.path(), &["report", "h"]);
    assert!(text.contains("160 windows from 2026-11-30T14:58:20") && text.contains("hits"), "{text}");
    assert!(!text.contains("events"), "{text}");
    let windows_of = |from: &str, to: &str| {
        let words = ["report", "h", "--format", "json", "--from", from, "--to", to];
        json(folder.path(), &words)["sources"][0]["summary"]["history"]["windows"].as_u64().unwrap()
    };
    assert_eq!(windows_of("2026-11-30 14:59", "2026-11-30 15:00"), 60);
    assert_eq!(windows_of("10s", "20s"), 10);
    let (code, _, err) = run(folder.path(), &["report", "h", "--from", "2026-12-01", "--to", "2026-12-02"]);
    assert!(code == Some(1) && err.contains("it reaches from 2026-11-30T14:58:20"), "{err}");
    for (words, said) in [
        (vec!["report", "h", "-n", "5"], "has no numbers of events"),
        (vec!["report", "h", "-t", "nothing"], "nothing"),
        (vec!["replay", "h"], "not a recording"),
        (vec!["report", "--example", "--from", "2026-12-01"], "wall-clock times"),
    ] {
        let (code, _, err) = run(folder.path(), &words);
        assert!(code != Some(0) && err.contains(said), "{words:?}: {err}");
    }
    let only = json(folder.path(), &["report", "h", "--format", "json", "-t", "group01"]);
    let names = only["sources"][0]["tracepoints"].as_array().unwrap();
    assert!(names.iter().all(|row| row["name"].as_str().unwrap().starts_with("group01:")), "{names:?}");
}

/// States are learned from a history, and told in another one. Estimates take no part.
pub fn states() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    for (number, state) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (6, 1), (7, 1), (8, 1)] {
        let name = format!("h{number}");
        let mut host = Host::start(&folder.path().join(&name), number * 600 * S, TRACEPOINTS);
        windows(&mut host, 60, state, &mut random);
        let (code, _, err) = run(folder.path(), &["learn", &format!("state{state}"), &name, "--library", "lib"]);
        assert_eq!(code, Some(0), "{err}");
    }
    let mut host = Host::start(&folder.path().join("h"), 0, TRACEPOINTS);
    windows(&mut host, 30, 0, &mut random);
    windows(&mut host, 30, 1, &mut random);
    let found = json(folder.path(), &["identify", "h", "--library", "lib", "--format", "json"]);
    let states: Vec<_> = found["stretches"].as_array().unwrap().iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["state0", "state1"], "{found:#}");
    assert!(!found.to_string().contains("group00:tracepoint_0007"), "an estimate");
    let check = |from: &str, to: &str| {
        let words = ["check", "--against", "state0", "h", "--library", "lib", "--from", from, "--to", to];
        run(folder.path(), &words).0
    };
    assert_eq!((check("0s", "30s"), check("31s", "60s")), (Some(0), Some(3)));
    let words = ["learn", "other", "h1", "--library", "lib", "--window", "700ms"];
    let (code, _, err) = run(folder.path(), &words);
    assert!(code == Some(1) && err.contains("1s"), "the windows cannot be divided: {err}");
}
