//! Kills at random moments.

use super::host::{BEGIN, Host, S};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tp_perf::history::{History, HistoryChoice, HistoryLevel};

const TRACEPOINTS: u32 = 40;
/// The length of a window: each hour has 60, so hours are closed all the time.
const LENGTH: u64 = 60 * S;

/// How often the monitor is killed.
fn number_of_kills() -> usize {
    if std::env::var_os("TP_PERF_ENDURANCE").is_some() { 1_000 } else { 60 }
}

/// The hits in a window, which its number decides.
fn hits(window: u64) -> Vec<u64> {
    let mut random = Rng::with_seed(window);
    (0..TRACEPOINTS).map(|_| if random.bool() { 0 } else { random.u64(1..1_000_000) }).collect()
}

/// The child: writes windows until it is killed, and prints the number of each that is written.
pub fn write(folder: &Path, first: u64) {
    let mut random = Rng::new();
    let mut host = Host::start(folder, first * LENGTH, TRACEPOINTS);
    let mut out = std::io::stdout().lock();
    for window in first.. {
        host.window(LENGTH, &hits(window), &[]);
        writeln!(out, "{window}").and_then(|()| out.flush()).unwrap();
        // Ticks come while an hour is half closed.
        (0..random.u32(..4)).for_each(|_| host.writer.step());
    }
}

/// A monitor that runs.
struct Monitor {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Monitor {
    fn start(folder: &Path, first: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["history", "write"]).arg(folder).arg(first.to_string()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Monitor { child, out }
    }

    /// Kills it, and returns the number of the last window that it reported.
    fn kill(mut self) -> Option<u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().last().map(|number| number.parse().unwrap())
    }
}

pub fn kills() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Rng::new();
    println!("TP_PERF_SEED={}", random.get_seed());
    let (mut first, mut written) = (0, Vec::new());
    for _ in 0..number_of_kills() {
        let mut monitor = Monitor::start(folder.path(), first);
        let mut line = String::new();
        for _ in 0..random.u32(1..80) {
            line.clear();
            monitor.out.read_line(&mut line).unwrap();
        }
        std::thread::sleep(Duration::from_micros(random.u64(..2_000)));
        let last = monitor.kill().unwrap_or_else(|| line.trim().parse().unwrap());
        written.extend(first..=last);
        // The next window may be written, or half written.
        first = last + 2;
    }
    let windows = read(folder.path(), HistoryLevel::Windows);
    let missing: Vec<&u64> = written.iter().filter(|number| !windows.contains_key(number)).collect();
    let some = &missing[..missing.len().min(20)];
    assert!(missing.is_empty(), "{} of {} windows are missing: {some:?}", missing.len(), written.len());
    // Beside the windows that were reported, there is at most one for each kill.
    let unreported = windows.len() - written.len();
    assert!(unreported <= number_of_kills(), "{unreported}");
    println!("{} kills, {} windows, {unreported} of them not reported", number_of_kills(), windows.len());
    windows.iter().for_each(|(number, read)| assert_eq!(*read, hits(*number), "window {number}"));
    // The last journal is not rolled up yet.
    let mut last = Host::start(folder.path(), (first + 60) * LENGTH, TRACEPOINTS);
    last.writer.finish();
    assert_eq!(read(folder.path(), HistoryLevel::Windows), windows);
    assert_eq!(read(folder.path(), HistoryLevel::Minutes), windows);
}

/// The windows of a history by number. Each has one number.
fn read(folder: &Path, level: HistoryLevel) -> BTreeMap<u64, Vec<u64>> {
    let history = History::open(folder, HistoryChoice { level, ..HistoryChoice::default() }).unwrap();
    assert!(history.problems().is_empty(), "{:?}", history.problems());
    let mut windows = BTreeMap::new();
    for window in history.windows() {
        let (window, _) = window.unwrap();
        assert_eq!(window.length_ns, LENGTH);
        let mut hits = vec![0; TRACEPOINTS as usize];
        window.hits.iter().for_each(|row| hits[row.tpid.index() - 1] = row.hits.unwrap());
        let number = (window.start.0 - BEGIN) / LENGTH;
        assert_eq!(windows.insert(number, hits), None, "window {number} is there twice");
    }
    windows
}
