//! Writes the files of the recording from the captured bytes.

use crate::capture::{CaptureOptions, Error, Switched};
use crate::control::{Progress, Signals};
use crate::drain::{Problem, Request, Results, drain};
use crate::events::{SampleIds, Sink};
use crate::perf_data::{SampleFields, counters, document};
use crate::recording::{self, Ending, LogSink, LogWriter, NewFile, RecordingDir, Summary, Unwatched};
use crate::source::Source;
use crate::spool::Spool;
use crate::text::json_line;
use crate::units::nanoseconds;
use std::io;
use std::time::Duration;

/// Everything captured, once the events are off.
pub struct Captured {
    /// Facts about the time while the events were on.
    pub run: Switched,
    /// The head of `events.perf`, and the chunks.
    pub spool: Spool,
    /// The tracepoints and CPUs of the sample ids in the chunks.
    pub ids: SampleIds,
    /// The stretches in which a CPU was not watched. Their times are those of the samples.
    pub unwatched: Vec<Unwatched>,
    /// The exit code of COMMAND, if it has ended.
    pub command_exit: Option<i32>,
    /// The expected duration of the detach.
    pub detach_expected: Duration,
}

/// The results of a capture.
#[derive(Debug)]
pub struct Written {
    /// The summary, as written to summary.json.
    pub summary: Summary,
    /// How the capture ended, as written to `events.perf`.
    pub ending: Ending,
    /// The reason why the recording is incomplete, if it is.
    pub problem: Option<Problem>,
}

impl Captured {
    /// Ends `events.perf`, and replays it to write the log and the summary. The summary is written even if
    /// the log could not be completed.
    pub fn write(
        self,
        options: &CaptureOptions,
        directory: &RecordingDir,
        summary_room: SummaryRoom<'_>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Written, Error> {
        let Replayable { source, ending, in_file, request } = self.end(options)?;
        let room = if summary_room.is_reserved { 0 } else { summary_room.bytes };
        let log = LogWriter::new(directory.file(recording::LOG)?).with_hits(options.attach.budget.is_some());
        let log = log.with_columns(&options.log_columns);
        let mut log = LogSink::new(log, room);
        let request = Request { as_captured: true, ..request };
        let Results { summary, problem, .. } =
            drain(source, request, &mut [&mut log], signals, progress).with_log(log)?;
        summary.write(summary_room.file)?;
        directory.commit()?;
        Ok(Written { summary, ending, problem: Problem::and_of_file(problem, in_file) })
    }

    /// Replays the capture to sinks, and leaves no files.
    pub fn pour(
        self,
        options: &CaptureOptions,
        sinks: &mut [&mut dyn Sink],
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Results, Error> {
        let Replayable { source, in_file, request, .. } = self.end(options)?;
        let mut results = drain(source, request, sinks, signals, progress);
        results.problem = Problem::and_of_file(results.problem, in_file);
        Ok(results)
    }

    /// Appends the counters and the ending to the events. Returns everything as a source, with a request for
    /// all of it.
    fn end(self, options: &CaptureOptions) -> Result<Replayable, Error> {
        let Captured { run, mut spool, ids, unwatched, command_exit, detach_expected } = self;
        let (behind, ending) = behind(&run, &ids, unwatched, command_exit, detach_expected, options)?;
        // On a full disk this may not fit in the file, but it fits in memory.
        spool.append_behind(&behind).map_err(Error::Replay)?;
        let (blocks, in_file) = spool.finish().map_err(Error::Replay)?;
        let request = Request { asked: run.asked, stops_at_once: false, begin: run.stopped, ..Request::for_a_look() };
        Ok(Replayable { source: Source::captured(blocks).map_err(Error::Source)?, ending, in_file, request })
    }
}

/// The bytes behind the events: the counters, and how the capture ended.
pub(super) fn behind(
    run: &Switched,
    ids: &SampleIds,
    unwatched: Vec<Unwatched>,
    command_exit: Option<i32>,
    detach_expected: Duration,
    options: &CaptureOptions,
) -> Result<(Vec<u8>, Ending), Error> {
    let ending = Ending {
        started: humantime::format_rfc3339_nanos(run.started).to_string(),
        stop_reason: run.stop_reason,
        problem: run.problem.as_ref().map(ToString::to_string),
        command_exit,
        capture_ns: nanoseconds(run.capture),
        detach_ns: None,
        detach_expected_ns: nanoseconds(detach_expected),
        own_cpu_ns: nanoseconds(run.own_cpu),
        gone_cpus: Vec::new(),
        unwatched,
        cost: run.cost,
        others: run.others.clone(),
        triggers: run.triggers.clone(),
    };
    let now = options.attach.clock.sampled().now_ns().map_err(Error::Run)?;
    let lost_known = run.counted.iter().all(|counted| counted.lost_known);
    let readings = ids.ids().iter().copied().zip(run.counted.iter().map(|counted| counted.count));
    let readings = readings.chain(run.threads.iter().copied());
    let fields = SampleFields { process: options.attach.process, cpu: options.attach.sampled_cpu, weight: false };
    let behind = [counters(readings, lost_known, now, fields), note(&ending)].concat();
    Ok((behind, ending))
}

/// A capture, ready to be replayed.
struct Replayable {
    source: Source,
    ending: Ending,
    /// The error that kept bytes from `events.perf`, if there was one.
    in_file: io::Result<()>,
    request: Request,
}

/// Encodes the note in `events.perf` that says how the capture ended. If a file has several, the last one is
/// valid.
pub fn note(ending: &Ending) -> Vec<u8> {
    document(&json_line(ending))
}

/// The room in bytes that is reserved for the summary: a fixed part, and a part per opened event.
const SUMMARY_ROOM: u64 = 16 << 10;
const SUMMARY_ROOM_PER_SLOT: u64 = 512;

/// Room on the disk for the summary, reserved before the events go on. So even if the disk fills up during
/// the capture, the accounting is saved.
pub struct SummaryRoom<'a> {
    file: NewFile<'a>,
    bytes: u64,
    is_reserved: bool,
}

impl<'a> SummaryRoom<'a> {
    /// Reserves the room for a capture of this many opened events.
    pub fn set_aside(directory: &'a RecordingDir, events: usize) -> Result<Self, Error> {
        let bytes = SUMMARY_ROOM + events as u64 * SUMMARY_ROOM_PER_SLOT;
        let mut file = directory.file(recording::SUMMARY)?;
        let is_reserved = file.reserve(bytes)?;
        Ok(SummaryRoom { file, bytes, is_reserved })
    }
}
