//! From what was taken to the files of the recording.

use super::{Error, Options, Progress, Run, Signals, StopReason};
use crate::books::Books;
use crate::cpus::CpuList;
use crate::perf::SampleIds;
use crate::recording::{self, LogWriter, RecordingDir, Summary};
use crate::recording::{
    EventsSummary, SCHEMA, SelfSummary, TimingSummary, Tool, TracepointsSummary, accounts, write_groups,
    write_tracepoints,
};
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
    /// Why the log is shorter than it should be, if a full disk made it so.
    pub log_problem: Option<recording::Error>,
}

impl Captured {
    /// Decodes, merges and writes all files. Whatever stops the log, the other files are written, and say so.
    pub fn write(
        self,
        options: &Options,
        directory: &RecordingDir,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<(Written, Option<super::Running>), Error> {
        write_tracepoints(directory.file(recording::TRACEPOINTS)?, &self.table, &self.selection)?;
        write_groups(directory.file(recording::GROUPS)?, &self.table)?;
        let Captured { table, selection, mut run, spool, ids, clock_offset, .. } = self;
        let total = spool.samples();
        let stream = EventStream::new(spool.into_blocks().map_err(Error::Replay)?, ids, clock_offset);
        let log =
            Log { limit: options.rules.events, total, table: &table }.write(stream, directory, signals, progress)?;

        let books = Books::close(&log.decoded, &run.counted);
        let (captured, excluded, refused) = selection.counts();
        let (per_tracepoint, per_cpu, residuals) = accounts(&books, &table);
        let command_exit = match &mut run.command {
            Some(command) => command.exit_code().map_err(Error::Run)?,
            None => None,
        };
        let summary = Summary {
            schema: SCHEMA,
            tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            kernel: kernel_release(),
            hostname: hostname(),
            cpus: self.cpus.as_slice().to_vec(),
            offline_cpus: self.offline.as_slice().to_vec(),
            clock: options.clock,
            clock_offset_ns: clock_offset,
            command: options.command.as_ref().map(super::CommandLine::words),
            command_exit,
            arguments: options.arguments.clone(),
            started: humantime::format_rfc3339_nanos(run.started).to_string(),
            stop_reason: run.stop_reason.as_str().to_owned(),
            log_complete: log.complete && run.stop_reason != StopReason::DiskFull,
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
        summary.write(directory.file(recording::SUMMARY)?)?;
        Ok((Written { summary, log_problem: log.problem }, run.command))
    }
}

/// How the log is to be written.
struct Log<'a> {
    limit: Option<u64>,
    /// Samples in the stream.
    total: u64,
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
        let mut log = LogWriter::new(directory.file(recording::LOG)?, self.table)?;
        let mut left = self.limit.unwrap_or(u64::MAX);
        let asked_before = signals.asked();
        let (mut done, mut hurried, mut problem) = (0, false, None);
        while let Some(batch) = stream.next_batch().map_err(Error::Replay)? {
            done += batch.len() as u64;
            let wanted = batch.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            hurried |= wanted > 0 && signals.asked() > asked_before;
            if !hurried && problem.is_none() {
                problem = full(log.write(&batch[..wanted]))?;
                left -= wanted as u64;
            }
            progress.writing(done, self.total);
        }
        if problem.is_none() {
            problem = full(log.flush())?;
        }
        if problem.is_some() {
            log.cut_back()?;
        }
        progress.phase_ends();
        let complete = !hurried && problem.is_none();
        Ok(Logged { decoded: stream.decoded(), logged: log.finish()?, complete, problem })
    }
}

/// Sets a full disk aside; any other error stays one.
fn full(result: Result<(), recording::Error>) -> Result<Option<recording::Error>, recording::Error> {
    match result {
        Ok(()) => Ok(None),
        Err(error) if error.is_full() => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn kernel_release() -> String {
    let uname = nix::sys::utsname::uname();
    uname.map_or_else(|_| "unknown".to_owned(), |uname| uname.release().to_string_lossy().into_owned())
}

fn hostname() -> String {
    let name = nix::unistd::gethostname();
    name.map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}
