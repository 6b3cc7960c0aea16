//! `log.csv`: one row per event, as in Figure 5 of the thesis.

use super::{Error, NewFile};
use crate::events::thinning::rows::RowHits;
use crate::events::{Event, RowRun, RowRuns, RungStep, Sink};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::os::stdout::stdout;
use crate::text::CsvCell;
use crate::tracefs::{Table, Tracepoint};
use std::io::{self, Write};
use std::path::PathBuf;

/// The number of bytes after which the buffer is written.
const CHUNK: usize = 256 << 10;

/// The memory in bytes of a step on a CPU until events behind it come.
const OF_STEP_AHEAD: u64 = 240;

/// The name of standard output in errors.
const STDOUT: &str = "standard output";

const HEADER: &[u8] = b"timestamp,tpid,gid,tracepoint name\n";
/// The header of a log with the number of hits that each event stands for.
const HEADER_WITH_HITS: &[u8] = b"timestamp,tpid,gid,tracepoint name,hits\n";

/// Writes events as rows.
pub struct LogWriter<'a> {
    to: To<'a>,
    rows: Rows,
    buffer: Vec<u8>,
    header: &'static [u8],
    /// The number of hits that each event stands for, if the log has them.
    hits: Option<RowHits>,
    /// The same numbers in the rows of a log that is read, which count instead.
    runs: RowRuns,
    /// The memory of the steps ahead.
    held: Held,
    /// Per write: the length of the file and its number of rows. The file can be cut at these places.
    cuts: Vec<Cut>,
    logged: u64,
}

/// The destination of the rows.
enum To<'a> {
    File(NewFile<'a>),
    Stdout,
}

#[derive(Clone, Copy)]
struct Cut {
    bytes: u64,
    rows: u64,
}

impl<'a> LogWriter<'a> {
    /// A log in this file.
    pub fn new(file: NewFile<'a>) -> Self {
        Self::with(To::File(file))
    }

    /// A log on standard output.
    pub fn to_stdout() -> Self {
        Self::with(To::Stdout)
    }

    fn with(to: To<'a>) -> Self {
        let buffer = Vec::with_capacity(CHUNK * 2);
        let mut log = LogWriter {
            to,
            rows: Rows::default(),
            buffer,
            header: HEADER,
            hits: None,
            runs: RowRuns::default(),
            held: Held::nothing(MemoryOf::Steps),
            cuts: Vec::new(),
            logged: 0,
        };
        log.buffer.extend_from_slice(log.header);
        log
    }

    /// Adds the column `hits`, if `wanted`: the number of hits that an event stands for. Must come before the first event.
    pub fn with_hits(mut self, wanted: bool) -> Self {
        if wanted {
            (self.header, self.hits) = (HEADER_WITH_HITS, Some(RowHits::default()));
            self.buffer.clear();
            self.buffer.extend_from_slice(self.header);
        }
        self
    }

