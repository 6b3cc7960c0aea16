//! The last seconds of a capture on this kernel: known bursts, written while the capture goes on, and at its end.

use crate::common::{Test, nothing_more};
use crate::fuzz::targets::assert_adds_up;
use crate::kernel::rig::{Background, GETSID, RENAME, Rig, eventually, shown};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub const TESTS: &[Test] = &[
    ("a_recording_on_a_signal_has_every_event_of_the_bursts_before_it", nothing_more, bursts),
    ("the_memory_for_the_last_events_is_bounded", nothing_more, bounded),
    ("the_last_events_have_processes_that_began_long_before_them", nothing_more, early_processes),
    ("the_last_events_of_a_capture_with_a_budget_are_accounted_for", nothing_more, with_budget),
];

fn storm(number: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["storm", &number.to_string(), "getsid"]);
    command
}

fn summary(recording: &Path) -> Value {
    let summary = serde_json::from_slice(&fs::read(recording.join("summary.json")).unwrap()).unwrap();
    assert_adds_up(&summary, &recording.display().to_string());
    summary
}

/// The recorded, the counted, and the unaccounted hits of [`GETSID`].
fn of_getsid(summary: &Value) -> (u64, u64, i64) {
    let all = summary["per_tracepoint"].as_array().unwrap();
    let account = all.iter().find(|account| account["name"] == GETSID).unwrap_or_else(|| panic!("{summary}"));
    let of = |field: &str| account[field].as_u64().unwrap();
    (of("recorded"), of("counted"), account["unaccounted"].as_i64().unwrap())
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", shown(output));
}

fn bursts() {
    let rig = Rig::new();
    let capture = Background::start(&mut rig.command(&["--last", "1h", "-t", GETSID, "-t", RENAME]));
    capture.wait_until_it_polls();
    let mut expected = 0;
    for (number, name) in [(3_000, "rec-2"), (500, "rec-3")] {
        assert!(storm(number).status().unwrap().success());
        expected += number;
        // The burst is a moment before the trigger.
        std::thread::sleep(std::time::Duration::from_secs(1));
        capture.signal(Signal::SIGUSR2);
        // Its log and its summary follow its events.
        eventually("the recording is written", || rig.path(name).join("summary.json").exists());
        let summary = summary(&rig.path(name));
        assert_eq!(of_getsid(&summary), (expected, expected, 0), "{summary}");
        assert_eq!((&summary["stop_reason"], &summary["triggers"][0]["kind"]), (&"trigger".into(), &"signal".into()));
        assert!(summary["triggers"].as_array().unwrap().len() == 1, "{summary}");
        assert_eq!(summary["last"]["time_ns"], 3_600_000_000_000u64);
        let log = fs::read_to_string(rig.path(name).join("log.csv")).unwrap();
        assert_eq!(log.lines().filter(|row| row.ends_with(",sys_enter_getsid")).count() as u64, expected);
        for file in ["events.perf", "tracepoints.csv", "groups.csv"] {
            assert!(rig.path(name).join(file).is_file(), "{name} has no {file}");
        }
    }
    assert!(storm(70).status().unwrap().success());
    capture.signal(Signal::SIGINT);
    succeeded(&capture.end());
    let summary = summary(&rig.path("rec"));
    assert_eq!(of_getsid(&summary), (expected + 70, expected + 70, 0), "{summary}");
    assert_eq!((&summary["stop_reason"], &summary["triggers"]), (&"interrupt".into(), &Value::Null));
}

fn bounded() {
    let (rig, number) = (Rig::new(), 2_000_000);
    let mut command = rig.command(&["--last", "1h", "--last-bytes", "4M", "--ring-size", "1M", "-t", GETSID, "--"]);
    let storm = storm(number);
    let output = command.arg(storm.get_program()).args(storm.get_args()).output().unwrap();
    succeeded(&output);
    let summary = summary(&rig.path("rec"));
    let (recorded, counted, unaccounted) = of_getsid(&summary);
    // A round has no more than all rings.
    let most = ((4 << 20) + (summary["cpus"].as_array().unwrap().len() << 20)) / 24;
    assert!(recorded > 10_000 && recorded <= most as u64, "{recorded} of at most {most}");
    assert!(counted < number && unaccounted == 0, "{summary}");
}

/// The kernel's records about the processes are forgotten by then, also those about processes that began after the capture.
fn early_processes() {
    let steady = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Background::start(command.arg("steady"))
    };
    let (rig, before) = (Rig::new(), steady());
    let capture = Background::start(&mut rig.command(&["--last", "300ms", "--with", "pid,comm", "-t", GETSID]));
    capture.wait_until_it_polls();
    let meanwhile = steady();
    // Marks are at least 100 ms apart.
    std::thread::sleep(std::time::Duration::from_secs(2));
    capture.signal(Signal::SIGINT);
    succeeded(&capture.end());
    let summary = summary(&rig.path("rec"));
    let mut report = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    let report = report.arg("report").arg(rig.path("rec")).args(["--by", "process", "--format", "json"]);
    let output = report.output().unwrap();
    succeeded(&output);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = found["sources"][0]["processes"].as_array().unwrap();
    let mut names: Vec<_> =
        rows.iter().map(|row| (row["pid"].as_u64(), row["name"].as_str(), row["kind"].as_str())).collect();
    names.sort();
    let pids = [&before, &meanwhile].map(|steady| Some(u64::from(steady.id())));
    let of = |pid| [(pid, Some("steady"), Some("program")), (pid, Some("steady-too"), Some("program"))];
    let mut expected = pids.map(of).concat();
    expected.sort();
    assert_eq!(names, expected, "{summary}");
}

/// Any storm exceeds this budget, so the recording may begin when the tracepoint has been thinned.
fn with_budget() {
    let rig = Rig::new();
    let mut command = rig.command(&["--last", "500ms", "-t", GETSID, "-t", RENAME, "--budget", "0.5%", "--"]);
    let storm = storm(4_000_000);
    let output = command.arg(storm.get_program()).args(storm.get_args()).output().unwrap();
    succeeded(&output);
    let summary = summary(&rig.path("rec"));
    assert!(summary["events"]["unaccounted"] == 0 && summary["unaccounted"] == Value::Array(Vec::new()), "{summary}");
    let of = |field: &str| summary["events"][field].as_u64().unwrap_or(0);
    assert_eq!(of("counted"), of("recorded") + of("thinned") + of("lost"), "{summary}");
    assert!(summary["budget"]["cost"]["windows"].as_u64().unwrap() > 0, "{summary}");
}
