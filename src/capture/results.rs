//! From what was taken to the files of the recording.

use super::{Error, Options, Progress, Run, Signals};
use crate::books::Books;
use crate::cpus::CpuList;
use crate::perf::SampleIds;
use crate::recording::{self, LogWriter, NewFile, RecordingDir, Summary};
use crate::recording::{EventsSummary, SCHEMA, SelfSummary, TimingSummary, Tool, TracepointsSummary, accounts};
use crate::spool::{Spool, SpoolBlocks};
use crate::stream::{Decoded, EventStream};
use crate::tracefs::{Selection, Table};
use std::time::Duration;

/// All that a capture has taken, with the events off.
pub struct Captured {
    /// The tracepoint table.
    pub table: Table,
    /// What became of each tracepoint.
    pub selection: Selection,
    /// The CPUs captured.
    pub cpus: CpuList,
    /// The CPUs that had gone.
    pub offline: CpuList,
    /// Bytes of each ring.
    pub ring_size: usize,
    /// How long attaching took.
    pub attach: Duration,
    /// How long letting go is expected to take.
    pub detach_expected: Duration,
    /// The time while the events were on.
    pub run: Run,
    /// The chunks.
    pub spool: Spool,
    /// What the sample ids in them stand for.
    pub ids: SampleIds,
    /// Nanoseconds from the clock of the samples to the one asked for.
    pub clock_offset: i64,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The summary, as in the file.
    pub summary: Summary,
    /// What kept the recording from being all that was asked for, if anything did.
    pub problem: Option<anyhow::Error>,
}

impl Captured {
    /// Decodes, merges, and writes the log and the summary. Whatever stops the log, the summary is written, and says so.
    pub fn write(
        self,
        options: &Options,
        directory: &RecordingDir,
        summary_room: SummaryRoom<'_>,
        command_exit: Option<i32>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Written, Error> {
        let Captured { table, selection, run, spool, ids, clock_offset, .. } = self;
        let total = spool.samples();
        let room = if summary_room.is_reserved { 0 } else { summary_room.bytes };
        let stream = EventStream::new(spool.into_blocks().map_err(Error::Replay)?, ids, clock_offset);
        let log = Log { limit: options.rules.events, total, asked: run.asked, room, table: &table }
            .write(stream, directory, signals, progress)?;

        let books = Books::close(&log.decoded, &run.counted);
        let (captured, excluded, refused) = selection.counts();
        let (per_tracepoint, per_cpu, residuals) = accounts(&books, &table);
        let satisfied = options.rules.events.is_some_and(|events| log.logged == events);
        let summary = Summary {
            schema: SCHEMA,
            tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            kernel: crate::machine::kernel_release(),
            hostname: crate::machine::hostname(),
            cpus: self.cpus.as_slice().to_vec(),
            offline_cpus: self.offline.as_slice().to_vec(),
            clock: options.clock,
            clock_offset_ns: clock_offset,
            command: options.command.as_ref().map(super::CommandLine::words),
            command_exit,
            arguments: options.arguments.clone(),
            started: humantime::format_rfc3339_nanos(run.started).to_string(),
            stop_reason: run.stop_reason.as_str().to_owned(),
            log_complete: satisfied || (log.complete && run.problem.is_none()),
            ring_size: self.ring_size,
            tracepoints: TracepointsSummary { listed: table.tracepoints().len(), excluded, captured, refused },
            events: EventsSummary::new(&books, log.logged),
            timing_ns: TimingSummary {
                attach: nanoseconds(self.attach),
                capture: nanoseconds(run.capture),
                drain: nanoseconds(run.stopped.elapsed()),
                detach: None,
                detach_expected: nanoseconds(self.detach_expected),
            },
            own: SelfSummary {
                excluded: super::excludes_self(options),
                pid: std::process::id() as i32,
                cpu_ns: nanoseconds(run.own_cpu),
            },
            per_tracepoint,
            per_cpu,
            residuals,
        };
        summary.write(summary_room.file)?;
        directory.commit()?;
        let of_run = run.problem.map(|error| anyhow::Error::new(error).context("the capture ended before its time"));
        let of_log = log.problem.map(|error| {
            anyhow::Error::new(error).context(format!("log.csv has only the first {} events", summary.events.logged))
        });
        Ok(Written { summary, problem: of_log.or(of_run) })
    }
}

/// What is kept free on a full disk for the summary, in bytes: in any case, and for each tracepoint and CPU.
const SUMMARY_ROOM: u64 = 16 << 10;
const SUMMARY_ROOM_PER_SLOT: u64 = 512;

/// Room on the disk for the summary, set aside before the events are on: whatever fills the disk then, the books are kept.
pub struct SummaryRoom<'a> {
    file: NewFile<'a>,
    bytes: u64,
    is_reserved: bool,
}

impl<'a> SummaryRoom<'a> {
    /// For a capture of this many opened events.
    pub fn set_aside(directory: &'a RecordingDir, events: usize) -> Result<Self, Error> {
        let bytes = SUMMARY_ROOM + events as u64 * SUMMARY_ROOM_PER_SLOT;
        let mut file = directory.file(recording::SUMMARY)?;
        let is_reserved = file.reserve(bytes)?;
        Ok(SummaryRoom { file, bytes, is_reserved })
    }
}

/// How the log is to be written.
struct Log<'a> {
    limit: Option<u64>,
    /// Samples in the stream.
    total: u64,
    /// How often the user had asked for the end when the events went off. Once more means: at once.
    asked: usize,
    /// What a full disk must have left for the summary still, in bytes.
    room: u64,
    table: &'a Table,
}

/// How it went.
struct Logged {
    decoded: Decoded,
    logged: u64,
    complete: bool,
    problem: Option<recording::Error>,
}

impl Log<'_> {
    /// Writes log.csv. Decoding goes on to the end even if the log ends before, because the books need it all.
    fn write(
        &self,
        mut stream: EventStream<SpoolBlocks>,
        directory: &RecordingDir,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Logged, Error> {
        let mut log = LogWriter::new(directory.file(recording::LOG)?, self.table);
        let mut left = self.limit.unwrap_or(u64::MAX);
        let (mut done, mut hurried, mut problem) = (0, false, None);
        loop {
            if !hurried && signals.asked() > self.asked {
                hurried = left > 0;
                stream.count_only();
            }
            let Some(batch) = stream.next_batch().map_err(Error::Replay)? else { break };
            done += batch.len() as u64;
            let wanted = batch.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if !hurried && problem.is_none() {
                problem = log.write(&batch[..wanted]).err();
                left -= wanted as u64;
            }
            progress.writing(done, self.total);
        }
        if problem.is_none() {
            problem = log.flush().err();
        }
        if problem.is_some() {
            log.cut_back(self.room)?;
        }
        progress.phase_ends();
        let complete = !hurried && problem.is_none();
        Ok(Logged { decoded: stream.decoded(), logged: log.finish()?, complete, problem })
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
