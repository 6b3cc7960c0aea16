//! Events from a `log.csv`.

use super::Error;
use super::hits_column::{HitsColumn, MOST_HITS};
use super::thread_columns::ThreadColumns;
use crate::events::Filter;
use crate::events::merge::Merge;
use crate::events::stream::{Decode, Decoded, DecodedCpu};
use crate::events::{Event, Gid, Ns, RowRun, RungStep, Slot, ThreadChange, Tpid};
use crate::memory::{Held, MemoryOf};
use crate::perf_data::Fault;
use crate::text::{number_of_cell, of_csv_cell};
use crate::tracefs::{Table, Tracepoint};
use csv::ByteRecord;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Rows decoded in one step.
const ROWS: usize = 16_384;

/// No kernel has more tracepoints or groups.
const MOST_NUMBER: u32 = 1_000_000;

/// The memory in bytes that a tracepoint takes until the end of the log, besides its place in a table: in accounts, and in
/// the rows of a new log.
const OF_TRACEPOINT: u64 = 512;
/// The memory in bytes that each byte of a name takes there.
const OF_NAME: u64 = 4;

const FIELDS: [&str; 5] = ["timestamp", "tpid", "gid", "tracepoint name", "hits"];
/// The number of columns that each log has. Only a recording with a budget has the last column.
const USUAL: usize = 4;

/// Decodes rows. A log contains neither CPUs nor losses. It is in time order, except for steps back that a merge corrects.
pub struct LogCsv {
    reader: csv::Reader<Tail<Box<dyn Read>>>,
    /// Whether the file has ended within a row.
    torn: Rc<Cell<bool>>,
    row: ByteRecord,
    table: Table,
    /// For each tpid, the number of its rows, and whether the filter takes them. `None` until its first row.
    tracepoints: Vec<Option<(u64, bool)>>,
    held: Held,
    filter: Filter,
    queue: Option<usize>,
    length: Option<u64>,
    count_only: bool,
    earliest: Ns,
    /// The column `hits`, if the log has it.
    hits: Option<HitsColumn>,
    /// The columns behind it, if there are some.
    threads: Option<ThreadColumns>,
}

/// Checks lines while they are read. It notes whether the last line has its end. It refuses a line that is too long to be a
/// row, because the whole line would have to be in memory.
struct Tail<R> {
    reader: R,
    line: u64,
    /// Bytes of the line so far.
    length: usize,
    quotes: usize,
    last: u8,
    torn: Rc<Cell<bool>>,
    /// The error of the next read.
    problem: Option<io::Error>,
}

/// The most bytes of a row. Names have a few dozen.
const MOST_LINE: usize = 64 << 10;

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        let read = self.reader.read(buffer)?;
        // The lines before a bad line are returned first.
        let mut whole = 0;
        let mut bad = |line: u64, what: &str, whole: usize| {
            let problem = io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {what}"));
            match whole {
                0 => Err(problem),
                whole => {
                    self.problem = Some(problem);
                    Ok(whole)
                }
            }
        };
        for piece in buffer[..read].split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.length += piece.len();
            self.quotes += piece.iter().filter(|byte| **byte == b'"').count();
            if self.length > MOST_LINE {
                return bad(self.line, "it is too long to be a row", whole);
            }
            if piece.ends_with(b"\n") || piece.ends_with(b"\r") {
                if !self.quotes.is_multiple_of(2) {
                    return bad(self.line, "it has a quote that is not closed", whole);
                }
                (self.length, self.quotes) = (0, 0);
                self.line += u64::from(piece.ends_with(b"\n"));
                whole += piece.len();
            }
        }
        match buffer[..read].last() {
            Some(last) => self.last = *last,
            None => self.torn.set(!matches!(self.last, b'\n' | b'\r')),
        }
        Ok(read)
    }
}

