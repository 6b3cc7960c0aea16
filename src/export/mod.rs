//! Export: a source in the files of other tools.
//!
//! ```text
//!   events ──┬─> EventRows ────┬─> TextRows (CSV, JSON lines), ParquetRows
//!            ├─> EventWindows ─┤
//!   history ─┴─> windows ──────┴─> PerfettoWindows, WindowsOfHistory
//!   events ────> PerfettoEvents, PerfEvents
//! ```

mod columns;
mod error;
mod format;
#[cfg(feature = "history")]
mod history;
#[cfg(feature = "history")]
mod of_history;
mod output;
#[cfg(feature = "history")]
mod parquet;
mod perf;
mod perfetto;
mod rows;
mod text_rows;
mod windows;

pub use columns::Column;
pub use error::Error;
pub use format::ExportFormat;
pub use perfetto::{MOST_INSTANTS, PerfettoFacts};

use crate::control::{Progress, Signals};
use crate::drain::{Problem, Request, Results, drain, replay};
use crate::events::{Filter, Ns, Sink};
use crate::os::clock::Clock;
use crate::perf_data::{Features, ForPerf};
use crate::source::{About, Place, Source};
use columns::RowsOf;
use output::{ExportPlace, ExportWriter};
use perf::PerfEvents;
use perfetto::{PerfettoEvents, PerfettoWindows, TraceClock};
use rows::{EventRows, RowWriter, WindowRows};
use std::path::PathBuf;
use text_rows::TextRows;
use windows::{EventWindows, TakesWindows};

/// The validated options of an export.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The source.
    pub place: Place,
    /// The choice of events.
    pub filter: Filter,
    /// The file or the folder to write; `-` is standard output.
    pub output: PathBuf,
    /// Whether to replace an existing file.
    pub force: bool,
    /// The format.
    pub format: ExportFormat,
    /// The columns; `None` is those that the source has.
    pub columns: Option<Vec<Column>>,
    /// The length of windows in nanoseconds; `None` exports events.
    pub windows_ns: Option<u64>,
    /// The wall-clock time of the first event, if the user knows it: nanoseconds since 1970.
    pub began: Option<Ns>,
}

/// An export, after writing.
#[derive(Debug)]
pub struct Exported {
    /// The file or the folder, as the user named it.
    pub path: PathBuf,
    /// The format.
    pub format: ExportFormat,
    /// What was written.
    pub number: Number,
    /// The bytes that were written.
    pub bytes: u64,
    /// What became of the events in a trace for Perfetto.
    pub perfetto: Option<PerfettoFacts>,
    /// The events that the kernel lost, if the source reports them and no part of the time or of the processes was chosen.
    pub lost: u64,
    /// How many times tracepoints were detached to keep a budget. Their hits are missing from then on.
    pub detached: u64,
    /// Why the export is incomplete, if it is.
    pub problem: Option<Problem>,
}

/// What an export has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// So many events.
    Events(u64),
    /// So many windows.
    Windows(u64),
}

/// Exports a source. If there is a problem, the export has everything that could be read.
///
/// # Errors
/// If the source cannot be read, does not fit the format, or if the file cannot be written. No file is left then.
pub fn export(options: &ExportOptions, signals: &mut Signals, progress: &mut dyn Progress) -> Result<Exported, Error> {
    if options.place.reads(&options.output) {
        return Err(Error::OwnSource(options.output.clone()));
    }
    #[cfg(feature = "history")]
    if let Place::Path(path) = &options.place
        && crate::history::is_history(path)
    {
        return of_history::export_history(options, path, signals, progress);
    }
    let ExportOptions { place, filter, format, windows_ns, .. } = options;
    #[cfg(feature = "history")]
    if *format == ExportFormat::History {
        return history_of(options, signals, progress);
    }
    let output = ExportPlace::of(&options.output, options.force)?;
    let mut open = output.open()?;
    let source = replay::open(place, filter, signals, progress)?;
    let made = match (format, windows_ns) {
        (ExportFormat::Perf, _) => perf_of(options, source, open.writer(), signals, progress)?,
        (ExportFormat::Perfetto, None) => perfetto_of(options, source, open.writer(), signals, progress)?,
        (ExportFormat::Perfetto, Some(length_ns)) => {
            let clock = clock_of(&source);
            let mut writer = open.writer();
            let mut windows = PerfettoWindows::new(clock, &mut writer);
            let made = windows_of(options, *length_ns, source, &mut windows, signals, progress)?;
            windows.finish().map_err(Error::write(output.path()))?;
            made
        }
        (format, None) => {
            let rows_of = RowsOf::Events {
                cpus: source.knows_cpus,
                threads: source.knows_threads,
                cgroups: source.knows_cgroups,
                hits: source.has_hits,
            };
            let columns = chosen_columns(options, rows_of)?;
            let writer = row_writer(*format, columns.clone(), open.writer()).map_err(Error::write(output.path()))?;
            let mut rows = EventRows::new(writer, &columns);
            let results = pour(options, source, &mut rows, signals, progress)?;
            let number = Number::Events(rows.finish().map_err(Error::write(output.path()))?);
            Made { number, perfetto: None, results }
        }
        (format, Some(length_ns)) => {
            let columns = chosen_columns(options, RowsOf::Windows { hits: source.has_hits })?;
            let writer = row_writer(*format, columns, open.writer()).map_err(Error::write(output.path()))?;
            let mut rows = WindowRows::new(writer);
            let made = windows_of(options, *length_ns, source, &mut rows, signals, progress)?;
            rows.finish().map_err(Error::write(output.path()))?;
            made
        }
    };
    let Made { number, perfetto, results } = made;
    let bytes = open.finish()?;
    let (path, format) = (options.output.clone(), *format);
    let lost = lost_in(&results, options);
    let detached = detached_in(&results);
    Ok(Exported { path, format, number, bytes, perfetto, lost, detached, problem: results.problem })
}

