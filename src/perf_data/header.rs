//! The part of a perf.data file before its first event.

use crate::events::{Cpu, SampleId};
use crate::perf_data::features::Features;
use crate::perf_data::tracing_data::{self, Named};
use crate::perf_data::{Attr, Shortfall, kind};
use crate::tracefs::Table;
use byteorder::{ByteOrder, NativeEndian};
use std::collections::HashMap;

/// The mark of tp-perf's own HEADER_EVENT_TYPE records.
pub(super) const MARK: [u8; 8] = *b"tp-perf\0";

/// The maximum size of a note in bytes. The arguments of a command take at most 2 MiB, and twice that as
/// JSON.
const MOST_NOTE: usize = 16 << 20;

/// The maximum number of notes in a file. tp-perf writes one before the events, and one or two behind them.
const MOST_NOTES: usize = 16;

/// The type of EVENT_UPDATE that contains an event's name (`PERF_EVENT_UPDATE__NAME`).
const UPDATE_NAME: u64 = 2;

/// An attribute, and the sample ids of all events opened with it, one per CPU or process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The attribute.
    pub attr: Attr,
    /// The sample ids.
    pub ids: Vec<SampleId>,
}

/// The contents of the records of the header.
#[derive(Debug, Default)]
pub struct Header {
    /// The events of the file.
    pub events: Vec<Described>,
    /// perf's data about the machine and the recording.
    pub features: Features,
    /// tp-perf's own notes.
    pub notes: Notes,
    /// Whether a record follows that describes no events. perf always writes one behind the header, even if no
    /// event occurs.
    pub is_followed: bool,
    /// What is missing from the records of the header.
    pub shortfall: Option<Shortfall>,
    names: Vec<Named>,
    cpus: HashMap<SampleId, Cpu>,
    updates: HashMap<SampleId, String>,
}

/// tp-perf's own notes in a file. Each is one line of text. A long note takes several records.
#[derive(Debug, Default)]
pub struct Notes {
    partial: Vec<u8>,
    /// The complete notes.
    pub whole: Vec<String>,
}

impl Notes {
    /// Takes the body of a HEADER_EVENT_TYPE record. Records that are not tp-perf's own are skipped. Returns
    /// false if a note is too long, or if there are too many notes.
    pub fn take(&mut self, body: &[u8]) -> bool {
        let Some(text) = body.strip_prefix(&MARK) else { return true };
        let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.partial.extend(&text[..end]);
        if self.partial.len() > MOST_NOTE || self.whole.len() > MOST_NOTES {
            return false;
        }
        if self.partial.ends_with(b"\n") {
            self.whole.push(String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned());
        }
        true
    }

    /// Whether no note is incomplete.
    pub fn is_whole(&self) -> bool {
        self.partial.is_empty()
    }
}

impl Header {
    /// Whether records of this type belong to the header, and so come before the events.
    pub fn is_part(kind: u32) -> bool {
        matches!(
            kind,
            kind::HEADER_ATTR
                | kind::HEADER_EVENT_TYPE
                | kind::ID_INDEX
                | kind::EVENT_UPDATE
                | kind::HEADER_FEATURE
                | kind::TRACING_DATA
        )
    }

