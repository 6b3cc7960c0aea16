//! How a capture stops, and the files that it leaves.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, RENAME, Recording, Rig, eventually, pids_of, shown};
use nix::libc::{SIGRTMAX, SIGRTMIN};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tp_perf::os::cpus::Cpu;
use tp_perf::recording::SCHEMA;

pub const TESTS: &[Test] = &[
    ("events_n_gives_exactly_n_rows", nothing_more, events_n),
    ("the_recording_is_complete_and_its_files_agree", nothing_more, parts_agree),
    ("ctrl_c_ends_a_capture_cleanly", nothing_more, ctrl_c),
    ("sigterm_ends_a_capture_and_its_command", nothing_more, sigterm),
    ("the_exit_code_is_the_commands_own", nothing_more, exit_codes),
    ("a_command_outlives_the_capture_and_is_waited_for", nothing_more, command_outlives),
    ("every_clock_works", nothing_more, clocks),
    ("tp_perfs_own_hits_are_excluded_unless_requested", nothing_more, own_events),
    ("a_command_gets_its_own_limits_back", nothing_more, command_limits),
    ("every_signal_that_can_be_handled_ends_a_capture_in_order", nothing_more, any_signal),
    ("an_ignored_signal_stays_ignored", nothing_more, ignored_signal),
    ("a_full_disk_leaves_a_recording_of_everything_that_fits", small_disk, full_disk),
    ("a_capture_in_a_small_memory_cgroup_loses_nothing", memory_cgroup, small_cgroup),
    ("a_capture_with_little_address_space_loses_nothing", nothing_more, little_address_space),
    ("too_little_memory_is_refused_before_the_capture", memory_cgroup, too_little_memory),
    ("a_log_larger_than_ulimit_f_is_cut_and_reported", nothing_more, file_too_large),
    ("an_unwritable_stderr_does_not_stop_a_capture", nothing_more, unwritable_stderr),
    ("in_a_pid_namespace_tp_perf_does_not_exclude_itself", unshare, pid_namespace),
];

/// This many hits take more memory than [`SMALL`] bytes.
const MANY: u64 = 3_000_000;
const SMALL: u64 = 64 << 20;

