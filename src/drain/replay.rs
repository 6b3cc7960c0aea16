//! Replay: produces the log, the accounting and the summary from a source again.

use super::{Request, Results, drain};
use crate::control::{Progress, Signals};
use crate::events::{Filter, Ns};
use crate::memory::TooMuch;
use crate::recording::{self, LogColumn, LogSink, LogWriter, RecordingDir, write_groups, write_tracepoints};
use crate::source::{self, About, Place, Source};
use crate::tracefs::{self, Table, check_matches};
use crate::units::{Moment, Seconds};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The validated options of a replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The source.
    pub place: Place,
    /// The destination of the results.
    pub output: ReplayOutput,
    /// Whether to replace an existing recording.
    pub force: bool,
    /// The choice of events.
    pub filter: Filter,
    /// The speed as a multiple of the original speed; `None` is as fast as possible.
    pub speed: Option<f64>,
    /// More columns of the log.
    pub log_columns: Vec<LogColumn>,
}

/// The destination of a replay's results, apart from the summary, which is always printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayOutput {
    /// No destination.
    Nothing,
    /// log.csv, tracepoints.csv, groups.csv and summary.json, in this directory.
    Directory(PathBuf),
    /// The log, to standard output.
    Stdout,
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be read.
    #[error("failed to open `{place}`: {cause}")]
    Source {
        /// The source.
        place: Place,
        /// Why it cannot be replayed.
        cause: source::Error,
    },
    /// The log to write would replace the log to read.
    #[error("a replay into `{0}` would replace the log that it reads")]
    OwnLog(PathBuf),
    /// The user asked to stop before the replay began.
    #[error("interrupted while waiting for the source")]
    Interrupted,
    /// A pattern does not fit the source.
    #[error("`{place}`: {cause}")]
    Pattern {
        /// The source.
        place: Place,
        /// The pattern, and why it does not fit.
        cause: tracefs::Error,
    },
    /// CPUs were chosen, but the source does not record them.
    #[error("`{place}` does not record the CPUs of its events")]
    NoCpus {
        /// The source.
        place: Place,
        /// Whether `perf record` wrote it.
        by_perf: bool,
    },
    /// Processes were chosen, but the source does not record them.
    #[error("`{place}` does not have the processes of its events")]
    NoProcesses {
        /// The source.
        place: Place,
    },
    /// Cgroups were chosen, but the source does not record them.
    #[error("`{place}` does not have the cgroups of its events")]
    NoCgroups {
        /// The source.
        place: Place,
    },
    /// CPUs were chosen that were not captured.
    #[error("`{place}` has no CPU {missing}; it has CPU {captured}")]
    MissingCpus {
        /// The source.
        place: Place,
        /// The chosen CPUs that were not captured.
        missing: crate::os::cpus::CpuList,
        /// All captured CPUs.
        captured: crate::os::cpus::CpuList,
    },
    /// The part was chosen by the wall clock, which only histories have.
    #[error("`{place}` has no wall-clock times: write --from and --to as the time since its first event, as in `2s`")]
    NoWallTime {
        /// The source.
        place: Place,
    },
    /// A source of another kind, such as a history, cannot be read.
    #[error("{0}")]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// The chosen part of the time has no event.
    #[error(
        "`{place}` has no event in this range: it lasts from 0 s to {} (timestamps {} to {})",
        Seconds(Duration::from_nanos(.last.since(*.first))), .first, .last
    )]
    NoEvent {
        /// Which source.
        place: Place,
        /// When it begins.
        first: Ns,
        /// When it ends.
        last: Ns,
    },
    /// The report takes too much memory.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The results could not be written.
    #[error(transparent)]
    Recording(#[from] recording::Error),
}

