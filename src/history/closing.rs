//! Closing an hour: its journal becomes Parquet files.
//!
//! The work is done in small steps between ticks. At any moment, a kill loses nothing:
//!
//! ```text
//!   .14.journal      ────────────────────────────────────────────────────┐ removed
//!   .14.parquet.partial   row group, row group, …, footer, synced ─┐     │
//!   14.parquet                                                     └ named, synced
//! ```
//!
//! A part of a file is removed at the next start, and the journal is closed again. If both the journal and the file are
//! there, they have the same random number, so the journal is only removed.

use super::crc::{crc32, crc32_of_file};
use super::error::{Error, failed};
use super::facts::HistoryFacts;
use super::files::{make_folder, new_file};
use super::footer::OpenParquet;
use super::frame::JournalHeader;
use super::journal_reader::{JournalItem, JournalReader};
use super::layout::{FileKind, HistoryLevel, HistoryPlace, HourPart};
use super::notes::{CHECK_KEY, FileCheck, FileNotes, NOTES_KEY};
use super::rollup::MinuteRollup;
use super::rows::{RowGroup, RowNames, properties, schema};
use super::window::HistoryWindow;
use crate::text::json_line;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// An hour that is being closed.
#[derive(Debug)]
pub(super) struct Closing {
    journal: PathBuf,
    reader: JournalReader<File>,
    /// `None` if there is nothing to write.
    files: Option<ClosingFiles>,
    stage: ClosingStage,
    damage: u64,
    damaged: PathBuf,
}

#[derive(Debug)]
struct ClosingFiles {
    names: RowNames,
    rollup: MinuteRollup,
    /// The most rows of a window.
    tracepoints: usize,
    windows: LevelFile,
    minutes: LevelFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClosingStage {
    /// Windows are read, and row groups are written.
    Rows,
    /// The journal is read. The last row groups are written.
    LastRows,
    /// The disk gets some time, so that the sync that follows is short.
    Settling,
    SyncWindows,
    SyncMinutes,
    Naming,
}

/// The result of a step.
#[derive(Debug, PartialEq)]
pub(super) enum ClosingStep {
    More,
    /// More, but not at once.
    Later,
    Closed(ClosedHour),
}

/// An hour that is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ClosedHour {
    /// The file of the windows. `None` if nothing had to be written.
    pub(super) path: Option<PathBuf>,
    pub(super) windows: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The bytes of the journal that could not be read, and where the journal is kept.
    pub(super) damage: Option<(u64, PathBuf)>,
}

impl Closing {
    /// Begins to close a journal.
    pub(super) fn begin(place: &HistoryPlace, hour: HourPart) -> Result<Self, Error> {
        let journal = place.path(HistoryLevel::Windows, hour, FileKind::Journal);
        let mut reader = JournalReader::open(&journal)?;
        let header = reader.read_header().map_err(failed("read", &journal))?;
        let files = match header {
            Some(header) => match target(place, hour, &header.journal)? {
                Some(target) => Some(ClosingFiles::create(place, target, header)?),
                None => None,
            },
            None => None,
        };
        let damaged = place.path(HistoryLevel::Windows, hour, FileKind::Damaged);
        Ok(Closing { journal, reader, files, stage: ClosingStage::Rows, damage: 0, damaged })
    }

