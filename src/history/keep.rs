//! Which files of a history are kept: by age, and by the size of all.

use super::error::{Error, failed};
use super::layout::{FileKind, HistoryFile, HistoryLevel, HistoryPlace};
use crate::events::Ns;
use crate::units::nanoseconds;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How much of a history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// How long the windows are kept as they were counted.
    pub windows_for: Duration,
    /// How long the windows of a minute are kept.
    pub minutes_for: Duration,
    /// The most bytes of all files of the host.
    pub bytes: u64,
}

impl Default for Keep {
    /// A month of windows (up to 1.5 GB on a busy host), and 400 days of minutes.
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Keep { windows_for: days(30), minutes_for: days(400), bytes: 2 << 30 }
    }
}

impl Keep {
    fn of(&self, level: HistoryLevel) -> Duration {
        match level {
            HistoryLevel::Windows => self.windows_for,
            HistoryLevel::Minutes => self.minutes_for,
        }
    }
}

/// Why a file was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovedBecause {
    /// It was older than its level is kept.
    Age,
    /// All files took more than they may.
    Size,
}

/// A file that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedFile {
    /// Its path.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The reason.
    pub because: RemovedBecause,
}

/// Removes what need not be kept, the oldest files first, and the windows before the minutes. Only complete files and damaged
/// journals are ever removed. `now` is `None` if the clock is not to be trusted; then no file is too old.
///
/// # Errors
/// If a folder cannot be read, or a file cannot be removed. The files before it are removed, and in `removed`.
pub(super) fn remove_old(
    place: &HistoryPlace,
    keep: &Keep,
    now: Option<Ns>,
    removed: &mut Vec<RemovedFile>,
) -> Result<(), Error> {
    let mut all = 0_u64;
    let mut candidates = Vec::new();
    for level in HistoryLevel::ALL {
        let files = place.files(level)?;
        all = files.iter().fold(all, |sum, file| sum.saturating_add(file.bytes));
        let is_candidate = |file: &HistoryFile| matches!(file.kind, FileKind::Parquet | FileKind::Damaged);
        candidates.extend(files.into_iter().filter(is_candidate).map(|file| (level, file)));
    }
    for (level, HistoryFile { hour, path, bytes, .. }) in candidates {
        let is_old = now.is_some_and(|now| now.since(hour.end()) > nanoseconds(keep.of(level)));
        let because = match is_old {
            true => RemovedBecause::Age,
            false if all > keep.bytes => RemovedBecause::Size,
            false => continue,
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
            _ => {}
        }
        all = all.saturating_sub(bytes);
        // This fails as long as the folder of the date has other files.
        let _ = path.parent().map(fs::remove_dir);
        removed.push(RemovedFile { path, bytes, because });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::layout::{HOUR_NS, HourPart};
    use crate::history::testing::BEGIN;
    use std::path::Path;

    fn make(place: &HistoryPlace, level: HistoryLevel, hours_ago: u64, kind: FileKind, bytes: usize) -> PathBuf {
        let path = place.path(level, HourPart::of(Ns(BEGIN - hours_ago * HOUR_NS)), kind);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![0; bytes]).unwrap();
        path
    }

    fn run(place: &HistoryPlace, keep: Keep, now: Option<u64>) -> Vec<(PathBuf, RemovedBecause)> {
        let mut removed = Vec::new();
        remove_old(place, &keep, now.map(Ns), &mut removed).unwrap();
        removed.into_iter().map(|file| (file.path, file.because)).collect()
    }

    #[test]
    fn the_oldest_go_first_and_minutes_last() {
        let folder = tempfile::tempdir().unwrap();
        let place = HistoryPlace::new(folder.path(), "h");
        let (windows, minutes) = (HistoryLevel::Windows, HistoryLevel::Minutes);
        let old: Vec<_> = [50, 30, 3, 2].map(|ago| make(&place, windows, ago, FileKind::Parquet, 100)).into();
        let journal = make(&place, windows, 40, FileKind::Journal, 1_000);
        let damaged = make(&place, windows, 50, FileKind::Damaged, 10);
        let coarse: Vec<_> = [100, 50].map(|ago| make(&place, minutes, ago, FileKind::Parquet, 10)).into();
        let other = old[0].with_file_name("notes.txt");
        fs::write(&other, "mine").unwrap();
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let keep = Keep { windows_for: hours(48), minutes_for: hours(90), bytes: 10_000 };
        // A clock that cannot be trusted makes no file old.
        assert_eq!(run(&place, keep, None), []);
        let age = |path: &PathBuf| (path.clone(), RemovedBecause::Age);
        assert_eq!(run(&place, keep, Some(BEGIN)), [age(&old[0]), age(&damaged), age(&coarse[0])]);
        assert!(other.exists() && !coarse[0].parent().unwrap().exists());
        // The journal counts, but is never removed.
        let size = |path: &PathBuf| (path.clone(), RemovedBecause::Size);
        assert_eq!(run(&place, Keep { bytes: 1_210, ..keep }, Some(BEGIN)), [size(&old[1])]);
        assert_eq!(run(&place, Keep { bytes: 5, ..keep }, Some(BEGIN)), [&old[2], &old[3], &coarse[1]].map(size));
        assert!(journal.exists() && Path::exists(&other));
    }
}
