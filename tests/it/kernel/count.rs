//! Counts of this kernel: known numbers of hits, on known CPUs, in known windows, next to other counts of the same hits.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, GETSID, RENAME, Recording, Rig, shown};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tp_perf::os::clock::Clock;
use tp_perf::os::cpus::{Cpu, CpuList};

pub const TESTS: &[Test] = &[
    ("known_hits_are_counted_on_their_cpu_under_load", nothing_more, known_hits),
    ("known_hits_are_counted_in_their_windows", nothing_more, known_windows),
    ("the_counts_of_a_command_equal_those_of_perf_stat", perf, same_as_perf_stat),
    ("recorded_and_counted_windows_agree", nothing_more, both_engines),
    ("a_command_shorter_than_a_window_has_its_counts_and_its_exit_code", nothing_more, short_command),
    ("each_run_of_a_command_is_counted_by_itself", nothing_more, repeated),
    ("a_count_ends_at_a_signal_with_its_sums", nothing_more, interrupted),
    ("with_a_budget_a_storm_is_estimated_and_rare_hits_stay_exact", nothing_more, budget),
];

fn perf() -> Result<(), String> {
    let there = Command::new("perf").arg("--version").stdout(Stdio::null()).status().is_ok_and(|code| code.success());
    let unshare = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|code| code.success());
    if there && unshare { Ok(()) } else { Err("perf, and unshare(1) with mount namespaces".to_owned()) }
}

fn count(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(["count", "-q", "--format", "json"]).args(words).stdin(Stdio::null());
    command
}

/// The words that start a storm of this test program.
fn storm(words: &[&str]) -> Vec<String> {
    let myself = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    [myself.as_str(), "storm"].iter().chain(words).map(|word| (*word).to_owned()).collect()
}

/// With COMMAND, stdout belongs to COMMAND.
fn on_stderr(output: &Output) -> Value {
    serde_json::from_slice(&output.stderr).unwrap_or_else(|error| panic!("{error}: {}", shown(output)))
}

fn hits_of(rows: &Value, name: &str) -> u64 {
    let (group, name) = name.split_once(':').unwrap();
    let rows = rows.as_array().unwrap().iter();
    let mut of_name = rows.filter(|row| row["tracepoint_group"] == group && row["tracepoint"] == name);
    of_name.next().map_or(0, |row| row["hits"].as_u64().unwrap())
}

fn known_hits() {
    let _load: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|_| Background::busy()).collect();
    for cpu in CpuList::online().unwrap().as_slice() {
        let number = 1_000_000;
        let words = ["-t", RENAME, "--per-cpu", "--"].map(str::to_owned).into_iter();
        let words: Vec<_> = words.chain(storm(&[&number.to_string(), &cpu.to_string()])).collect();
        let output = count(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        let summary = on_stderr(&output);
        // The exec of COMMAND is a rename too, perhaps on another CPU.
        assert_eq!(summary["hits"], number + 1, "{summary:#}");
        let on: Vec<(Cpu, u64)> =
            summary["per_tracepoint"][0]["per_cpu"].as_array().unwrap().iter().map(on_cpu).collect();
        let of_cpu = on.iter().find(|(on, _)| on == cpu).unwrap().1;
        assert!(of_cpu == number || of_cpu == number + 1, "{on:?}");
    }
}

fn on_cpu(row: &Value) -> (Cpu, u64) {
    (Cpu::new(row["cpu"].as_u64().unwrap() as u32), row["hits"].as_u64().unwrap())
}

/// The windows as (begin, end, hits), and the summary.
fn windows(output: &Output) -> (Vec<(u64, u64, u64)>, Value) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("{}", shown(output)));
    let number = |line: &Value, field: &str| line[field].as_u64().unwrap();
    let window = |line: &Value| {
        let begin = number(line, "timestamp_ns");
        (begin, begin + number(line, "window_ns"), number(line, "hits"))
    };
    (lines.iter().map(window).collect(), summary)
}

fn run_storm(words: &[&str]) -> (u64, u64) {
    let begin = Clock::Monotonic.now_ns().unwrap().0;
    let storm = storm(words);
    assert!(Command::new(&storm[0]).args(&storm[1..]).status().unwrap().success());
    (begin, Clock::Monotonic.now_ns().unwrap().0)
}

