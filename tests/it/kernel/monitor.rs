//! `tp-perf monitor` on this kernel: known hits in its history, its metrics and its alarms, whatever happens to it.

use crate::common::{Test, nothing_more};
use crate::kernel::hotplug::{LastCpu, second_cpu};
use crate::kernel::processes::{Cgroup, cgroups_exist};
use crate::kernel::rig::GETSID;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tp_perf::history::{History, HistoryChoice};
use tp_perf::os::cpus::CpuList;

pub const TESTS: &[Test] = &[
    ("its_history_and_its_metrics_have_each_hit", nothing_more, known_hits),
    ("a_killed_monitor_loses_only_what_it_did_not_see", nothing_more, killed),
    ("a_broken_rule_is_a_line_and_runs_a_command_without_rights", nothing_more, alarm),
    ("it_reads_its_config_again_and_keeps_the_old_one_if_that_is_wrong", nothing_more, reload),
    ("systemd_is_told_what_it_does", nothing_more, notify),
    ("an_alarm_and_a_request_write_the_events_before_them", nothing_more, flight),
    ("its_metrics_and_alarms_have_the_cgroups_of_the_hits", cgroups_exist, by_cgroup),
    ("a_reader_that_does_not_read_stops_nothing", nothing_more, unread),
    ("a_cpu_that_returns_is_watched_again", second_cpu, returns),
    ("a_cpu_that_was_offline_for_a_moment_is_watched_again", second_cpu, returns_at_once),
    ("a_textfile_that_cannot_be_written_is_a_fault_and_no_end", nothing_more, no_textfile),
];

/// A monitor of [`GETSID`], in a folder of its own.
struct Monitor {
    child: Child,
    lines: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Monitor {
    fn start(words: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), words, |_| {})
    }

    fn start_in(folder: TempDir, words: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        // If the test fails to end it, it ends anyway.
        command.args(["monitor", "-q", "-t", GETSID, "-d", "90s"]).args(words);
        if !words.contains(&"--every") {
            command.args(["--every", "100ms"]);
        }
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Monitor { child, lines, folder }
    }

    /// The next line of this kind.
    fn line(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "it ended without a line `{kind}`");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["kind"] == kind {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Ends it, and returns its last line and its folder.
    fn end(mut self) -> (Value, TempDir) {
        self.signal(Signal::SIGTERM);
        let end = self.line("end");
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert_eq!((self.child.wait().unwrap().code(), rest.as_str()), (Some(0), ""), "{end}");
        (end, self.folder)
    }
}

/// Hits the tracepoint so often.
fn storm(hits: u64) {
    let mut storm = Command::new(std::env::current_exe().unwrap());
    assert!(storm.args(["storm", &hits.to_string(), "getsid"]).status().unwrap().success());
}

/// The windows and the hits of a history.
fn of_history(folder: &Path) -> (u64, u64) {
    let history = History::open(folder, HistoryChoice::default()).unwrap();
    assert!(history.problems().is_empty(), "{:?}", history.problems());
    let windows: Vec<_> = history.windows().map(|window| window.unwrap().0).collect();
    assert!(windows.is_sorted_by_key(|window| window.start));
    let hits = windows.iter().flat_map(|window| &window.hits);
    (windows.len() as u64, hits.map(|hits| hits.hits.unwrap()).sum())
}

/// The value of a series.
fn metric(address: &str, series: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(series));
    value.unwrap_or_else(|| panic!("no {series} in {text}")).trim().to_owned()
}

const SERIES: &str = r#"tpperf_hits_total{group="syscalls",tracepoint="sys_enter_getsid"}"#;

fn known_hits() {
    let mut monitor = Monitor::start(&["--history", "h", "--metrics", "127.0.0.1:0", "--budget", "none"]);
    let begin = monitor.line("begin");
    assert_eq!((&begin["tracepoints"], &begin["window_ns"]), (&Value::from(1), &Value::from(100_000_000)));
    let mut all = 0;
    for hits in [1_000, 70_000, 300_000] {
        storm(hits);
        all += hits;
    }
    let address = begin["metrics"][0].as_str().unwrap().to_owned();
    // The window of the last hits must have ended.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(metric(&address, SERIES), all.to_string());
    // It keeps CAP_PERFMON, and has a filter of system calls.
    let status = fs::read_to_string(format!("/proc/{}/status", monitor.child.id())).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert_eq!(u64::from_str_radix(field("CapPrm:"), 16).unwrap() & !(1 << 38), 0, "{status}");
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1", "2"));
    let (end, folder) = monitor.end();
    let (windows, hits) = of_history(&folder.path().join("h"));
    assert_eq!((Value::from(windows), hits), (end["windows"].clone(), all));
    assert_eq!(end["reason"], "terminate");
}

