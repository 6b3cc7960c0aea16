//! Opens a history: a folder, or one file.

use super::error::{Error, damaged, failed, too_much};
use super::facts::HistoryFacts;
use super::footer::OpenParquet;
use super::frame::HistoryEvent;
use super::journal_reader::{JournalItem, JournalReader};
use super::layout::{FileKind, HistoryFile, HourPart, decode_host, files_of_date, files_of_host, hosts};
use super::sources::{HistoryChoice, SourceFile};
use super::window_stream::HistoryWindows;
use crate::events::{Ns, Tpid};
use crate::memory::{Held, MemoryOf};
use crate::tracefs::Table;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A history of one host.
#[derive(Debug)]
pub struct History {
    pub(super) choice: HistoryChoice,
    pub(super) files: Vec<SourceFile>,
    hostname: String,
    table: Table,
    tpids: BTreeMap<(String, String), Tpid>,
    problems: Vec<Error>,
    _held: Vec<Held>,
}

impl History {
    /// Opens the folder of a history, of a level, of a host, or of a date; or a single file. The journal of the current hour
    /// belongs to it, even while a monitor writes it.
    ///
    /// # Errors
    /// If the path leads to no history, or to several hosts; or if no file can be read. If only some files cannot be read,
    /// the others are a history, and [`problems`](Self::problems) has the errors.
    pub fn open(path: &Path, choice: HistoryChoice) -> Result<Self, Error> {
        let (files, is_single) = find(path, &choice)?;
        let mut history = History {
            hostname: String::new(),
            choice,
            files: Vec::new(),
            table: Table::default(),
            tpids: BTreeMap::new(),
            problems: Vec::new(),
            _held: Vec::new(),
        };
        for file in files {
            if !is_single && !history.choice.has_hour(file.hour) {
                continue;
            }
            match history.read(&file) {
                Ok(()) => {}
                Err(error) if is_single => return Err(error),
                Err(error) => history.problems.push(error),
            }
        }
        history.remove_doubles();
        if history.files.is_empty() && !history.problems.is_empty() {
            return Err(history.problems.remove(0));
        }
        history.number().map_err(too_much(path))?;
        history.files.sort_by_key(|file| file.start);
        let last = history.files.last();
        history.hostname = last.map(|file| file.facts.hostname.clone()).unwrap_or_default();
        Ok(history)
    }

    /// All tracepoints that were watched at any time. Their numbers mean something only in this history.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The name of the host; empty if there is no file.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The begin of the first window and the end of the last one, of all files that are read. `None` without files.
    pub fn span(&self) -> Option<(Ns, Ns)> {
        let first = self.files.iter().map(|file| file.start).min()?;
        self.files.iter().map(|file| file.end).max().map(|last| (first, last))
    }

    /// The number of files that are read.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The files that could not be read.
    pub fn problems(&self) -> &[Error] {
        &self.problems
    }

    /// The facts of the files, in time order. Files that follow one another may share theirs.
    pub fn facts(&self) -> impl Iterator<Item = &Rc<HistoryFacts>> {
        self.files.iter().map(|file| &file.facts)
    }

    /// The windows in time order.
    pub fn windows(&self) -> HistoryWindows<'_> {
        HistoryWindows::of(&self.files, &self.tpids, &self.choice)
    }

    /// The events in time order.
    ///
    /// # Errors
    /// If they take too much memory. Files that cannot be read have none.
    pub fn events(&self) -> Result<Vec<HistoryEvent>, Error> {
        let mut held = Held::nothing(MemoryOf::Rows);
        let mut all = Vec::new();
        for file in &self.files {
            let events = events_of(file).unwrap_or_default();
            let bytes = events.iter().map(|event| 256 + 4 * event.facts.to_string().len() as u64).sum();
            held.grow(bytes).map_err(too_much(&file.path))?;
            all.extend(events.into_iter().filter(|event| self.choice.has(Ns(event.time_ns))));
        }
        all.sort_by_key(|event| event.time_ns);
        Ok(all)
    }

    fn read(&mut self, file: &HistoryFile) -> Result<(), Error> {
        let path = file.path.clone();
        let (facts, journal, start, end) = match file.kind {
            FileKind::Journal | FileKind::Damaged => {
                let mut reader = JournalReader::open(&path)?;
                let Some((start, end)) = span_of(&mut reader).map_err(failed("read", &path))? else { return Ok(()) };
                let header = reader.header.ok_or_else(|| damaged(&path, "it has no header"))?;
                (header.facts, header.journal, start, end)
            }
            FileKind::Parquet | FileKind::Partial => {
                let notes = OpenParquet::open(&path)?.notes;
                (notes.facts, notes.journal, Ns(notes.start_ns), Ns(notes.end_ns))
            }
        };
        let facts = match self.files.last().filter(|last| *last.facts == facts) {
            Some(last) => Rc::clone(&last.facts),
            None => {
                let bytes: usize = facts.names().map(|(group, name)| 96 + group.len() + name.len()).sum();
                self._held.push(Held::take(MemoryOf::Names, bytes as u64).map_err(too_much(&path))?);
                Rc::new(facts)
            }
        };
        self.files.push(SourceFile { path, kind: file.kind, start, end, facts, journal });
        Ok(())
    }

    /// Removes journals whose Parquet file is there as well: a monitor is about to remove them, or was killed before.
    fn remove_doubles(&mut self) {
        let complete: Vec<String> =
            self.files.iter().filter(|file| file.kind == FileKind::Parquet).map(|file| file.journal.clone()).collect();
        self.files.retain(|file| file.kind == FileKind::Parquet || !complete.contains(&file.journal));
    }

    /// Numbers all tracepoints.
    fn number(&mut self) -> Result<(), crate::memory::TooMuch> {
        let mut names: Vec<(&str, &str)> = Vec::new();
        let mut last: Option<&Rc<HistoryFacts>> = None;
        for file in &self.files {
            if !last.is_some_and(|last| Rc::ptr_eq(last, &file.facts)) {
                names.extend(file.facts.names());
                names.sort_unstable();
                names.dedup();
            }
            last = Some(&file.facts);
        }
        let bytes = names.iter().map(|(group, name)| (group.len() + name.len()) as u64).sum();
        let mut table = Table::default();
        table.hold(names.len() as u64, bytes)?;
        let owned = |(group, name): &(&str, &str)| ((*group).to_owned(), (*name).to_owned());
        let entries = names.iter().map(owned).map(|(group, name)| (group, name, 0)).collect();
        self.tpids = names.iter().map(owned).zip((1..).map(Tpid::new)).collect();
        self.table = table.with_entries(entries);
        Ok(())
    }
}

