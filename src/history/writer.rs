//! Writes a history.

use super::backlog::{Backlog, WaitingFrame};
use super::closing::{ClosedHour, Closing, ClosingStep};
use super::error::{Error, failed};
use super::facts::{HistoryFacts, SCHEMA};
use super::files::{make_folder, open_file};
use super::frame::{HistoryEvent, JournalFrame, JournalHeader};
use super::journal::Journal;
use super::journal_reader::scan;
use super::keep::{Keep, remove_old};
use super::layout::{FileKind, HistoryFile, HistoryLevel, HistoryPlace, HourPart};
use super::lock::{HistoryLock, refuse_other_owner};
use super::reports::{HistoryFigures, HistoryReport};
use super::wall::{ClockEvent, HistoryClock, MachineClock, WallTimes};
use super::window::HistoryWindow;
use crate::events::{Ns, Sink, Tick, Tpid};
use crate::tracefs::Table;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;
use std::path::Path;

/// How many windows pass before closing an hour is tried again.
const RETRY_AFTER: u64 = 60;
/// How many windows pass before a file is synced.
const SETTLE_FOR: u64 = 3;
/// How long the wall clock must have gone without a step until files can be too old. A machine without a battery for its
/// clock starts in another year, and is corrected within minutes.
const STEADY_NS: u64 = 3_600_000_000_000;

/// A sink that keeps the hits of each window in a folder.
///
/// Each window is in a file as soon as its tick has come, so a kill loses at most the window that is being written. What
/// takes longer waits for [`step`](Self::step), which the owner calls between ticks. A folder that cannot be written to is no
/// error: the windows are kept in memory for about an hour, and [`take_reports`](Self::take_reports) tells the owner.
#[derive(Debug)]
pub struct HistoryWriter<C = MachineClock> {
    place: HistoryPlace,
    facts: HistoryFacts,
    /// For each tpid of a tick, its number in the journal.
    numbers: Vec<Option<Tpid>>,
    keep: Keep,
    clock: C,
    times: WallTimes,
    /// The journal of the current hour.
    journal: Option<Journal>,
    backlog: Backlog,
    /// The hours to close.
    to_close: VecDeque<HourPart>,
    closing: Option<(HourPart, Closing)>,
    removal_is_due: bool,
    /// The number of ticks, and that from which on closing goes on.
    ticks: u64,
    wait_until: u64,
    /// What was written and lost before writing failed.
    failing: Option<HistoryFigures>,
    closing_fails: bool,
    figures: HistoryFigures,
    reports: Vec<HistoryReport>,
    is_ended: bool,
    _lock: HistoryLock,
}

impl HistoryWriter {
    /// Checks that a folder can be opened, and makes it if it is missing. The error is the one that [`open`](Self::open) would return.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn check(root: &Path, hostname: &str) -> Result<(), Error> {
        make_folder(root)?;
        refuse_other_owner(root)?;
        HistoryLock::take(root, &HistoryPlace::new(root, hostname).lock()).map(drop)
    }
}

impl<C: HistoryClock> HistoryWriter<C> {
    /// Opens a folder, makes it if it is missing, and takes up the journals that it has. `table` has the tpids of the ticks.
    ///
    /// # Errors
    /// If the folder cannot be made or read, belongs to another user, or has another monitor of this host.
    pub fn open(root: &Path, facts: HistoryFacts, table: &Table, keep: Keep, mut clock: C) -> Result<Self, Error> {
        make_folder(root)?;
        refuse_other_owner(root)?;
        let place = HistoryPlace::new(root, &facts.hostname);
        let lock = HistoryLock::take(root, &place.lock())?;
        let now = clock.now().map_err(failed("read the clock for", root))?;
        let mut writer = HistoryWriter {
            numbers: facts.numbers(table),
            times: WallTimes::begin(now),
            place,
            facts,
            keep,
            clock,
            journal: None,
            backlog: Backlog::default(),
            to_close: VecDeque::new(),
            closing: None,
            removal_is_due: true,
            ticks: 0,
            wait_until: 0,
            failing: None,
            closing_fails: false,
            figures: HistoryFigures::default(),
            reports: Vec::new(),
            is_ended: false,
            _lock: lock,
        };
        writer.take_up()?;
        Ok(writer)
    }

