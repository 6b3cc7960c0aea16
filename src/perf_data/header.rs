//! The part of a perf.data file before its first event.

use crate::events::thinning::Steps;
use crate::events::{Cpu, RungStep, SampleId};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::perf_data::features::Features;
use crate::perf_data::tracing_data::{self, Named};
use crate::perf_data::{Attr, Fault, Shortfall, kind};
use crate::text::shortened;
use crate::tracefs::Table;
use byteorder::{ByteOrder, NativeEndian};
use std::collections::HashMap;

/// The mark of tp-perf's own HEADER_EVENT_TYPE records.
pub(super) const MARK: [u8; 8] = *b"tp-perf\0";

/// The memory in bytes that the facts in a note take for each byte of the note. Its shortest facts are `0,`.
const OF_NOTE: u64 = 32;
/// The memory in bytes that a note with steps takes for each byte of the note, until it is parsed. Its shortest counters are
/// `[0,0,0,0],`.
const OF_NOTE_OF_STEPS: u64 = 13;
/// The begin of a note with steps, as [`Steps::of_note`] knows it.
const STEPS: &[u8] = br#"{"steps":"#;
/// The memory in bytes of an event without its ids.
const OF_EVENT: u64 = 320;
/// The memory in bytes of an entry in an index of CPUs.
const OF_INDEXED: u64 = 56;
/// The memory in bytes of an event's name in an EVENT_UPDATE record, without the name.
const OF_UPDATE: u64 = 160;

/// The maximum number of notes in a file. tp-perf writes one before the events, and one or two behind them.
const MOST_NOTES: usize = 16;

/// The most characters of the reason why a note cannot be read. It may quote the note.
const LONGEST_REASON: usize = 200;

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
#[derive(Debug)]
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
    held: Held,
}

impl Default for Header {
    fn default() -> Self {
        Header {
            events: Vec::new(),
            features: Features::default(),
            notes: Notes::default(),
            is_followed: false,
            shortfall: None,
            names: Vec::new(),
            cpus: HashMap::new(),
            updates: HashMap::new(),
            held: Held::nothing(MemoryOf::Header),
        }
    }
}

/// tp-perf's own notes in a file. Each is one line of text. A long note takes several records.
#[derive(Debug)]
pub struct Notes {
    partial: Vec<u8>,
    /// The memory of the note in the making.
    making: Held,
    /// The memory of each complete note.
    held: Vec<Held>,
    /// The complete notes.
    pub whole: Vec<String>,
}

impl Default for Notes {
    fn default() -> Self {
        Notes { partial: Vec::new(), making: Held::nothing(MemoryOf::Header), held: Vec::new(), whole: Vec::new() }
    }
}