fn known_windows() {
    let child = Background::start(&mut count(&["-t", GETSID, "--every", "20ms"]));
    child.wait_until_it_polls();
    let mut storms = Vec::new();
    for number in [1_000, 20_000, 300_000] {
        storms.push((number, run_storm(&[&number.to_string(), "getsid"])));
        std::thread::sleep(Duration::from_millis(100));
    }
    child.signal(Signal::SIGINT);
    let (windows, summary) = windows(&child.end());
    assert_eq!(summary["hits"], 321_000);
    assert!(windows.windows(2).all(|two| two[0].1 == two[1].0), "no time is between two windows");
    let overlap = |begin: u64, end: u64| move |(from, to, _): &&(u64, u64, u64)| *to > begin && *from < end;
    // On a machine that stands still for a moment, a window can be so long that it has parts of two storms.
    let of_window = |window: &(u64, u64, u64)| {
        storms.iter().filter(|(_, (begin, end))| overlap(*begin, *end)(&window)).map(|(number, _)| *number).collect()
    };
    let of_windows: Vec<Vec<u64>> = windows.iter().map(of_window).collect();
    for ((_, _, hits), of_window) in windows.iter().zip(&of_windows) {
        assert!(*hits <= of_window.iter().sum(), "{hits} hits in a window of {of_window:?}");
    }
    if of_windows.iter().all(|of_window| of_window.len() < 2) {
        for (number, (begin, end)) in storms {
            let within: u64 = windows.iter().filter(overlap(begin, end)).map(|(_, _, hits)| hits).sum();
            assert_eq!(within, number, "{windows:?}");
        }
    }
}

fn same_as_perf_stat() {
    let number = 123_456;
    // perf mounts tracefs, so it gets a namespace of its own. It says when its counters are on: the storm begins then.
    let stat = ["unshare", "--mount", "perf", "stat", "-a", "-x", ",", "--log-fd", "1", "-e", GETSID, "--"];
    let storm = storm(&[&number.to_string(), "getsid"]);
    let words: Vec<&str> =
        ["-t", GETSID, "--"].into_iter().chain(stat).chain(storm.iter().map(String::as_str)).collect();
    let output = count(&words).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let summary = on_stderr(&output);
    let stat = String::from_utf8(output.stdout.clone()).unwrap();
    let counted = stat.lines().find(|line| line.contains(GETSID)).unwrap_or_else(|| panic!("{}", shown(&output)));
    let counted: u64 = counted.split(',').next().unwrap().parse().unwrap();
    assert_eq!((summary["hits"].as_u64(), counted), (Some(number), number));
}

fn both_engines() {
    let rig = Rig::new();
    let recorder = Background::start(&mut rig.command(&["-q", "-t", GETSID]));
    recorder.wait_until_it_polls();
    let counter = Background::start(&mut count(&["-t", GETSID, "--every", "50ms"]));
    counter.wait_until_it_polls();
    for number in ["1000", "30000", "7", "200000"] {
        run_storm(&[number, "getsid"]);
        std::thread::sleep(Duration::from_millis(70));
    }
    counter.signal(Signal::SIGINT);
    let (windows, summary) = windows(&counter.end());
    recorder.signal(Signal::SIGINT);
    assert!(recorder.end().status.success());
    let recording = Recording::read(&rig.path("rec"));
    assert_eq!((recording.events("lost"), recording.events("unaccounted")), (0, 0));
    assert_eq!((summary["hits"].as_i64().unwrap(), recording.rows.len()), (231_007, 231_007));
    // A tick reads the counter a moment before it takes the time, but after the window before. So a window that ends within
    // a storm may have a few hits less than its times say, and the next one has them.
    let (mut counted, mut recorded, mut most) = (0, 0, 0);
    for (from, to, hits) in &windows {
        counted += hits;
        recorded = recording.rows.partition_point(|(time, ..)| time < to) as u64;
        let before = recording.rows.partition_point(|(time, ..)| time < from) as u64;
        assert!((before..=recorded).contains(&counted), "{counted}, but {before} to {recorded}");
        most = most.max(recorded - counted);
    }
    assert_eq!(counted, recorded);
    eprintln!("{} windows; at most {most} hits came between a reading and its time", windows.len());
}