    /// Takes up what an earlier monitor left.
    fn take_up(&mut self) -> Result<(), Error> {
        for level in HistoryLevel::ALL {
            for HistoryFile { hour, kind, path, .. } in self.place.files(level)? {
                match kind {
                    // The journal still has all of it.
                    FileKind::Partial => fs::remove_file(&path).map_err(failed("remove", &path))?,
                    FileKind::Journal if level == HistoryLevel::Windows => self.take_up_journal(hour, &path),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Goes on with a journal, if it is of this hour and of the same tracepoints. Otherwise, it is closed.
    fn take_up_journal(&mut self, hour: HourPart, path: &Path) {
        let now = self.times.last();
        let read = open_file(path).and_then(scan);
        if let Ok(read) = &read {
            let is_same = read.header.as_ref().is_some_and(|header| header.facts == self.facts);
            let is_now = hour.hour == HourPart::of(now).hour && read.last.is_none_or(|last| last < now);
            let file = self.place.path(HistoryLevel::Windows, hour, FileKind::Parquet);
            if read.header.is_some() {
                self.reports.push(HistoryReport::Recovered { path: path.to_owned(), windows: read.windows });
            }
            if is_same
                && is_now
                && read.damage == 0
                && !file.exists()
                && let Ok(journal) = Journal::go_on(path.to_owned(), hour, read)
            {
                self.retire_journal();
                self.journal = Some(journal);
                return;
            }
        }
        self.to_close.push_back(hour);
    }

    /// Notes something that happened now. `facts` is what is known about it; `kind` is a word such as `alarm`.
    pub fn note(&mut self, kind: &str, facts: Value) {
        let time = self.clock.now().map_or_else(|_| self.times.last(), |now| now.wall);
        self.push_event(time, kind, facts);
        self.flush();
    }

    /// Changes how much is kept.
    pub fn set_keep(&mut self, keep: Keep) {
        self.removal_is_due |= keep != self.keep;
        self.keep = keep;
    }

    /// Whether [`step`](Self::step) has work to do.
    pub fn has_work(&self) -> bool {
        let closes = self.closing.is_some() || !self.to_close.is_empty();
        !self.is_ended && (self.removal_is_due || closes && self.ticks >= self.wait_until)
    }

    /// Does a part of the work that waits: at most some ten milliseconds, beside one sync per file.
    pub fn step(&mut self) {
        if self.has_work() {
            self.work();
        }
    }

    /// What happened since the last call.
    pub fn take_reports(&mut self) -> Vec<HistoryReport> {
        std::mem::take(&mut self.reports)
    }

    /// The figures until now.
    pub fn figures(&self) -> HistoryFigures {
        let to_close = self.to_close.len() as u64 + u64::from(self.closing.is_some());
        HistoryFigures { waiting: self.backlog.windows(), to_close, ..self.figures }
    }

    /// Closes the current hour too, and ends. Tries each hour once.
    pub fn finish(&mut self) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        self.flush();
        self.retire_journal();
        let mut hours = self.to_close.len() + usize::from(self.closing.is_some());
        while hours > 0 {
            let before = self.to_close.len() + usize::from(self.closing.is_some());
            self.work();
            let failed = self.closing.is_none() && self.ticks < self.wait_until;
            self.wait_until = 0;
            let after = self.to_close.len() + usize::from(self.closing.is_some());
            hours -= usize::from(failed || after < before);
        }
        self.remove_old();
    }

    fn work(&mut self) {
        if self.removal_is_due {
            self.removal_is_due = false;
            return self.remove_old();
        }
        let Some((hour, mut closing)) = self.closing.take().map_or_else(|| self.begin_closing(), Some) else { return };
        match closing.step() {
            Ok(ClosingStep::More) => self.closing = Some((hour, closing)),
            Ok(ClosingStep::Later) => {
                self.wait_until = self.ticks + SETTLE_FOR;
                self.closing = Some((hour, closing));
            }
            Ok(ClosingStep::Closed(closed)) => self.closed(closed),
            Err(error) => self.not_closed(hour, &error),
        }
    }

    fn begin_closing(&mut self) -> Option<(HourPart, Closing)> {
        let hour = self.to_close.pop_front()?;
        match Closing::begin(&self.place, hour) {
            Ok(closing) => Some((hour, closing)),
            Err(error) => {
                self.not_closed(hour, &error);
                None
            }
        }
    }

    fn closed(&mut self, ClosedHour { path, windows, rows, bytes, damage }: ClosedHour) {
        self.closing_fails = false;
        self.removal_is_due = true;
        self.reports.extend(path.map(|path| HistoryReport::Closed { path, windows, rows, bytes }));
        self.reports.extend(damage.map(|(bytes, path)| HistoryReport::DamagedJournal { path, bytes }));
    }

    fn not_closed(&mut self, hour: HourPart, error: &Error) {
        let journal = self.place.path(HistoryLevel::Windows, hour, FileKind::Journal);
        // Somebody may have removed the journal.
        if !matches!(fs::symlink_metadata(journal), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
            self.to_close.push_back(hour);
        }
        self.wait_until = self.ticks + RETRY_AFTER;
        if !std::mem::replace(&mut self.closing_fails, true) {
            self.reports.push(HistoryReport::NotClosed { error: error.to_string(), is_full: error.is_full() });
        }
    }

    fn remove_old(&mut self) {
        let now = (self.times.steady_ns() >= STEADY_NS).then(|| self.times.last());
        let mut removed = Vec::new();
        let result = remove_old(&self.place, &self.keep, now, &mut removed);
        if !removed.is_empty() {
            self.reports.push(HistoryReport::Removed(removed));
        }
        self.reports.extend(result.err().map(|error| HistoryReport::NotRemoved { error: error.to_string() }));
    }

    fn push_event(&mut self, time: Ns, kind: &str, facts: Value) {
        let event = HistoryEvent { time_ns: time.0, kind: kind.to_owned(), facts };
        if let Some(bytes) = JournalFrame::Event(event).encode() {
            self.push(WaitingFrame { time, is_window: false, bytes });
        }
    }

    fn push(&mut self, frame: WaitingFrame) {
        for gone in self.backlog.push(frame).iter().filter(|gone| gone.is_window) {
            if self.failing.is_some_and(|before| before.lost == self.figures.lost) {
                self.reports.push(HistoryReport::Losing { since: gone.time });
            }
            self.figures.lost += 1;
        }
    }

    /// Writes the frames that wait.
    fn flush(&mut self) {
        while let Some(frame) = self.backlog.first() {
            let (time, is_window) = (frame.time, frame.is_window);
            let written = self.journal_of(time, is_window).and_then(|()| {
                let journal = self.journal.as_mut().expect("there is a journal of this time");
                journal.append(&self.backlog.first().expect("a frame waits").bytes)?;
                if is_window {
                    journal.last = Some(time);
                }
                Ok(())
            });
            if let Err(error) = written {
                if self.failing.is_none() {
                    self.failing = Some(self.figures);
                    self.reports.push(HistoryReport::Failing { error: error.to_string(), is_full: error.is_full() });
                }
                return;
            }
            self.backlog.pop();
            self.figures.written += u64::from(is_window);
        }
        if let Some(before) = self.failing.take() {
            let (written, lost) = (self.figures.written - before.written, self.figures.lost - before.lost);
            self.reports.push(HistoryReport::WorksAgain { written, lost });
        }
    }

    /// Goes to another journal, if a frame of this time does not belong to the current one. In a journal, time goes forward.
    fn journal_of(&mut self, time: Ns, is_window: bool) -> Result<(), Error> {
        let fits = |journal: &Journal| {
            journal.hour.hour == HourPart::of(time).hour && journal.last.is_none_or(|last| last < time)
        };
        if self.journal.as_ref().is_some_and(|journal| !is_window || fits(journal)) {
            return Ok(());
        }
        self.retire_journal();
        let hour = self.place.free(time)?;
        let path = self.place.path(HistoryLevel::Windows, hour, FileKind::Journal);
        path.parent().map_or(Ok(()), make_folder)?;
        let journal = format!("{:016x}", fastrand::u64(..));
        let header = JournalHeader { schema: SCHEMA, journal, facts: self.facts.clone() };
        let too_long = || std::io::Error::other("the names of the tracepoints are too long");
        let frame = JournalFrame::Header(Box::new(header)).encode();
        let frame = frame.ok_or_else(too_long).map_err(failed("write", &path))?;
        self.journal = Some(Journal::create(path, hour, &frame)?);
        Ok(())
    }

    /// The current journal is complete.
    fn retire_journal(&mut self) {
        self.to_close.extend(self.journal.take().map(|journal| journal.hour));
    }

    fn note_clock(&mut self, event: ClockEvent) {
        let time = self.times.last();
        match event {
            ClockEvent::Stepped { by_ns } => {
                self.reports.push(HistoryReport::ClockStepped { by_ns });
                self.push_event(time, "clock-step", json!({ "by_ns": by_ns }));
            }
            ClockEvent::Slept { for_ns } => {
                self.reports.push(HistoryReport::Slept { for_ns });
                self.push_event(time, "sleep", json!({ "for_ns": for_ns }));
            }
        }
    }
}

impl<C: HistoryClock> Sink for HistoryWriter<C> {
    fn tick(&mut self, tick: &Tick<'_>) {
        if self.is_ended {
            return;
        }
        self.ticks += 1;
        let window = HistoryWindow::of_tick(tick, self.times.of(tick.from), &self.numbers);
        let time = window.start;
        if let Some(bytes) = JournalFrame::Window(window).encode() {
            self.push(WaitingFrame { time, is_window: true, bytes });
        }
        let events = self.clock.now().map(|now| self.times.update(now));
        events.unwrap_or_default().into_iter().for_each(|event| self.note_clock(event));
        self.flush();
    }

    fn end(&mut self) {
        self.finish();
    }
}
