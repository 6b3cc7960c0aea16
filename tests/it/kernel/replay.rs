//! A recording replays to the same files, and stock perf reads it.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, RENAME, Recording, Rig, eventually, shown};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use tp_perf::os::cpus::CpuList;

pub const TESTS: &[Test] = &[
    ("a_recording_replays_to_itself_byte_for_byte", nothing_more, replays),
    ("stock_perf_lists_the_same_events", perf, stock_perf),
    ("stock_perf_shows_the_cpu_if_each_event_has_it", perf_that_leaves_nothing, cpus),
    ("a_small_capture_touches_no_disk_until_the_events_are_off", nothing_more, small),
    ("a_killed_capture_replays_up_to_its_last_whole_record", nothing_more, killed),
    ("a_recording_of_stock_perf_replays_to_the_events_that_it_lists", perf_that_leaves_nothing, foreign),
];

fn perf_that_leaves_nothing() -> Result<(), String> {
    let there = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if there { perf() } else { Err("unshare(1) with mount namespaces".to_owned()) }
}

fn perf() -> Result<(), String> {
    let there = Command::new("perf").arg("--version").output().is_ok_and(|output| output.status.success());
    if there { Ok(()) } else { Err("the perf of linux-tools".to_owned()) }
}

fn replay(words: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("replay").args(words).output().unwrap()
}

/// The summary without the duration of the drain, which differs between runs.
fn timeless(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("summary.json")).unwrap();
    let line = text.lines().find(|line| line.contains("\"drain\"")).expect("a summary has the duration of the drain");
    text.replace(line, "")
}

