//! The fuzz targets of histories.

use super::MEMORY;
use std::io;
use std::path::Path;
use tp_perf::events::Ns;
use tp_perf::history::{
    ClockReading, History, HistoryChoice, HistoryClock, HistoryFacts, HistoryWindow, HistoryWriter, Keep,
};
use tp_perf::memory::apart;
use tp_perf::recording::Tool;
use tp_perf::tracefs::Table;

/// The host of the seeds.
pub const HOST: &str = "here";
/// The place of the file in its history.
const FOLDER: &str = "windows/host=here/date=2026-11-30";
/// The begin of a frame.
const MARKER: &[u8] = b"\xF1tpw";

/// Two hours after the journal.
struct LaterClock;

impl HistoryClock for LaterClock {
    fn now(&mut self) -> io::Result<ClockReading> {
        let wall = Ns(1_796_054_400_000_000_000);
        Ok(ClockReading { wall, monotonic: Ns(9), boot: Ns(9) })
    }
}

/// Any bytes as a journal, and then the same bytes with correct checksums. A monitor closes the hour. What was read of the
/// journal is read of the Parquet file.
pub fn journal(bytes: &[u8]) {
    let before = closed(bytes, true);
    let repaired = with_checksums(bytes);
    if repaired != bytes || before.is_empty() {
        // A frame with a checksum can say anything, also what no monitor writes.
        closed(&repaired, false);
    }
}

/// A folder in memory, where there is one: closing an hour waits for the disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Closes a journal, and returns its windows.
fn closed(bytes: &[u8], is_same: bool) -> Vec<HistoryWindow> {
    let root = folder();
    let folder = root.path().join(FOLDER);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(".14.journal"), bytes).unwrap();
    let before = windows(root.path());
    let facts = HistoryFacts {
        tool: Tool::this(),
        hostname: HOST.to_owned(),
        kernel: String::new(),
        boot_id: String::new(),
        cpus: Vec::new(),
        watched: Default::default(),
        left_out: Vec::new(),
    };
    let keep = Keep { bytes: u64::MAX, ..Keep::default() };
    let mut writer = HistoryWriter::open(root.path(), facts, &Table::default(), keep, LaterClock).unwrap();
    writer.finish();
    let after = windows(root.path());
    if is_same {
        assert_eq!(before, after, "closing an hour changes no window");
    }
    before
}

/// Any bytes as the file of an hour.
pub fn hour(bytes: &[u8]) {
    let root = folder();
    let file = root.path().join("14.parquet");
    std::fs::write(&file, bytes).unwrap();
    windows(&file);
}

/// The windows that can be read.
fn windows(path: &Path) -> Vec<HistoryWindow> {
    apart(MEMORY, || {
        let Ok(history) = History::open(path, HistoryChoice::default()) else { return Vec::new() };
        let mut windows: Vec<HistoryWindow> = Vec::new();
        for window in history.windows() {
            let Ok((window, facts)) = window else { continue };
            assert!(windows.last().is_none_or(|last| last.start <= window.start), "windows are in time order");
            assert!(window.hits.is_sorted_by_key(|hits| hits.tpid), "tracepoints are in order");
            for hits in &window.hits {
                assert!((0.0..=1.0).contains(&hits.watched) && history.table().find(hits.tpid).is_some());
            }
            assert!(facts.number() >= window.hits.len(), "only watched tracepoints have hits");
            windows.push(window);
        }
        let _ = history.events();
        windows
    })
}

/// The bytes, with a correct checksum in each frame.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(place) = bytes[at..].windows(MARKER.len()).position(|bytes| bytes == MARKER) {
        let begin = at + place;
        at = begin + MARKER.len();
        let Some(length) = bytes.get(begin + 4..begin + 8) else { break };
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let Some(payload) = bytes.get(begin + 12..begin.saturating_add(12).saturating_add(length)) else { continue };
        let mut crc = !0;
        for byte in bytes[begin + 4..begin + 8].iter().chain(payload) {
            crc ^= u32::from(*byte);
            (0..8).for_each(|_| crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 });
        }
        bytes[begin + 8..begin + 12].copy_from_slice(&(!crc).to_le_bytes());
        at = begin + 12 + length;
    }
    bytes
}
