//! How a capture stops, and what it leaves then.

use crate::Test;
use crate::rig::{Load, RENAME, Rig, nothing_more, shown};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;

pub const TESTS: &[Test] = &[
    ("events_n_gives_exactly_n_rows", nothing_more, events_n),
    ("the_recording_is_whole_and_its_parts_agree", nothing_more, parts_agree),
    ("ctrl_c_ends_a_capture_well", nothing_more, ctrl_c),
    ("sigterm_ends_a_capture_and_its_command", nothing_more, sigterm),
    ("the_exit_code_is_the_commands_own", nothing_more, exit_codes),
    ("a_command_outlives_the_capture_and_is_waited_for", nothing_more, command_outlives),
    ("every_clock_works", nothing_more, clocks),
    ("what_tp_perf_does_itself_is_left_out_unless_asked_for", nothing_more, own_events),
    ("a_command_gets_its_own_limits_back", nothing_more, command_limits),
];

fn events_n() {
    let _load = Load::on(0);
    for number in [1, 5_000] {
        let recording = {
            let rig = Rig::new();
            rig.run(rig.command(&["-t", RENAME, "-n", &number.to_string()]))
        };
        assert_eq!(recording.rows.len(), number);
        assert_eq!(recording.events("logged"), number as i64);
        assert!(recording.events("recorded") >= number as i64);
        assert!(recording.rows.is_sorted_by_key(|row| row.0));
        assert_eq!(recording.summary["stop_reason"], "events");
    }
}

fn parts_agree() {
    let rig = Rig::new();
    let recording = rig.storm(&["-t", "sched:sched_process_exit"], 10, None);
    let read = |name: &str| csv::Reader::from_path(rig.path("rec").join(name)).unwrap();
    let tracepoints: Vec<(u32, u32, String, String, u64, String)> =
        read("tracepoints.csv").deserialize().map(Result::unwrap).collect();
    let groups: Vec<(u32, String)> = read("groups.csv").deserialize().map(Result::unwrap).collect();
    let counts = &recording.summary["tracepoints"];
    assert_eq!(counts["listed"], tracepoints.len());
    assert_eq!(counts["captured"], 2);
    assert_eq!(tracepoints.iter().filter(|row| row.5 == "captured").count(), 2);
    for (timestamp, tpid, gid, name) in &recording.rows {
        let (_, table_gid, table_name, group, ..) = &tracepoints[*tpid as usize - 1];
        assert!(*timestamp > 0);
        assert_eq!((gid, name), (table_gid, table_name));
        assert_eq!(&groups[*gid as usize - 1].1, group);
    }
    assert_eq!(recording.summary["schema"], 1);
    assert_eq!(recording.summary["command"][1], "storm");
    assert_eq!(recording.summary["command_exit"], 0);
    let files = std::fs::read_dir(rig.path("rec")).unwrap().count();
    assert_eq!(files, 4, "nothing but the four files is left");
}

fn ctrl_c() {
    let rig = Rig::new();
    let child = rig.command(&["-t", RENAME]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wait_until_capturing(&rig);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("stopped by Ctrl-C"), "{}", shown(&output));
    assert_eq!(crate::rig::Recording::read(&rig.path("rec")).summary["stop_reason"], "interrupt");
}

fn sigterm() {
    let rig = Rig::new();
    let child = rig.command(&["-t", RENAME, "--", "sleep", "1000"]).stderr(Stdio::piped()).spawn().unwrap();
    crate::rig::eventually("COMMAND runs", || !sleepers().is_empty());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 15), "{}", shown(&output));
    assert!(sleepers().is_empty());
    assert_eq!(crate::rig::Recording::read(&rig.path("rec")).summary["stop_reason"], "terminate");
}

/// The processes that are `sleep 1000`.
fn sleepers() -> Vec<i32> {
    let sleeps =
        |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\x00");
    crate::rig::pids_of("sleep").into_iter().filter(sleeps).collect()
}

/// The directory is made first, then the signals are tp-perf's own already.
fn wait_until_capturing(rig: &Rig) {
    crate::rig::eventually("the directory is there", || rig.path("rec").exists());
    crate::rig::eventually("the events are on", || !crate::rig::pids_of("tp-perf-detach").is_empty());
    // From the child's start to the events being on it is microseconds; a signal before that would be seen as well.
    std::thread::sleep(std::time::Duration::from_millis(50));
}

fn exit_codes() {
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137), ("exit 0", 0)] {
        let output = Rig::new().command(&["-q", "-t", RENAME, "--", "sh", "-c", script]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{script}: {}", shown(&output));
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{}", shown(&output));
    }
}

fn command_outlives() {
    let rig = Rig::new();
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; sleep 0.3; exit 3";
    let output = rig.command(&["-n", "1", "-t", RENAME, "--", "sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let recording = crate::rig::Recording::read(&rig.path("rec"));
    assert_eq!(recording.rows.len(), 1);
    assert_eq!(recording.summary["command_exit"], 3);
    assert!(output.stdout.is_empty(), "stdout is COMMAND's: {}", shown(&output));
}

fn clocks() {
    use nix::time::{ClockId, clock_gettime};
    let now = |id: ClockId| std::time::Duration::from(clock_gettime(id).unwrap()).as_nanos() as u64;
    for (clock, id) in [
        ("monotonic", ClockId::CLOCK_MONOTONIC),
        ("monotonic-raw", ClockId::CLOCK_MONOTONIC_RAW),
        ("boottime", ClockId::CLOCK_BOOTTIME),
        ("realtime", ClockId::CLOCK_REALTIME),
        ("tai", ClockId::CLOCK_TAI),
    ] {
        let before = now(id);
        let recording = Rig::new().storm(&["--clock", clock], 100, None);
        assert_eq!(recording.rows.len(), 101, "{clock}");
        assert_eq!(recording.summary["clock"], clock);
        // Stamped between the start of this test and now, by the clock that was asked for.
        let (first, last) = (recording.rows[0].0, recording.rows[100].0);
        assert!(before <= first && last <= now(id), "{clock}: {before} {first} {last}");
    }
}

fn own_events() {
    let polls = |words: &[&str]| {
        let rig = Rig::new();
        let tracepoint = "syscalls:sys_enter_poll";
        let recording = rig.run(rig.command(&[&["-t", tracepoint, "-d", "300ms"], words].concat()));
        let all = recording.summary["per_tracepoint"].as_array().unwrap().clone();
        all.iter().map(|account| account["counted"].as_u64().unwrap()).sum::<u64>()
    };
    // Others may poll too, so that only the difference is sure: three rounds at the least in 300 ms.
    let with = (0..3).map(|_| polls(&["--include-self"])).min().unwrap();
    let without = (0..3).map(|_| polls(&[])).min().unwrap();
    assert!(with >= without + 2, "{with} polls with tp-perf's own, {without} without");
}

fn command_limits() {
    let rig = Rig::new();
    let script = "ulimit -Sn 50; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_tp-perf"), "-q", "-o"]).arg(rig.path("rec"));
    let output = command.args(["-t", "irq:*", "-t", "sched:*", "--", "sh", "-c", "ulimit -Sn"]).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "50\n");
}