    /// Appends a row per event. `table` must be the same table in every call, but it may have grown.
    pub fn write(&mut self, events: &[Event], table: &Table) -> Result<(), Error> {
        let rows = self.rows.grow(table);
        rows.map_err(|cause| Error::Io { verb: "write", path: self.path(), cause: cause.into() })?;
        // Small slices keep the buffer small, however large the batch is, and however long the rows are.
        for events in events.chunks((CHUNK / self.rows.longest.max(1)).clamp(1, 1024)) {
            for event in events {
                self.rows.push(&mut self.buffer, event, table);
                if let Some(hits) = &mut self.hits {
                    self.buffer.pop();
                    self.buffer.push(b',');
                    let hits = self.runs.of_next(event.tpid, event.time).unwrap_or_else(|| hits.of_next(event));
                    self.buffer.extend_from_slice(itoa::Buffer::new().format(hits).as_bytes());
                    self.buffer.push(b'\n');
                }
            }
            self.logged += events.len() as u64;
            if self.buffer.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        match &self.to {
            To::File(file) => file.path(),
            To::Stdout => STDOUT.into(),
        }
    }

    /// Writes the buffered rows.
    pub fn flush(&mut self) -> Result<(), Error> {
        match &mut self.to {
            To::File(file) => file.write(&self.buffer)?,
            To::Stdout => {
                let write = |stdout: io::Stdout| {
                    let mut stdout = stdout.lock();
                    stdout.write_all(&self.buffer).and_then(|()| stdout.flush())
                };
                stdout().and_then(write).map_err(|cause| Error::Io { verb: "write to", path: STDOUT.into(), cause })?;
            }
        }
        let bytes = self.cuts.last().map_or(0, |cut| cut.bytes) + self.buffer.len() as u64;
        self.cuts.push(Cut { bytes, rows: self.logged });
        self.buffer.clear();
        Ok(())
    }

    /// Truncates the log after a failed write, for example on a full disk. The log then ends with a whole
    /// row, and leaves `room` bytes for the other files of the recording.
    pub fn cut_back(&mut self, room: u64) -> Result<(), Error> {
        let To::File(file) = &mut self.to else {
            self.buffer.clear();
            return Ok(());
        };
        let end = file.length()?.saturating_sub(room);
        let fitting = self.cuts.partition_point(|cut| cut.bytes <= end);
        let mut cut = self.cuts[..fitting].last().copied().unwrap_or(Cut { bytes: 0, rows: 0 });
        if fitting == self.cuts.len() {
            // A part of the failed write may be in the file.
            let fitted = usize::try_from(end - cut.bytes).unwrap_or(usize::MAX).min(self.buffer.len());
            let newlines = self.buffer[..fitted].iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            let (lines, whole) = newlines.fold((0, 0), |(lines, _), (place, _)| (lines + 1, place as u64 + 1));
            let header = u64::from(cut.bytes == 0 && lines > 0);
            cut = Cut { bytes: cut.bytes + whole, rows: cut.rows + lines - header };
        }
        self.cuts.truncate(fitting);
        self.cuts.push(cut);
        self.buffer.clear();
        self.logged = cut.rows;
        if cut.bytes == 0 {
            self.buffer.extend_from_slice(self.header);
        }
        file.cut(cut.bytes)
    }

    /// Finishes the file, and returns the number of rows.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.flush()?;
        if let To::File(file) = self.to {
            file.finish();
        }
        Ok(self.logged)
    }
}

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

    fn steps(&mut self, steps: &[RungStep]) {
        if let Stage::Open(log) = &mut self.state
            && let Some(hits) = &mut log.hits
            && self.failed.is_none()
        {
            let on = steps.iter().map(|step| step.on.len() as u64).sum::<u64>();
            match log.held.grow(OF_STEP_AHEAD * on) {
                Ok(()) => hits.add(steps),
                Err(cause) => {
                    self.failed = Some(Error::Io { verb: "write", path: log.path(), cause: cause.into() });
                }
            }
        }
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        if let Stage::Open(log) = &mut self.state {
            log.runs.add(runs);
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

/// The constant part of each tracepoint's rows: `,tpid,gid,name\n`, quoted as CSV requires.
struct Rows {
    ends: Vec<u8>,
    /// The place in `ends` of the row end of tpid `i`; empty if that is too long to be kept.
    places: Vec<(u32, u32)>,
    /// The number of tracepoints of the table that have a row end.
    made: usize,
    /// The bytes of the longest row end.
    longest: usize,
    /// The memory of the row ends, and of copies of the longest.
    held: Held,
}

/// The longest row end in bytes that is kept. A longer one is made for each event. The escapes of a name can be ten times as
/// long as the name, so the row ends of long names could take more memory than the table.
const LONGEST_KEPT: usize = 1 << 10;

/// The copies of a row end that are in memory while it is made and written.
const COPIES: usize = 5;

impl Default for Rows {
    fn default() -> Self {
        let held = Held::nothing(MemoryOf::Names);
        Rows { ends: Vec::new(), places: Vec::new(), made: 0, longest: 0, held }
    }
}

impl Rows {
    fn grow(&mut self, table: &Table) -> Result<(), TooMuch> {
        for tracepoint in &table.tracepoints()[self.made..] {
            let mut row = row_end(tracepoint);
            let start = self.ends.len();
            self.longest = self.longest.max(row.len());
            if row.len() > LONGEST_KEPT {
                self.held.resize((self.ends.capacity() + COPIES * self.longest) as u64)?;
                row.clear();
            }
            if self.ends.capacity() - start < row.len() {
                let more = row.len().max(self.ends.capacity() / 4).max(8 << 10);
                self.held.resize((start + more + COPIES * self.longest) as u64)?;
                self.ends.reserve_exact(more);
            }
            self.ends.extend_from_slice(&row);
            let tpid = tracepoint.tpid.index();
            if self.places.len() <= tpid {
                self.places.resize(tpid + 1, (0, 0));
            }
            self.places[tpid] = (start as u32, self.ends.len() as u32);
        }
        self.made = table.tracepoints().len();
        Ok(())
    }

    #[inline]
    fn push(&self, out: &mut Vec<u8>, event: &Event, table: &Table) {
        let (start, end) = self.places[event.tpid.index()];
        out.extend_from_slice(itoa::Buffer::new().format(event.time.0).as_bytes());
        match &self.ends[start as usize..end as usize] {
            [] => out.extend_from_slice(&row_end(table.get(event.tpid))),
            kept => out.extend_from_slice(kept),
        }
    }
}

fn row_end(tracepoint: &Tracepoint) -> Vec<u8> {
    let mut row = csv::Writer::from_writer(Vec::new());
    let [tpid, gid, name] =
        [tracepoint.tpid.to_string(), tracepoint.gid.to_string(), CsvCell(&tracepoint.name).to_string()];
    row.write_record(["", &tpid, &gid, &name]).expect("writing to a vector does not fail");
    let mut row = row.into_inner().expect("writing to a vector does not fail");
    // The csv crate writes a leading empty field as nothing or as quotes. The wanted part starts at the comma.
    let comma = row.iter().position(|byte| *byte == b',').unwrap_or(0);
    row.drain(..comma);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Cpu, Ns, StepOnCpu, Tpid};
    use crate::recording::RecordingDir;
    use std::fs;

    fn table() -> Table {
        let entries = [("irq", "softirq_entry"), ("odd", "a \"b\", c"), ("sched", "sched_switch")];
        Table::from_entries(entries.iter().zip(1..).map(|((g, n), id)| (g.to_string(), n.to_string(), id)).collect())
    }

    fn event(time: u64, tpid: u32) -> Event {
        Event { time: Ns(time), cpu: Some(Cpu::new(0)), tpid: Tpid::new(tpid) }
    }

    #[test]
    fn rows_have_the_form_of_the_thesis_and_any_name_reads_back() {
        let parent = tempfile::tempdir().unwrap();
        let dir = RecordingDir::create(&parent.path().join("rec"), false).unwrap();
        let mut log = LogWriter::new(dir.file("log.csv").unwrap());
        log.write(&[event(2_069_046_799_106, 3), event(u64::MAX, 2)], &table()).unwrap();
        assert_eq!(log.finish().unwrap(), 2);
        dir.commit().unwrap();
        let text = fs::read_to_string(dir.path().join("log.csv")).unwrap();
        assert!(text.starts_with("timestamp,tpid,gid,tracepoint name\n2069046799106,3,3,sched_switch\n"), "{text}");
        let rows: Vec<csv::StringRecord> =
            csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect();
        assert_eq!(rows[1].iter().collect::<Vec<_>>(), ["18446744073709551615", "2", "2", "a \"b\", c"]);
    }

    #[test]
    fn a_log_of_a_recording_with_a_budget_says_how_many_hits_a_row_stands_for() {
        let parent = tempfile::tempdir().unwrap();
        let dir = RecordingDir::create(&parent.path().join("rec"), false).unwrap();
        let mut log = LogSink::new(LogWriter::new(dir.file("log.csv").unwrap()).with_hits(true), 0);
        let on = StepOnCpu { cpu: Cpu::new(0), at: Ns(20), before: 1, after: 1 };
        log.steps(&[RungStep { tpid: Tpid::new(3), at: Ns(20), one_in: 17, on: vec![on] }]);
        log.events(&[event(10, 3), event(20, 3), event(21, 3), event(22, 3), event(30, 1)], &table());
        assert_eq!(log.outcome().unwrap().0, 5);
        dir.commit().unwrap();
        let text = fs::read_to_string(dir.path().join("log.csv")).unwrap();
        let rows = [(20, 1), (21, 1), (22, 17)].map(|(at, hits)| format!("{at},3,3,sched_switch,{hits}\n")).concat();
        let rows = format!("10,3,3,sched_switch,1\n{rows}30,1,1,softirq_entry,1\n");
        assert_eq!(text, format!("timestamp,tpid,gid,tracepoint name,hits\n{rows}"));
    }

    #[test]
    fn a_log_that_filled_the_disk_is_cut_to_whole_rows_and_leaves_room() {
        let parent = tempfile::tempdir().unwrap();
        let dir = RecordingDir::create(&parent.path().join("rec"), false).unwrap();
        let mut log = LogWriter::new(dir.file("log.csv").unwrap());
        let events: Vec<_> = (0..200_000).map(|n| event(n, 1)).collect();
        log.write(&events, &table()).unwrap();
        let before = log.cuts.last().unwrap().bytes;
        log.cut_back(1 << 20).unwrap();
        let logged = log.finish().unwrap();
        dir.commit().unwrap();
        let text = fs::read_to_string(dir.path().join("log.csv")).unwrap();
        assert!(text.len() as u64 <= before - (1 << 20));
        assert_eq!(text.lines().count() as u64, logged + 1);
        assert!(logged > 0 && text.ends_with(&format!("\n{},1,1,softirq_entry\n", logged - 1)));
    }

    #[test]
    fn a_short_log_that_filled_the_disk_keeps_its_header() {
        let parent = tempfile::tempdir().unwrap();
        let dir = RecordingDir::create(&parent.path().join("rec"), false).unwrap();
        let mut log = LogWriter::new(dir.file("log.csv").unwrap());
        log.write(&[event(1, 1)], &table()).unwrap();
        log.cut_back(1 << 20).unwrap();
        assert_eq!(log.finish().unwrap(), 0);
        dir.commit().unwrap();
        assert_eq!(fs::read(dir.path().join("log.csv")).unwrap(), HEADER);
    }
}