/// What was written, and what is known of the source.
struct Made {
    number: Number,
    perfetto: Option<PerfettoFacts>,
    results: Results,
}

/// Sends the events of a source to a sink.
fn pour(
    options: &ExportOptions,
    source: Source,
    sink: &mut dyn Sink,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Results, Error> {
    let ExportOptions { place, filter, .. } = options;
    let is_log = matches!(source.about, About::Log);
    let request = Request { filter: filter.clone(), ..Request::for_a_look() };
    let results = drain(source, request, &mut [sink], signals, progress);
    if signals.asked() > 0 {
        return Err(Error::Stopped(options.output.display().to_string()));
    }
    if is_log {
        // A log names its tracepoints row by row, so they are known only at its end.
        replay::check_patterns(&results.table, place, filter)?;
    }
    replay::refuse_missed_range(&results, place, signals)?;
    Ok(results)
}

/// The events that the kernel lost. Those of a part are not known.
fn lost_in(results: &Results, options: &ExportOptions) -> u64 {
    if options.filter.cuts() { 0 } else { results.summary.events.lost }
}

/// How many times tracepoints were detached.
fn detached_in(results: &Results) -> u64 {
    results.summary.budget.as_ref().and_then(|budget| budget.cost).map_or(0, |cost| cost.detached)
}

/// Makes windows of a source.
fn windows_of(
    options: &ExportOptions,
    length_ns: u64,
    source: Source,
    to: &mut dyn TakesWindows,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Made, Error> {
    let mut windows = EventWindows::new(length_ns, to);
    let results = pour(options, source, &mut windows, signals, progress)?;
    let windows = windows.finish(end_of(&results)).map_err(Error::write(options.output.clone()))?;
    Ok(Made { number: Number::Windows(windows), perfetto: None, results })
}

/// The end of the part that was asked for.
fn end_of(results: &Results) -> Ns {
    let end = results.span.map_or(Ns(0), |(_, last)| last);
    let asked = results.summary.restricted.as_ref();
    // With a number of events, the part ends with its last event.
    if asked.is_some_and(|asked| asked.events.is_some()) {
        return Ns(0);
    }
    asked.and_then(|asked| asked.to).map_or(end, |to| to.min(end))
}

fn perfetto_of(
    options: &ExportOptions,
    source: Source,
    mut writer: ExportWriter,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Made, Error> {
    let clock = clock_of(&source);
    let mut events = PerfettoEvents::new(MOST_INSTANTS, source.knows_cpus);
    let results = pour(options, source, &mut events, signals, progress)?;
    let number = Number::Events(results.summary.events.logged);
    let facts = events.finish(clock, &results.table, &mut writer).map_err(Error::write(options.output.clone()))?;
    Ok(Made { number, perfetto: Some(facts), results })
}

fn perf_of(
    options: &ExportOptions,
    source: Source,
    writer: ExportWriter,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Made, Error> {
    if matches!(source.about, About::Log) {
        return Err(Error::NoTracefsIds(options.place.clone()));
    }
    let clock = clock_name(&source.about).and_then(|name| clock_of_name(&name));
    let file = ForPerf {
        clockid: clock.map(Clock::number),
        cpus: source.knows_cpus,
        threads: source.knows_threads,
        hits: source.has_hits,
    };
    let mut events = PerfEvents::new(file, &features_of(&source.about), source.stream.table(), writer);
    let results = pour(options, source, &mut events, signals, progress)?;
    let number = Number::Events(events.finish().map_err(Error::write(options.output.clone()))?);
    Ok(Made { number, perfetto: None, results })
}

/// What perf shows about the machine.
fn features_of(about: &About) -> Features {
    match about {
        About::Capture(facts) => Features {
            hostname: Some(facts.hostname.clone()),
            release: Some(facts.kernel.clone()),
            version: Some(format!("{} {}", facts.tool.name, facts.tool.version)),
            command_line: [facts.tool.name.clone()].into_iter().chain(facts.arguments.iter().cloned()).collect(),
            ..Features::default()
        },
        About::Perf { features, .. } => Features { compressed: None, ..(**features).clone() },
        About::Log => Features::default(),
    }
}

/// The name of the clock, as `--clock` takes it.
fn clock_name(about: &About) -> Option<String> {
    match about {
        About::Capture(facts) => Some(facts.clock.to_string()),
        About::Perf { clock, .. } => Some(clock.clone()),
        About::Log => None,
    }
}

fn clock_of_name(name: &str) -> Option<Clock> {
    clap::ValueEnum::from_str(name, false).ok()
}

fn clock_of(source: &Source) -> TraceClock {
    TraceClock::of(clock_name(&source.about).as_deref(), source.wall_offset_ns)
}

/// The columns to write.
fn chosen_columns(options: &ExportOptions, rows_of: RowsOf) -> Result<Vec<Column>, Error> {
    let Some(columns) = &options.columns else { return Ok(rows_of.usual()) };
    let has = rows_of.columns();
    match columns.iter().find(|column| !has.contains(column)) {
        Some(column) => Err(Error::NoColumn { place: options.place.clone(), column: *column, has }),
        None => Ok(columns.clone()),
    }
}

/// The writer of a format of tables.
fn row_writer(format: ExportFormat, columns: Vec<Column>, out: ExportWriter) -> std::io::Result<Box<dyn RowWriter>> {
    Ok(match format {
        ExportFormat::Csv => Box::new(TextRows::csv(columns, out)),
        ExportFormat::Jsonl => Box::new(TextRows::json(columns, out)),
        #[cfg(feature = "history")]
        ExportFormat::Parquet => Box::new(parquet::ParquetRows::new(columns, out)?),
        other => unreachable!("{other} is no table"),
    })
}

/// Exports a recording as a history.
#[cfg(feature = "history")]
fn history_of(options: &ExportOptions, signals: &mut Signals, progress: &mut dyn Progress) -> Result<Exported, Error> {
    use crate::history::HistoryFacts;
    /// The usual length of a window.
    const SECOND: u64 = 1_000_000_000;

    let folder = history::HistoryFolder::new(&options.output)?;
    let source = replay::open(&options.place, &options.filter, signals, progress)?;
    let of_source = source.wall_offset_ns;
    if of_source.or(options.began.map(|_| 0)).is_none() {
        return Err(Error::NoWallClock(options.place.clone()));
    }
    let length_ns = options.windows_ns.unwrap_or(SECOND);
    let mut windows = history::WindowsOfHistory::new();
    let Made { results, .. } = windows_of(options, length_ns, source, &mut windows, signals, progress)?;
    let origin = results.span.map_or(Ns(0), |(first, _)| first);
    let offset = options.began.map(|began| began.0.wrapping_sub(origin.0).cast_signed()).or(of_source);
    let offset = offset.filter(|offset| i128::from(origin.0) + i128::from(*offset) > 0);
    let offset = offset.ok_or_else(|| Error::NoWallClock(options.place.clone()))?;
    let summary = &results.summary;
    let facts = HistoryFacts {
        hostname: summary.hostname.clone().unwrap_or_else(|| "unknown".to_owned()),
        kernel: summary.kernel.clone().unwrap_or_default(),
        boot_id: String::new(),
        ..HistoryFacts::of(&results.table, &results.selection, summary.cpus.clone())
    };
    let asked = signals.asked();
    let mut stop = || signals.asked() > asked;
    let number = windows.write(&folder, facts, &results.table, (length_ns, end_of(&results)), offset, &mut stop)?;
    let bytes = folder.finish()?;
    Ok(Exported {
        path: options.output.clone(),
        format: options.format,
        number: Number::Windows(number),
        bytes,
        perfetto: None,
        lost: lost_in(&results, options),
        detached: detached_in(&results),
        problem: results.problem,
    })
}