impl LogCsv {
    /// Reads a log from its first byte. `table` has the known tracepoints of the kernel; the rows add those that it lacks.
    /// `length` is the length of the log in bytes, if known.
    pub fn open(reader: Box<dyn Read>, table: Table, length: Option<u64>) -> Result<Self, Error> {
        let torn = Rc::new(Cell::new(false));
        let reader = Tail { reader, line: 1, length: 0, quotes: 0, last: b'\n', torn: Rc::clone(&torn), problem: None };
        let mut reader = csv::ReaderBuilder::new().buffer_capacity(256 << 10).from_reader(reader);
        let header = reader.byte_headers().map_err(|error| Error::Read(io_error(error)))?;
        let missing: Vec<_> = FIELDS[..USUAL]
            .iter()
            .copied()
            .filter(|field| !header.iter().any(|found| found == field.as_bytes()))
            .collect();
        if !missing.is_empty() {
            return Err(Error::Columns { missing: missing.join("`, `") });
        }
        let fields = |fields: &'static [&str]| fields.iter().map(|field| field.as_bytes());
        if !header.iter().take(USUAL).eq(fields(&FIELDS[..USUAL])) {
            return Err(Error::ColumnOrder);
        }
        let has_hits = header.get(USUAL) == Some(FIELDS[USUAL].as_bytes());
        let behind = USUAL + usize::from(has_hits);
        let threads = (header.len() > behind).then(|| ThreadColumns::of(header, behind)).transpose()?;
        Ok(LogCsv {
            reader,
            torn,
            row: ByteRecord::new(),
            table,
            tracepoints: Vec::new(),
            held: Held::nothing(MemoryOf::Names),
            filter: Filter::default(),
            queue: None,
            length,
            count_only: false,
            earliest: Ns::MAX,
            hits: has_hits.then(HitsColumn::new),
            threads,
        })
    }

    /// Whether the log has the thread of each event.
    pub fn has_threads(&self) -> bool {
        self.threads.as_ref().is_some_and(ThreadColumns::has_threads)
    }

    /// Whether the log has the cgroup of each event.
    pub fn has_cgroups(&self) -> bool {
        self.threads.as_ref().is_some_and(ThreadColumns::has_cgroups)
    }

    /// Whether the log has the column `hits`.
    pub fn has_hits(&self) -> bool {
        self.hits.is_some()
    }

    fn line(&self) -> u64 {
        self.row.position().map_or(0, csv::Position::line)
    }

    fn bad(&self, reason: impl std::fmt::Display) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {reason}", self.line()))
    }

    /// The event of the current row. `None` if the filter does not take it.
    fn event(&mut self, watermark: Ns) -> io::Result<Option<Event>> {
        let [time, tpid, gid] = [0, 1, 2].map(|field| number_of_cell(&self.row[field]));
        let number = |value: Option<u64>, field: usize| {
            value.ok_or_else(|| {
                let field_bytes = &self.row[field];
                let text = String::from_utf8_lossy(&field_bytes[..field_bytes.len().min(40)]).into_owned();
                self.bad(format!("`{text}` is not a number ({})", FIELDS[field]))
            })
        };
        let (time, tpid, gid) = (Ns(number(time, 0)?), number(tpid, 1)?, number(gid, 2)?);
        let hits = self.hits.is_some().then(|| number(number_of_cell(&self.row[USUAL]), USUAL)).transpose()?;
        if let Some(hits) = hits.filter(|hits| !(1..=MOST_HITS).contains(hits)) {
            return Err(self.bad(format!("{hits} is not a number of hits (1 to {MOST_HITS})")));
        }
        if time < watermark {
            return Err(self.bad("its time is far earlier than that of a row above it; a log must be in time order"));
        }
        self.earliest = self.earliest.min(time);
        let in_range = |value: u64, field: usize| {
            u32::try_from(value)
                .ok()
                .filter(|value| (1..=MOST_NUMBER).contains(value))
                .ok_or_else(|| self.bad(format!("{value} is not a {} (1 to {MOST_NUMBER})", FIELDS[field])))
        };
        let (tpid, gid) = (Tpid::new(in_range(tpid, 1)?), Gid::new(in_range(gid, 2)?));
        let cell = &self.row[3];
        match self.table.find(tpid) {
            Some(known) if known.gid == gid && is_cell_of(cell, &known.name) => {}
            Some(known) => {
                let (gid, known) = (known.gid, known.full_name());
                return Err(self.bad(format!(
                    "tpid {tpid} was {known} (gid {gid}) in a row above, and is another tracepoint here"
                )));
            }
            None => {
                let name = of_csv_cell(&String::from_utf8_lossy(cell)).into_owned();
                let group = format!("gid{gid}");
                self.held.grow(OF_TRACEPOINT + OF_NAME * name.len() as u64)?;
                self.table.add_from_input(Tracepoint { tpid, gid, group, name, tracefs_id: 0 })?;
            }
        }
        let index = tpid.index();
        if self.tracepoints.len() <= index {
            self.tracepoints.resize(index + 1, None);
        }
        let (filter, table) = (&self.filter, &self.table);
        let (rows, wanted) = self.tracepoints[index].get_or_insert_with(|| (0, filter.takes(table.get(tpid))));
        if let (Some(column), Some(hits)) = (&mut self.hits, hits)
            && !column.row(tpid, time, hits, *wanted)?
        {
            return Err(self.bad(
                "a row above it of the same tracepoint is later, and has another number of hits; sort the log by time",
            ));
        }
        if !*wanted {
            return Ok(None);
        }
        *rows += 1;
        let event = Event::new(time, None, tpid);
        Ok(Some(match &mut self.threads {
            Some(threads) => {
                let event = threads.event(event, &self.row);
                event.map_err(|fault| match fault {
                    Fault::TooMuch(cause) => cause.into(),
                    Fault::Damaged(reason) => self.bad(reason),
                })?
            }
            None => event,
        }))
    }
}