    /// Does the next step: at most one row group, or one sync.
    pub(super) fn step(&mut self) -> Result<ClosingStep, Error> {
        let Some(files) = &mut self.files else {
            // The journal has no header, or it was closed before. In both cases, its end shows whether it is damaged.
            while let Some(item) = self.reader.next().map_err(failed("read", &self.journal))? {
                self.damage += if let JournalItem::Damage(bytes) = item { bytes } else { 0 };
            }
            return self.finish_journal(ClosedHour::default());
        };
        match self.stage {
            ClosingStage::Rows => {
                if files.write_group(false)? {
                    return Ok(ClosingStep::More);
                }
                let is_end = files.read(&mut self.reader, &mut self.damage).map_err(failed("read", &self.journal))?;
                if is_end {
                    self.stage = ClosingStage::LastRows;
                }
            }
            ClosingStage::LastRows => {
                if files.write_group(true)? {
                    return Ok(ClosingStep::More);
                }
                if files.windows.notes.windows == 0 && files.windows.notes.events.is_empty() {
                    self.files = None;
                    return self.finish_journal(ClosedHour::default());
                }
                files.windows.notes.damaged_bytes = self.damage;
                files.minutes.notes.damaged_bytes = self.damage;
                files.minutes.notes.events.clone_from(&files.windows.notes.events);
                files.minutes.notes.events_left_out = files.windows.notes.events_left_out;
                files.windows.finish()?;
                files.minutes.finish()?;
                self.stage = ClosingStage::Settling;
            }
            ClosingStage::Settling => {
                self.stage = ClosingStage::SyncWindows;
                return Ok(ClosingStep::Later);
            }
            ClosingStage::SyncWindows => {
                files.windows.sync()?;
                self.stage = ClosingStage::SyncMinutes;
            }
            ClosingStage::SyncMinutes => {
                files.minutes.sync()?;
                self.stage = ClosingStage::Naming;
            }
            ClosingStage::Naming => {
                // The journal is closed once the file of its windows has its name, so that one comes last.
                files.minutes.name()?;
                files.windows.name()?;
                let LevelFile { target, notes, rows, bytes, .. } = &files.windows;
                let closed = ClosedHour {
                    path: Some(target.clone()),
                    windows: notes.windows,
                    rows: *rows,
                    bytes: *bytes,
                    damage: None,
                };
                return self.finish_journal(closed);
            }
        }
        Ok(ClosingStep::More)
    }

    /// The journal is not needed any more.
    fn finish_journal(&mut self, closed: ClosedHour) -> Result<ClosingStep, Error> {
        let damage = (self.damage > 0).then(|| (self.damage, self.damaged.clone()));
        match &damage {
            Some((_, kept)) => fs::rename(&self.journal, kept).map_err(failed("rename", &self.journal))?,
            None => fs::remove_file(&self.journal).map_err(failed("remove", &self.journal))?,
        }
        Ok(ClosingStep::Closed(ClosedHour { damage, ..closed }))
    }
}

/// The place of the files of a journal. `None` if they are there already.
fn target(place: &HistoryPlace, hour: HourPart, journal: &str) -> Result<Option<HourPart>, Error> {
    let owner = |level, hour| {
        let path = place.path(level, hour, FileKind::Parquet);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("find", &path)(error)),
            // A file that cannot be read belongs to no journal that is still there.
            Ok(_) => Ok(Some(OpenParquet::open(&path).map_or(String::new(), |open| open.notes.journal))),
        }
    };
    let mut hour = hour;
    loop {
        match owner(HistoryLevel::Windows, hour)? {
            Some(its) if its == journal => return Ok(None),
            Some(_) => {}
            // A kill between the two names leaves the minutes alone. They are made again.
            None if owner(HistoryLevel::Minutes, hour)?.is_none_or(|its| its == journal) => return Ok(Some(hour)),
            None => {}
        }
        hour = hour.next();
    }
}

impl ClosingFiles {
    fn create(place: &HistoryPlace, hour: HourPart, header: &JournalHeader) -> Result<Self, Error> {
        let facts: &HistoryFacts = &header.facts;
        let tracepoints = facts.number();
        Ok(ClosingFiles {
            names: RowNames::of(facts),
            rollup: MinuteRollup::new(tracepoints),
            tracepoints,
            windows: LevelFile::create(place, HistoryLevel::Windows, hour, header)?,
            minutes: LevelFile::create(place, HistoryLevel::Minutes, hour, header)?,
        })
    }

