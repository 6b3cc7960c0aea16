//! Where a flight recorder puts its recordings, and how many it keeps.

use super::FlightNews;
use crate::capture::Error;
use crate::recording::RecordingDir;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The begin of the names of recordings in a folder.
const PREFIX: &str = "flight-";

/// Where recordings go.
#[derive(Debug, Clone)]
pub enum FlightPlace {
    /// Directories with this name and a number. All stay.
    Numbered(PathBuf),
    /// Directories in a folder.
    Folder(FlightFolder),
    /// Nowhere: no recording is written.
    Nowhere,
}

/// A folder for recordings. It keeps the newest ones.
#[derive(Debug, Clone)]
pub struct FlightFolder {
    /// The folder. It must exist.
    pub path: PathBuf,
    /// The most recordings in it.
    pub most: usize,
    /// The most bytes that they take.
    pub bytes: u64,
}

impl FlightPlace {
    /// Makes the directory of the next recording.
    pub(super) fn next(&self) -> Result<RecordingDir, Error> {
        Ok(RecordingDir::create_new(&match self {
            FlightPlace::Numbered(path) => path.clone(),
            FlightPlace::Folder(folder) => folder.path.join(name_at(SystemTime::now())),
            FlightPlace::Nowhere => return Err(Error::Flight(io::Error::other("there is no place for recordings"))),
        })?)
    }

    /// Removes the oldest recordings that are too many, or too much, but not the one that was just `written`.
    pub(super) fn make_room(&self, written: &Path, news: &mut Vec<FlightNews>) {
        if let FlightPlace::Folder(folder) = self {
            folder.make_room(written, news);
        }
    }
}

/// The name of a recording that begins to be written at this time: `flight-20261123T144707Z`.
fn name_at(time: SystemTime) -> String {
    let time = humantime::format_rfc3339_seconds(time).to_string();
    format!("{PREFIX}{}", time.replace(['-', ':'], ""))
}

/// The order of the recordings: by the time in their names, and then by their numbers. `None` for a name that tp-perf does not give.
fn order_of(name: &str) -> Option<(&str, u32)> {
    let (time, number) = match name.strip_prefix(PREFIX)?.split_once('-') {
        Some((time, number)) => (time, number.parse().ok()?),
        None => (name.strip_prefix(PREFIX)?, 1),
    };
    let is_time = time.len() == "20261123T144707Z".len()
        && time.char_indices().all(|(place, letter)| match place {
            8 => letter == 'T',
            15 => letter == 'Z',
            _ => letter.is_ascii_digit(),
        });
    is_time.then_some((time, number))
}

impl FlightFolder {
    fn make_room(&self, written: &Path, news: &mut Vec<FlightNews>) {
        let mut recordings = self.recordings();
        recordings.sort();
        let sizes = recordings.iter().map(|(.., bytes)| *bytes);
        let (mut number, mut bytes) = (recordings.len(), sizes.fold(0, u64::saturating_add));
        // The newest one always stays. The clock may have been set back, so it need not have the latest name.
        recordings.retain(|(_, path, _)| path.file_name() != written.file_name());
        for (_, path, its_bytes) in recordings {
            if number <= self.most && bytes <= self.bytes {
                return;
            }
            match RecordingDir::remove(&path) {
                Ok(true) => {
                    (number, bytes) = (number - 1, bytes.saturating_sub(its_bytes));
                    news.push(FlightNews::Removed { path });
                }
                // Something else is in it, or somebody uses it.
                Ok(false) => {}
                Err(cause) => news.push(FlightNews::NotRemoved { path, cause }),
            }
        }
    }

    /// The recordings in the folder, with their sizes in bytes.
    fn recordings(&self) -> Vec<((String, u32), PathBuf, u64)> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let recording = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let (time, number) = order_of(&name)?;
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            is_directory.then(|| ((time.to_owned(), number), entry.path(), size_of(&entry.path()).unwrap_or(0)))
        };
        entries.filter_map(recording).collect()
    }
}

/// The size in bytes of the files in a directory.
fn size_of(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.try_fold(0_u64, |sum, entry| Ok(sum.saturating_add(entry?.metadata()?.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::FILES;

    fn recording(folder: &Path, name: &str, bytes: usize) {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join(FILES[4]), vec![0; bytes]).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_recordings_make_room_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for (second, number) in [(7, ""), (7, "-2"), (7, "-10"), (9, "")] {
            recording(path, &format!("flight-2026112{second}T144707Z{number}"), 1_000);
        }
        for name in ["flight-of-the-bumblebee", "flight-20261101T144707", "tp-perf-20261101T144707Z"] {
            recording(path, name, 1_000_000);
        }
        // The user has put a file into the oldest one.
        recording(path, "flight-20261101T144707Z", 1_000);
        fs::write(path.join("flight-20261101T144707Z/notes.txt"), "mine").unwrap();
        let mut news = Vec::new();
        let keep = |most, bytes| FlightFolder { path: path.to_owned(), most, bytes };
        let newest = path.join("flight-20261129T144707Z");
        keep(3, 1 << 20).make_room(&newest, &mut news);
        assert!(
            matches!(&news[..], [FlightNews::Removed { path: a }, FlightNews::Removed { path: b }]
            if a.ends_with("flight-20261127T144707Z") && b.ends_with("flight-20261127T144707Z-2")),
            "{news:?}"
        );
        news.clear();
        // The newest one stays, whatever its size.
        keep(3, 10).make_room(&newest, &mut news);
        assert!(matches!(&news[..], [FlightNews::Removed { path }] if path.ends_with("flight-20261127T144707Z-10")));
        let left = [
            "flight-20261101T144707",
            "flight-20261101T144707Z",
            "flight-20261129T144707Z",
            "flight-of-the-bumblebee",
            "tp-perf-20261101T144707Z",
        ];
        assert_eq!(names(path), left);
        assert_eq!(names(&path.join("flight-20261101T144707Z")), ["events.perf", "notes.txt"]);
    }

    #[test]
    fn after_the_clock_was_set_back_the_newest_recording_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["flight-20991231T000000Z", "flight-20991231T000001Z", "flight-20261130T160352Z"] {
            recording(folder.path(), name, 10);
        }
        let mut news = Vec::new();
        let written = folder.path().join("flight-20261130T160352Z");
        FlightFolder { path: folder.path().to_owned(), most: 2, bytes: 1 << 20 }.make_room(&written, &mut news);
        assert_eq!(names(folder.path()), ["flight-20261130T160352Z", "flight-20991231T000001Z"]);
    }
}