/// Hits of two cgroups, one of which is removed before the metrics are read.
fn by_cgroup() {
    let words = ["--metrics", "127.0.0.1:0", "--budget", "none", "--by", "cgroup", "--flight-budget", "none"];
    let rule = format!("{GETSID} > 10/s");
    let mut monitor = Monitor::start(&[&words[..], &["--rule", &rule]].concat());
    let begin = monitor.line("begin");
    assert_eq!((&begin["by"], &begin["flight"]), (&Value::from("cgroup"), &Value::Null));
    let cgroups = [Cgroup::new("many"), Cgroup::new("few")];
    let names = cgroups.each_ref().map(Cgroup::name);
    for (cgroup, hits) in cgroups.iter().zip([9_000, 1_000]) {
        let script = format!("echo $$ > {}/cgroup.procs; exec $0 storm {hits} getsid", cgroup.0.display());
        let mut storm = Command::new("sh");
        assert!(storm.args(["-c", &script]).arg(std::env::current_exe().unwrap()).status().unwrap().success());
    }
    drop(cgroups);
    let alarm = monitor.line("alarm");
    let top = alarm["top"].as_array().unwrap();
    assert!(top.iter().any(|row| row["name"] == names[0].as_str()), "{alarm}");
    // The window of the last hits must have ended.
    std::thread::sleep(Duration::from_millis(800));
    let address = begin["metrics"][0].as_str().unwrap().to_owned();
    for (name, hits) in names.iter().zip([9_000, 1_000]) {
        let series = format!(r#"tpperf_cgroup_hits_total{{cgroup="{name}",group="syscalls"}}"#);
        assert_eq!(metric(&address, &series), hits.to_string());
        assert_eq!(metric(&address, &format!(r#"tpperf_cgroup_hits_variance_total{{cgroup="{name}"}}"#)), "0");
    }
    monitor.end();
}

fn killed() {
    let mut monitor = Monitor::start(&["--history", "h", "--budget", "none"]);
    let mut all = 0;
    for round in 1..=4 {
        monitor.line("begin");
        storm(round * 1_000);
        all += round * 1_000;
        std::thread::sleep(Duration::from_millis(300));
        monitor.signal(Signal::SIGKILL);
        monitor.child.wait().unwrap();
        assert_eq!(of_history(&monitor.folder.path().join("h")).1, all, "while nobody writes");
        monitor = Monitor::start_in(monitor.folder, &["--history", "h", "--budget", "none"], |_| {});
    }
    monitor.line("begin");
    let (_, folder) = monitor.end();
    assert_eq!(of_history(&folder.path().join("h")).1, all);
}

fn alarm() {
    let rule = format!("{GETSID} > 100/s");
    let mut monitor = Monitor::start(&[
        "--rule",
        &rule,
        "--rule",
        "new after 1ms",
        "--on-alarm",
        "cat /proc/self/status > status; echo \"$TP_PERF_ALARM\" >> alarms",
    ]);
    monitor.line("begin");
    storm(50_000);
    let [first, second] = [monitor.line("alarm"), monitor.line("alarm")];
    let (of_rule, of_new) = if first["rule"] == rule { (first, second) } else { (second, first) };
    assert_eq!((&of_rule["rule"], &of_rule["by"]), (&Value::from(rule), &Value::from("rule")));
    assert_eq!(
        (&of_new["rule"], &of_new["tracepoints"][0]["tracepoint"]),
        (&Value::from("new after 1ms"), &Value::from(GETSID))
    );
    for _ in 0..2 {
        let hook = monitor.line("hook");
        assert_eq!((&hook["outcome"], &hook["exit_code"]), (&Value::from("exited"), &Value::from(0)));
    }
    let (end, folder) = monitor.end();
    assert_eq!(end["alarms"], 2);
    let status = fs::read_to_string(folder.path().join("status")).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    for set in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
    let alarms = fs::read_to_string(folder.path().join("alarms")).unwrap();
    let numbers: Vec<Value> =
        alarms.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].clone()).collect();
    assert_eq!(numbers, [1, 2]);
}

fn reload() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("monitor.toml");
    fs::write(&config, "budget = \"none\"\n").unwrap();
    let mut monitor = Monitor::start_in(folder, &["--config", "monitor.toml"], |_| {});
    assert_eq!(monitor.line("begin")["rules"], Value::Array(Vec::new()));
    for wrong in ["budget = ", "rule = [\"getsid\"]", "rule = [\"nothing:like_this > 1/s\"]"] {
        fs::write(&config, wrong).unwrap();
        monitor.signal(Signal::SIGHUP);
        let fault = monitor.line("fault");
        assert!(
            fault["what"] == "reload" && fault["error"].as_str().unwrap().contains("the old options stay"),
            "{fault}"
        );
    }
    fs::write(&config, format!("every = \"200ms\"\nbudget = \"2%\"\nrule = [\"{GETSID} > 100/s\"]\n")).unwrap();
    monitor.signal(Signal::SIGHUP);
    let reload = monitor.line("reload");
    assert_eq!(reload["needs_restart"], serde_json::json!(["budget"]), "--every was typed");
    storm(50_000);
    assert_eq!(monitor.line("alarm")["number"], 1);
    // An alarm of a rule that is gone has no other end.
    fs::write(&config, "").unwrap();
    monitor.signal(Signal::SIGHUP);
    let clear = monitor.line("all_clear");
    assert!(clear["number"] == 1 && clear["reason"].as_str().unwrap().contains("is gone"), "{clear}");
    monitor.end();
}

fn notify() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut monitor = Monitor::start_in(folder, &[], |command| {
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "60000000");
    });
    let next = |text: &str| {
        let mut bytes = [0; 1_024];
        loop {
            let length = systemd.recv(&mut bytes).unwrap_or_else(|error| panic!("no {text}: {error}"));
            if String::from_utf8_lossy(&bytes[..length]).contains(text) {
                return;
            }
        }
    };
    monitor.line("begin");
    next("READY=1");
    next("WATCHDOG=1");
    monitor.signal(Signal::SIGHUP);
    next("RELOADING=1\nMONOTONIC_USEC=");
    next("READY=1");
    monitor.signal(Signal::SIGTERM);
    next("STOPPING=1");
    assert_eq!(monitor.child.wait().unwrap().code(), Some(0));
}

