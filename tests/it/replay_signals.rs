//! Signals that end a replay, a report, or a comparison.

use crate::common::{Test, tests};
use crate::replay::{text, unpacked};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

pub const TESTS: &[Test] = tests![
    a_signal_ends_a_replay_that_waits_for_more,
    a_fifo_without_a_writer_ends_at_the_first_signal,
    a_comparison_ends_at_the_first_signal,
];

fn a_signal_ends_a_replay_that_waits_for_more() {
    for signal in ["TERM", "INT", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let rec = folder.path().join("rec");
        // nohup ignores SIGHUP, and tp-perf respects that.
        let mut child = Command::new("env")
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_tp-perf"), "replay", "-", "-o"])
            .arg(&rec)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The first part is replayed, and the rest never arrives.
        let bytes = unpacked("idle.perf.zst");
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&bytes[..650_000]).unwrap();
        // No machine needs a minute. If this one does, the assertion below fails.
        for _ in 0..12_000 {
            if rec.join(".log.csv.partial").exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let code = if signal == "INT" { 130 } else { 143 };
        assert_eq!(output.status.code(), Some(code), "{signal}: {}", text(&output.stderr));
        assert!(output.stderr.is_empty(), "{signal}: {}", text(&output.stderr));
        let summary: Value = serde_json::from_str(&fs::read_to_string(rec.join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["log_complete"], false);
        drop(stdin);
    }
}

/// The signals that a process catches, as a mask.
fn caught(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap()
}

/// The exit code of a child, which must end soon after the last signal. A child that does not end fails the test.
fn code_of_ended(mut child: std::process::Child) -> Option<i32> {
    let begin = std::time::Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begin.elapsed() > std::time::Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("it does not end: {:?}", child.wait());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn a_fifo_without_a_writer_ends_at_the_first_signal() {
    use nix::sys::signal::Signal;
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let session = folder.path().join("fifo.json");
    nix::unistd::mkfifo(&session, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (signal, code, words, fifo) in [
        (Signal::SIGINT, 130, &["replay"][..], &fifo),
        (Signal::SIGTERM, 143, &["replay"], &fifo),
        (Signal::SIGHUP, 143, &["replay"], &fifo),
        (Signal::SIGQUIT, 143, &["replay"], &fifo),
        (Signal::SIGTERM, 143, &["report"], &fifo),
        (Signal::SIGTERM, 143, &["learn", "--library", "none", "state"], &session),
    ] {
        // nohup ignores SIGHUP, and tp-perf respects that.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_tp-perf")]).args(words).arg(fifo);
        command.current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while caught(child.id()) & (1 << (signal as u32 - 1)) == 0 {
            std::thread::yield_now();
        }
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), signal).unwrap();
        assert_eq!(code_of_ended(child), Some(code), "{signal} {words:?}");
    }
    // A writer that comes later is awaited, and read to its end.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.arg("replay").arg(&fifo).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    fs::write(&fifo, unpacked("idle.perf.zst")).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("events in"), "{}", text(&output.stdout));
}

/// A comparison has no results before its end.
fn a_comparison_ends_at_the_first_signal() {
    use nix::sys::signal::Signal;
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut random = fastrand::Rng::with_seed(6);
    // To learn these states takes longer than the test waits.
    for state in 0..8 {
        let library = folder.path().join(format!("library/s{state}"));
        fs::create_dir_all(&library).unwrap();
        for session in 0..2 {
            let mut count = || random.u32(0..9).to_string();
            let mut counts = || (0..2_000).map(|_| count()).collect::<Vec<_>>().join(",");
            let counts: Vec<String> = (0..200).map(|name| format!("\"gid1:n{name}\":[{}]", counts())).collect();
            let origin = format!("{{\"hostname\":\"h{state}-{session}\",\"cpus\":[],\"begin_ns\":0}}");
            let json = format!(
                "{{\"schema\":1,\"tool\":{{\"name\":\"tp-perf\",\"version\":\"0\"}},\"origin\":{origin},\"window\":\
                 {{\"ns\":1000000}},\"windows\":2000,\"counts\":{{{}}},\"not_hit\":{{}},\"left_out\":{{}}}}",
                counts.join(",")
            );
            fs::write(library.join(format!("{session}.json")), json).unwrap();
        }
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(["identify", "fifo", "--library", "library", "--window", "1ms", "--max-memory", "2G"]);
    command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let rows = (0..200).map(|n| format!("{},{},1,n{n}\n", n * 100_000, n + 1));
    fs::write(&fifo, format!("timestamp,tpid,gid,tracepoint name\n{}", rows.collect::<String>())).unwrap();
    // Let it read the source. Before its end, a signal also ends the command.
    std::thread::sleep(std::time::Duration::from_millis(500));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(code_of_ended(child), Some(130));
}