/// Replays a source, and writes the results. If there is a problem, the results contain everything that could
/// be read.
pub fn replay(options: &ReplayOptions, signals: &mut Signals, progress: &mut dyn Progress) -> Result<Results, Error> {
    let begin = Instant::now();
    let ReplayOptions { place, output, force, filter, speed, log_columns } = options;
    let source = open(place, filter, signals, progress)?;

    let directory = match output {
        ReplayOutput::Directory(path) => {
            if is_source(source.file, &path.join(recording::LOG)) {
                return Err(Error::OwnLog(path.clone()));
            }
            Some(RecordingDir::create(path, *force)?)
        }
        _ => None,
    };
    let (is_log, file) = (matches!(source.about, About::Log), source.file);
    let with_hits = source.has_hits;
    let request = Request { filter: filter.clone(), as_captured: true, speed: *speed, begin, ..Request::for_a_look() };
    let log = match (output, &directory) {
        (ReplayOutput::Stdout, _) => Some(LogWriter::to_stdout()),
        (_, Some(directory)) => Some(LogWriter::new(directory.file(recording::LOG)?)),
        _ => None,
    };
    let results = match log.map(|log| LogSink::new(log.with_hits(with_hits).with_columns(log_columns), ROOM)) {
        Some(mut log) => drain(source, request, &mut [&mut log], signals, progress).with_log(log)?,
        None => drain(source, request, &mut [], signals, progress),
    };
    if is_log {
        // A log names its tracepoints row by row, so they are known only at its end.
        check_patterns(&results.table, place, filter)?;
    }
    refuse_missed_range(&results, place, signals)?;
    if let Some(directory) = directory {
        let others = write_others(&directory, &results);
        let others = match others {
            Err(error) if !error.is_full() => return Err(error.into()),
            others => others,
        };
        // On a full disk, the log and the files that fit are still useful.
        directory.commit()?;
        if !is_source(file, &directory.path().join(recording::EVENTS)) {
            // The old recording's events do not belong to this log.
            directory.remove_events()?;
        }
        others?;
    }
    Ok(results)
}

/// Writes the files beside the log.
fn write_others(directory: &RecordingDir, results: &Results) -> Result<(), recording::Error> {
    write_tracepoints(directory.file(recording::TRACEPOINTS)?, &results.table, &results.selection)?;
    write_groups(directory.file(recording::GROUPS)?, &results.table)?;
    results.summary.write(directory.file(recording::SUMMARY)?)
}

/// Opens a source, prints its notices, and checks that the filter fits it.
pub fn open(
    place: &Place,
    filter: &Filter,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Source, Error> {
    let source = source::open(place, Some(signals));
    if signals.asked() > 0 {
        return Err(Error::Interrupted);
    }
    let source = source.map_err(|cause| Error::Source { place: place.clone(), cause })?;
    source.remarks.iter().for_each(|remark| progress.note(remark));
    check(&source, place, filter)?;
    if [filter.from, filter.to].iter().flatten().any(|moment| matches!(moment, Moment::Wall(_))) {
        return Err(Error::NoWallTime { place: place.clone() });
    }
    Ok(source)
}

/// Checks that the requested part of the time has an event. After an interrupt, it checks nothing.
///
/// # Errors
/// [`Error::NoEvent`], with the first and the last time that have one.
pub fn refuse_missed_range(results: &Results, place: &Place, signals: &mut Signals) -> Result<(), Error> {
    match results.range_missed() {
        Some((first, last)) if signals.asked() == 0 => Err(Error::NoEvent { place: place.clone(), first, last }),
        _ => Ok(()),
    }
}

/// The number of bytes that stay free on a full disk for the tables and the summary. The log is cut by as many.
const ROOM: u64 = 1 << 20;

/// Whether the file at this path is the source, given as (device, inode).
fn is_source(source: Option<(u64, u64)>, path: &Path) -> bool {
    let file = path.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    source.is_some() && file.ok() == source
}

/// Checks that the source has the chosen tracepoints and CPUs.
fn check(source: &Source, place: &Place, filter: &Filter) -> Result<(), Error> {
    if !matches!(source.about, About::Log) {
        check_patterns(source.stream.table(), place, filter)?;
    }
    if filter.processes.chooses() && !source.knows_threads {
        return Err(Error::NoProcesses { place: place.clone() });
    }
    if !filter.processes.cgroups.is_empty() && !source.knows_cgroups {
        return Err(Error::NoCgroups { place: place.clone() });
    }
    let Some(wanted) = &filter.cpus else { return Ok(()) };
    if !source.knows_cpus {
        let by_perf = matches!(source.about, About::Perf { .. });
        return Err(Error::NoCpus { place: place.clone(), by_perf });
    }
    if let About::Capture(facts) = &source.about {
        let captured = facts.cpus.iter().copied().collect();
        let missing = wanted.without(&captured);
        if !missing.is_empty() {
            return Err(Error::MissingCpus { place: place.clone(), missing, captured });
        }
    }
    Ok(())
}

/// Checks that every pattern matches a tracepoint of the source.
pub fn check_patterns(table: &Table, place: &Place, filter: &Filter) -> Result<(), Error> {
    let Filter { only, exclude, .. } = filter;
    let result = only.iter().chain(exclude).try_for_each(|pattern| check_matches(table, pattern));
    result.map_err(|cause| Error::Pattern { place: place.clone(), cause })
}
