//! Recordings with processes on this kernel: known numbers of hits by threads and children with known names.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, FAMILY, GETSID, Rig, can_trace_as_root, shown};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tp_perf::os::cgroups::hierarchy;

pub const TESTS: &[Test] = &[
    ("each_event_has_its_process_and_its_name_at_that_time", nothing_more, family),
    ("only_the_chosen_processes_are_recorded", nothing_more, only),
    ("a_chosen_process_must_run", nothing_more, gone),
    ("each_event_has_its_cgroup_and_only_the_chosen_ones_are_recorded", cgroups_exist, in_cgroups),
    ("hits_by_cgroup_are_estimated_within_a_budget", cgroups_exist, estimated),
    ("lost_records_about_threads_are_reported_and_lose_no_event", nothing_more, lost),
];

fn family() {
    let rig = Rig::new();
    let mut command = rig.command(&["-t", GETSID, "--with", "pid,comm", "--"]);
    let output = command.arg(std::env::current_exe().unwrap()).arg("family").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let report = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        let output = command.arg("report").arg(rig.path("rec")).args(["--by", "process"]).args(words).output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        output.stdout
    };
    let found: Value = serde_json::from_slice(&report(&["--format", "json"])).unwrap();
    let source = &found["sources"][0];
    let processes = source["processes"].as_array().unwrap();
    let mut of = BTreeMap::<(String, u64), u64>::new();
    for process in processes {
        assert_eq!(process["kind"], "program", "{process}");
        let name = process["name"].as_str().unwrap_or("unknown").to_owned();
        assert!(of.insert((name, process["pid"].as_u64().unwrap()), process["events"].as_u64().unwrap()).is_none());
    }
    let named = |name: &str| -> Vec<(u64, u64)> {
        of.iter().filter(|((its, _), _)| its == name).map(|((_, pid), events)| (*pid, *events)).collect()
    };
    let [(main, own)] = named("family")[..] else { panic!("{of:?}") };
    assert_eq!(own, FAMILY.own);
    for thread in 0..FAMILY.threads {
        assert_eq!(named(&format!("thread-{thread}")), [(main, FAMILY.of_thread(thread))], "{of:?}");
        assert_eq!(named(&format!("renamed-{thread}")), [(main, FAMILY.renamed)], "{of:?}");
    }
    // Each child has executed this program, whose name is cut to fifteen bytes.
    let child = std::env::current_exe().unwrap();
    let child = child.file_name().unwrap().to_str().unwrap().chars().take(15).collect::<String>();
    let children = named(&child);
    assert_eq!(children.len() as u64, FAMILY.children, "{of:?}");
    assert!(children.iter().all(|(pid, events)| *pid != main && *events == FAMILY.of_child), "{of:?}");
    assert_eq!(of.values().sum::<u64>(), source["summary"]["events"]["counted"].as_u64().unwrap());
    let text = String::from_utf8(report(&["--top", "200"])).unwrap();
    assert!(text.contains("top processes") && text.contains("renamed-0"), "{text}");
}

/// A family is recorded while another process hits the same tracepoint.
fn only() {
    let myself = std::env::current_exe().unwrap();
    // Not so fast that a ring overflows.
    let mut other = Command::new("sh");
    let _other = Background::start(other.args(["-c", "while :; do $0 storm 200 getsid; done"]).arg(&myself));
    let check = |rig: &Rig, said: &str, reason: &str| {
        let summary = std::fs::read(rig.path("rec").join("summary.json")).unwrap();
        let summary: Value = serde_json::from_slice(&summary).unwrap();
        let events = &summary["events"];
        let counts = ["counted", "recorded", "logged", "lost", "unaccounted"].map(|count| events[count].as_u64());
        assert_eq!(counts, [FAMILY.all(), FAMILY.all(), FAMILY.all(), 0, 0].map(Some), "{summary}");
        assert_eq!(summary["unaccounted"], serde_json::json!([]));
        assert!(summary["others"]["hits"].as_u64().unwrap() > 0, "{summary}");
        assert_eq!(summary["stop_reason"], reason);
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("started; left out: ") && words.contains("hits of other processes"), "{said}");
        // Nobody else is in the file either.
        let mut report = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        let report = report.arg("report").arg(rig.path("rec")).args(["--by", "process", "--format", "json"]);
        let found: Value = serde_json::from_slice(&report.output().unwrap().stdout).unwrap();
        let processes = found["sources"][0]["processes"].as_array().unwrap();
        let hits: u64 = processes.iter().map(|process| process["events"].as_u64().unwrap()).sum();
        assert_eq!(hits, FAMILY.all(), "{found}");
    };

    let rig = Rig::new();
    let output = rig.command(&["-t", GETSID, "--only-command", "--"]).arg(&myself).arg("family").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    check(&rig, &shown(&output), "command");

    // COMMAND lets the chosen process begin.
    let rig = Rig::new();
    let mut family =
        Command::new("sh").args(["-c", "read go; exec $0 family"]).arg(&myself).stdin(Stdio::piped()).spawn().unwrap();
    let go = family.stdin.take().unwrap();
    let pid = family.id().to_string();
    let mut command = rig.command(&["-t", GETSID, "--pid", &pid, "--", "sh", "-c", "echo; exec sleep 2"]);
    let waiting = std::thread::spawn(move || family.wait());
    let output = command.stdout(go).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(waiting.join().unwrap().unwrap().success());
    check(&rig, &shown(&output), "processes");

    // On one CPU, the children that another CPU started count too.
    let rig = Rig::new();
    let words = ["-t", GETSID, "-C", "0", "--only-command", "--"];
    let output = rig.command(&words).arg(&myself).arg("family").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let rows = |rig: &Rig| {
        let mut report = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        let report = report.arg("report").arg(rig.path("rec")).args(["--by", "process", "--format", "json"]);
        let found: Value = serde_json::from_slice(&report.output().unwrap().stdout).unwrap();
        found["sources"][0]["processes"].as_array().unwrap().clone()
    };
    assert!(rows(&rig).iter().all(|process| process["name"].is_string()), "{:?}", rows(&rig));

    // The names count at their times.
    let rig = Rig::new();
    let words = ["-t", GETSID, "--comm", "renamed-*,thread-3", "--only-command", "--"];
    let output = rig.command(&words).arg(&myself).arg("family").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let summary: Value = serde_json::from_slice(&std::fs::read(rig.path("rec").join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["events"]["logged"], FAMILY.threads * FAMILY.renamed + FAMILY.of_thread(3));
}

