//! The notes of a Parquet file: JSON in its metadata, under the key `tp_perf.history`.

use super::facts::{HistoryFacts, SCHEMA};
use super::frame::{HistoryEvent, JournalHeader};
use super::layout::HistoryLevel;
use super::window::HistoryWindow;
use crate::events::Ns;
use serde::{Deserialize, Serialize};

/// The key of the notes in the metadata.
pub(super) const NOTES_KEY: &str = "tp_perf.history";

/// The most events of an hour, and the most bytes that they take as JSON.
pub(super) const MOST_EVENTS: usize = 1_000;
const MOST_EVENT_BYTES: usize = 256 << 10;
/// The most windows without hits that are listed.
const MOST_SILENT: usize = 40_000;

/// What a file has beside its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FileNotes {
    pub(super) schema: u32,
    pub(super) level: HistoryLevel,
    /// The random number of the journal that became this file.
    pub(super) journal: String,
    /// The number of windows, with and without rows.
    pub(super) windows: u64,
    /// The begin of the first window and the end of the last one, in nanoseconds since 1970.
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    /// The sum of the lengths of all windows.
    pub(super) counted_ns: u64,
    /// The windows that have no rows, because nothing was hit: begins in nanoseconds since 1970, and lengths.
    pub(super) silent_windows: Vec<(u64, u64)>,
    /// The number of windows without rows that are not listed.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) silent_windows_left_out: u64,
    /// The bytes of the journal that could not be read.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) damaged_bytes: u64,
    /// What happened in the hour.
    pub(super) events: Vec<HistoryEvent>,
    /// The number of events that are not in the list.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) events_left_out: u64,
    #[serde(skip)]
    event_bytes: usize,
    #[serde(flatten)]
    pub(super) facts: HistoryFacts,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

/// The key of the checksums in a file's metadata.
pub(super) const CHECK_KEY: &str = "tp_perf.check";

/// The checksums of a file (CRC-32): of the bytes before its footer, and of its notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileCheck {
    /// The number of bytes before the footer.
    pub(super) bytes: u64,
    pub(super) crc32: u32,
    pub(super) notes_crc32: u32,
}

impl FileNotes {
    /// The notes of a file without windows.
    pub(super) fn new(level: HistoryLevel, header: &JournalHeader) -> Self {
        FileNotes {
            schema: SCHEMA,
            level,
            journal: header.journal.clone(),
            windows: 0,
            start_ns: 0,
            end_ns: 0,
            counted_ns: 0,
            silent_windows: Vec::new(),
            silent_windows_left_out: 0,
            damaged_bytes: 0,
            events: Vec::new(),
            events_left_out: 0,
            event_bytes: 0,
            facts: header.facts.clone(),
        }
    }

    /// Adds a window.
    pub(super) fn add(&mut self, window: &HistoryWindow) {
        let Ns(start) = window.start;
        if self.windows == 0 {
            self.start_ns = start;
        }
        self.windows += 1;
        self.end_ns = self.end_ns.max(window.end().0);
        self.counted_ns = self.counted_ns.saturating_add(window.length_ns);
        if window.hits.is_empty() {
            match self.silent_windows.len() < MOST_SILENT {
                true => self.silent_windows.push((start, window.length_ns)),
                false => self.silent_windows_left_out += 1,
            }
        }
    }

    /// Adds an event.
    pub(super) fn add_event(&mut self, event: HistoryEvent) {
        let bytes = serde_json::to_string(&event).map_or(MOST_EVENT_BYTES, |json| json.len());
        if self.events.len() >= MOST_EVENTS || self.event_bytes + bytes > MOST_EVENT_BYTES {
            self.events_left_out += 1;
            return;
        }
        self.event_bytes += bytes;
        self.events.push(event);
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("the notes have only text and numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{BEGIN, S, facts, window};

    #[test]
    fn the_notes_are_bounded_and_read_as_they_were_written() {
        let header = JournalHeader { schema: 1, journal: "ab".to_owned(), facts: facts(3) };
        let mut notes = FileNotes::new(HistoryLevel::Minutes, &header);
        (0..3).for_each(|n| notes.add(&window(n, if n == 1 { &[] } else { &[(1, 1)] })));
        assert_eq!((notes.windows, notes.start_ns, notes.end_ns), (3, BEGIN, BEGIN + 3 * S));
        assert_eq!(notes.silent_windows, [(BEGIN + S, S)]);
        let event = |text: String| HistoryEvent { time_ns: BEGIN, kind: "note".to_owned(), facts: text.into() };
        notes.add_event(event("a".repeat(MOST_EVENT_BYTES)));
        (0..=MOST_EVENTS).for_each(|_| notes.add_event(event("x".to_owned())));
        assert_eq!((notes.events.len(), notes.events_left_out), (MOST_EVENTS, 2));
        (0..MOST_SILENT).for_each(|n| notes.add(&window(3 + n as u64, &[])));
        assert_eq!((notes.silent_windows.len(), notes.silent_windows_left_out), (MOST_SILENT, 1));
        let json = notes.to_json();
        assert!(json.len() < 2 << 20 && json.contains(r#""level":"minutes""#), "{}", json.len());
        let read: FileNotes = serde_json::from_str(&json).unwrap();
        assert_eq!(read, FileNotes { event_bytes: 0, ..notes });
    }
}
