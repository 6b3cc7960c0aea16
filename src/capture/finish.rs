//! From what was taken to the files of the recording.

use crate::capture::{CaptureOptions, Error, Switched};
use crate::control::{Progress, Signals};
use crate::drain::{Problem, Request, Results, drain};
use crate::events::{SampleIds, Sink};
use crate::os::cpus::CpuList;
use crate::perf_data::{counters, document};
use crate::recording::{self, Ending, LogSink, LogWriter, NewFile, RecordingDir, Summary};
use crate::source::Source;
use crate::spool::Spool;
use crate::units::nanoseconds;
use std::io;
use std::time::Duration;

/// All that a capture has taken, with the events off.
pub struct Captured {
    /// The time while the events were on.
    pub run: Switched,
    /// The chunks, behind the head of `events.perf`.
    pub spool: Spool,
    /// What the sample ids in them stand for.
    pub ids: SampleIds,
    /// The CPUs that went offline during the capture.
    pub gone: CpuList,
    /// COMMAND's exit code, if it has ended.
    pub command_exit: Option<i32>,
    /// How long the detach is expected to take.
    pub detach_expected: Duration,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The summary, as in the file.
    pub summary: Summary,
    /// How the capture ended, as in `events.perf`.
    pub ending: Ending,
    /// What kept the recording from being all that was asked for, if anything did.
    pub problem: Option<Problem>,
}

impl Captured {
    /// Ends `events.perf`, and replays it: writes the log and the summary. Whatever stops the log, the summary is written,
    /// and says so.
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
        let mut log = LogSink::new(LogWriter::new(directory.file(recording::LOG)?), room);
        let request = Request { as_captured: true, ..request };
        let Results { summary, problem, .. } =
            drain(source, request, &mut [&mut log], signals, progress).with_log(log)?;
        summary.write(summary_room.file)?;
        directory.commit()?;
        Ok(Written { summary, ending, problem: Problem::and_of_file(problem, in_file) })
    }

    /// Replays what was captured to sinks, and leaves no file.
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

    /// Writes behind the events what is known now, and gives it all as a source, with a request for all of it.
    fn end(self, options: &CaptureOptions) -> Result<Replayable, Error> {
        let Captured { run, mut spool, ids, gone, command_exit, detach_expected } = self;
        let ending = Ending {
            started: humantime::format_rfc3339_nanos(run.started).to_string(),
            stop_reason: run.stop_reason,
            problem: run.problem.as_ref().map(ToString::to_string),
            command_exit,
            capture_ns: nanoseconds(run.capture),
            detach_ns: None,
            detach_expected_ns: nanoseconds(detach_expected),
            own_cpu_ns: nanoseconds(run.own_cpu),
            gone_cpus: gone.as_slice().to_vec(),
        };
        let now = options.attach.clock.sampled().now_ns().map_err(Error::Run)?;
        let behind = [counters(&run.counted, &ids, now), note(&ending)].concat();
        // On a full disk it may find no room in the file, but it does in memory.
        spool.append_behind(&behind).map_err(Error::Replay)?;
        let (blocks, in_file) = spool.finish().map_err(Error::Replay)?;
        let request = Request { asked: run.asked, stops_at_once: false, begin: run.stopped, ..Request::for_a_look() };
        Ok(Replayable { source: Source::captured(blocks).map_err(Error::Source)?, ending, in_file, request })
    }
}

/// What was captured, ready to be replayed.
struct Replayable {
    source: Source,
    ending: Ending,
    /// Whether the file has all of it.
    in_file: io::Result<()>,
    request: Request,
}

/// How a capture ended, as it stands in `events.perf`. Of several the last one holds.
pub fn note(ending: &Ending) -> Vec<u8> {
    document(&serde_json::to_string(ending).expect("numbers and text become JSON"))
}

/// What is kept free on a full disk for the summary, in bytes: in any case, and for each tracepoint and CPU.
const SUMMARY_ROOM: u64 = 16 << 10;
const SUMMARY_ROOM_PER_SLOT: u64 = 512;

/// Room on the disk for the summary, set aside before the events are on: whatever fills the disk then, the accounting is kept.
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
