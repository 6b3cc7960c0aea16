//! What a perf.data file says before its first event.

use crate::events::{Cpu, SampleId};
use crate::perf_data::features::Features;
use crate::perf_data::tracing_data::{self, Named};
use crate::perf_data::{Attr, kind};
use crate::tracefs::Table;
use byteorder::{ByteOrder, NativeEndian};
use std::collections::HashMap;

/// Marks a HEADER_EVENT_TYPE record as tp-perf's own.
pub(super) const MARK: [u8; 8] = *b"tp-perf\0";

/// Bytes of the longest note: the arguments of a command have at most 2 MiB, and double as JSON.
const MOST_NOTE: usize = 16 << 20;

/// How many notes a file has at most: one before the events, one or two behind them.
const MOST_NOTES: usize = 16;

/// The update that gives an event's name (`PERF_EVENT_UPDATE__NAME`).
const UPDATE_NAME: u64 = 2;

/// How one event was opened, and the sample ids of all that were opened so, one for each CPU or process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// How.
    pub attr: Attr,
    /// Their ids.
    pub ids: Vec<SampleId>,
}

/// Collects what the records of the header say.
#[derive(Debug, Default)]
pub struct Header {
    /// How events were opened.
    pub events: Vec<Described>,
    /// What the file tells of its recording.
    pub features: Features,
    /// tp-perf's own notes.
    pub notes: Notes,
    names: Vec<Named>,
    cpus: HashMap<SampleId, Cpu>,
    updates: HashMap<SampleId, String>,
}

/// tp-perf's own notes in a file, each one line of text. A long one is spread over several records.
#[derive(Debug, Default)]
pub struct Notes {
    partial: Vec<u8>,
    /// Those that are whole.
    pub whole: Vec<String>,
}

impl Notes {
    /// Takes in the body of a HEADER_EVENT_TYPE record; what is not tp-perf's is passed over. False if there is no end to
    /// it.
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

    /// Whether none is left without its end.
    pub fn is_whole(&self) -> bool {
        self.partial.is_empty()
    }
}

impl Header {
    /// Whether records of this type describe events, and so stand before them.
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

    /// Takes in the body of such a record. That of TRACING_DATA is followed by bytes for
    /// [`take_tracing_data`](Self::take_tracing_data).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, kind: u32, body: &[u8]) -> Result<(), String> {
        let word = |offset: usize| body.get(offset..offset + 8).map(NativeEndian::read_u64);
        match kind {
            kind::HEADER_ATTR => {
                let (attr, size) = Attr::parse(body).ok_or("an attribute that is not all there")?;
                self.events.push(Described { attr, ids: sample_ids(&body[size..]) });
            }
            kind::HEADER_EVENT_TYPE if !self.notes.take(body) => {
                return Err("tp-perf's own note has no end".to_owned());
            }
            kind::ID_INDEX => {
                let count = word(0).ok_or("an index of ids that is not all there")?;
                let entries = body[8..].chunks_exact(32);
                if count > entries.len() as u64 {
                    return Err("an index of ids that is not all there".to_owned());
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
                let id = word(0).ok_or("a feature without a number")?;
                self.features.take(id, &body[8..]);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in the names of tracepoints.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn take_tracing_data(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.names = tracing_data::parse(bytes)?;
        Ok(())
    }

    /// The CPU of a sample id, if the file tells it.
    pub fn cpu(&self, id: SampleId) -> Option<Cpu> {
        self.cpus.get(&id).copied()
    }

    /// All tracepoints that the file names, and those that it opened; and how many of these it does not name.
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
        // The kernel's names have none; in a file there may be anything.
        let plain = |name: String| name.replace(char::is_control, "\u{FFFD}");
        let entries = entries.into_iter().map(|(group, name, id)| (plain(group), plain(name), id)).collect();
        (Table::from_entries(entries), unnamed)
    }

    /// What the file calls an event, beside its tracepoint's name.
    pub fn label(&self, event: &Described) -> Option<&str> {
        let by_id = event.ids.iter().find_map(|id| self.updates.get(id));
        let key = (event.attr.kind, event.attr.config);
        let described = || self.features.event_names.iter().find(|(of, _)| *of == key).map(|(_, name)| name);
        by_id.or_else(described).map(String::as_str)
    }

    fn name_elsewhere(&self, event: &Described) -> Option<(String, String)> {
        let (group, name) = self.label(event)?.split_once(':')?;
        // perf shows modifiers behind a second colon.
        Some((group.to_owned(), name.split(':').next().unwrap_or(name).to_owned()))
    }
}

/// Bytes as sample ids; what is left over is padding.
pub(super) fn sample_ids(bytes: &[u8]) -> Vec<SampleId> {
    bytes.chunks_exact(8).map(NativeEndian::read_u64).map(SampleId).collect()
}
