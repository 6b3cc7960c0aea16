//! The newest recording in a folder, for commands that name none.

use crate::memory::{Held, MemoryOf};
use crate::os::files::open_to_read;
use crate::perf_data::MAGIC;
use crate::recording;
use serde::Deserialize;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The newest recording in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// The name of its directory in the folder.
    pub name: PathBuf,
    /// How many recordings the folder has.
    pub of: usize,
}

/// The newest recording directly in a folder, or the folder itself; `None` if there is none. A recording is a directory with events.perf or log.csv.
/// Its time is the start of its capture, from summary.json. If summary.json has no such time, for example because the capture
/// was killed, the time is that of the last write to its events or its log.
///
/// # Errors
/// If the folder cannot be read.
pub fn newest(folder: &Path) -> io::Result<Option<Newest>> {
    let mut recordings = Vec::new();
    // The folder itself can be the recording.
    if let Some(started) = started(folder) {
        recordings.push((started, PathBuf::from(".")));
    }
    for entry in fs::read_dir(folder)? {
        let name = PathBuf::from(entry?.file_name());
        recordings.extend(started(&folder.join(&name)).map(|started| (started, name)));
    }
    let of = recordings.len();
    // Names order recordings that started at the same moment, so the answer is always the same.
    Ok(recordings.into_iter().max().map(|(_, name)| Newest { name, of }))
}

/// The start time of a recording; `None` if the directory is not a recording.
fn started(directory: &Path) -> Option<SystemTime> {
    let has_content = |file: &Metadata| file.is_file() && file.len() > 0;
    let begins = |name: &str, bytes: &[u8]| {
        let mut file = open_to_read(&directory.join(name)).ok()?;
        let metadata = file.metadata().ok().filter(has_content)?;
        let mut begin = vec![0; bytes.len()];
        file.read_exact(&mut begin).ok()?;
        (begin == bytes).then_some(metadata)
    };
    let content = begins(recording::EVENTS, &MAGIC).or_else(|| begins(recording::LOG, b"timestamp,"))?;
    let written = content.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Some(noted(directory).unwrap_or(written))
}

/// The start time of a recording, from its summary.
fn noted(directory: &Path) -> Option<SystemTime> {
    #[derive(Deserialize)]
    struct Noted {
        started: Option<String>,
    }
    // Anything can have this name: a pipe that nobody writes to, or a file without an end.
    let file = open_to_read(&directory.join(recording::SUMMARY)).ok()?;
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    let _held = Held::take(MemoryOf::File, metadata.len()).ok()?;
    let mut summary = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    file.take(metadata.len()).read_to_end(&mut summary).ok()?;
    let started = serde_json::from_slice::<Noted>(&summary).ok()?.started?;
    // A time that is still to come is from a machine whose clock is wrong.
    humantime::parse_rfc3339_weak(&started).ok().filter(|started| *started <= SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    /// A recording whose events were written this many seconds after the epoch.
    fn record(folder: &Path, name: &str, written: u64, started: Option<&str>) {
        let directory = folder.join(name);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(recording::EVENTS), "PERFILE2 and so on").unwrap();
        let events = File::options().write(true).open(directory.join(recording::EVENTS)).unwrap();
        events.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(written)).unwrap();
        if let Some(started) = started {
            fs::write(directory.join(recording::SUMMARY), format!(r#"{{"started":"{started}"}}"#)).unwrap();
        }
    }

    fn found(folder: &Path) -> Option<(String, usize)> {
        newest(folder).unwrap().map(|newest| (newest.name.display().to_string(), newest.of))
    }

    #[test]
    fn the_newest_is_the_one_that_started_last_and_not_the_one_that_was_touched_last() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("other")).unwrap();
        fs::write(folder.path().join("events.perf"), "this is not a file of perf").unwrap();
        fs::create_dir(folder.path().join("notes")).unwrap();
        fs::write(folder.path().join("notes/log.csv"), "hello").unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        fs::write(folder.path().join("empty/events.perf"), "").unwrap();
        assert_eq!(found(folder.path()), None);
        record(folder.path(), "copied", 2_000_000_000, Some("2026-11-01T00:00:00Z"));
        record(folder.path(), "later", 1, Some("2026-11-02T00:00:00.5Z"));
        assert_eq!(found(folder.path()), Some(("later".to_owned(), 2)));
        // A killed capture left no summary, and a damaged one has no time.
        record(folder.path(), "killed", 1_900_000_000, None);
        record(folder.path(), "damaged", 1_800_000_000, Some("yesterday"));
        assert_eq!(found(folder.path()), Some(("killed".to_owned(), 4)));
        record(folder.path(), "in another century", 1, Some("9999-12-31T23:59:59Z"));
        assert_eq!(found(folder.path()), Some(("killed".to_owned(), 5)), "by the time of its file");
        assert!(newest(&folder.path().join("nowhere")).is_err());
        assert_eq!(found(&folder.path().join("later")), Some((".".to_owned(), 1)));
    }

    #[test]
    fn a_pipe_in_the_place_of_a_summary_does_not_hold_anything_up() {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path(), "rec", 1, None);
        nix::unistd::mkfifo(&folder.path().join("rec/summary.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(found(folder.path()), Some(("rec".to_owned(), 1)));
    }
}
