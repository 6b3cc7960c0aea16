//! CSV and JSON lines.

use super::{Sources, csv_rows, export, log, path, perf_file, sums, totals, well};
use crate::common::budget::HOT;
use serde_json::Value;
use std::fs;

pub fn events() {
    let sources = Sources::new();
    for source in &sources.all {
        let csv = csv_rows(&well(&[path(source), "-", "--format", "csv"]));
        let name = |group: &str, name: &str| format!("{group}:{name}");
        let names = csv.iter().map(|row| (name(&row["tracepoint_group"], &row["tracepoint"]), 1));
        let events = sums(names);
        let is_thinned = csv[0].contains_key("hits");
        if !is_thinned {
            assert_eq!(events, totals(path(source)), "{}", source.display());
        }
        // The log has the same values.
        let log = log(source, "cpu,pid,tid,comm");
        assert_eq!(csv.len(), log.len());
        for (row, logged) in csv.iter().zip(&log) {
            let same = [("timestamp_ns", "timestamp"), ("tracepoint", "tracepoint name")].into_iter();
            for (column, of_log) in same.chain(["cpu", "pid", "tid", "comm", "hits"].map(|name| (name, name))) {
                if let Some(value) = row.get(column) {
                    assert_eq!(Some(value), logged.get(of_log), "{}: {column} of {row:?}", source.display());
                }
            }
        }
        let text = well(&[path(source), "-", "--format", "jsonl"]);
        let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), csv.len());
        for (object, row) in objects.iter().zip(&csv) {
            for (column, cell) in row {
                let value = match &object[column] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                };
                assert_eq!(&value, cell, "{column} of {object}");
            }
        }
    }
    let thinned = &sources.all[3];
    let rows = csv_rows(&well(&[path(thinned), "-", "--format", "csv", "-t", "irq:hot"]));
    let hits: u64 = rows.iter().map(|row| row["hits"].parse::<u64>().unwrap()).sum();
    assert!(hits <= HOT && hits > 2 * rows.len() as u64, "{hits} hits in {} rows", rows.len());
}

pub fn columns() {
    let sources = Sources::new();
    let [recording, by_perf] = [0, 1].map(|place| path(&sources.all[place]).to_owned());
    let out = sources.file("out.csv");
    let words = [&by_perf, path(&out), "--columns", "comm,timestamp_ns,gid,hits", "-n", "3"];
    let said = well(&words);
    assert!(said.starts_with("wrote") && said.contains("3 events"), "{said}");
    let text = fs::read_to_string(&out).unwrap();
    assert!(text.starts_with("comm,timestamp_ns,gid,hits\n") && text.lines().count() == 4, "{text}");
    let output = export(&[&recording, "-", "--format", "csv", "--columns", "timestamp_ns,pid"]);
    let error = String::from_utf8(output.stderr).unwrap();
    let has = "does not have the column pid; it has timestamp_ns, tracepoint_group, tracepoint, tpid, gid, cpu, hits";
    assert!(error.contains(has) && output.stdout.is_empty(), "{error}");
    assert_eq!(output.status.code(), Some(1));
}

pub fn windows() {
    let sources = Sources::new();
    for source in &sources.all[..3] {
        for length in ["1ms", "100ms", "1h"] {
            let rows = csv_rows(&well(&[path(source), "-", "--format", "csv", "--windows", length]));
            let hits = rows.iter().map(|row| {
                let hits = row["hits"].parse().unwrap();
                (format!("{}:{}", row["tracepoint_group"], row["tracepoint"]), hits)
            });
            assert_eq!(sums(hits), totals(path(source)), "{} {length}", source.display());
            // Windows do not overlap, and each has its events.
            let mut windows: Vec<(u64, u64)> = rows
                .iter()
                .map(|row| (row["timestamp_ns"].parse().unwrap(), row["length_ns"].parse().unwrap()))
                .collect();
            windows.dedup();
            assert!(windows.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{windows:?}");
        }
    }
    let thinned = path(&sources.all[3]);
    let rows = csv_rows(&well(&[thinned, "-", "--format", "csv", "--windows", "100ms"]));
    let of = |name: &str| {
        let rows = rows.iter().filter(move |row| row["tracepoint"] == name);
        rows.map(|row| (row["hits"].parse::<u64>().unwrap(), row["is_estimate"] == "true")).collect::<Vec<_>>()
    };
    // It is hit once in each millisecond, and thinned from 300 ms on.
    assert_eq!(of("hot")[..3], [(100, false); 3]);
    assert!(of("hot")[4..].iter().any(|(_, is_estimate)| *is_estimate));
    assert!(of("rare").iter().all(|(_, is_estimate)| !is_estimate));
}

/// Names that CSV and JSON must escape.
pub fn odd_names() {
    let names = [("=g", "a,\"b\""), ("g\u{1b}[31m", "ü\\n"), ("plain", "t")];
    let events: Vec<_> = (0..30).map(|n| (1_000_000 + n, 1 + n as u32 % 3, 0)).collect();
    let file = perf_file(&names, &[&events], None);
    let json = well(&[path(file.path()), "-", "--format", "jsonl"]);
    assert!(!json.contains('\u{1b}'));
    let objects = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let read = sums(objects.map(|object| (object["tracepoint"].as_str().unwrap().to_owned(), 1)));
    assert_eq!(read.values().copied().collect::<Vec<_>>(), [10, 10, 10]);
    assert!(read.contains_key("a,\"b\"") && read.contains_key("ü\\n"), "{read:?}");
    let csv = csv_rows(&well(&[path(file.path()), "-", "--format", "csv"]));
    let groups = sums(csv.iter().map(|row| (row["tracepoint_group"].clone(), 1)));
    assert!(groups.contains_key("'=g") && groups.contains_key("plain"), "{groups:?}");
    assert!(!groups.keys().any(|group| group.contains(char::is_control)), "{groups:?}");
    assert!(csv.iter().any(|row| row["tracepoint"] == "a,\"b\""));
}