/// A control group with a limit of memory, of either version. It is removed when this is dropped.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn new(bytes: u64) -> std::io::Result<Self> {
        let versions = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        let (root, limit) = versions.into_iter().find(|(root, _)| Path::new(root).exists()).unwrap();
        let group = MemoryGroup(Path::new(root).join(format!("tp-perf-test-{}", std::process::id())));
        std::fs::create_dir(&group.0)?;
        std::fs::write(group.0.join(limit), bytes.to_string())?;
        Ok(group)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The child that detaches may still be in it.
        let above = self.0.parent().unwrap().join("cgroup.procs");
        for pid in std::fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines() {
            let _ = std::fs::write(&above, pid);
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn memory_cgroup() -> Result<(), String> {
    MemoryGroup::new(SMALL).map(drop).map_err(|cause| format!("a control group for memory ({cause})"))
}

/// Runs a bounded capture of [`MANY`] hits in a shell that first runs `limit`.
fn limited(limit: &str) -> Recording {
    let rig = Rig::new();
    let (myself, storm) = (std::env::current_exe().unwrap(), ["storm", &MANY.to_string()].map(str::to_owned));
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_tp-perf"), "-o"]);
    command.arg(rig.path("rec")).args(["-t", RENAME, "--"]).arg(myself).args(storm);
    rig.run(command)
}

fn assert_nothing_lost(recording: &Recording) {
    let [recorded, lost, counted] = ["recorded", "lost", "counted"].map(|field| recording.events(field));
    assert!(counted >= MANY as i64 && recorded + lost == counted, "{:?}", recording.summary["events"]);
    assert_eq!(recording.rows.len() as i64, recorded);
}

fn small_cgroup() {
    let group = MemoryGroup::new(SMALL).unwrap();
    assert_nothing_lost(&limited(&format!("echo $$ > {}/cgroup.procs", group.0.display())));
}

fn little_address_space() {
    assert_nothing_lost(&limited("ulimit -v 250000"));
}

/// With less memory, the kernel or an allocation that fails would end the capture in the middle.
fn too_little_memory() {
    let group = MemoryGroup::new(16 << 20).unwrap();
    let in_group = format!("echo $$ > {}/cgroup.procs", group.0.display());
    for (limit, said) in
        [("ulimit -v 75000", "needs 64 MiB of address space"), (&in_group[..], "needs 20 MiB of memory")]
    {
        let (rig, mut command) = (Rig::new(), Command::new("sh"));
        command.args(["-c", &format!("{limit} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_tp-perf"), "-o"]);
        command.arg(rig.path("rec")).args(["--", "touch"]).arg(rig.path("it-ran"));
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{limit}: {}", shown(&output));
        assert!(error.contains(said) && error.contains("; allow more"), "{limit}: {error}");
        assert!(!rig.path("rec").exists() && !rig.path("it-ran").exists(), "{limit}: the capture began");
    }
}

/// All signals that end a process by default, except SIGKILL and those for faults of the program. The capture
/// is bounded, so its events are only in memory when the signal arrives.
fn any_signal() {
    let [chld, cont, tstp, ttin, ttou, urg, winch, kill, stop] = [17, 18, 20, 21, 22, 23, 28, 9, 19];
    let [segv, bus, ill, fpe, sys, pipe, xfsz] = [11, 7, 4, 8, 31, 13, 25];
    let others = [chld, cont, tstp, ttin, ttou, urg, winch, kill, stop, segv, bus, ill, fpe, sys, pipe, xfsz];
    // Under nohup, SIGHUP is ignored from the start, and stays so.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    let is_ignored = |signal: i32| ignored & (1 << (signal - 1)) != 0;
    let named = (1..=31).filter(|signal| !others.contains(signal) && !is_ignored(*signal));
    for signal in named.chain([SIGRTMIN(), SIGRTMAX()]) {
        let rig = Rig::new();
        let child = Background::start(rig.command(&["-d", "60s", "-t", RENAME, "--ring-size", "64K"]).arg("--cpus=0"));
        child.wait_until_it_polls();
        child.signal_number(signal);
        let output = child.end();
        assert!(output.status.success(), "signal {signal}: {}", shown(&output));
        let reason = if signal == Signal::SIGINT as i32 { "interrupt" } else { "terminate" };
        let recording = Recording::read(&rig.path("rec"));
        assert_eq!(recording.summary["stop_reason"], reason, "signal {signal}");
        assert_eq!(recording.summary["log_complete"], true);
    }
}

/// A SIGHUP that was ignored when tp-perf started, as under nohup, stays ignored.
fn ignored_signal() {
    let rig = Rig::new();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tp-perf"), "-o"]).arg(rig.path("rec"));
    let child = Background::start(command.args(["-t", RENAME]));
    child.wait_until_it_polls();
    child.signal(Signal::SIGHUP);
    child.signal(Signal::SIGINT);
    let output = child.end();
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(Recording::read(&rig.path("rec")).summary["stop_reason"], "interrupt");
}

/// Runs a script in its own mount namespace. `$disk` is a directory on a filesystem of 1 MiB, and `$@` are
/// `words`.
fn on_small_disk(script: &str, rig: &Rig, words: &[&str]) -> Output {
    let script = format!("mount -t tmpfs -o size=1m none \"$1\" && disk=$1 && shift && {script}");
    std::fs::create_dir(rig.path("disk")).unwrap();
    Command::new("unshare").args(["-m", "sh", "-c", &script, "sh"]).arg(rig.path("disk")).args(words).output().unwrap()
}

fn small_disk() -> Result<(), String> {
    let rig = Rig::new();
    let output = on_small_disk("true", &rig, &[]);
    if output.status.success() { Ok(()) } else { Err("unshare(1) and a tmpfs".to_owned()) }
}

fn full_disk() {
    let rig = Rig::new();
    let myself = std::env::current_exe().unwrap();
    let words =
        [env!("CARGO_BIN_EXE_tp-perf"), rig.path("rec").to_str().unwrap(), myself.to_str().unwrap()].map(str::to_owned);
    let script = "\"$1\" -o \"$disk/rec\" -t task:task_rename -- \"$3\" storm 100000; code=$?; cp -r \"$disk/rec\" \"$2\"; exit $code";
    let output = on_small_disk(script, &rig, &words.each_ref().map(String::as_str));
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("log.csv has only the first") && error.contains("free some space"), "{error}");
    let recording = Recording::read(&rig.path("rec"));
    assert!(is_storm(recording.events("recorded")), "{}", recording.events("recorded"));
    assert_eq!(recording.events("logged"), recording.rows.len() as i64);
    assert_eq!(recording.summary["log_complete"], false);
    assert_eq!(std::fs::read_dir(rig.path("rec")).unwrap().count(), 5);
    // The events that fit are there, and a replay elsewhere makes a longer log from them.
    let replay = [rig.path("rec"), "-o".into(), rig.path("again")];
    let output = Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("replay").args(replay).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(Recording::read(&rig.path("again")).rows.len() > 10_000, "{}", shown(&output));
}

/// Whether this is the number of renames in a storm of 100,000. The storm's process is renamed at its start
/// too, and other processes of the machine may rename themselves at the same time, as browsers do by the
/// dozen.
fn is_storm(events: i64) -> bool {
    (100_001..101_000).contains(&events)
}

