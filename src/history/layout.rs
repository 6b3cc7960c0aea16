//! The places and names of the files of a history.
//!
//! ```text
//!   DIR/windows/host=NAME/date=2026-11-30/14.parquet      an hour, in UTC
//!                                         14-2.parquet    another part of the same hour
//!                                         .15.journal     the current hour
//!   DIR/minutes/host=NAME/date=2026-11-30/14.parquet      the same hour in windows of a minute
//! ```
//!
//! Programs that read a whole folder skip names that begin with a dot.

use super::error::{Error, failed};
use crate::events::Ns;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The nanoseconds of an hour.
pub(super) const HOUR_NS: u64 = 3_600_000_000_000;

/// How long the windows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryLevel {
    /// As long as they were counted.
    #[default]
    Windows,
    /// A minute.
    Minutes,
}

impl HistoryLevel {
    /// Both levels.
    pub const ALL: [HistoryLevel; 2] = [HistoryLevel::Windows, HistoryLevel::Minutes];

    /// The folder of the level.
    pub fn folder(self) -> &'static str {
        match self {
            HistoryLevel::Windows => "windows",
            HistoryLevel::Minutes => "minutes",
        }
    }
}

/// An hour, and the number of a file of that hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HourPart {
    /// The hours since 1970 in UTC.
    pub(super) hour: u64,
    /// The number, from 1.
    pub(super) part: u32,
}

impl HourPart {
    /// The first file of the hour of a time.
    pub(super) fn of(time: Ns) -> Self {
        HourPart { hour: time.0 / HOUR_NS, part: 1 }
    }

    /// The next file of the same hour.
    pub(super) fn next(self) -> Self {
        HourPart { part: self.part.saturating_add(1), ..self }
    }

    /// The begin of the hour.
    pub(super) fn begin(self) -> Ns {
        Ns(self.hour.saturating_mul(HOUR_NS))
    }

    /// The end of the hour.
    pub(super) fn end(self) -> Ns {
        Ns((self.hour + 1).saturating_mul(HOUR_NS))
    }

    /// The date and the hour as text: `2026-11-30` and `14`.
    fn words(self) -> (String, String) {
        let time = UNIX_EPOCH + Duration::from_secs(self.hour * 3_600);
        let text = humantime::format_rfc3339_seconds(time).to_string();
        (text[..10].to_owned(), text[11..13].to_owned())
    }

    /// The hour of a folder `date=…` and of a file name, which have these texts.
    fn of_words(date: &str, hour: &str, part: u32) -> Option<Self> {
        let time: SystemTime = humantime::parse_rfc3339(&format!("{date}T{hour}:00:00Z")).ok()?;
        let hour = time.duration_since(UNIX_EPOCH).ok()?.as_secs() / 3_600;
        // The end of the hour is a number of nanoseconds.
        (hour < u64::MAX / HOUR_NS).then_some(HourPart { hour, part })
    }
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileKind {
    /// A complete file.
    Parquet,
    /// The windows of an hour that is not closed.
    Journal,
    /// A Parquet file in the making.
    Partial,
    /// A journal in which bytes are wrong. What could be read of it is in the Parquet file.
    Damaged,
}

impl FileKind {
    const ALL: [FileKind; 4] = [FileKind::Parquet, FileKind::Journal, FileKind::Partial, FileKind::Damaged];

    /// The begin and the end of the names of such files.
    fn around(self) -> (&'static str, &'static str) {
        match self {
            FileKind::Parquet => ("", ".parquet"),
            FileKind::Journal => (".", ".journal"),
            FileKind::Partial => (".", ".parquet.partial"),
            FileKind::Damaged => (".", ".journal.damaged"),
        }
    }

    /// The name of a file.
    fn name(self, (_, hour): &(String, String), part: u32) -> String {
        let (begin, end) = self.around();
        match part {
            1 => format!("{begin}{hour}{end}"),
            _ => format!("{begin}{hour}-{part}{end}"),
        }
    }