/// The begin of the first window and the end of the last one. `None` without windows.
fn span_of(reader: &mut JournalReader<std::fs::File>) -> std::io::Result<Option<(Ns, Ns)>> {
    let mut span: Option<(Ns, Ns)> = None;
    while let Some(item) = reader.next()? {
        if let JournalItem::Window(window) = item {
            let (start, end) = span.unwrap_or((window.start, window.end()));
            span = Some((start.min(window.start), end.max(window.end())));
        }
    }
    Ok(span)
}

fn events_of(file: &SourceFile) -> Result<Vec<HistoryEvent>, Error> {
    if file.kind == FileKind::Parquet {
        return Ok(OpenParquet::open(&file.path)?.notes.events);
    }
    let mut reader = JournalReader::open(&file.path)?;
    let mut events = Vec::new();
    while let Some(item) = reader.next().map_err(failed("read", &file.path))? {
        if let JournalItem::Event(event) = item {
            events.push(event);
        }
    }
    events.truncate(super::notes::MOST_EVENTS);
    Ok(events)
}

/// The files of a history, and whether the path leads to a single one.
fn find(path: &Path, choice: &HistoryChoice) -> Result<(Vec<HistoryFile>, bool), Error> {
    let metadata = std::fs::metadata(path).map_err(failed("open", path))?;
    let not_a_history = || Error::NotAHistory(path.to_owned());
    if !metadata.is_dir() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let kind = match name {
            _ if name.ends_with(".journal") || name.ends_with(".damaged") => FileKind::Journal,
            _ if name.ends_with(".parquet") => FileKind::Parquet,
            _ => return Err(not_a_history()),
        };
        let hour = HourPart { hour: 0, part: 1 };
        return Ok((vec![HistoryFile { hour, kind, path: path.to_owned(), bytes: metadata.len() }], true));
    }
    let listed = |files: Vec<HistoryFile>| {
        files.into_iter().filter(|file| matches!(file.kind, FileKind::Parquet | FileKind::Journal)).collect::<Vec<_>>()
    };
    // `.` has no name, but the folder has one.
    let full = path.canonicalize().map_err(failed("open", path))?;
    let name = full.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with("date=") {
        return Ok((listed(files_of_date(&full)?), false));
    }
    if let Some(host) = name.strip_prefix("host=") {
        return match choice.host.as_ref().filter(|chosen| **chosen != decode_host(host)) {
            Some(chosen) => Err(no_such_host(path, chosen, vec![decode_host(host)])),
            None => Ok((listed(files_of_host(&full)?), false)),
        };
    }
    let level = full.join(choice.level.folder());
    let level = if level.is_dir() { level } else { full };
    let hosts = hosts(&level)?;
    let chosen = match &choice.host {
        Some(host) => hosts.iter().find(|(_, its)| its == host),
        None => hosts.first(),
    };
    match (chosen, &choice.host) {
        (None, Some(host)) if !hosts.is_empty() => Err(no_such_host(path, host, names_of(hosts))),
        (None, _) => Err(not_a_history()),
        (Some(_), None) if hosts.len() > 1 => {
            Err(Error::SeveralHosts { path: path.to_owned(), hosts: names_of(hosts) })
        }
        (Some((folder, _)), _) => Ok((listed(files_of_host(folder)?), false)),
    }
}

fn names_of(hosts: Vec<(PathBuf, String)>) -> Vec<String> {
    hosts.into_iter().map(|(_, name)| name).collect()
}

fn no_such_host(path: &Path, host: &str, hosts: Vec<String>) -> Error {
    Error::NoSuchHost { path: path.to_owned(), host: host.to_owned(), hosts }
}