fn file_too_large() {
    let rig = Rig::new();
    let myself = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    // 2048 blocks of 512 bytes are 1 MiB.
    command.args(["-c", "ulimit -f 2048; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tp-perf"), "-o"]).arg(rig.path("rec"));
    let output = command.args(["-t", RENAME, "--"]).arg(myself).args(["storm", "100000"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("log.csv has only the first") && error.contains("ulimit -f"), "{error}");
    let recording = Recording::read(&rig.path("rec"));
    assert!(is_storm(recording.events("recorded")), "{}", recording.events("recorded"));
    assert!(recording.rows.len() as i64 == recording.events("logged") && recording.rows.len() > 10_000);
}

fn unwritable_stderr() {
    let rig = Rig::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status =
        rig.command(&["-t", RENAME, "--ring-size", "100000", "sh", "-c", "exit 7"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1), "tp-perf could not print to stderr");
    assert_eq!(Recording::read(&rig.path("rec")).summary["command_exit"], 7);
}

fn unshare() -> Result<(), String> {
    let there = Command::new("unshare").args(["-pf", "true"]).status().is_ok_and(|status| status.success());
    if there { Ok(()) } else { Err("unshare(1) with PID namespaces".to_owned()) }
}

fn pid_namespace() {
    let rig = Rig::new();
    let mut command = Command::new("unshare");
    command
        .args(["-pf", "--mount-proc", env!("CARGO_BIN_EXE_tp-perf"), "-t", RENAME, "-d", "10ms", "-o"])
        .arg(rig.path("rec"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("PID namespace"), "{}", shown(&output));
    assert_eq!(Recording::read(&rig.path("rec")).summary["self"]["excluded"], false);
}

fn events_n() {
    let _load = Background::storm(Cpu::new(0));
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
    assert_eq!(recording.summary["schema"], SCHEMA);
    // Programs rely on these field names.
    assert!(recording.summary["events"]["unaccounted"].is_i64() && recording.summary["unaccounted"].is_array());
    assert_eq!(recording.summary["command"][1], "storm");
    assert_eq!(recording.summary["command_exit"], 0);
    let files = std::fs::read_dir(rig.path("rec")).unwrap().count();
    assert_eq!(files, 5, "there are exactly five files");
}

fn ctrl_c() {
    let rig = Rig::new();
    let child = Background::start(&mut rig.command(&["-t", RENAME]));
    child.wait_until_it_polls();
    child.signal(Signal::SIGINT);
    let output = child.end();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("stopped by Ctrl-C"), "{}", shown(&output));
    assert_eq!(Recording::read(&rig.path("rec")).summary["stop_reason"], "interrupt");
}

fn sigterm() {
    let rig = Rig::new();
    // Once during the capture, and once while only COMMAND still runs.
    for (words, stop_reason) in [(&["--force"][..], "terminate"), (&["--force", "-n", "1"], "events")] {
        let words = [words, &["-t", RENAME, "--", "sleep", "1000"]].concat();
        let child = Background::start(&mut rig.command(&words));
        eventually("COMMAND runs", || !sleepers().is_empty());
        if stop_reason == "events" {
            eventually("the recording is there", || rig.path("rec").join("summary.json").exists());
        }
        child.signal(Signal::SIGTERM);
        let output = child.end();
        assert_eq!(output.status.code(), Some(128 + 15), "{}", shown(&output));
        assert!(sleepers().is_empty());
        let summary = Recording::read(&rig.path("rec")).summary;
        assert_eq!((&summary["stop_reason"], &summary["command_exit"]), (&stop_reason.into(), &143.into()));
        std::fs::remove_dir_all(rig.path("rec")).unwrap();
    }
}

/// The processes that are `sleep 1000`.
fn sleepers() -> Vec<i32> {
    let sleeps =
        |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\x00");
    pids_of("sleep").into_iter().filter(sleeps).collect()
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
    let recording = Recording::read(&rig.path("rec"));
    assert_eq!(recording.rows.len(), 1);
    assert_eq!(recording.summary["command_exit"], 3);
    assert!(output.stdout.is_empty(), "stdout belongs to COMMAND: {}", shown(&output));
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
        // The timestamps lie between the start of this storm and now, by the requested clock.
        let (first, last) = (recording.rows[0].0, recording.rows[100].0);
        assert!(before <= first && last <= now(id), "{clock}: {before} {first} {last}");
    }
}

fn own_events() {
    let polls = |words: &[&str]| {
        let rig = Rig::new();
        let tracepoint = "syscalls:sys_enter_ppoll";
        let recording = rig.run(rig.command(&[&["-t", tracepoint, "-n", "100", "-d", "300ms"], words].concat()));
        let all = recording.summary["per_tracepoint"].as_array().unwrap().clone();
        all.iter().map(|account| account["counted"].as_u64().unwrap()).sum::<u64>()
    };
    // Other processes may poll too, so only the difference is known. tp-perf polls at least three times in
    // 300 ms, because this few events may arrive before any ring reaches its watermark.
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