    /// Takes the body of a record of the header. The names behind a TRACING_DATA record go to
    /// [`take_tracing_data`](Self::take_tracing_data).
    ///
    /// # Errors
    /// A description of what is wrong with the record.
    pub fn take(&mut self, kind: u32, body: &[u8]) -> Result<(), String> {
        let word = |offset: usize| body.get(offset..offset + 8).map(NativeEndian::read_u64);
        match kind {
            kind::HEADER_ATTR => {
                let (attr, size) = Attr::parse(body).ok_or("an attribute is incomplete")?;
                self.events.push(Described { attr, ids: sample_ids(&body[size..]) });
            }
            kind::HEADER_EVENT_TYPE if !self.notes.take(body) => {
                return Err("a note of tp-perf has no end".to_owned());
            }
            kind::ID_INDEX => {
                let count = word(0).ok_or("an index of sample ids is incomplete")?;
                let entries = body[8..].chunks_exact(32);
                if count > entries.len() as u64 {
                    return Err("an index of sample ids is incomplete".to_owned());
                }
                for entry in entries.take(count as usize) {
                    // -1 stands for any CPU.
                    let cpu = u32::try_from(NativeEndian::read_u64(&entry[16..])).ok();
                    if let Some(cpu) = cpu.and_then(|cpu| Cpu::try_from(cpu).ok()) {
                        self.cpus.insert(SampleId(NativeEndian::read_u64(entry)), cpu);
                    }
                }
            }
            kind::EVENT_UPDATE => {
                if let (Some(UPDATE_NAME), Some(id), Some(name)) = (word(0), word(8), body.get(16..)) {
                    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                    self.updates.insert(SampleId(id), String::from_utf8_lossy(name).into_owned());
                }
            }
            kind::HEADER_FEATURE => {
                let id = word(0).ok_or("a feature has no number")?;
                self.features.take(id, &body[8..]);
            }
            _ => self.is_followed |= !Self::is_part(kind),
        }
        Ok(())
    }

    /// Takes the names of tracepoints, in the form of [`tracing_data`].
    ///
    /// # Errors
    /// A description of what is wrong with the names.
    pub fn take_tracing_data(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.names = tracing_data::parse(bytes)?;
        Ok(())
    }

    /// Takes the names of tracepoints from the record at byte `at`. If they cannot be read, the samples still
    /// can, so this is only a shortfall.
    pub(super) fn take_names(&mut self, at: u64, bytes: &[u8]) {
        if let Err(reason) = self.take_tracing_data(bytes) {
            self.shortfall = Some(Shortfall::Names { at, reason });
        }
    }

    /// The CPU of a sample id, if the file has an index of CPUs.
    pub fn cpu(&self, id: SampleId) -> Option<Cpu> {
        self.cpus.get(&id).copied()
    }

    /// The table of all tracepoints that the file names or that were opened, and how many of the opened ones
    /// the file does not name.
    pub fn table(&self) -> (Table, usize) {
        let mut entries: Vec<_> = self.names.iter().cloned().map(|n| (n.group, n.name, n.tracefs_id)).collect();
        let mut known: std::collections::HashSet<u64> = entries.iter().map(|(.., id)| *id).collect();
        let mut unnamed = 0;
        for event in self.events.iter().filter(|event| event.attr.is_tracepoint()) {
            let tracefs_id = event.attr.config;
            if known.insert(tracefs_id) {
                let (group, name) = self.name_elsewhere(event).unwrap_or_else(|| {
                    unnamed += 1;
                    ("unnamed".to_owned(), format!("tracefs_id_{tracefs_id}"))
                });
                entries.push((group, name, tracefs_id));
            }
        }
        // The kernel's names have no control characters, but a file may contain anything.
        let plain = |name: String| name.replace(char::is_control, "\u{FFFD}");
        let entries = entries.into_iter().map(|(group, name, id)| (plain(group), plain(name), id)).collect();
        (Table::from_entries(entries), unnamed)
    }

    /// The name of an event in EVENT_UPDATE records and in the features.
    pub fn label(&self, event: &Described) -> Option<&str> {
        let by_id = event.ids.iter().find_map(|id| self.updates.get(id));
        let key = (event.attr.kind, event.attr.config);
        let described = || self.features.event_names.iter().find(|(of, _)| *of == key).map(|(_, name)| name);
        by_id.or_else(described).map(String::as_str)
    }

    fn name_elsewhere(&self, event: &Described) -> Option<(String, String)> {
        let (group, name) = self.label(event)?.split_once(':')?;
        // perf appends modifiers behind a second colon.
        Some((group.to_owned(), name.split(':').next().unwrap_or(name).to_owned()))
    }
}

/// Reads bytes as sample ids. Remaining bytes are padding.
pub(super) fn sample_ids(bytes: &[u8]) -> Vec<SampleId> {
    bytes.chunks_exact(8).map(NativeEndian::read_u64).map(SampleId).collect()
}
