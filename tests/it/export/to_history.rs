//! Recordings as histories, and histories as tables.

use super::{Sources, csv_rows, export, fixture, json, path, sums, totals, well};
use serde_json::Value;
use std::path::Path;

/// The hits of each tracepoint in a table of windows.
fn hits(rows: &[std::collections::BTreeMap<String, String>]) -> std::collections::BTreeMap<String, u64> {
    sums(
        rows.iter()
            .map(|row| (format!("{}:{}", row["tracepoint_group"], row["tracepoint"]), row["hits"].parse().unwrap())),
    )
}

fn history_of(folder: &Path) -> Value {
    json(&[path(folder)])["sources"][0]["summary"].clone()
}

pub fn recording() {
    let sources = Sources::new();
    let idle = fixture("idle.perf.zst");
    for (length, name) in [("1s", "seconds"), ("10ms", "short")] {
        let folder = sources.file(name);
        let said = well(&[path(&idle), path(&folder), "--windows", length]);
        assert!(said.contains("windows"), "{said}");
        assert_eq!(totals(path(&folder)), totals(path(&idle)), "{length}");
        let (summary, of_recording) = (history_of(&folder), json(&[path(&idle)])["sources"][0]["summary"].clone());
        for same in ["hostname", "kernel", "cpus"] {
            assert_eq!(summary[same], of_recording[same], "{same}");
        }
        // The wall-clock time of the first event follows the start, and the windows have the whole time.
        let begin = summary["history"]["from"].as_str().unwrap();
        let started = of_recording["started"].as_str().unwrap();
        assert_eq!(begin[..16], started[..16], "{begin} {started}");
        let captured = of_recording["timing_ns"]["capture"].as_u64().unwrap();
        let counted = summary["history"]["counted_ns"].as_u64().unwrap();
        assert!(counted <= captured && counted > captured / 2, "{counted} of {captured}");
        // The tracepoints that were left out are known.
        assert_eq!(summary["tracepoints"]["captured"], of_recording["tracepoints"]["captured"]);
        // Another export does not mix with it.
        let again = export(&[path(&idle), path(&folder)]);
        let error = String::from_utf8(again.stderr).unwrap();
        assert!(again.status.code() == Some(1) && error.contains("not an empty folder: name a new folder"), "{error}");
    }
    // A file of perf does not know the wall clock, but the user may.
    let by_perf = fixture("perf-file.data");
    let folder = sources.file("began");
    let error = String::from_utf8(export(&[path(&by_perf), path(&folder)]).stderr).unwrap();
    assert!(error.contains("--began") && !folder.exists(), "{error}");
    well(&[path(&by_perf), path(&folder), "--began", "2026-11-30 23:59:59.9", "--windows", "100ms"]);
    assert_eq!(totals(path(&folder)), totals(path(&by_perf)));
    assert_eq!(history_of(&folder)["history"]["from"], "2026-11-30T23:59:59.900Z");
    assert!(
        folder.join("windows/host=unknown/date=2026-11-30/23.parquet").exists()
            || folder.join("windows").read_dir().unwrap().count() == 1
    );
    // Nothing but the named folders is left.
    let left = std::fs::read_dir(sources.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["began", "seconds", "short", "thinned.perf"]);
}

pub fn thinned() {
    let sources = Sources::new();
    let folder = sources.file("history");
    well(&[path(&sources.all[3]), path(&folder), "--windows", "100ms", "--began", "2026-11-30 14:00"]);
    let rows = csv_rows(&well(&[path(&folder), "-", "--format", "csv"]));
    let columns = "hits is_estimate length_ns standard_error timestamp_ns tracepoint tracepoint_group watched";
    assert_eq!(rows[0].keys().map(String::as_str).collect::<Vec<_>>().join(" "), columns);
    let table = csv_rows(&well(&[path(&sources.all[3]), "-", "--format", "csv", "--windows", "100ms"]));
    assert_eq!(hits(&rows), hits(&table));
    for (row, of_recording) in rows.iter().zip(&table) {
        assert_eq!(row["is_estimate"], of_recording["is_estimate"]);
        assert_eq!(row["is_estimate"] == "true", row["watched"] != "1", "{row:?}");
    }
    assert!(rows.iter().any(|row| row["is_estimate"] == "true"));
}

pub fn windows() {
    let sources = Sources::new();
    let folder = sources.file("history");
    well(&["--example", path(&folder), "--began", "2026-11-30 14:00"]);
    let rows = csv_rows(&well(&[path(&folder), "-", "--format", "csv"]));
    assert_eq!(hits(&rows), totals(path(&folder)));
    assert_eq!(rows[0]["timestamp_ns"], "1796047200000000000");
    let words = [path(&folder), "-", "--format", "csv", "--from", "2026-11-30 14:00:01", "--to", "2026-11-30 14:00:03"];
    let part = csv_rows(&well(&words));
    let mut times: Vec<&String> = part.iter().map(|row| &row["timestamp_ns"]).collect();
    times.dedup();
    assert_eq!(times, ["1796047201000000000", "1796047202000000000"]);
    let only = csv_rows(&well(&[path(&folder), "-", "--format", "csv", "-t", "kmem"]));
    assert!(!only.is_empty() && only.iter().all(|row| row["tracepoint_group"] == "kmem"));
    well(&[path(&folder), path(&sources.file("h.pftrace"))]);
    for (words, said) in [
        (vec!["x.data"], "a history, which has windows and no events; perf needs events"),
        (vec!["x"], "is a history already"),
        (vec!["x.csv", "--columns", "pid"], "does not have the column pid"),
        (vec!["x.csv", "-n", "3"], "numbers of events"),
        (vec!["x.csv", "--windows", "2s"], "windows of its own"),
        (vec!["x.csv", "--from", "2027-01-01"], "it reaches from 2026-11-30T14:00:00"),
    ] {
        let file = sources.file(words[0]);
        let output = export(&[&[path(&folder), path(&file)], &words[1..]].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(said) && !file.exists(), "{words:?}: {error}");
    }
}