    /// Reads windows until a row group is full. Returns whether the journal has no more.
    fn read(&mut self, reader: &mut JournalReader<File>, damage: &mut u64) -> io::Result<bool> {
        while !self.windows.group.is_full(self.tracepoints) && !self.minutes.group.is_full(self.tracepoints) {
            match reader.next()? {
                Some(JournalItem::Window(window)) => {
                    let minute = self.rollup.add(&window);
                    minute.into_iter().for_each(|minute| self.minutes.add(&minute));
                    self.windows.add(&window);
                }
                Some(JournalItem::Event(event)) => self.windows.notes.add_event(event),
                Some(JournalItem::Damage(bytes)) => *damage += bytes,
                None => {
                    let minute = self.rollup.end();
                    minute.into_iter().for_each(|minute| self.minutes.add(&minute));
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Writes a row group that is full, or with `all`, one that has rows. Returns false if there is none.
    fn write_group(&mut self, all: bool) -> Result<bool, Error> {
        for file in [&mut self.windows, &mut self.minutes] {
            if file.group.is_full(self.tracepoints) || all && !file.group.is_empty() {
                file.write_group(&self.names)?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A Parquet file in the making. If it is dropped before it has its name, it is removed.
#[derive(Debug)]
struct LevelFile {
    partial: PathBuf,
    target: PathBuf,
    file: File,
    writer: SerializedFileWriter<File>,
    group: RowGroup,
    notes: FileNotes,
    rows: u64,
    bytes: u64,
    is_named: bool,
}

impl LevelFile {
    fn create(
        place: &HistoryPlace,
        level: HistoryLevel,
        hour: HourPart,
        header: &JournalHeader,
    ) -> Result<Self, Error> {
        let partial = place.path(level, hour, FileKind::Partial);
        partial.parent().map_or(Ok(()), make_folder)?;
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &partial)(error)),
            _ => {}
        }
        let file = new_file(&partial).map_err(failed("create", &partial))?;
        let copy = file.try_clone().map_err(failed("create", &partial))?;
        let writer = SerializedFileWriter::new(copy, schema(), properties().into()).map_err(unwritten(&partial))?;
        Ok(LevelFile {
            target: place.path(level, hour, FileKind::Parquet),
            partial,
            file,
            writer,
            group: RowGroup::default(),
            notes: FileNotes::new(level, header),
            rows: 0,
            bytes: 0,
            is_named: false,
        })
    }

    fn add(&mut self, window: &HistoryWindow) {
        self.notes.add(window);
        if !window.hits.is_empty() {
            self.group.push(window);
        }
    }

    fn write_group(&mut self, names: &RowNames) -> Result<(), Error> {
        self.rows += self.group.write(&mut self.writer, names).map_err(unwritten(&self.partial))?;
        self.start_writing();
        Ok(())
    }

    /// Writes the footer.
    fn finish(&mut self) -> Result<(), Error> {
        let notes = self.notes.to_json();
        self.writer.flush().map_err(failed("write", &self.partial))?;
        let bytes = self.writer.bytes_written() as u64;
        let of_data = crc32_of_file(&self.file, bytes).map_err(failed("read", &self.partial))?;
        let check = FileCheck { bytes, crc32: of_data, notes_crc32: crc32(&[notes.as_bytes()]) };
        self.writer.append_key_value_metadata(KeyValue::new(NOTES_KEY.to_owned(), notes));
        self.writer.append_key_value_metadata(KeyValue::new(CHECK_KEY.to_owned(), json_line(&check)));
        self.writer.finish().map_err(unwritten(&self.partial))?;
        self.bytes = self.file.metadata().map_err(failed("read the length of", &self.partial))?.len();
        self.start_writing();
        Ok(())
    }

    /// Lets the kernel write to the disk in the background. The sync at the end then has little to do, and the tick that
    /// waits for it is not late.
    fn start_writing(&self) {
        // For pages that are not yet written, this advice starts the writing (mm/fadvise.c). It is no loss if it fails.
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
    }

    fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(failed("write to the disk", &self.partial))
    }

    fn name(&mut self) -> Result<(), Error> {
        fs::rename(&self.partial, &self.target).map_err(failed("rename", &self.partial))?;
        self.is_named = true;
        match self.target.parent() {
            Some(folder) => {
                File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write to the disk", folder))
            }
            None => Ok(()),
        }
    }
}

impl Drop for LevelFile {
    fn drop(&mut self) {
        if !self.is_named {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Makes the error of a write through the crate `parquet`.
fn unwritten(path: &Path) -> impl FnOnce(ParquetError) -> Error {
    let path = path.to_owned();
    move |error| {
        let cause = match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(error) => io::Error::other(error),
            },
            error => io::Error::other(error),
        };
        Error::Io { verb: "write", path, cause }
    }
}