impl Notes {
    /// Takes the body of a HEADER_EVENT_TYPE record. Records that are not tp-perf's own are skipped.
    ///
    /// # Errors
    /// If there are too many notes, or if they take too much memory.
    pub fn take(&mut self, body: &[u8]) -> Result<(), Fault> {
        let Some(text) = body.strip_prefix(&MARK) else { return Ok(()) };
        let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let begin = if self.partial.is_empty() { text } else { &self.partial };
        let has_steps = begin.starts_with(STEPS);
        self.making.grow(if has_steps { OF_NOTE_OF_STEPS } else { OF_NOTE } * end as u64)?;
        self.partial.extend(&text[..end]);
        if self.whole.len() > MOST_NOTES {
            return Err(format!("it has more than {MOST_NOTES} notes of tp-perf").into());
        }
        if self.partial.ends_with(b"\n") {
            let note = String::from_utf8(std::mem::take(&mut self.partial));
            self.whole.push(note.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()));
            if !has_steps {
                self.held.push(std::mem::replace(&mut self.making, Held::nothing(MemoryOf::Header)));
            }
        }
        Ok(())
    }

    /// Takes the steps of tracepoints out of the last note, if it has some, and returns the memory of the note. Steps are not
    /// facts, and there can be many.
    ///
    /// # Errors
    /// If the note is damaged.
    pub fn take_steps(&mut self) -> Result<Vec<RungStep>, Fault> {
        let steps = self.whole.last().and_then(|note| Steps::of_note(note));
        let Some(steps) = steps.filter(|_| self.partial.is_empty()) else { return Ok(Vec::new()) };
        self.whole.pop();
        self.making = Held::nothing(MemoryOf::Header);
        let unreadable = |error: serde_json::Error| {
            format!("tp-perf's note of steps cannot be read: {}", shortened(&error.to_string(), LONGEST_REASON)).into()
        };
        steps.map(|steps| steps.steps).map_err(unreadable)
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
    /// A description of what is wrong with the record, or that it takes too much memory.
    pub fn take(&mut self, kind: u32, body: &[u8]) -> Result<(), Fault> {
        let word = |offset: usize| body.get(offset..offset + 8).map(NativeEndian::read_u64);
        match kind {
            kind::HEADER_ATTR => {
                let (attr, size) = Attr::parse(body).ok_or("an attribute is incomplete")?;
                self.add_event(attr, &body[size..])?;
            }
            kind::HEADER_EVENT_TYPE => self.notes.take(body)?,
            kind::ID_INDEX => {
                let count = word(0).ok_or("an index of sample ids is incomplete")?;
                let entries = body[8..].chunks_exact(32);
                if count > entries.len() as u64 {
                    return Err("an index of sample ids is incomplete".into());
                }
                self.held.grow(OF_INDEXED.saturating_mul(count))?;
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
                    self.held.grow(OF_UPDATE + 3 * name.len() as u64)?;
                    self.updates.insert(SampleId(id), String::from_utf8_lossy(name).into_owned());
                }
            }
            kind::HEADER_FEATURE => {
                let id = word(0).ok_or("a feature has no number")?;
                self.take_feature(id, &body[8..])?;
            }
            _ => self.is_followed |= !Self::is_part(kind),
        }
        Ok(())
    }

    /// Takes the names of tracepoints, in the form of [`tracing_data`].
    ///
    /// # Errors
    /// A description of what is wrong with the names, or that they take too much memory.
    pub fn take_tracing_data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.names = tracing_data::parse(bytes, &mut self.held)?;
        Ok(())
    }

    /// Takes the data of a feature.
    ///
    /// # Errors
    /// If it takes too much memory.
    pub(super) fn take_feature(&mut self, id: u64, data: &[u8]) -> Result<(), TooMuch> {
        self.held.grow(Features::memory(id, data))?;
        self.features.take(id, data);
        Ok(())
    }

    /// Takes an event, and its ids as bytes.
    ///
    /// # Errors
    /// If it takes too much memory.
    pub(super) fn add_event(&mut self, attr: Attr, ids: &[u8]) -> Result<(), TooMuch> {
        self.held.grow(OF_EVENT + ids.len() as u64)?;
        self.events.push(Described { attr, ids: sample_ids(ids) });
        Ok(())
    }

    /// Takes the names of tracepoints from the record at byte `at`. If they cannot be read, the samples still
    /// can, so this is only a shortfall.
    ///
    /// # Errors
    /// If they take too much memory.
    pub(super) fn take_names(&mut self, at: u64, bytes: &[u8]) -> Result<(), TooMuch> {
        match self.take_tracing_data(bytes) {
            Ok(()) => {}
            Err(Fault::Damaged(reason)) => self.shortfall = Some(Shortfall::Names { at, reason }),
            Err(Fault::TooMuch(cause)) => return Err(cause),
        }
        Ok(())
    }

    /// The CPU of a sample id, if the file has an index of CPUs.
    pub fn cpu(&self, id: SampleId) -> Option<Cpu> {
        self.cpus.get(&id).copied()
    }

    /// The table of all tracepoints that the file names or that were opened, and how many of the opened ones
    /// the file does not name.
    ///
    /// # Errors
    /// If the names take too much memory.
    pub fn table(&self) -> Result<(Table, usize), TooMuch> {
        let mut table = Table::default();
        let named = self.names.iter().map(|named| (named.group.len() + named.name.len()) as u64);
        let described = self.events.iter().filter(|event| event.attr.is_tracepoint());
        let labels = described.clone().map(|event| self.label(event).map_or(0, str::len) as u64);
        table.hold((self.names.len() + described.count()) as u64, named.chain(labels).sum())?;
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
        Ok((table.with_entries(entries), unnamed))
    }

    /// The name of an event in EVENT_UPDATE records and in the features.
    pub fn label(&self, event: &Described) -> Option<&str> {
        let by_id = event.ids.iter().find_map(|id| self.updates.get(id));
        let key = (event.attr.kind, event.attr.config);
        let described = || self.features.event_names.get(&key);
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
