//! The rows of a table: one for each event, or for each tracepoint that was hit in a window.

use super::columns::Column;
use super::windows::{ExportedWindow, TakesWindows};
use crate::events::{Cpu, Event, EventHits, KnownThreads, Ns, RowRun, RungStep, Sink, ThreadChange, Tid, Tpid};
use crate::tracefs::Table;
use std::io;
use std::sync::Arc;

/// The rows that a format gets at a time.
const BATCH: usize = 4 << 10;

/// A row.
#[derive(Debug, Clone)]
pub(super) struct TableRow {
    pub time: Ns,
    pub length_ns: u64,
    pub tpid: Tpid,
    pub cpu: Option<Cpu>,
    pub pid: Option<Tid>,
    pub tid: Option<Tid>,
    pub comm: Option<Arc<str>>,
    pub cgroup: Option<Arc<str>>,
    /// `None` if they are unknown, because the tracepoint was detached.
    pub hits: Option<u64>,
    pub is_estimate: bool,
    pub watched: f32,
    pub standard_error: Option<f64>,
}

/// A cell of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CellValue<'a> {
    Null,
    Number(u64),
    Real(f64),
    Flag(bool),
    Text(&'a str),
}

impl TableRow {
    /// The cell in a column.
    pub fn value<'a>(&'a self, column: Column, table: &'a Table) -> CellValue<'a> {
        let number = |number: Option<u32>| number.map_or(CellValue::Null, |number| CellValue::Number(number.into()));
        let text = |text: &'a Option<Arc<str>>| text.as_deref().map_or(CellValue::Null, CellValue::Text);
        match column {
            Column::TimestampNs => CellValue::Number(self.time.0),
            Column::LengthNs => CellValue::Number(self.length_ns),
            Column::TracepointGroup => CellValue::Text(&table.get(self.tpid).group),
            Column::Tracepoint => CellValue::Text(&table.get(self.tpid).name),
            Column::Tpid => CellValue::Number(self.tpid.get().into()),
            Column::Gid => CellValue::Number(table.get(self.tpid).gid.get().into()),
            Column::Cpu => number(self.cpu.map(Cpu::get)),
            Column::Pid => number(self.pid.map(Tid::get)),
            Column::Tid => number(self.tid.map(Tid::get)),
            Column::Comm => text(&self.comm),
            Column::Cgroup => text(&self.cgroup),
            Column::Hits => self.hits.map_or(CellValue::Null, CellValue::Number),
            Column::IsEstimate => CellValue::Flag(self.is_estimate),
            Column::Watched => CellValue::Real(self.watched.into()),
            Column::StandardError => self.standard_error.map_or(CellValue::Null, CellValue::Real),
        }
    }
}

/// A format of tables.
pub(super) trait RowWriter {
    /// Takes rows out of `rows`, and writes them. `table` has their tracepoints. It is the same table in every call, but it may have
    /// grown.
    fn write(&mut self, rows: &mut Vec<TableRow>, table: &Table) -> io::Result<()>;

    /// Writes the rest.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Makes a row of each event.
pub(super) struct EventRows {
    writer: Box<dyn RowWriter>,
    hits: EventHits,
    /// What is known of threads, if a column needs it.
    threads: Option<KnownThreads>,
    batch: Vec<TableRow>,
    pub number: u64,
    failed: Option<io::Error>,
}

impl EventRows {
    pub fn new(writer: Box<dyn RowWriter>, columns: &[Column]) -> Self {
        let threads = columns.iter().any(|column| column.is_of_thread()).then(KnownThreads::default);
        let batch = Vec::with_capacity(BATCH);
        EventRows { writer, hits: EventHits::default(), threads, batch, number: 0, failed: None }
    }

    /// Writes the rest, and returns the number of rows.
    pub fn finish(self) -> io::Result<u64> {
        match self.failed {
            Some(error) => Err(error),
            None => self.writer.finish().map(|()| self.number),
        }
    }

    fn row(&mut self, event: &Event) -> TableRow {
        let hits = self.hits.of_next(event);
        let tid = event.tid();
        let mut row = TableRow {
            time: event.time,
            length_ns: 0,
            tpid: event.tpid(),
            cpu: event.cpu(),
            pid: None,
            tid,
            comm: None,
            cgroup: None,
            hits: Some(hits),
            is_estimate: hits > 1,
            watched: 1.0,
            standard_error: None,
        };
        if let (Some(threads), Some(tid)) = (&mut self.threads, tid) {
            threads.until(event.time);
            let thread = threads.of(tid);
            row.pid = thread.and_then(|thread| thread.process).or(Some(tid));
            row.comm = thread.and_then(|thread| thread.name.clone());
            row.cgroup = threads.cgroup_of(tid).cloned();
        }
        row
    }
}

impl Sink for EventRows {
    fn only_some(&mut self) {
        self.hits.only_some();
    }

    fn events(&mut self, events: &[Event], table: &Table) {
        for events in events.chunks(BATCH) {
            if self.failed.is_some() {
                return;
            }
            for event in events {
                let row = self.row(event);
                self.batch.push(row);
            }
            self.number += events.len() as u64;
            self.failed = self.writer.write(&mut self.batch, table).err();
        }
    }

    fn steps(&mut self, steps: &[RungStep]) {
        self.failed = self.failed.take().or(self.hits.steps(steps).err().map(Into::into));
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        self.hits.rows(runs);
    }

    fn threads(&mut self, changes: &[ThreadChange]) {
        let taken = self.threads.as_mut().map_or(Ok(()), |threads| threads.add(changes));
        self.failed = self.failed.take().or(taken.err().map(Into::into));
    }

    fn passed(&mut self, time: Ns) {
        if let Some(threads) = &mut self.threads {
            threads.until(time);
        }
    }

    fn takes_more(&self) -> bool {
        self.failed.is_none()
    }
}

/// Makes a row of each tracepoint that a window has.
pub(super) struct WindowRows {
    writer: Box<dyn RowWriter>,
    batch: Vec<TableRow>,
}

impl WindowRows {
    pub fn new(writer: Box<dyn RowWriter>) -> Self {
        WindowRows { writer, batch: Vec::new() }
    }

    /// Writes the rest.
    pub fn finish(self) -> io::Result<()> {
        self.writer.finish()
    }
}

impl TakesWindows for WindowRows {
    fn window(&mut self, window: &ExportedWindow, table: &Table) -> io::Result<()> {
        self.batch.extend(window.hits.iter().map(|hits| TableRow {
            time: window.from,
            length_ns: window.length_ns,
            tpid: hits.tpid,
            cpu: None,
            pid: None,
            tid: None,
            comm: None,
            cgroup: None,
            hits: hits.hits,
            is_estimate: hits.is_estimate,
            watched: hits.watched,
            standard_error: hits.standard_error,
        }));
        self.writer.write(&mut self.batch, table)
    }
}