fn short_command() {
    let output = count(&["-t", RENAME, "--", "sh", "-c", "exit 7"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", shown(&output));
    let summary = on_stderr(&output);
    assert_eq!(
        (&summary["windows"], &summary["stop_reason"], &summary["command_exit"]),
        (&1.into(), &"command".into(), &7.into())
    );
    assert_eq!(summary["hits"], 1, "the exec of COMMAND");
    assert_eq!(hits_of(&summary["per_tracepoint"], RENAME), 1);
}

fn repeated() {
    let storm = storm(&["5000", "getsid"]);
    let words: Vec<&str> =
        ["-t", GETSID, "--repeat", "4", "--"].into_iter().chain(storm.iter().map(String::as_str)).collect();
    let output = count(&words).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let hits = &on_stderr(&output)["run_hits"];
    assert_eq!(
        hits,
        &serde_json::json!({ "mean": 5000.0, "interval": [5000.0, 5000.0], "runs": [5000, 5000, 5000, 5000] })
    );
}

fn interrupted() {
    let child = Background::start(&mut count(&["-t", GETSID]));
    child.wait_until_it_polls();
    run_storm(&["777", "getsid"]);
    child.signal(Signal::SIGTERM);
    let output = child.end();
    assert!(output.status.success(), "{}", shown(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["hits"], &summary["stop_reason"]), (&777.into(), &"terminate".into()));
}

fn budget() {
    let cpus = CpuList::online().unwrap();
    let storms: Vec<_> = cpus.as_slice().iter().map(|cpu| Background::storm(*cpu)).collect();
    let words = ["-t", GETSID, "-t", RENAME, "-t", "syscalls:sys_enter_acct", "--every", "100ms", "--budget", "1%"];
    let child = Background::start(&mut count(&words));
    child.wait_until_it_polls();
    // Each storm costs more than a tenth of its CPU, so its tracepoint leaves the rung `counted` after the first window.
    for _ in 0..10 {
        run_storm(&["500", "getsid"]);
        std::thread::sleep(Duration::from_millis(100));
    }
    child.signal(Signal::SIGINT);
    let output = child.end();
    drop(storms);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.last().unwrap_or_else(|| panic!("{}", shown(&output)));
    let row = |name: &str| {
        let mut rows = summary["per_tracepoint"].as_array().unwrap().iter();
        rows.find(|row| format!("syscalls:{}", row["tracepoint"].as_str().unwrap()) == name).cloned()
    };
    let getsid = row(GETSID).unwrap();
    assert_eq!((&getsid["hits"], &getsid["rung"], &getsid["watched"]), (&5_000.into(), &"counted".into(), &1.0.into()));
    assert_eq!(getsid["estimated"], Value::Null);
    let rename = summary["per_tracepoint"].as_array().unwrap().iter().find(|row| row["tracepoint"] == "task_rename");
    let rename = rename.unwrap();
    assert_ne!(rename["rung"], "counted", "{summary:#}");
    assert!(rename["watched"].as_f64() < Some(1.0) && rename["hits"].as_u64() > Some(0), "{rename}");
    let cost = &summary["cost"];
    assert!(cost["at_start"]["counted_ns"].as_f64() >= Some(5.0), "{cost}");
    assert!(cost["moves"].as_u64() > Some(0) && cost["budget"] == 0.01, "{cost}");
    // In the windows after the first move, the storm is not counted as a whole any more.
    let of_storm = |line: &Value| {
        let mut rows = line["per_tracepoint"].as_array().unwrap().iter();
        rows.find(|row| row["tracepoint"] == "task_rename").cloned()
    };
    let rungs: Vec<_> = lines[..lines.len() - 1].iter().filter_map(of_storm).map(|row| row["rung"].clone()).collect();
    assert!(rungs.first() == Some(&Value::Null) && rungs.iter().any(|rung| !rung.is_null()), "{rungs:?}");
}