    /// The kind, the hour and the part of a name. `None` for a name that no such file has.
    fn of_name(name: &str) -> Option<(Self, &str, u32)> {
        FileKind::ALL.into_iter().find_map(|kind| {
            let (begin, end) = kind.around();
            let stem = name.strip_prefix(begin)?.strip_suffix(end)?;
            let (hour, part) = stem.split_once('-').unwrap_or((stem, "1"));
            let number: u32 = part.parse().ok()?;
            let is_written_so = part == number.to_string() && (stem.contains('-') == (number > 1)) && number > 0;
            let is_hour = hour.len() == 2 && hour.bytes().all(|digit| digit.is_ascii_digit());
            (is_written_so && is_hour).then_some((kind, hour, number))
        })
    }
}

/// A file of a history.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HistoryFile {
    pub(super) hour: HourPart,
    pub(super) kind: FileKind,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// The files of one host.
#[derive(Debug, Clone)]
pub(super) struct HistoryPlace {
    root: PathBuf,
    /// `host=NAME`
    host: String,
}

impl HistoryPlace {
    pub(super) fn new(root: &Path, hostname: &str) -> Self {
        HistoryPlace { root: root.to_owned(), host: format!("host={}", encode_host(hostname)) }
    }

    /// The file that a monitor locks.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.join(format!(".{}.lock", self.host))
    }

    /// The folder of the host at a level.
    fn folder(&self, level: HistoryLevel) -> PathBuf {
        self.root.join(level.folder()).join(&self.host)
    }

    pub(super) fn path(&self, level: HistoryLevel, hour: HourPart, kind: FileKind) -> PathBuf {
        let words = hour.words();
        self.folder(level).join(format!("date={}", words.0)).join(kind.name(&words, hour.part))
    }

    /// All files of the host at a level, by hour and part. Other files are not listed.
    pub(super) fn files(&self, level: HistoryLevel) -> Result<Vec<HistoryFile>, Error> {
        files_of_host(&self.folder(level))
    }

    /// The number of the next file of an hour.
    pub(super) fn free(&self, time: Ns) -> Result<HourPart, Error> {
        let first = HourPart::of(time);
        let mut most = 0;
        for level in HistoryLevel::ALL {
            let path = self.path(level, first, FileKind::Parquet);
            let files = match path.parent().map_or(Ok(Vec::new()), files_of_date) {
                // Closing finds another number, if the minutes have this one.
                Err(_) if level == HistoryLevel::Minutes => Vec::new(),
                files => files?,
            };
            let parts = files.iter().filter(|file| file.hour.hour == first.hour).map(|file| file.hour.part);
            most = parts.fold(most, u32::max);
        }
        Ok(HourPart { part: most.saturating_add(1), ..first })
    }
}

/// All files in the folder of a host, by hour and part. A folder that is missing has none.
pub(super) fn files_of_host(folder: &Path) -> Result<Vec<HistoryFile>, Error> {
    let mut files = Vec::new();
    for name in names(folder)? {
        if name.starts_with("date=") {
            files.extend(files_of_date(&folder.join(name))?);
        }
    }
    files.sort();
    Ok(files)
}

/// All files in the folder of a date, by hour and part.
pub(super) fn files_of_date(folder: &Path) -> Result<Vec<HistoryFile>, Error> {
    let date = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("date="));
    let Some(date) = date else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for name in names(folder)? {
        let Some((kind, hour, part)) = FileKind::of_name(&name) else { continue };
        let Some(hour) = HourPart::of_words(date, hour, part) else { continue };
        let path = folder.join(&name);
        // A file can go away at any time. A link or a folder is none of tp-perf's.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_file() {
            files.push(HistoryFile { hour, kind, path, bytes: metadata.len() });
        }
    }
    files.sort();
    Ok(files)
}

