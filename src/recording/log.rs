//! `log.csv`: the thesis's Figure 5, a row for each event.

use super::{Error, NewFile};
use crate::events::{Event, Sink};
use crate::tracefs::Table;
use std::io::{self, Stdout, Write};

/// Bytes written at once.
const CHUNK: usize = 256 << 10;

const HEADER: &[u8] = b"timestamp,tpid,gid,tracepoint name\n";

/// Writes events as rows.
pub struct LogWriter<'a> {
    to: To<'a>,
    rows: Rows,
    buffer: Vec<u8>,
    /// After each write, how long the file was, and how many rows it had: where it can be cut.
    cuts: Vec<Cut>,
    logged: u64,
}

/// Where rows go.
enum To<'a> {
    File(NewFile<'a>),
    Stdout(Stdout),
}

#[derive(Clone, Copy)]
struct Cut {
    bytes: u64,
    rows: u64,
}

impl<'a> LogWriter<'a> {
    /// A log into this file.
    pub fn new(file: NewFile<'a>) -> Self {
        Self::with(To::File(file))
    }

    /// A log to standard output.
    pub fn to_stdout() -> Self {
        Self::with(To::Stdout(io::stdout()))
    }

    fn with(to: To<'a>) -> Self {
        let buffer = Vec::with_capacity(CHUNK * 2);
        let mut log = LogWriter { to, rows: Rows::default(), buffer, cuts: Vec::new(), logged: 0 };
        log.buffer.extend_from_slice(HEADER);
        log
    }

    /// Appends a row for each event; `table` is always the same, and may have grown.
    pub fn write(&mut self, events: &[Event], table: &Table) -> Result<(), Error> {
        self.rows.grow(table);
        // In slices of less than a chunk, so that the buffer stays small whatever the batch.
        for events in events.chunks(1024) {
            events.iter().for_each(|event| self.rows.push(&mut self.buffer, event));
            self.logged += events.len() as u64;
            if self.buffer.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what is in memory still.
    pub fn flush(&mut self) -> Result<(), Error> {
        match &mut self.to {
            To::File(file) => file.write(&self.buffer)?,
            To::Stdout(stdout) => {
                let mut stdout = stdout.lock();
                stdout.write_all(&self.buffer).and_then(|()| stdout.flush()).map_err(|cause| Error::Io {
                    verb: "write to",
                    path: "standard output".into(),
                    cause,
                })?;
            }
        }
        let bytes = self.cuts.last().map_or(0, |cut| cut.bytes) + self.buffer.len() as u64;
        self.cuts.push(Cut { bytes, rows: self.logged });
        self.buffer.clear();
        Ok(())
    }

    /// After a write that failed, as on a full disk: cuts the log back to whole rows, and so far that `room` bytes are free
    /// for the other files of the recording.
    pub fn cut_back(&mut self, room: u64) -> Result<(), Error> {
        let To::File(file) = &mut self.to else {
            self.buffer.clear();
            return Ok(());
        };
        let end = file.length()?.saturating_sub(room);
        let fitting = self.cuts.partition_point(|cut| cut.bytes <= end);
        let mut cut = self.cuts[..fitting].last().copied().unwrap_or(Cut { bytes: 0, rows: 0 });
        if fitting == self.cuts.len() {
            // Of the write that failed a part may have fitted.
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
            self.buffer.extend_from_slice(HEADER);
        }
        file.cut(cut.bytes)
    }

    /// Gives the file its name, and gives how many rows it has.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.flush()?;
        if let To::File(file) = self.to {
            file.finish();
        }
        Ok(self.logged)
    }
}

/// The log as a sink. A log that cannot be written is cut back to whole rows at its end.
pub struct LogSink<'a> {
    state: Stage<'a>,
    /// What a full disk must have left for the other files, in bytes.
    room: u64,
    /// Why writing failed.
    failed: Option<Error>,
}

enum Stage<'a> {
    Open(Box<LogWriter<'a>>),
    /// With so many rows, or neither written nor cut back.
    Ended(Result<u64, Error>),
}

impl<'a> LogSink<'a> {
    /// A log that leaves so many bytes of a full disk to other files.
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

    /// Ends the log, if that has not been done. Its rows, and why there are no more.
    ///
    /// # Errors
    /// If it could be neither written nor cut back.
    pub fn outcome(mut self) -> Result<(u64, Option<Error>), Error> {
        self.end();
        match self.state {
            Stage::Open(_) => unreachable!("it has just been ended"),
            Stage::Ended(rows) => Ok((rows?, self.failed)),
        }
    }
}

impl Sink for LogSink<'_> {
    fn events(&mut self, events: &[Event], table: &Table) {
        self.take(|log| log.write(events, table));
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

/// The constant part of each tracepoint's rows: `,tpid,gid,name\n`, with what CSV needs to be quoted.
#[derive(Default)]
struct Rows {
    ends: Vec<u8>,
    /// Where the row end of tpid `i` is in `ends`.
    places: Vec<(u32, u32)>,
    /// For how many tracepoints of the table there is one.
    made: usize,
}

impl Rows {
    fn grow(&mut self, table: &Table) {
        for tracepoint in &table.tracepoints()[self.made..] {
            let mut row = csv::WriterBuilder::new().from_writer(Vec::new());
            let fields = ["", &tracepoint.tpid.to_string(), &tracepoint.gid.to_string(), &tracepoint.name];
            row.write_record(fields).expect("a vector takes every row");
            let row = row.into_inner().expect("a vector takes every row");
            // The csv crate writes a leading empty field as nothing or as quotes; the comma begins what is wanted.
            let comma = row.iter().position(|byte| *byte == b',').unwrap_or(0);
            let start = self.ends.len();
            self.ends.extend_from_slice(&row[comma..]);
            let tpid = tracepoint.tpid.index();
            if self.places.len() <= tpid {
                self.places.resize(tpid + 1, (0, 0));
            }
            self.places[tpid] = (start as u32, self.ends.len() as u32);
        }
        self.made = table.tracepoints().len();
    }

    #[inline]
    fn push(&self, out: &mut Vec<u8>, event: &Event) {
        let (start, end) = self.places[event.tpid.index()];
        out.extend_from_slice(itoa::Buffer::new().format(event.time.0).as_bytes());
        out.extend_from_slice(&self.ends[start as usize..end as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Ns, Tpid};
    use crate::recording::RecordingDir;
    use std::fs;

    fn table() -> Table {
        let entries = [("irq", "softirq_entry"), ("odd", "a \"b\", c"), ("sched", "sched_switch")];
        Table::from_entries(entries.iter().zip(1..).map(|((g, n), id)| (g.to_string(), n.to_string(), id)).collect())
    }

    fn event(time: u64, tpid: u32) -> Event {
        Event { time: Ns(time), cpu: None, tpid: Tpid::new(tpid) }
    }

    #[test]
    fn rows_are_as_in_the_thesis_and_any_name_reads_back() {
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
    fn a_log_that_filled_the_disk_is_cut_to_whole_rows_with_room_for_the_rest() {
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
