//! A history of a recording's windows, which `report`, `top`, `check` and DuckDB read like that of a monitor.

use super::Error;
use super::windows::{ExportedHits, ExportedWindow, TakesWindows};
use crate::events::{Estimated, Ns, Partly, Rung, Sink, Slot, Tick};
use crate::history::{ClockReading, HistoryClock, HistoryFacts, HistoryReport, HistoryWriter, Keep};
use crate::memory::{Held, MemoryOf};
use crate::tracefs::Table;
use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The most windows, with those that have no hits. More take too long to read.
const MOST_WINDOWS: u64 = 1_000_000;
/// After so many windows, it looks whether the user wants to stop.
const LOOK: u64 = 256;
/// The memory in bytes of a window, and of the hits of a tracepoint in it.
const OF_WINDOW: u64 = 64;
const OF_HITS: u64 = 40;

/// Keeps windows until all of them are known.
pub(super) struct WindowsOfHistory {
    windows: Vec<ExportedWindow>,
    held: Held,
}

impl WindowsOfHistory {
    pub fn new() -> Self {
        WindowsOfHistory { windows: Vec::new(), held: Held::nothing(MemoryOf::Windows) }
    }

    /// Writes the history into a new folder. The windows have this length, also those without hits, until `end`.
    /// `wall_offset_ns` leads from their times to those of the wall clock.
    pub fn write(
        &self,
        folder: &HistoryFolder,
        facts: HistoryFacts,
        table: &Table,
        (length_ns, end): (u64, Ns),
        wall_offset_ns: i64,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<u64, Error> {
        let no_events = || Error::History("no event was chosen, so there is no window to write".to_owned());
        let first = self.windows.first().ok_or_else(no_events)?;
        let clock = RecordedClock { time: Rc::new(Cell::new(first.from)), wall_offset_ns };
        let keep = Keep { windows_for: Duration::MAX, minutes_for: Duration::MAX, bytes: u64::MAX };
        let history = |error: crate::history::Error| Error::History(error.to_string());
        let writer = HistoryWriter::open(&folder.root(), facts, table, keep, clock.clone()).map_err(history)?;
        let mut writing =
            HistoryInMaking { writer, clock, length_ns, next: first.from, number: 0, stop, path: &folder.path };
        for window in &self.windows {
            writing.silent_until(window.from)?;
            writing.window(window)?;
        }
        writing.silent_until(end)?;
        writing.writer.finish();
        writing.check().map(|()| writing.number)
    }
}

/// A history that is being written.
struct HistoryInMaking<'a> {
    writer: HistoryWriter<RecordedClock>,
    clock: RecordedClock,
    length_ns: u64,
    /// The end of the last window.
    next: Ns,
    number: u64,
    stop: &'a mut dyn FnMut() -> bool,
    path: &'a Path,
}

impl HistoryInMaking<'_> {
    fn window(&mut self, window: &ExportedWindow) -> Result<(), Error> {
        self.number += 1;
        if self.number.is_multiple_of(LOOK) && (self.stop)() {
            return Err(Error::Stopped(self.path.display().to_string()));
        }
        if self.number > MOST_WINDOWS {
            return Err(Error::TooManyWindows { most: MOST_WINDOWS });
        }
        self.next = window.from.saturating_add(window.length_ns);
        self.clock.time.set(self.next);
        tick(&mut self.writer, window);
        while self.writer.has_work() {
            self.writer.step();
        }
        self.check()
    }

    /// Writes windows without hits.
    fn silent_until(&mut self, until: Ns) -> Result<(), Error> {
        while self.next < until {
            let length_ns = self.length_ns.min(until.since(self.next));
            self.window(&ExportedWindow { from: self.next, length_ns, hits: Vec::new() })?;
        }
        Ok(())
    }

    /// Fails if the writer could not write. A monitor would try again.
    fn check(&mut self) -> Result<(), Error> {
        for report in self.writer.take_reports() {
            match report {
                HistoryReport::Failing { error, .. }
                | HistoryReport::NotClosed { error, .. }
                | HistoryReport::NotRemoved { error } => return Err(Error::History(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl TakesWindows for WindowsOfHistory {
    fn window(&mut self, window: &ExportedWindow, _table: &Table) -> io::Result<()> {
        self.held.grow(OF_WINDOW + OF_HITS * window.hits.len() as u64)?;
        self.windows.push(window.clone());
        Ok(())
    }
}

fn tick(writer: &mut HistoryWriter<RecordedClock>, window: &ExportedWindow) {
    let exact: Vec<&ExportedHits> = window.hits.iter().filter(|hits| !hits.is_estimate).collect();
    let slots: Vec<Slot> = exact.iter().map(|hits| Slot { tpid: hits.tpid, cpu: None }).collect();
    let hits: Vec<u64> = exact.iter().map(|hits| hits.hits.unwrap_or(0)).collect();
    // A thinned tracepoint is watched as far as its hits are recorded. The error of the estimate is not known.
    let partly = window.hits.iter().filter(|hits| hits.is_estimate).map(|hits| Partly {
        tpid: hits.tpid,
        rung: Rung::Visited,
        watched: hits.watched.into(),
        estimated: hits.hits.map(|hits| Estimated { hits: hits as f64, variance: f64::INFINITY }),
    });
    let partly: Vec<Partly> = partly.collect();
    writer.tick(&Tick {
        from: window.from,
        to: window.from.saturating_add(window.length_ns),
        late_ns: 0,
        slots: &slots,
        hits: &hits,
        partly: &partly,
        cost: None,
    });
}

/// The clocks at the time of a recorded window.
#[derive(Debug, Clone)]
struct RecordedClock {
    time: Rc<Cell<Ns>>,
    wall_offset_ns: i64,
}

impl HistoryClock for RecordedClock {
    fn now(&mut self) -> io::Result<ClockReading> {
        let time = self.time.get();
        Ok(ClockReading { wall: time.wrapping_add_signed(self.wall_offset_ns), monotonic: time, boot: time })
    }
}

/// A new folder, which gets its name once it is complete.
pub(super) struct HistoryFolder {
    making: tempfile::TempDir,
    path: PathBuf,
}

impl HistoryFolder {
    /// A folder that the user named. It may be there if it is empty.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let failed = |verb| move |cause| crate::recording::Error::Io { verb, path: path.to_owned(), cause };
        match path.read_dir().map(Iterator::count) {
            Ok(0) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => return Err(Error::NotEmpty(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Error::NotEmpty(path.to_owned()));
            }
            Err(error) => return Err(failed("read")(error).into()),
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let making = tempfile::Builder::new().prefix(".tp-perf-export-").tempdir_in(parent);
        Ok(HistoryFolder { making: making.map_err(failed("create"))?, path: path.to_owned() })
    }

    fn root(&self) -> PathBuf {
        self.making.path().join("history")
    }

    /// Gives the folder its name. Returns the bytes of its files.
    pub fn finish(self) -> Result<u64, Error> {
        let failed = |cause| crate::recording::Error::Io { verb: "name", path: self.path.clone(), cause };
        let bytes = bytes_in(&self.root()).map_err(failed)?;
        fs::rename(self.root(), &self.path).map_err(failed)?;
        Ok(bytes)
    }
}

fn bytes_in(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => bytes_in(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}
