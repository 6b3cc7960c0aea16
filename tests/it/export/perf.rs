//! Files for perf.

use super::{Sources, fixture, log, path, totals, well};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

pub fn has_perf() -> Result<(), String> {
    match Command::new("perf").arg("--version").output().is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err("perf (linux-perf)".to_owned()),
    }
}

/// The words that `perf script` prints for each event. perf mounts tracefs and leaves it mounted, so it gets mounts of its own, if
/// it may.
fn perf_script(file: &Path, fields: &str) -> Vec<Vec<String>> {
    let words = ["perf", "script", "-f", "--ns", "-F", fields, "-i", path(file)];
    let alone = Command::new("unshare").arg("--mount").args(words).output().unwrap();
    let output = match alone.status.success() {
        true => alone,
        false => Command::new(words[0]).args(&words[1..]).output().unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let is_event = |line: &&str| line.contains(": ");
    text.lines().filter(is_event).map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

pub fn script() {
    let sources = Sources::new();
    let out = sources.file("out.data");
    // perf prints the same for its own file.
    let by_perf = fixture("perf-file.data");
    well(&[path(&by_perf), path(&out)]);
    let fields = "comm,pid,tid,cpu,time,event";
    assert_eq!(perf_script(&out, fields), perf_script(&by_perf, fields));
    // In a recording, the CPU belongs to the sample id, which perf does not look up.
    for source in [&fixture("idle.perf.zst"), &sources.all[3]] {
        well(&[path(source), path(&out), "--force"]);
        let read = perf_script(&out, "cpu,time,event");
        let log = log(source, "cpu");
        let expected = log.iter().map(|row| {
            let time: u64 = row["timestamp"].parse().unwrap();
            let cpu: u32 = row["cpu"].parse().unwrap();
            (
                format!("[{cpu:03}]"),
                format!("{}.{:09}:", time / 1_000_000_000, time % 1_000_000_000),
                &row["tracepoint name"],
            )
        });
        let name = |event: &str| event.trim_end_matches(':').split_once(':').unwrap().1.to_owned();
        let read: Vec<_> = read.iter().map(|words| (words[0].clone(), words[1].clone(), name(&words[2]))).collect();
        let expected: Vec<_> = expected.map(|(cpu, time, name)| (cpu, time, name.clone())).collect();
        assert_eq!(read, expected, "{}", source.display());
    }
    // The period is the number of hits that an event stands for.
    let periods: u64 = perf_script(&out, "period,event").iter().map(|words| words[0].parse::<u64>().unwrap()).sum();
    let hits: u64 = log(&sources.all[3], "cpu").iter().map(|row| row["hits"].parse::<u64>().unwrap()).sum();
    assert_eq!(periods, hits);
}

/// tp-perf reads the file as it reads one of perf.
pub fn source() {
    let sources = Sources::new();
    let out = sources.file("out.data");
    for source in &sources.all[..3] {
        well(&[path(source), path(&out), "--force"]);
        assert_eq!(totals(path(&out)), totals(path(source)), "{}", source.display());
        let columns = "cpu,pid,tid,comm";
        let key = |row: &BTreeMap<String, String>| {
            ["timestamp", "tracepoint name", "cpu", "pid", "tid", "comm"].map(|column| row[column].clone())
        };
        let [again, before] = [&out, source].map(|source| log(source, columns).iter().map(key).collect::<Vec<_>>());
        assert_eq!(again, before, "{}", source.display());
    }
}
