//! `report --by process`: the processes of other tools' files are those that stock perf prints, and those of logs come back.

use crate::common::report::{fixture, json, path};
use crate::common::{Test, tests};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

pub const TESTS: &[Test] = tests![
    the_processes_of_a_file_of_perf_are_those_that_perf_prints,
    a_part_can_be_chosen_by_process,
    a_log_with_columns_has_the_processes_of_its_source,
    a_source_without_processes_says_so,
];

/// Events by name of the thread, pid, and tracepoint.
type Counts = BTreeMap<(String, Option<u64>, String), u64>;

/// The name of events in interrupts, which perf counts for the interrupted thread.
const INTERRUPT: &str = "in interrupts";

fn counts(report: &Value) -> Counts {
    let mut counts = Counts::new();
    for process in report["sources"][0]["processes"].as_array().unwrap() {
        let name = match process["kind"].as_str().unwrap() {
            // perf calls the idle task `swapper`.
            "idle" => "swapper",
            "interrupt" => INTERRUPT,
            _ => process["name"].as_str().unwrap_or("unknown"),
        };
        for tracepoint in process["tracepoints"].as_array().unwrap() {
            let key = (name.to_owned(), process["pid"].as_u64(), tracepoint["name"].as_str().unwrap().to_owned());
            *counts.entry(key).or_default() += tracepoint["events"].as_u64().unwrap();
        }
    }
    counts
}

/// What `perf script --ns -F comm,pid,time,event` printed.
fn by_perf(name: &str) -> Counts {
    let file = fs::File::open(fixture(&format!("{name}.processes.zst"))).unwrap();
    let text = String::from_utf8(zstd::decode_all(file).unwrap()).unwrap();
    let mut counts = Counts::new();
    for line in text.lines() {
        // The name may have blanks. The pid, the time, and the tracepoint follow.
        let mut words = line.split_whitespace().rev();
        let tracepoint = words.next().unwrap().trim_end_matches(':').to_owned();
        let (_time, pid) = (words.next().unwrap(), words.next().unwrap());
        let comm: Vec<&str> = words.collect();
        let comm = comm.into_iter().rev().collect::<Vec<_>>().join(" ");
        // perf gives a number to a thread whose name it does not know.
        let comm = if comm.starts_with(':') { "unknown".to_owned() } else { comm };
        *counts.entry((comm, pid.parse().ok(), tracepoint)).or_default() += 1;
    }
    counts
}

fn the_processes_of_a_file_of_perf_are_those_that_perf_prints() {
    for name in ["perf-file", "perf-pipe", "perf-z", "perf-tasks"] {
        let report = json(&[path(&fixture(&format!("{name}.data"))), "--by", "process"]);
        let (found, mut expected) = (counts(&report), by_perf(name));
        assert!(expected.len() > 5, "{name}: {expected:#?}");
        let all: u64 = expected.values().sum();
        assert_eq!(found.values().sum::<u64>(), all, "{name}");
        // What is left of perf's counts are the events in interrupts.
        let (interrupts, of_threads): (Counts, Counts) =
            found.into_iter().partition(|((comm, ..), _)| comm == INTERRUPT);
        for (key, events) in of_threads {
            let of_perf = expected.get_mut(&key).unwrap_or_else(|| panic!("{name}: perf has no {key:?}"));
            *of_perf = of_perf.checked_sub(events).unwrap_or_else(|| panic!("{name}: {key:?}"));
        }
        let mut left = Counts::new();
        for ((.., tracepoint), events) in expected.into_iter().filter(|(_, events)| *events > 0) {
            *left.entry((INTERRUPT.to_owned(), None, tracepoint)).or_default() += events;
        }
        assert_eq!(left, interrupts, "{name}");
        assert!(left.keys().any(|(.., tracepoint)| tracepoint == "irq:softirq_entry"), "{name}: {left:?}");
        assert!(left.values().sum::<u64>() < all / 2, "{name}: {left:?}");
        // Only this file lists the threads that ran before.
        let processes = report["sources"][0]["processes"].as_array().unwrap();
        let kernel = processes.iter().filter(|process| process["kind"] == "kernel").count();
        assert_eq!(kernel > 0, name == "perf-tasks", "{name}");
    }
}

fn a_log_with_columns_has_the_processes_of_its_source() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log.csv");
    let mut replay = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    replay.arg("replay").arg(fixture("perf-file.data")).args(["-o", "-", "--log-columns", "cpu,pid,tid,comm"]);
    let output = replay.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.starts_with(b"timestamp,tpid,gid,tracepoint name,cpu,pid,tid,comm\n"));
    fs::write(&log, output.stdout).unwrap();
    let ungrouped = |counts: Counts| -> Counts {
        // A log by itself does not have the names of groups.
        let short = |name: String| name.split(':').nth(1).unwrap().to_owned();
        counts.into_iter().map(|((comm, pid, name), events)| ((comm, pid, short(name)), events)).collect()
    };
    let found = counts(&json(&[path(&log), "--by", "process"]));
    assert_eq!(ungrouped(found), ungrouped(by_perf("perf-file")));
    for columns in ["hits,hits", "pid,pid", "cpu,hits", "what"] {
        fs::write(&log, format!("timestamp,tpid,gid,tracepoint name,{columns}\n")).unwrap();
        let output = crate::common::report::report(&[path(&log)]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && error.contains("each once"), "{columns}: {error}");
    }
}

fn a_part_can_be_chosen_by_process() {
    let file = fixture("perf-file.data");
    let all = counts(&json(&[path(&file), "--by", "process"]));
    let own = |comm: &str| -> u64 { all.iter().filter(|((its, ..), _)| its == comm).map(|(_, events)| events).sum() };
    let ls = own("ls");
    assert!(ls > 0, "{all:?}");
    let report = json(&[path(&file), "--comm", "l?", "--by", "process"]);
    let chosen = counts(&report);
    assert!(chosen.keys().all(|(comm, ..)| comm == "ls"), "{chosen:?}");
    assert_eq!((chosen.values().sum::<u64>(), report["sources"][0]["events"].as_u64()), (ls, Some(ls)));
    assert_eq!(report["sources"][0]["summary"]["restricted"]["comms"], serde_json::json!(["l?"]));
    // Each `ls` was started by the shell, so the shell's number chooses both.
    let shell = all.keys().find(|(comm, ..)| comm == "sh").map(|(_, pid, _)| pid.unwrap().to_string()).unwrap();
    let chosen = counts(&json(&[path(&file), "--pid", &shell, "--by", "process"]));
    let names: std::collections::BTreeSet<&str> = chosen.keys().map(|(comm, ..)| comm.as_str()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["ls", "perf-exec", "sh"]);
    let text =
        String::from_utf8(crate::common::report::report(&[path(&fixture("idle.perf.zst")), "--pid", "1"]).stderr)
            .unwrap();
    assert!(
        text.contains("does not have the processes of its events, so nothing can be selected by process"),
        "{text}"
    );
    assert_eq!(crate::common::report::report(&[path(&file), "--pid", "4194304"]).status.code(), Some(2));
}

fn a_source_without_processes_says_so() {
    let output = crate::common::report::report(&[path(&fixture("idle.perf.zst")), "--by", "process"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("does not have the processes of its events"), "{said}");
}