fn gone() {
    let mut ended = Command::new("true").spawn().unwrap();
    let pid = ended.id().to_string();
    ended.wait().unwrap();
    let rig = Rig::new();
    let output = rig.command(&["-t", GETSID, "-d", "1s", "--pid", &pid]).output().unwrap();
    let said = shown(&output);
    assert!(!output.status.success() && said.contains(&format!("no process with the number {pid} runs")), "{said}");
    assert!(!rig.path("rec").exists());
    let said = std::thread::scope(|scope| {
        let of_thread = || {
            let tid = nix::unistd::gettid().to_string();
            shown(&rig.command(&["-t", GETSID, "-d", "1s", "--pid", &tid]).output().unwrap())
        };
        scope.spawn(of_thread).join().unwrap()
    });
    assert!(said.contains(&format!("use `--pid {}`", std::process::id())), "{said}");
}

/// Cgroups that perf knows, and that this user may make.
pub fn cgroups_exist() -> Result<(), String> {
    can_trace_as_root()?;
    mount_of_cgroups().map(drop).ok_or_else(|| "the cgroups that perf knows".to_owned())
}

fn mount_of_cgroups() -> Option<PathBuf> {
    hierarchy().ok().flatten()?.mount
}

/// A cgroup that is removed at the end.
pub struct Cgroup(pub PathBuf);

