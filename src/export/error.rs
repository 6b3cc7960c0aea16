//! Why an export failed.

use super::{Column, ExportFormat};
use crate::drain::replay;
use crate::recording;
use crate::source::Place;
use std::io;
use std::path::PathBuf;

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be read, or does not have the chosen part.
    #[error(transparent)]
    Source(#[from] replay::Error),
    /// The file could not be written.
    #[error(transparent)]
    Output(#[from] recording::Error),
    /// The output has no name.
    #[error("`{0}` is not the name of a file that can be written")]
    NoFile(PathBuf),
    /// The source would be replaced.
    #[error("`{0}` is the source of this export; tp-perf does not replace it")]
    OwnSource(PathBuf),
    /// The folder of a history has files.
    #[error("`{0}` exists and is not an empty folder")]
    NotEmpty(PathBuf),
    /// The source does not have a column.
    #[error("`{place}` does not have the column {}; it has {}", .column.name(), .has.iter().map(|column| column.name()).collect::<Vec<_>>().join(", "))]
    NoColumn {
        /// The source.
        place: Place,
        /// The column.
        column: Column,
        /// The columns that it has.
        has: Vec<Column>,
    },
    /// The format needs the time of each event, and a history has only windows.
    #[error("`{place}` is a history, which has windows and no events; {format} needs events")]
    OnlyWindows {
        /// The source.
        place: Place,
        /// The format.
        format: ExportFormat,
    },
    /// The source is a history already.
    #[error("`{0}` is a history already")]
    IsHistory(Place),
    /// The length of windows was chosen, and a history has windows of its own.
    #[error("`{0}` is a history, which has windows of its own, so their length cannot be chosen")]
    OwnWindows(Place),
    /// A log has no tracefs ids.
    #[error("`{0}` is a log, which does not have the tracefs ids of its tracepoints; perf needs them")]
    NoTracefsIds(Place),
    /// The wall clock is not known.
    #[error("`{0}` does not have the wall-clock time of its events, which a history needs")]
    NoWallClock(Place),
    /// A history would have too many windows.
    #[error("the history would have more than {most} windows")]
    TooManyWindows {
        /// The most windows.
        most: u64,
    },
    /// A history could not be written.
    #[error("{0}")]
    History(String),
    /// The user stopped the export.
    #[error("stopped: `{0}` is not written")]
    Stopped(String),
}

impl Error {
    /// Whether the error is only that the reader of standard output has closed the pipe.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.is_closed_pipe())
    }

    /// A failed write to the output that has this name.
    pub(super) fn write(output: PathBuf) -> impl FnOnce(io::Error) -> Self {
        move |cause| recording::Error::Io { verb: "write", path: output, cause }.into()
    }
}