impl Decode for LogCsv {
    fn step(&mut self, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<bool> {
        let queue = *self.queue.get_or_insert_with(|| merge.add_queue(None));
        for _ in 0..ROWS {
            if !self.reader.read_byte_record(&mut self.row).map_err(io_error)? {
                return Ok(false);
            }
            // A row without a line end is incomplete: only the end of the file ends it.
            if self.torn.get() {
                return Err(self.bad("the file ends within this row; tp-perf left the row out"));
            }
            let Some(event) = self.event(merge.watermark())? else { continue };
            if !self.count_only {
                merge.push(queue, event);
            }
        }
        merge.finish_round(out);
        Ok(true)
    }

    fn table(&self) -> &Table {
        &self.table
    }

    fn restrict(&mut self, filter: Filter) {
        self.filter = filter;
    }

    fn count_only(&mut self) {
        self.count_only = true;
    }

    fn decoded(&mut self, merge: &Merge) -> Decoded {
        let late = self.queue.map_or(0, |queue| merge.late(queue));
        let rows = (0u32..).zip(&self.tracepoints);
        let samples = rows.filter_map(|(tpid, rows)| match rows {
            Some((rows, true)) => Some((Slot { tpid: Tpid::new(tpid), cpu: None }, *rows)),
            _ => None,
        });
        let per_cpu = vec![DecodedCpu { cpu: None, lost: 0, late }];
        Decoded {
            samples: samples.collect(),
            per_cpu,
            unknown: 0,
            counted: None,
            lost: None,
            lost_unassigned: 0,
            threads_lost: 0,
            more_hits: self.hits.as_ref().map(HitsColumn::more_hits).unwrap_or_default(),
            steps: self.hits.as_mut().map(|hits| std::mem::take(&mut hits.steps)).unwrap_or_default(),
        }
    }

    fn take_threads(&mut self) -> Vec<ThreadChange> {
        self.threads.as_mut().map(|threads| std::mem::take(&mut threads.changes)).unwrap_or_default()
    }

    fn steps(&self) -> &[RungStep] {
        self.hits.as_ref().map_or(&[], |hits| &hits.steps)
    }

    fn row_runs(&self) -> &[RowRun] {
        self.hits.as_ref().map_or(&[], |hits| &hits.runs)
    }

    fn earliest(&self) -> Option<Ns> {
        (self.earliest != Ns::MAX).then_some(self.earliest)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.reader.position().byte(), self.length)
    }
}

/// Whether a cell stands for this name. Most cells are the name itself, and this is checked for each row.
fn is_cell_of(cell: &[u8], name: &str) -> bool {
    let is_plain = !cell.contains(&b'\\') && !cell.starts_with(b"'");
    match is_plain {
        true => cell == name.as_bytes(),
        false => of_csv_cell(&String::from_utf8_lossy(cell)) == name,
    }
}

/// An error of the csv crate, with the line first.
fn io_error(error: csv::Error) -> io::Error {
    let line = error.position().map(csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::Io(error) => return io::Error::new(error.kind(), error.to_string()),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields instead of {expected_len}")
        }
        _ => error.to_string(),
    };
    let message = match line {
        Some(line) => format!("line {line}: {message}"),
        None => message,
    };
    io::Error::new(io::ErrorKind::InvalidData, message)
}