fn replays() {
    for words in [
        &["-t", "sched:*", "-t", "irq:*", "-d", "300ms"][..],
        &["-t", "sched:*", "-n", "50", "-d", "5s", "--clock", "tai", "--compress"],
        &["-t", "task:*", "-n", "2", "--wait-detach", "--", "sh", "-c", "true; true; ls; exec sleep 1"],
        &["-t", RENAME, "--ring-size", "64K", "--compress", "--", "KERNEL", "storm", "100000"],
        &["-t", RENAME, "-x", "*:sched_switch", "--", "KERNEL", "storm", "3000000"],
    ] {
        let _load = Background::busy();
        let rig = Rig::new();
        let myself = std::env::current_exe().unwrap();
        let words: Vec<_> =
            words.iter().map(|word| if *word == "KERNEL" { myself.to_str().unwrap() } else { word }).collect();
        let output = rig.command(&words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", shown(&output));
        let output = replay(&[&rig.path("rec"), Path::new("-o"), &rig.path("again")]);
        assert!(output.status.success(), "{words:?}: {}", shown(&output));
        for file in ["log.csv", "tracepoints.csv", "groups.csv"] {
            let read = |folder| fs::read(rig.path(folder).join(file)).unwrap();
            assert!(read("rec") == read("again"), "{words:?}: {file} differs");
        }
        assert_eq!(timeless(&rig.path("rec")), timeless(&rig.path("again")), "{words:?}");
        assert!(Recording::read(&rig.path("rec")).events("recorded") > 0, "{words:?}");
    }
}

/// The (nanoseconds, name) of every event that `perf script` lists, in its order.
fn perf_script(source: &Path) -> Vec<(u64, String)> {
    let mut command = Command::new("perf");
    let output = command.args(["script", "--ns", "-F", "time,event", "-i"]).arg(source).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let listed = text.lines().map(|line| {
        let mut words = line.split_whitespace();
        let time = words.next().unwrap().trim_end_matches(':').replace('.', "").parse().unwrap();
        let name = words.next().unwrap().trim_end_matches(':');
        (time, name.split_once(':').unwrap().1.to_owned())
    });
    listed.collect()
}

/// Sorts events by time and name, because perf and tp-perf order events of the same time differently.
fn sorted(mut events: Vec<(u64, String)>) -> Vec<(u64, String)> {
    events.sort();
    events
}

fn logged(folder: &Path) -> Vec<(u64, String)> {
    Recording::read(folder).rows.into_iter().map(|(time, .., name)| (time, name)).collect()
}

fn stock_perf() {
    for compress in [None, Some("--compress")] {
        let _load = Background::busy();
        let rig = Rig::new();
        let mut command = rig.command(&["-t", "sched:*", "-t", "irq:*", "-d", "500ms"]);
        rig.run_by(command.args(compress));
        let listed = perf_script(&rig.path("rec").join("events.perf"));
        assert!(listed.len() > 10 && listed.is_sorted_by_key(|(time, _)| *time));
        assert_eq!(sorted(listed), sorted(logged(&rig.path("rec"))));
    }
}

/// With `--with cpu`, perf prints the CPU, and the process if it was recorded too.
fn cpus() {
    for (with, fields) in
        [("cpu", "cpu,time,event"), ("cpu,pid", "tid,cpu,time,event"), ("cgroup,cpu", "tid,cpu,time,event")]
    {
        let _load = Background::busy();
        let rig = Rig::new();
        let columns = if fields.starts_with("tid") { "tid,cpu" } else { "cpu" };
        let words = ["-t", "sched:*", "-t", "irq:*", "-d", "300ms", "--with", with, "--log-columns", columns];
        let output = rig.command(&words).output().unwrap();
        assert!(output.status.success(), "{with}: {}", shown(&output));
        let file = rig.path("rec").join("events.perf");
        let mut perf = Command::new("unshare");
        let output = perf.args(["--mount", "perf", "script", "--ns", "-F", fields, "-i"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{with}: {}", shown(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut listed: Vec<Vec<String>> =
            text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        let log = fs::read_to_string(rig.path("rec").join("log.csv")).unwrap();
        let row = |row: &str| {
            let cells: Vec<&str> = row.split(',').collect();
            let (time, cpu): (u64, u32) = (cells[0].parse().unwrap(), cells.last().unwrap().parse().unwrap());
            let time = format!("{}.{:09}:", time / 1_000_000_000, time % 1_000_000_000);
            // A thread that had ended has no number.
            let tid =
                (cells.len() == 6).then(|| if cells[4].is_empty() { "-1".to_owned() } else { cells[4].to_owned() });
            tid.into_iter().chain([format!("[{cpu:03}]"), time, cells[3].to_owned()]).collect::<Vec<_>>()
        };
        let mut logged: Vec<_> = log.lines().skip(1).map(row).collect();
        for words in &mut listed {
            let event = words.last_mut().unwrap();
            *event = event.trim_end_matches(':').split_once(':').unwrap().1.to_owned();
        }
        listed.sort();
        logged.sort();
        assert!(logged.len() > 10, "{with}: {logged:?}");
        assert_eq!(listed, logged, "{with}");
        assert!(replay(&[&rig.path("rec"), Path::new("-q")]).status.success());
    }
    // The counters of a budget belong to a CPU, too.
    let rig = Rig::new();
    let output = rig.command(&["-t", "sched:*", "-d", "300ms", "--with", "cpu", "--budget", "1%"]).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let output = replay(&[&rig.path("rec")]);
    assert!(output.status.success() && shown(&output).contains("accounting"), "{}", shown(&output));
}

fn small() {
    let rig = Rig::new();
    let capture = Background::start(&mut rig.command(&["-q", "-t", RENAME, "-d", "1h"]));
    capture.wait_until_it_polls();
    let storm = std::env::current_exe().unwrap();
    assert!(Command::new(storm).args(["storm", "1000000"]).status().unwrap().success());
    let files = || fs::read_dir(rig.path("rec")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(files().sum::<u64>() < 1 << 20, "the 24 MB of events are already on the disk");
    assert!(!rig.path("rec").join("events.perf").exists());
    capture.signal(nix::sys::signal::Signal::SIGINT);
    assert!(capture.end().status.success());
    assert!(fs::metadata(rig.path("rec").join("events.perf")).unwrap().len() > 24_000_000);
}

fn killed() {
    for compress in [None, Some("--compress")] {
        let rig = Rig::new();
        let capture = Background::start(rig.command(&["-q", "-t", RENAME]).args(compress));
        capture.wait_until_it_polls();
        let storms: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|cpu| Background::storm(*cpu)).collect();
        let file = rig.path("rec").join("events.perf");
        let length = || fs::metadata(&file).map_or(0, |metadata| metadata.len());
        let enough = if compress.is_some() { 1 << 20 } else { 20 << 20 };
        eventually("many events are on the disk", || length() > enough);
        capture.signal(nix::sys::signal::Signal::SIGKILL);
        drop(storms);
        assert_eq!(capture.end().status.signal(), Some(9));
        assert!(!rig.path("rec").join("summary.json").exists());

        let output = replay(&[&rig.path("rec"), Path::new("-o"), &rig.path("again")]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        assert!(error.contains("lacks its end") || error.contains("ends within the record at byte"), "{error}");
        let recording = Recording::read(&rig.path("again"));
        let events = recording.events("recorded") as u64;
        assert_eq!(recording.rows.len() as u64, events);
        assert!(recording.rows.is_sorted_by_key(|row| row.0));
        assert_eq!(
            (&recording.summary["log_complete"], &recording.summary["events"]["counted"]),
            (&false.into(), &serde_json::Value::Null)
        );
        assert!(events > 300_000, "{events} events");
        if compress.is_none() {
            let head = length() - events * 24;
            assert!(head < 1 << 20, "{} bytes are there, and {events} events", length());
        }
    }
}

fn foreign() {
    let forms: [&[&str]; 3] = [&["-o", "FILE"], &["-z", "-o", "FILE"], &["-o", "-"]];
    for form in forms {
        let _load = Background::busy();
        let rig = Rig::new();
        let file = rig.path("perf.data");
        let words: Vec<_> =
            form.iter().map(|word| if *word == "FILE" { file.to_str().unwrap() } else { word }).collect();
        // perf leaves tracefs mounted. In its own mount namespace, the mount ends with perf.
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "perf", "record", "--quiet", "-a", "-e", "sched:*", "-e", "irq:*"])
            .args(&words)
            .args(["--", "sleep", "0.3"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        if words.last() == Some(&"-") {
            fs::write(&file, output.stdout).unwrap();
        }
        let output = replay(&[&file, Path::new("-o"), &rig.path("rec")]);
        assert!(output.status.success(), "{form:?}: {}", shown(&output));
        let listed = perf_script(&file);
        assert!(listed.len() > 10);
        assert_eq!(sorted(listed), sorted(logged(&rig.path("rec"))), "{form:?}");
        assert_eq!(Recording::read(&rig.path("rec")).summary["clock"], "local");
    }
}