/// The names of the hosts in the folder of a level, as they are on disk and as they are meant.
pub(super) fn hosts(folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut hosts: Vec<_> = names(folder)?
        .into_iter()
        .filter_map(|name| Some((folder.join(&name), decode_host(name.strip_prefix("host=")?))))
        .collect();
    hosts.sort();
    Ok(hosts)
}

/// The names in a folder that are text. A folder that is missing has none.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("read the folder", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("read the folder", folder))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

/// A host name as a part of a path: bytes other than letters, digits and `.-_` become `%41`, as other programs write them.
fn encode_host(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    name.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The host name of a part of a path.
pub(super) fn decode_host(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        let place = HistoryPlace::new(Path::new("/h"), "a b/é.x_1");
        // 2026-11-30T14:00:00Z
        let time = Ns(1_796_047_200_000_000_000);
        for part in [1, 2, 10] {
            for kind in FileKind::ALL {
                let hour = HourPart { part, ..HourPart::of(time) };
                let path = place.path(HistoryLevel::Minutes, hour, kind);
                let name = path.file_name().unwrap().to_str().unwrap();
                let (read, of_day, number) = FileKind::of_name(name).unwrap();
                let date = path.parent().unwrap().file_name().unwrap().to_str().unwrap().strip_prefix("date=").unwrap();
                assert_eq!((read, number), (kind, part), "{name}");
                assert_eq!(HourPart::of_words(date, of_day, number), Some(hour), "{path:?}");
            }
        }
        let path = place.path(HistoryLevel::Windows, HourPart::of(time), FileKind::Parquet);
        assert_eq!(path, Path::new("/h/windows/host=a%20b%2F%C3%A9.x_1/date=2026-11-30/14.parquet"));
        assert_eq!(decode_host("a%20b%2F%C3%A9.x_1%"), "a b/é.x_1%");
    }

    #[test]
    fn only_names_that_tp_perf_writes_are_understood() {
        let others = [
            "14.parquet.bak",
            "4.parquet",
            "014.parquet",
            "14-1.parquet",
            "14-02.parquet",
            "14-0.parquet",
            "14-+2.parquet",
            "data.parquet",
            ".14.parquet",
            "14.journal",
            ".14.journal.damaged.damaged",
            "1x.parquet",
            "14-.parquet",
        ];
        for name in others {
            assert_eq!(FileKind::of_name(name), None, "{name}");
        }
        for (date, hour) in [("2026-13-01", "01"), ("2026-11-30", "24"), ("1969-12-31", "23"), ("9999-01-01", "00")] {
            assert_eq!(HourPart::of_words(date, hour, 1), None, "{date} {hour}");
        }
        let last = HourPart::of(Ns(u64::MAX));
        assert_eq!(last.words(), ("2554-07-21".to_owned(), "23".to_owned()));
    }

    #[test]
    fn the_next_file_of_an_hour_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let place = HistoryPlace::new(folder.path(), "h");
        let time = Ns(1_796_047_200_000_000_000);
        let hour = HourPart::of(time);
        assert_eq!(place.free(time).unwrap(), hour);
        let make = |level, part, kind| {
            let path = place.path(level, HourPart { part, ..hour }, kind);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        make(HistoryLevel::Windows, 1, FileKind::Parquet);
        assert_eq!(place.free(time).unwrap().part, 2);
        make(HistoryLevel::Minutes, 4, FileKind::Parquet);
        make(HistoryLevel::Windows, 2, FileKind::Journal);
        assert_eq!(place.free(time).unwrap().part, 5);
        make(HistoryLevel::Windows, 5, FileKind::Damaged);
        assert_eq!(place.free(time).unwrap().part, 6);
        let listed: Vec<_> = place.files(HistoryLevel::Windows).unwrap();
        assert_eq!(
            listed.iter().map(|file| (file.hour.part, file.bytes)).collect::<Vec<_>>(),
            [(1, 1), (2, 1), (5, 1)]
        );
    }
}
