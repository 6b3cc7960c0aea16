//! Replay: a source again through decode and merge, to a log, an accounting and a summary.

use super::{Request, Results, drain};
use crate::control::{Progress, Signals};
use crate::events::{Filter, Ns};
use crate::recording::{self, LogSink, LogWriter, RecordingDir, write_groups, write_tracepoints};
use crate::source::{self, About, Place, Source};
use crate::tracefs::{self, Table, check_matches};
use crate::units::Seconds;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A replay, validated.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Of what.
    pub place: Place,
    /// Where its results go.
    pub output: ReplayOutput,
    /// Replace a recording that is there.
    pub force: bool,
    /// Which events.
    pub filter: Filter,
    /// How many times as fast as it was recorded; as fast as can be if `None`.
    pub speed: Option<f64>,
}

/// Where the results of a replay go, beside the summary that is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayOutput {
    /// Nowhere.
    Nothing,
    /// Into this directory: log.csv, tracepoints.csv, groups.csv and summary.json.
    Directory(PathBuf),
    /// The log to standard output.
    Stdout,
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be read.
    #[error("failed to open `{place}`: {cause}")]
    Source {
        /// Which.
        place: Place,
        /// Why not.
        cause: source::Error,
    },
    /// The log to read is the one to write.
    #[error("a replay into `{0}` would replace the log that it reads")]
    OwnLog(PathBuf),
    /// The user asked for the end before it began.
    #[error("interrupted while waiting for the source")]
    Interrupted,
    /// A pattern is wrong for it.
    #[error("`{place}`: {cause}")]
    Pattern {
        /// Which source.
        place: Place,
        /// What is wrong.
        cause: tracefs::Error,
    },
    /// CPUs were chosen, and the source does not tell them.
    #[error("`{place}` does not tell the CPUs of its events")]
    NoCpus {
        /// Which source.
        place: Place,
        /// Whether `perf record` wrote it.
        by_perf: bool,
    },
    /// CPUs were chosen that were not captured.
    #[error("`{place}` has no CPU {missing}: it has {captured}")]
    MissingCpus {
        /// Which source.
        place: Place,
        /// Those that are not there.
        missing: crate::os::cpus::CpuList,
        /// Those that are.
        captured: crate::os::cpus::CpuList,
    },
    /// A part of the time was chosen that has no event.
    #[error(
        "`{place}` has no event in the time that was asked for: it lasts from 0 s to {} (timestamps {} to {})",
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
    /// The results could not be written.
    #[error(transparent)]
    Recording(#[from] recording::Error),
}

/// Replays, and writes the results. They are all that could be read, even if there is a problem among them.
pub fn replay(options: &ReplayOptions, signals: &mut Signals, progress: &mut dyn Progress) -> Result<Results, Error> {
    let begin = Instant::now();
    let ReplayOptions { place, output, force, filter, speed } = options;
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
    let request = Request { filter: filter.clone(), as_captured: true, speed: *speed, begin, ..Request::for_a_look() };
    let log = match (output, &directory) {
        (ReplayOutput::Stdout, _) => Some(LogWriter::to_stdout()),
        (_, Some(directory)) => Some(LogWriter::new(directory.file(recording::LOG)?)),
        _ => None,
    };
    let results = match log.map(|log| LogSink::new(log, ROOM)) {
        Some(mut log) => drain(source, request, &mut [&mut log], signals, progress).with_log(log)?,
        None => drain(source, request, &mut [], signals, progress),
    };
    if is_log {
        // Only now is it known what the log names.
        check_patterns(&results.table, place, filter)?;
    }
    refuse_missed_range(&results, place, signals)?;
    if let Some(directory) = directory {
        write_tracepoints(directory.file(recording::TRACEPOINTS)?, &results.table, &results.selection)?;
        write_groups(directory.file(recording::GROUPS)?, &results.table)?;
        results.summary.write(directory.file(recording::SUMMARY)?)?;
        directory.commit()?;
        if !is_source(file, &directory.path().join(recording::EVENTS)) {
            // Those of another recording do not belong to this log.
            directory.remove_events()?;
        }
    }
    Ok(results)
}

/// Opens a source, of which a part may be wanted only.
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
    Ok(source)
}

/// Fails if a part of the time was asked for that has no event. A user who stopped the reading is told of that alone.
///
/// # Errors
/// If it is so: the error holds the times between which there are events.
pub fn refuse_missed_range(results: &Results, place: &Place, signals: &mut Signals) -> Result<(), Error> {
    match results.range_missed() {
        Some((first, last)) if signals.asked() == 0 => Err(Error::NoEvent { place: place.clone(), first, last }),
        _ => Ok(()),
    }
}

/// What a full disk must have left for the tables and the summary, in bytes.
const ROOM: u64 = 1 << 20;

/// Whether the file at this path is what a replay reads.
fn is_source(source: Option<(u64, u64)>, path: &Path) -> bool {
    let file = path.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    source.is_some() && file.ok() == source
}

/// That what was asked for is in the source.
fn check(source: &Source, place: &Place, filter: &Filter) -> Result<(), Error> {
    if !matches!(source.about, About::Log) {
        check_patterns(source.stream.table(), place, filter)?;
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

/// That every pattern matches a tracepoint of the source.
pub fn check_patterns(table: &Table, place: &Place, filter: &Filter) -> Result<(), Error> {
    let Filter { only, exclude, .. } = filter;
    let result = only.iter().chain(exclude).try_for_each(|pattern| check_matches(table, pattern));
    result.map_err(|cause| Error::Pattern { place: place.clone(), cause })
}
