//! Full disks, limits, and memory.

use super::host::{Host, S};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tp_perf::history::{History, HistoryChoice, HistoryReport};

const TRACEPOINTS: u32 = 200;
/// A file that takes the room of the windows.
const BALLAST: &str = "ballast";

/// Runs the child behind the commands of a shell.
fn child(before: &str, word: &str, folder: &Path) -> Output {
    let script = format!("{before} exec \"$0\" history {word} \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(std::env::current_exe().unwrap()).arg(folder);
    command.output().unwrap()
}

fn assert_succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

pub fn file_size_limit() {
    let folder = tempfile::tempdir().unwrap();
    // The limit is in blocks of 512 bytes. The soft limit can be raised again.
    assert_succeeds(&child("trap '' XFSZ; ulimit -S -f 200;", "recover", folder.path()));
}

pub fn can_mount() -> Result<(), String> {
    let mounted = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    match mounted.is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err("a tmpfs of its own, as root may mount".to_owned()),
    }
}

pub fn full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "exec unshare --mount sh -c 'mount -t tmpfs -o size=400k none \"$1\" && \
         head -c 200000 /dev/zero > \"$1/{BALLAST}\" && exec \"$0\" history recover \"$1\"' \"$0\" \"$1\";"
    );
    assert_succeeds(&child(&script, "recover", folder.path()));
}

/// The child: writes windows until the disk is full, makes room, and checks that no window is missing.
pub fn recover(folder: &Path) {
    let mut host = Host::start(folder, 3_000 * S, TRACEPOINTS);
    let hits = |n: u64| (0..u64::from(TRACEPOINTS)).map(|tracepoint| n * 1_000 + tracepoint + 1).collect::<Vec<_>>();
    let (mut windows, mut failed_at) = (0, None);
    while failed_at.is_none_or(|at| windows < at + 100) {
        host.window(S, &hits(windows), &[]);
        host.work();
        windows += 1;
        assert!(windows < 10_000, "nothing was full");
        if host.reports.iter().any(|report| matches!(report, HistoryReport::Failing { is_full: true, .. })) {
            failed_at.get_or_insert(windows);
        }
    }
    let failing = host.reports.iter().filter(|report| matches!(report, HistoryReport::Failing { .. })).count();
    assert_eq!((failing, host.writer.figures().lost), (1, 0), "{:?}", host.reports);
    let _ = fs::remove_file(folder.join(BALLAST));
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    for n in windows..windows + 70 {
        host.window(S, &hits(n), &[]);
        host.work();
    }
    assert!(host.reports.iter().any(|report| matches!(report, HistoryReport::WorksAgain { lost: 0, .. })));
    assert_eq!(host.writer.figures().waiting, 0);
    let history = History::open(folder, HistoryChoice::default()).unwrap();
    let mut number = 0;
    for window in history.windows() {
        let (window, _) = window.unwrap();
        assert!(window.hits.iter().map(|row| row.hits.unwrap()).eq(hits(number)), "window {number}");
        number += 1;
    }
    assert_eq!(number, windows + 70);
}

pub fn memory() {
    let folder = tempfile::tempdir().unwrap();
    let output = child("MALLOC_ARENA_MAX=1", "memory", folder.path());
    assert_succeeds(&output);
    println!("{}", String::from_utf8_lossy(&output.stdout).trim());
}

/// The child: writes for hours, reads all of it, and compares the memory of the first and the last hours.
pub fn write_for_hours(folder: &Path) {
    let mut host = Host::start(folder, 0, TRACEPOINTS);
    let mut random = fastrand::Rng::with_seed(9);
    let mut peaks = vec![peak()];
    // The allocator takes some hours until it has all that it needs.
    for _ in 0..12 {
        for _ in 0..720 {
            let hits: Vec<u64> = (0..TRACEPOINTS).map(|_| random.u64(..1_000)).collect();
            host.window(5 * S, &hits, &[]);
            host.work();
        }
        peaks.push(peak());
    }
    host.writer.finish();
    let read = History::open(folder, HistoryChoice::default()).unwrap().windows().filter(Result::is_ok).count();
    assert_eq!(read, 12 * 720);
    let (begin, later, end) = (peaks[0], peaks[6], peaks[12]);
    println!("peaks of {peaks:?} KiB while writing, and {} KiB after reading", peak());
    assert!(end - later < 1_024 && peak() - begin < 24 << 10, "{peaks:?}, {}", peak());
}

/// The most memory of this process until now, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse().unwrap()
}
