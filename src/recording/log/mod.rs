//! `log.csv`: one row per event, as in Figure 5 of the thesis.

use super::{Error, NewFile};
use crate::events::{Event, EventHits};
use crate::os::stdout::stdout;
use crate::tracefs::Table;
use rows::Rows;
use std::io::{self, Write};
use std::path::PathBuf;

mod columns;
mod rows;
mod sink;

pub use columns::LogColumn;
pub use sink::LogSink;

use columns::MoreColumns;

/// The number of bytes after which the buffer is written.
const CHUNK: usize = 256 << 10;

/// The name of standard output in errors.
const STDOUT: &str = "standard output";

const HEADER: &str = "timestamp,tpid,gid,tracepoint name";

/// Writes events as rows.
pub struct LogWriter<'a> {
    to: To<'a>,
    rows: Rows,
    buffer: Vec<u8>,
    header: Vec<u8>,
    /// The number of hits that each event stands for, if the log has them.
    hits: Option<EventHits>,
    /// The columns behind the others.
    more: MoreColumns,
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
            header: Vec::new(),
            hits: None,
            more: MoreColumns::default(),
            cuts: Vec::new(),
            logged: 0,
        };
        log.set_header();
        log
    }

    fn set_header(&mut self) {
        let hits = self.hits.is_some().then_some("hits");
        let names = [HEADER].into_iter().chain(hits).chain(self.more.columns.iter().map(|column| column.name()));
        self.header = (names.collect::<Vec<_>>().join(",") + "\n").into_bytes();
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.header);
    }

    /// Adds the column `hits`, if `wanted`: the number of hits that an event stands for. Must come before the first event.
    pub fn with_hits(mut self, wanted: bool) -> Self {
        if wanted {
            self.hits = Some(EventHits::default());
            self.set_header();
        }
        self
    }

    /// Adds these columns behind the others. Must come before the first event.
    pub fn with_columns(mut self, columns: &[LogColumn]) -> Self {
        self.more = MoreColumns::of(columns);
        self.set_header();
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
                if self.hits.is_some() || !self.more.columns.is_empty() {
                    self.push_more(event);
                }
            }
            self.logged += events.len() as u64;
            if self.buffer.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Appends more columns to the last row.
    fn push_more(&mut self, event: &Event) {
        self.buffer.pop();
        if let Some(hits) = &mut self.hits {
            self.buffer.push(b',');
            self.buffer.extend_from_slice(itoa::Buffer::new().format(hits.of_next(event)).as_bytes());
        }
        self.more.push(event, &mut self.buffer);
        self.buffer.push(b'\n');
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
            self.buffer.extend_from_slice(&self.header);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Cpu, Ns, RungStep, Sink, StepOnCpu, ThreadChange, ThreadFact, Tid, Tpid};
    use crate::recording::RecordingDir;
    use std::fs;

    fn table() -> Table {
        let entries = [("irq", "softirq_entry"), ("odd", "a \"b\", c"), ("sched", "sched_switch")];
        Table::from_entries(entries.iter().zip(1..).map(|((g, n), id)| (g.to_string(), n.to_string(), id)).collect())
    }

    fn event(time: u64, tpid: u32) -> Event {
        Event::new(Ns(time), Some(Cpu::new(0)), Tpid::new(tpid))
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
        log.steps(&[RungStep { tpid: Tpid::new(3), at: Ns(20), one_in: 17, on: vec![on], earlier: Vec::new() }]);
        log.events(&[event(10, 3), event(20, 3), event(21, 3), event(22, 3), event(30, 1)], &table());
        assert_eq!(log.outcome().unwrap().0, 5);
        dir.commit().unwrap();
        let text = fs::read_to_string(dir.path().join("log.csv")).unwrap();
        let rows = [(20, 1), (21, 1), (22, 17)].map(|(at, hits)| format!("{at},3,3,sched_switch,{hits}\n")).concat();
        let rows = format!("10,3,3,sched_switch,1\n{rows}30,1,1,softirq_entry,1\n");
        assert_eq!(text, format!("timestamp,tpid,gid,tracepoint name,hits\n{rows}"));
    }

    #[test]
    fn a_row_of_some_processes_stands_for_one_in_n_hits() {
        let parent = tempfile::tempdir().unwrap();
        let dir = RecordingDir::create(&parent.path().join("rec"), false).unwrap();
        let mut log = LogSink::new(LogWriter::new(dir.file("log.csv").unwrap()).with_hits(true), 0);
        let on = StepOnCpu { cpu: Cpu::new(0), at: Ns(20), before: 1, after: 1 };
        log.only_some();
        log.steps(&[RungStep { tpid: Tpid::new(3), at: Ns(20), one_in: 17, on: vec![on], earlier: Vec::new() }]);
        // The samples of other processes since the step are left out.
        log.events(&[event(10, 3), event(25, 3), event(30, 1)], &table());
        assert_eq!(log.outcome().unwrap().0, 3);
        dir.commit().unwrap();
        let text = fs::read_to_string(dir.path().join("log.csv")).unwrap();
        let hits: Vec<_> = text.lines().skip(1).map(|row| row.rsplit(',').next().unwrap()).collect();
        assert_eq!(hits, ["1", "17", "1"]);
    }

    #[test]
    fn more_columns_have_the_thread_the_name_and_the_cpu_of_each_event() {
        let parent = tempfile::tempdir().unwrap();
        let dir = RecordingDir::create(&parent.path().join("rec"), false).unwrap();
        let columns = [LogColumn::Pid, LogColumn::Tid, LogColumn::Comm, LogColumn::Cpu];
        let log = LogWriter::new(dir.file("log.csv").unwrap()).with_hits(true).with_columns(&columns);
        let mut log = LogSink::new(log, 0);
        let tid = |number| Tid::new(number).unwrap();
        let change = |time, what| ThreadChange { time: Ns(time), tid: tid(7), what };
        log.threads(&[
            change(15, ThreadFact::Named("a, \"b\"".into())),
            change(0, ThreadFact::Of(tid(5))),
            change(0, ThreadFact::Named("=1".into())),
        ]);
        log.events(&[event(10, 3).in_thread(tid(7)), event(20, 3).in_thread(tid(7)), event(30, 1)], &table());
        assert_eq!(log.outcome().unwrap().0, 3);
        dir.commit().unwrap();
        let text = fs::read_to_string(dir.path().join("log.csv")).unwrap();
        let header = "timestamp,tpid,gid,tracepoint name,hits,pid,tid,comm,cpu";
        let rows = [
            "10,3,3,sched_switch,1,5,7,'=1,0",
            "20,3,3,sched_switch,1,5,7,\"a, \"\"b\"\"\",0",
            "30,1,1,softirq_entry,1,,,,0",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), [&[header], &rows[..]].concat());
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
        assert_eq!(fs::read(dir.path().join("log.csv")).unwrap(), format!("{HEADER}\n").into_bytes());
    }
}
