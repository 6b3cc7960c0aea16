//! A history as a source: the part of it that a user asks for.

use super::error::Error;
use super::layout::HistoryLevel;
use super::reader::History;
use super::sources::HistoryChoice;
use crate::events::{Filter, Ns};
use crate::units::Moment;
use std::ffi::OsStr;
use std::path::Path;

/// Of a longer time, the minutes are read, unless the path leads to windows. A day of windows takes a second or two.
const LONG_NS: u64 = 2 * 86_400 * 1_000_000_000;

/// Whether a path looks like that of a history, or of a file of one.
pub fn is_history(path: &Path) -> bool {
    if path.is_file() {
        return path.extension().is_some_and(|extension| extension == "parquet");
    }
    let is_part = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("host=") || name.starts_with("date=")
    };
    let levels = HistoryLevel::ALL.map(|level| path.join(level.folder()));
    if !path.is_dir() || path.join(crate::recording::EVENTS).exists() {
        return false;
    }
    path.file_name().is_some_and(is_part)
        || levels.iter().any(|folder| folder.is_dir())
        || std::fs::read_dir(path).is_ok_and(|entries| entries.flatten().any(|entry| is_part(&entry.file_name())))
}

impl History {
    /// Opens the part of a history that `part` chooses by time. Its times are those of the wall clock, or count from the first window.
    /// Of a long time, it reads the sums of minutes if `least` allows them. Of a time before the first window, it always does.
    ///
    /// # Errors
    /// As [`open`](Self::open). Also if the part is chosen by something that a history does not have.
    pub fn open_part(path: &Path, part: &Filter, least: HistoryLevel) -> Result<Self, Error> {
        let unknown = [
            (part.events.is_some(), "numbers of events"),
            (part.cpus.is_some(), "CPUs"),
            (part.processes.chooses(), "processes"),
        ];
        if let Some((_, what)) = unknown.iter().find(|(is_chosen, _)| *is_chosen) {
            return Err(Error::HasNo { path: path.to_owned(), what });
        }
        let open = |level, from, to| Self::open(path, HistoryChoice { level, from, to, host: None });
        let has_both = HistoryLevel::ALL.iter().all(|level| path.join(level.folder()).is_dir());
        let windows = open(HistoryLevel::Windows, None, None)?;
        let of_windows = windows.span();
        let span = match of_windows {
            None if has_both => open(HistoryLevel::Minutes, None, None)?.span(),
            span => span,
        };
        let Some((first, last)) = span else { return Ok(windows) };
        let time = |moment: Moment| moment.absolute(first);
        let (from, to) = (part.from.map(time), part.to.map(time));
        let begin = from.unwrap_or(first);
        let is_long = to.unwrap_or(last).min(last).since(begin) > LONG_NS;
        // Minutes are kept for longer than windows.
        let is_old = begin < first || of_windows.is_none();
        let level = match has_both && (is_old || is_long && least == HistoryLevel::Minutes) {
            true => HistoryLevel::Minutes,
            false => HistoryLevel::Windows,
        };
        if (level, from, to) == (HistoryLevel::Windows, None, None) { Ok(windows) } else { open(level, from, to) }
    }

    /// Whether it has the sums of minutes instead of all windows.
    pub fn has_minutes(&self) -> bool {
        self.choice.level == HistoryLevel::Minutes
    }
}

/// A wall-clock time as other files have it.
pub fn wall_words(time: Ns) -> String {
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(time.0);
    humantime::format_rfc3339_millis(time).to_string()
}
