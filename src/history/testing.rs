//! Facts, windows and clocks for tests.

use super::facts::HistoryFacts;
use super::keep::Keep;
use super::layout::HistoryLevel;
use super::reader::History;
use super::reports::HistoryReport;
use super::sources::HistoryChoice;
use super::wall::{ClockReading, HistoryClock};
use super::window::{HistoryHits, HistoryWindow};
use super::writer::HistoryWriter;
use crate::events::{Cpu, Estimated, Ns, Partly, Rung, Sink, Slot, Tick, Tpid};
use crate::recording::Tool;
use crate::tracefs::Table;
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::{fs, io};

/// 2026-11-30T14:00:00Z
pub(super) const BEGIN: u64 = 1_796_047_200_000_000_000;
pub(super) const S: u64 = 1_000_000_000;

/// A host with this many tracepoints: `g0:t000` to `g0:t099`, `g1:t100`, …
pub(super) fn facts(tracepoints: u32) -> HistoryFacts {
    let mut watched = std::collections::BTreeMap::<String, Vec<String>>::new();
    (0..tracepoints).for_each(|n| watched.entry(format!("g{}", n / 100)).or_default().push(format!("t{n:03}")));
    HistoryFacts {
        tool: Tool::this(),
        hostname: "here".to_owned(),
        kernel: "6.18.0".to_owned(),
        boot_id: "b".to_owned(),
        cpus: vec![Cpu::new(0)],
        watched,
        left_out: Vec::new(),
    }
}

/// The n-th window of a second, with these hits by tpid.
pub(super) fn window(n: u64, hits: &[(u32, u64)]) -> HistoryWindow {
    let exact = |(tpid, hits): &(u32, u64)| HistoryHits {
        tpid: Tpid::new(*tpid),
        hits: Some(*hits),
        watched: 1.0,
        standard_error: None,
    };
    HistoryWindow { start: Ns(BEGIN + n * S), length_ns: S, hits: hits.iter().map(exact).collect() }
}

/// A clock that a test sets.
#[derive(Debug, Clone)]
pub(super) struct TestClock(Rc<Cell<ClockReading>>);

impl TestClock {
    pub(super) fn at(wall: u64) -> Self {
        let begin = Ns(100 * S);
        TestClock(Rc::new(Cell::new(ClockReading { wall: Ns(wall), monotonic: begin, boot: begin })))
    }

    pub(super) fn get(&self) -> ClockReading {
        self.0.get()
    }

    /// Lets time pass.
    pub(super) fn pass(&self, ns: u64) {
        let ClockReading { wall, monotonic, boot } = self.0.get();
        self.0.set(ClockReading { wall: wall + ns, monotonic: monotonic + ns, boot: boot + ns });
    }

    /// Sets the wall clock.
    pub(super) fn step(&self, by_ns: i64) {
        let reading = self.0.get();
        self.0.set(ClockReading { wall: reading.wall.wrapping_add_signed(by_ns), ..reading });
    }
}

impl HistoryClock for TestClock {
    fn now(&mut self) -> io::Result<ClockReading> {
        Ok(self.0.get())
    }
}

/// The table of a host with the tracepoints of [`facts`].
pub(super) fn table(tracepoints: u32) -> Table {
    let facts = facts(tracepoints);
    let entries = facts.names().map(|(group, name)| (group.to_owned(), name.to_owned(), 1)).collect();
    Table::from_entries(entries)
}

/// A tracepoint that was visited: its tpid, and the part, the hits and their variance; or that was detached.
pub(super) type PartlyWatched = (u32, Option<(f64, f64, f64)>);

/// A host with a monitor.
pub(super) struct Host {
    pub(super) clock: TestClock,
    pub(super) writer: HistoryWriter<TestClock>,
    tracepoints: u32,
    /// All windows, as they should be in the history.
    pub(super) truth: Vec<HistoryWindow>,
    pub(super) reports: Vec<HistoryReport>,
}

impl Host {
    pub(super) fn start(root: &Path, clock: &TestClock, tracepoints: u32) -> Self {
        Host::start_with(root, clock, tracepoints, Keep::default())
    }

    pub(super) fn start_with(root: &Path, clock: &TestClock, tracepoints: u32, keep: Keep) -> Self {
        let writer = HistoryWriter::open(root, facts(tracepoints), &table(tracepoints), keep, clock.clone()).unwrap();
        let mut host = Host { clock: clock.clone(), writer, tracepoints, truth: Vec::new(), reports: Vec::new() };
        host.reports = host.writer.take_reports();
        host
    }

    /// Lets a window of this length pass, with these hits. Then nothing waits.
    pub(super) fn window(&mut self, length_ns: u64, hits: &[(u32, u64)]) {
        self.window_of(length_ns, hits, &[]);
        while self.writer.has_work() {
            self.writer.step();
        }
        self.reports.extend(self.writer.take_reports());
    }

    /// Lets a window pass, in which some tracepoints were watched partly. Work may wait.
    pub(super) fn window_of(&mut self, length_ns: u64, hits: &[(u32, u64)], partly: &[PartlyWatched]) {
        let before = self.clock.get();
        self.clock.pass(length_ns);
        let slots: Vec<Slot> =
            (1..=self.tracepoints).map(|tpid| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(0)) }).collect();
        let mut counts = vec![0; slots.len()];
        hits.iter().for_each(|(tpid, hits)| counts[*tpid as usize - 1] = *hits);
        let partly: Vec<Partly> = partly
            .iter()
            .map(|(tpid, visited)| Partly {
                tpid: Tpid::new(*tpid),
                rung: if visited.is_some() { Rung::Visited } else { Rung::Detached },
                watched: visited.map_or(0.0, |(watched, ..)| watched),
                estimated: visited.map(|(_, hits, variance)| Estimated { hits, variance }),
            })
            .collect();
        let tick = Tick {
            from: before.monotonic,
            to: before.monotonic + length_ns,
            late_ns: 0,
            slots: &slots,
            hits: &counts,
            partly: &partly,
            cost: None,
        };
        let same: Vec<_> = (0..=self.tracepoints).map(|n| (n > 0).then(|| Tpid::new(n))).collect();
        self.truth.push(HistoryWindow::of_tick(&tick, before.wall, &same));
        self.writer.tick(&tick);
    }
}

/// All windows of a history.
pub(super) fn windows_in(root: &Path, level: HistoryLevel) -> Vec<HistoryWindow> {
    let history = History::open(root, HistoryChoice { level, ..HistoryChoice::default() }).unwrap();
    assert!(history.problems().is_empty(), "{:?}", history.problems());
    history.windows().map(|window| window.unwrap().0).collect()
}

/// The sums of all hits by tpid.
pub(super) fn sums(windows: &[HistoryWindow]) -> std::collections::BTreeMap<Tpid, u64> {
    let mut sums = std::collections::BTreeMap::new();
    let hits = windows.iter().flat_map(|window| &window.hits);
    hits.for_each(|hits| *sums.entry(hits.tpid).or_insert(0) += hits.hits.unwrap_or(0));
    sums
}

/// Copies a folder as a kill at this moment would leave it.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The names of all files below a folder.
pub(super) fn files_in(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.is_dir() {
            true => files_in(&path),
            false => vec![path.file_name().unwrap().to_str().unwrap().to_owned()],
        })
        .collect();
    files.sort();
    files
}