/// The events of the tracepoint in a recording, and its triggers.
fn of_recording(path: &Path) -> (u64, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    let output = command.args(["report", "--format", "json"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let summary = &report["sources"][0]["summary"];
    let events = &summary["events"];
    assert_eq!((&events["lost"], &events["unaccounted"]), (&Value::from(0), &Value::from(0)), "{events}");
    assert_eq!(events["counted"], events["recorded"]);
    let triggers = summary["triggers"].as_array().unwrap().iter();
    (
        events["recorded"].as_u64().unwrap(),
        triggers.map(|trigger| trigger["kind"].as_str().unwrap().to_owned()).collect(),
    )
}

fn flight() {
    let rule = format!("{GETSID} > 10k/s");
    let mut monitor = Monitor::start(&[
        "--rule",
        &rule,
        "--flight",
        "20s",
        "--flight-dir",
        "f",
        "--flight-budget",
        "none",
        "--budget",
        "none",
        "--metrics",
        "unix:socket",
    ]);
    monitor.line("begin");
    // A burst that breaks no rule comes a second before the one that does.
    storm(700);
    std::thread::sleep(Duration::from_secs(1));
    storm(30_000);
    let alarm = monitor.line("trigger");
    assert_eq!(
        (&alarm["by"], &alarm["text"], &alarm["recording"]),
        (&"rule".into(), &format!("alarm 1: {rule}").into(), &"begun".into())
    );
    let written = monitor.line("flight");
    assert_eq!(written["triggers"][0]["by"], "rule");
    let path = monitor.folder.path().join(written["path"].as_str().unwrap());
    let (events, triggers) = of_recording(&path);
    assert!(events == 30_700 && triggers == ["rule"], "{events} {triggers:?}");
    storm(50);
    let mut dump = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    dump.args(["flight", "dump", "by hand", "--socket", "socket"]).current_dir(monitor.folder.path());
    let answer = dump.output().unwrap();
    assert!(answer.status.success() && !answer.stdout.is_empty(), "{answer:?}");
    assert_eq!(monitor.line("trigger")["text"], "by hand");
    let written = monitor.line("flight");
    let (events, triggers) = of_recording(&monitor.folder.path().join(written["path"].as_str().unwrap()));
    assert!(events == 30_750 && triggers == ["request"], "{events} {triggers:?}");
    monitor.signal(Signal::SIGUSR2);
    assert_eq!(monitor.line("trigger")["by"], "signal");
    monitor.line("flight");
    let (_, _folder) = monitor.end();
    let answer = dump.output().unwrap();
    let said = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert!(answer.status.code() == Some(1), "{answer:?}");
    assert!(said.contains("no monitor listens on socket: start one with"), "{said}");
}

fn unread() {
    let rules: Vec<String> = (0..40).map(|number| format!("{GETSID} > {number}/s")).collect();
    let rules: Vec<&str> = rules.iter().flat_map(|rule| ["--rule", rule.as_str()]).collect();
    let words = [&rules[..], &["--history", "h", "--budget", "none", "--on-alarm", "exit 0"]].concat();
    let mut monitor = Monitor::start(&words);
    monitor.line("begin");
    // A pipe of one page is full after a few lines.
    nix::fcntl::fcntl(monitor.lines.get_ref(), nix::fcntl::FcntlArg::F_SETPIPE_SZ(4_096)).unwrap();
    storm(10_000);
    std::thread::sleep(Duration::from_millis(1_500));
    storm(10_000);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(of_history(&monitor.folder.path().join("h")).1, 20_000);
    // All lines come when somebody reads.
    for number in 1..=40 {
        assert_eq!(monitor.line("alarm")["number"], number);
    }
    monitor.end();
}

fn returns() {
    let cpu = LastCpu::new();
    let flight = ["--flight", "30s", "--flight-dir", "f", "--flight-budget", "none"];
    let words = [&["--history", "h", "--budget", "none"], &flight[..]].concat();
    let mut monitor = Monitor::start(&words);
    monitor.line("begin");
    cpu.set(false);
    assert_eq!(monitor.line("cpus_offline")["cpus"], cpu.0.to_string());
    storm(3_000);
    cpu.set(true);
    assert_eq!(monitor.line("cpus_online")["cpus"], cpu.0.to_string());
    let begin = monitor.line("begin");
    assert_eq!(begin["cpus"], CpuList::online().unwrap().to_string());
    cpu.storm_of_getsid(4_000);
    std::thread::sleep(Duration::from_millis(400));
    monitor.signal(Signal::SIGUSR2);
    let written = monitor.line("flight");
    let (events, _) = of_recording(&monitor.folder.path().join(written["path"].as_str().unwrap()));
    assert_eq!(events, 4_000, "the recorder attaches again, too");
    let (_, folder) = monitor.end();
    assert_eq!(of_history(&folder.path().join("h")).1, 7_000);
}

/// A CPU that is offline for less than a window has lost its events as well.
fn returns_at_once() {
    let cpu = LastCpu::new();
    let mut monitor = Monitor::start(&["--history", "h", "--budget", "none", "--every", "1s"]);
    monitor.line("begin");
    cpu.set(false);
    cpu.set(true);
    assert_eq!(monitor.line("cpus_offline")["cpus"], cpu.0.to_string());
    assert_eq!(monitor.line("cpus_online")["cpus"], cpu.0.to_string());
    monitor.line("begin");
    cpu.storm_of_getsid(5_000);
    std::thread::sleep(Duration::from_millis(1_400));
    let (_, folder) = monitor.end();
    assert_eq!(of_history(&folder.path().join("h")).1, 5_000);
}

fn no_textfile() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("t")).unwrap();
    let words = ["--history", "h", "--textfile", "t/metrics.prom", "--budget", "none"];
    let mut monitor = Monitor::start_in(folder, &words, |_| {});
    monitor.line("begin");
    fs::remove_dir_all(monitor.folder.path().join("t")).unwrap();
    let fault = monitor.line("fault");
    assert_eq!(fault["what"], "textfile", "the folder t is gone");
    storm(1_000);
    let (_, folder) = monitor.end();
    assert_eq!(of_history(&folder.path().join("h")).1, 1_000);
}
