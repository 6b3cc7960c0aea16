//! The log as a sink of events.

use super::LogWriter;
use crate::events::{Event, Ns, RowRun, RungStep, Sink, ThreadChange};
use crate::recording::Error;
use crate::tracefs::Table;

/// The log as a sink. If writing fails, the end truncates the log to whole rows.
pub struct LogSink<'a> {
    state: Stage<'a>,
    /// The number of bytes that stay free on a full disk for other files.
    room: u64,
    /// The error of the failed write.
    failed: Option<Error>,
}

enum Stage<'a> {
    Open(Box<LogWriter<'a>>),
    /// The number of rows, or the error if the log could neither be written nor be truncated.
    Ended(Result<u64, Error>),
}

impl<'a> LogSink<'a> {
    /// A log that leaves `room` bytes of a full disk for other files.
    pub fn new(log: LogWriter<'a>, room: u64) -> Self {
        LogSink { state: Stage::Open(Box::new(log)), room, failed: None }
    }

    fn take(&mut self, write: impl FnOnce(&mut LogWriter<'a>) -> Result<(), Error>) {
        if let Stage::Open(log) = &mut self.state
            && self.failed.is_none()
        {
            self.failed = write(log).err();
        }
    }

    /// Ends the log, if it has not been ended. Returns the number of rows, and the error that stopped the
    /// log, if there was one.
    ///
    /// # Errors
    /// If the log could neither be written nor be truncated.
    pub fn outcome(mut self) -> Result<(u64, Option<Error>), Error> {
        self.end();
        match self.state {
            Stage::Open(_) => unreachable!("the log has just been ended"),
            Stage::Ended(rows) => Ok((rows?, self.failed)),
        }
    }
}

impl Sink for LogSink<'_> {
    fn events(&mut self, events: &[Event], table: &Table) {
        self.take(|log| log.write(events, table));
    }

    fn only_some(&mut self) {
        if let Stage::Open(log) = &mut self.state
            && let Some(hits) = &mut log.hits
        {
            hits.only_some();
        }
    }

    fn steps(&mut self, steps: &[RungStep]) {
        if let Stage::Open(log) = &mut self.state
            && let Some(hits) = &mut log.hits
            && self.failed.is_none()
        {
            let taken = hits.steps(steps);
            self.failed = taken.err().map(|cause| Error::Io { verb: "write", path: log.path(), cause: cause.into() });
        }
    }

    fn threads(&mut self, changes: &[ThreadChange]) {
        if let Stage::Open(log) = &mut self.state {
            let taken = log.more.take_threads(changes);
            let failed = taken.map_err(|cause| Error::Io { verb: "write", path: log.path(), cause: cause.into() });
            self.failed = self.failed.take().or(failed.err());
        }
    }

    fn passed(&mut self, time: Ns) {
        if let Stage::Open(log) = &mut self.state {
            log.more.passed(time);
        }
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        if let Stage::Open(log) = &mut self.state
            && let Some(hits) = &mut log.hits
        {
            hits.rows(runs);
        }
    }

    fn pause(&mut self) {
        self.take(LogWriter::flush);
    }

    fn end(&mut self) {
        if matches!(self.state, Stage::Ended(_)) {
            return;
        }
        self.take(LogWriter::flush);
        let Stage::Open(mut log) = std::mem::replace(&mut self.state, Stage::Ended(Ok(0))) else { return };
        let cut = if self.failed.is_some() { log.cut_back(self.room) } else { Ok(()) };
        self.state = Stage::Ended(cut.and_then(|()| log.finish()));
    }

    fn takes_more(&self) -> bool {
        self.failed.is_none()
    }
}
