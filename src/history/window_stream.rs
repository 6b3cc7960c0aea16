//! The windows of a history, from all of its files, in time order.

use super::error::{Error, damaged, failed};
use super::facts::HistoryFacts;
use super::journal_reader::{JournalItem, JournalReader};
use super::layout::FileKind;
use super::row_groups::ParquetWindows;
use super::sources::{HistoryChoice, SourceFile};
use super::window::HistoryWindow;
use crate::events::{Ns, Tpid};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;

/// The windows of a history in time order, each with the facts of its file. A file is open only while its windows are read,
/// and one row group of it is in memory.
///
/// An error concerns one file: the windows of the others follow it.
pub struct HistoryWindows<'a> {
    tpids: &'a BTreeMap<(String, String), Tpid>,
    choice: &'a HistoryChoice,
    /// The files that are not open yet, the earliest last.
    waiting: Vec<&'a SourceFile>,
    open: Vec<OpenFile>,
    errors: Vec<Error>,
}

/// A file that is being read. It has a next window.
struct OpenFile {
    windows: FileWindows,
    facts: Rc<HistoryFacts>,
    next: HistoryWindow,
}

/// The windows of a file.
enum FileWindows {
    Parquet(Box<ParquetWindows>),
    Journal(Box<JournalFile>),
}

/// The windows of a journal.
struct JournalFile {
    path: PathBuf,
    reader: JournalReader<File>,
    /// The tpids by the numbers in the journal minus 1.
    tpids: Vec<Tpid>,
}

impl<'a> HistoryWindows<'a> {
    /// The windows of files, which are in the order of their begins.
    pub(super) fn of(
        files: &'a [SourceFile],
        tpids: &'a BTreeMap<(String, String), Tpid>,
        choice: &'a HistoryChoice,
    ) -> Self {
        HistoryWindows { tpids, choice, waiting: files.iter().rev().collect(), open: Vec::new(), errors: Vec::new() }
    }

    /// Opens each file that may have the next window.
    fn open_files(&mut self) {
        loop {
            let first = self.open.iter().map(|file| file.next.start).min();
            let Some(file) = self.waiting.pop_if(|file| first.is_none_or(|first| file.start <= first)) else { return };
            match FileWindows::open(file, self.tpids) {
                Ok(windows) => self.advance(windows, Rc::clone(&file.facts)),
                Err(error) => self.errors.push(error),
            }
        }
    }

    /// Reads the next window of a file. Closes it at its end.
    fn advance(&mut self, mut windows: FileWindows, facts: Rc<HistoryFacts>) {
        loop {
            match windows.next() {
                Ok(Some(next)) if !self.is_before_range(next.start) => {
                    if self.choice.has(next.start) {
                        self.open.push(OpenFile { windows, facts, next });
                    }
                    return;
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                // Behind damage, a journal goes on.
                Err(error @ Error::Damaged { .. }) if matches!(windows, FileWindows::Journal(_)) => {
                    self.errors.push(error)
                }
                Err(error) => return self.errors.push(error),
            }
        }
    }

    fn is_before_range(&self, time: Ns) -> bool {
        self.choice.from.is_some_and(|from| time < from)
    }
}

impl Iterator for HistoryWindows<'_> {
    type Item = Result<(HistoryWindow, Rc<HistoryFacts>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.open_files();
        if let Some(error) = self.errors.pop() {
            return Some(Err(error));
        }
        let starts = self.open.iter().enumerate().map(|(place, file)| (file.next.start, place));
        let (_, place) = starts.min()?;
        let OpenFile { windows, facts, next } = self.open.swap_remove(place);
        self.advance(windows, Rc::clone(&facts));
        Some(Ok((next, facts)))
    }
}

impl FileWindows {
    fn open(file: &SourceFile, tpids: &BTreeMap<(String, String), Tpid>) -> Result<Self, Error> {
        let tpid = |group: &str, name: &str| tpids.get(&(group.to_owned(), name.to_owned())).copied();
        let parquet = |path: &std::path::Path| {
            let (windows, facts) = ParquetWindows::open(path, tpid)?;
            match facts == *file.facts {
                true => Ok(FileWindows::Parquet(Box::new(windows))),
                false => Err(damaged(path, "it changes while it is read")),
            }
        };
        if file.kind == FileKind::Parquet {
            return parquet(&file.path);
        }
        match JournalReader::open(&file.path) {
            // A monitor may have closed the hour in the meantime.
            Err(Error::Io { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => parquet(&closed_name(file)),
            reader => {
                let names = file.facts.names().map(|(group, name)| tpid(group, name));
                let tpids = names.collect::<Option<_>>().ok_or_else(|| damaged(&file.path, "its names are unknown"))?;
                let (path, reader) = (file.path.clone(), reader?);
                Ok(FileWindows::Journal(Box::new(JournalFile { path, reader, tpids })))
            }
        }
    }

    fn next(&mut self) -> Result<Option<HistoryWindow>, Error> {
        match self {
            FileWindows::Parquet(windows) => windows.next(),
            FileWindows::Journal(journal) => journal.next(),
        }
    }
}

/// The name of a journal's Parquet file.
fn closed_name(file: &SourceFile) -> PathBuf {
    let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    file.path.with_file_name(name.trim_start_matches('.').replace(".journal", ".parquet"))
}

impl JournalFile {
    fn next(&mut self) -> Result<Option<HistoryWindow>, Error> {
        while let Some(item) = self.reader.next().map_err(failed("read", &self.path))? {
            match item {
                JournalItem::Window(mut window) => {
                    for hits in &mut window.hits {
                        hits.tpid = self.tpids[hits.tpid.index() - 1];
                    }
                    window.hits.sort_unstable_by_key(|hits| hits.tpid);
                    return Ok(Some(window));
                }
                JournalItem::Event(_) => {}
                JournalItem::Damage(bytes) => {
                    return Err(damaged(&self.path, format!("{bytes} bytes of it mean nothing")));
                }
            }
        }
        Ok(None)
    }
}