impl Cgroup {
    pub fn new(name: &str) -> Self {
        let path = mount_of_cgroups().unwrap().join(format!("tp-perf-test-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Cgroup(path)
    }

    /// The path below the root.
    pub fn name(&self) -> String {
        format!("/{}", self.0.file_name().unwrap().to_str().unwrap())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// COMMAND hits in two cgroups and outside, and makes another cgroup meanwhile.
fn in_cgroups() {
    let (one, other) = (Cgroup::new("one"), Cgroup::new("other"));
    let below = one.0.join("made-meanwhile");
    let enter = |cgroup: &Path, hits: u64| {
        format!("sh -c 'echo $$ > {}/cgroup.procs; exec $0 storm {hits} getsid' \"$0\"", cgroup.display())
    };
    let run = format!(
        "{}; {}; mkdir {below}; {}; rmdir {below}; $0 storm 40 getsid",
        enter(&one.0, 10),
        enter(&other.0, 20),
        enter(&below, 30),
        below = below.display()
    );
    let record = |words: &[&str]| {
        let rig = Rig::new();
        let mut command = rig.command(&[&["-t", GETSID], words, &["--", "sh", "-c", &run]].concat());
        let output = command.arg(std::env::current_exe().unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        rig
    };
    let by_cgroup = |rig: &Rig, words: &[&str]| -> BTreeMap<String, u64> {
        let mut report = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        let report =
            report.arg("report").arg(rig.path("rec")).args(["--by", "process", "--format", "json"]).args(words);
        let output = report.output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut sums = BTreeMap::new();
        for process in found["sources"][0]["processes"].as_array().unwrap() {
            let path = process["cgroup"].as_str().unwrap_or("unknown").to_owned();
            *sums.entry(path).or_default() += process["events"].as_u64().unwrap();
        }
        sums
    };
    let made = format!("{}/made-meanwhile", one.name());
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();

    let rig = record(&["--with", "cgroup", "--log-columns", "cgroup"]);
    let expected = BTreeMap::from([(one.name(), 10), (other.name(), 20), (made.clone(), 30), (own, 40)]);
    assert_eq!(by_cgroup(&rig, &[]), expected);
    // The log has the same.
    let log = std::fs::read_to_string(rig.path("rec").join("log.csv")).unwrap();
    assert_eq!(log.lines().filter(|line| line.ends_with(&format!(",{made}"))).count(), 30);
    let of_one = BTreeMap::from([(one.name(), 10), (made.clone(), 30)]);
    assert_eq!(by_cgroup(&rig, &["--cgroup", &one.name()]), of_one);

    // The same choice, made while recording.
    let rig = record(&["--cgroup", &one.name()]);
    assert_eq!(by_cgroup(&rig, &[]), of_one);
    let summary: Value = serde_json::from_slice(&std::fs::read(rig.path("rec").join("summary.json")).unwrap()).unwrap();
    assert_eq!([&summary["events"]["counted"], &summary["events"]["recorded"]], [40, 40]);
    assert_eq!(summary["others"]["hits"], 60);

    let rig = Rig::new();
    let output = rig.command(&["-t", GETSID, "-d", "1s", "--cgroup", "/no/such"]).output().unwrap();
    let said = shown(&output);
    assert!(!output.status.success() && said.contains("there is no cgroup /no/such"), "{said}");
}

/// Two cgroups hit so often that the budget thins the tracepoint.
fn estimated() {
    const RUNS: [u64; 2] = [1_000, 500];
    const HITS_OF_RUN: u64 = 400;
    let cgroups = [Cgroup::new("most"), Cgroup::new("few")];
    let enter = |cgroup: &Cgroup, runs: u64| {
        let script = format!(
            "echo $$ > {}/cgroup.procs; for i in $(seq {runs}); do $0 storm {HITS_OF_RUN} getsid; done",
            cgroup.0.display()
        );
        format!("sh -c '{script}' \"$0\" &")
    };
    let run = format!("{} {} wait", enter(&cgroups[0], RUNS[0]), enter(&cgroups[1], RUNS[1]));
    let rig = Rig::new();
    let file = rig.path("hits");
    let budget = format!("{}%", 6.0 / tp_perf::os::cpus::CpuList::online().unwrap().len() as f64);
    let count = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(["count", "-t", GETSID, "--by", "cgroup", "--budget", &budget]).args(words);
        command.args(["--", "sh", "-c", &run]).arg(std::env::current_exe().unwrap()).stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        output
    };
    count(&["--format", "json", "-o", file.to_str().unwrap()]);
    let found: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let events = &found["summary"]["events"];
    let mut all = found["unknown"].as_u64().unwrap() as f64;
    let is_whole = events["counted"] == HITS_OF_RUN * RUNS.iter().sum::<u64>();
    for (cgroup, runs) in cgroups.iter().zip(RUNS) {
        let truth = (runs * HITS_OF_RUN) as f64;
        let rows = found["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == cgroup.name().as_str()).unwrap();
        let [hits, low, high] = ["hits", "low", "high"].map(|key| row[key].as_f64().unwrap());
        assert!(low <= hits && hits <= high && row["names"][0][0].is_string(), "{row}");
        // The interval misses the truth once in twenty times. If the budget could not be kept, the tracepoint was detached.
        assert!(!is_whole || (hits - truth).abs() <= 2.0 * (high - low), "{row}");
        all += hits;
    }
    assert!((all - events["counted"].as_u64().unwrap() as f64).abs() < 1.0, "{found}");
    println!("thinned {} of {} hits, and counted all: {is_whole}", events["thinned"], events["counted"]);
    let text = shown(&count(&[]));
    assert!(text.contains("top cgroups") && text.contains(&cgroups[0].name()[..20]), "{text}");
}

/// Renames fill the rings of thread records while tp-perf stands still.
fn lost() {
    const RENAMES: u64 = 5_000;
    const HITS: u64 = 500;
    let rig = Rig::new();
    let myself = std::env::current_exe().unwrap();
    let script = format!("kill -STOP $PPID; $0 storm {RENAMES}; $0 storm {HITS} getsid; kill -CONT $PPID");
    let mut command =
        rig.command(&["-t", GETSID, "--with", "pid,comm", "--ring-size", "64k", "--", "sh", "-c", &script]);
    let output = command.arg(myself).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let summary: Value = serde_json::from_slice(&std::fs::read(rig.path("rec").join("summary.json")).unwrap()).unwrap();
    let events = &summary["events"];
    assert_eq!([&events["counted"], &events["recorded"], &events["lost"]], [HITS, HITS, 0].map(Value::from).each_ref());
    // A ring of 64 KiB has room for about a thousand of them.
    assert!(events["threads_lost"].as_u64().is_some_and(|lost| (RENAMES / 2..2 * RENAMES).contains(&lost)), "{events}");
    let said = shown(&output);
    assert!(said.contains("about threads were lost, so some"), "{said}");
}
