//! The history of `tp-perf monitor`: its errors, its reports, its size, and its names.

use super::monitor_events::MonitorEvent;
use crate::events::Ns;
use crate::history::{self, History, HistoryChoice, HistoryLevel, HistoryReport};
use crate::os::clock::Clock;
use crate::units::{Bytes, Plural, Seconds};
use anyhow::anyhow;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The files are measured this often.
const MEASURED_EVERY: Duration = Duration::from_secs(600);
/// An hour in nanoseconds.
const HOUR: u64 = 3_600 * 1_000_000_000;

/// Adds the fix to the error of a history.
pub(super) fn in_use(error: history::Error) -> anyhow::Error {
    match error {
        history::Error::InUse { .. } => {
            anyhow!("{error}: stop that one, or choose another folder with --history")
        }
        error => error.into(),
    }
}

/// The tracepoints that a history has hits of.
pub(super) fn names_of_history(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let now = Clock::Realtime.now_ns().ok();
    let mut names = BTreeSet::new();
    for level in HistoryLevel::ALL {
        // The minutes of the current hour are not yet known.
        let from = if level == HistoryLevel::Windows { now.map(|now| now.saturating_sub(HOUR)) } else { None };
        let history = match History::open(folder, HistoryChoice { level, from, ..HistoryChoice::default() }) {
            // Nothing was written yet.
            Err(history::Error::NotAHistory(_)) => continue,
            history => history?,
        };
        let mut was_hit = BTreeSet::new();
        // What is damaged has no names, and the rest has.
        for (window, _) in history.windows().flatten() {
            was_hit
                .extend(window.hits.iter().filter(|hits| hits.hits.is_some_and(|hits| hits > 0)).map(|hits| hits.tpid));
        }
        names.extend(was_hit.into_iter().filter_map(|tpid| Some(history.table().find(tpid)?.full_name())));
    }
    Ok(names)
}

/// The files of a history, measured from time to time.
pub(super) struct HistorySize {
    folder: PathBuf,
    /// Their number, and their size in bytes.
    files: (u64, u64),
    measured: Option<Instant>,
}

impl HistorySize {
    /// The files in this folder, not yet measured.
    pub fn of(folder: &Path) -> Self {
        HistorySize { folder: folder.to_owned(), files: (0, 0), measured: None }
    }

    /// The number of files, and their size in bytes.
    pub fn files(&mut self) -> (u64, u64) {
        if self.measured.is_none_or(|at| at.elapsed() >= MEASURED_EVERY) {
            (self.files, self.measured) = (size_of(&self.folder), Some(Instant::now()));
        }
        self.files
    }

    /// Files came or went, so the next call measures again.
    pub fn changed(&mut self) {
        self.measured = None;
    }
}

/// The number and the size in bytes of all files in a folder.
fn size_of(folder: &Path) -> (u64, u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.fold((0, 0), |(files, bytes), entry| match entry.metadata() {
        Ok(file) if file.is_file() => (files + 1, bytes.saturating_add(file.len())),
        Ok(file) if file.is_dir() => {
            let (more, size) = size_of(&entry.path());
            (files + more, bytes.saturating_add(size))
        }
        _ => (files, bytes),
    })
}

/// What a report of the history means for the user.
pub(super) fn event_of(report: HistoryReport) -> MonitorEvent {
    let note = |text: String| MonitorEvent::Note { text };
    let fault = |error: String| MonitorEvent::Fault { what: "history", error };
    let time = |time: Ns| humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_nanos(time.0));
    let length = |ns: u64| Seconds(Duration::from_nanos(ns));
    match report {
        HistoryReport::Recovered { path, windows } => note(format!(
            "history: kept {} of {}, which an earlier monitor did not close",
            Plural(windows, "window"),
            path.display()
        )),
        HistoryReport::DamagedJournal { path, bytes } => note(format!(
            "history: {} of {} could not be read; everything else in it is kept",
            Bytes(bytes),
            path.display()
        )),
        HistoryReport::Closed { path, windows, rows, bytes } => note(format!(
            "history: wrote {} with {} in {} ({})",
            path.display(),
            Plural(windows, "window"),
            Plural(rows, "row"),
            Bytes(bytes)
        )),
        HistoryReport::Failing { error, .. } => fault(format!("{error}; windows are kept in memory for about an hour")),
        HistoryReport::Losing { since } => {
            fault(format!("the memory for windows is used up: from {} on, the oldest ones are lost", time(since)))
        }
        HistoryReport::WorksAgain { lost, .. } => MonitorEvent::FaultEnd { what: "history", lost: Some(lost) },
        HistoryReport::NotClosed { error, .. } => MonitorEvent::Fault {
            what: "history-close",
            error: format!("an hour could not be closed, so its journal stays: {error}"),
        },
        HistoryReport::NotRemoved { error } => {
            MonitorEvent::Fault { what: "history-remove", error: format!("old files could not be removed: {error}") }
        }
        HistoryReport::Removed(files) => note(format!(
            "history: removed {}, as the limits of age and size ask",
            Plural(files.len() as u64, "old file")
        )),
        HistoryReport::ClockStepped { by_ns } => {
            let direction = if by_ns < 0 { "back" } else { "forward" };
            note(format!("the wall clock was set {direction} by {}", length(by_ns.unsigned_abs())))
        }
        HistoryReport::Slept { for_ns } => note(format!("the machine slept for {}", length(for_ns))),
    }
}
