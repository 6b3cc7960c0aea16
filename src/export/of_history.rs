//! Exports a history: its windows.

use super::columns::RowsOf;
use super::output::ExportPlace;
use super::perfetto::{PerfettoWindows, TraceClock};
use super::rows::WindowRows;
use super::windows::{ExportedHits, ExportedWindow, TakesWindows};
use super::{Error, ExportFormat, ExportOptions, Exported, Number, chosen_columns, row_writer};
use crate::control::{Progress, Signals};
use crate::drain::replay;
use crate::history::{History, HistoryLevel, HistoryWindow, wall_words};
use crate::tracefs::Table;
use std::path::Path;

/// Signals are looked at after so many windows.
const LOOK: u64 = 256;

/// Exports the part of a history that the options choose.
pub(super) fn export_history(
    options: &ExportOptions,
    path: &Path,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Exported, Error> {
    let place = &options.place;
    match options.format {
        ExportFormat::History => return Err(Error::IsHistory(place.clone())),
        ExportFormat::Perf => {
            return Err(Error::OnlyWindows { place: place.clone(), format: options.format });
        }
        _ if options.windows_ns.is_some() => return Err(Error::OwnWindows(place.clone())),
        _ => {}
    }
    let other = |error: crate::history::Error| Error::Source(replay::Error::Other(Box::new(error)));
    let history = History::open_part(path, &options.filter, HistoryLevel::Windows).map_err(other)?;
    history.problems().iter().for_each(|problem| progress.note_failure("a file is left out", problem));
    if history.has_minutes() {
        progress
            .note(&format!("{place}: the sums of minutes are exported, because the time is older than the windows"));
    }
    replay::check_patterns(history.table(), place, &options.filter)?;
    let output = ExportPlace::of(&options.output, options.force)?;
    let mut open = output.open()?;
    let write = || Error::write(output.path());
    let number = match options.format {
        ExportFormat::Perfetto => {
            let mut writer = open.writer();
            let mut windows = PerfettoWindows::new(TraceClock::of(Some("realtime"), None), &mut writer);
            let number = give(options, &history, &mut windows, signals, progress)?;
            windows.finish().map_err(write())?;
            number
        }
        format => {
            let writer = row_writer(format, chosen_columns(options, RowsOf::History)?, open.writer());
            let mut rows = WindowRows::new(writer.map_err(write())?);
            let number = give(options, &history, &mut rows, signals, progress)?;
            rows.finish().map_err(write())?;
            number
        }
    };
    if number == 0 {
        let whole = History::open(path, Default::default()).map_err(other)?;
        let span = whole.span().map(|(from, to)| (wall_words(from), wall_words(to)));
        return Err(other(crate::history::Error::NoWindow { path: path.to_owned(), span }));
    }
    let bytes = open.finish()?;
    Ok(Exported {
        path: options.output.clone(),
        format: options.format,
        number: Number::Windows(number),
        bytes,
        perfetto: None,
        lost: 0,
        detached: 0,
        problem: None,
    })
}

/// Gives all windows, and returns their number.
fn give(
    options: &ExportOptions,
    history: &History,
    to: &mut dyn TakesWindows,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<u64, Error> {
    let table = history.table();
    let mut number = 0;
    for window in history.windows() {
        let window = match window {
            Ok((window, _)) => exported(&window, options, table),
            Err(error) => {
                progress.note_failure("a part is left out", &error);
                continue;
            }
        };
        to.window(&window, table).map_err(Error::write(options.output.clone()))?;
        number += 1;
        if number % LOOK == 0 {
            progress.replaying(number, number, None);
            if signals.asked() > 0 {
                return Err(Error::Stopped(options.output.display().to_string()));
            }
        }
    }
    progress.phase_ends();
    Ok(number)
}

fn exported(window: &HistoryWindow, options: &ExportOptions, table: &Table) -> ExportedWindow {
    let is_taken =
        |hits: &ExportedHits| table.find(hits.tpid).is_some_and(|tracepoint| options.filter.takes(tracepoint));
    let hits = window.hits.iter().map(|hits| ExportedHits {
        tpid: hits.tpid,
        hits: hits.hits,
        is_estimate: !hits.is_exact(),
        watched: hits.watched,
        standard_error: hits.standard_error,
    });
    ExportedWindow { from: window.start, length_ns: window.length_ns, hits: hits.filter(is_taken).collect() }
}
