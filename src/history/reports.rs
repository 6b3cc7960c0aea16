//! What the owner of a history should know.

use super::keep::RemovedFile;
use crate::events::Ns;
use std::path::PathBuf;

/// Something that the owner of a history should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryReport {
    /// An earlier monitor ended without closing an hour. Its journal goes on, or is being closed.
    Recovered {
        /// The journal.
        path: PathBuf,
        /// The number of windows in it.
        windows: u64,
    },
    /// A journal had wrong bytes. All windows that could be read are in the file of the hour.
    DamagedJournal {
        /// The place where the journal is kept.
        path: PathBuf,
        /// The number of bytes that could not be read.
        bytes: u64,
    },
    /// An hour is closed.
    Closed {
        /// The file of its windows.
        path: PathBuf,
        /// The number of windows.
        windows: u64,
        /// The number of rows.
        rows: u64,
        /// The size of the file.
        bytes: u64,
    },
    /// Writing fails. Until it works again, windows are kept in memory.
    Failing {
        /// The error.
        error: String,
        /// Whether a disk or a quota is full, or a limit is reached.
        is_full: bool,
    },
    /// The memory for windows that cannot be written is used up. From here on, the oldest ones are lost.
    Losing {
        /// The begin of the oldest window that is lost.
        since: Ns,
    },
    /// Writing works again.
    WorksAgain {
        /// The number of windows that were kept in memory, and are written now.
        written: u64,
        /// The number of windows that are lost.
        lost: u64,
    },
    /// An hour could not be closed. Its journal stays, and closing is tried again.
    NotClosed {
        /// The error.
        error: String,
        /// Whether a disk or a quota is full, or a limit is reached.
        is_full: bool,
    },
    /// Old files could not be removed.
    NotRemoved {
        /// The error.
        error: String,
    },
    /// Files were removed, as agreed.
    Removed(Vec<RemovedFile>),
    /// The wall clock was set.
    ClockStepped {
        /// By how much, in nanoseconds; backward if negative.
        by_ns: i64,
    },
    /// The machine slept.
    Slept {
        /// How long, in nanoseconds.
        for_ns: u64,
    },
}

/// Figures of a history that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryFigures {
    /// Windows that are written.
    pub written: u64,
    /// Windows that wait in memory, because writing fails.
    pub waiting: u64,
    /// Windows that are lost.
    pub lost: u64,
    /// Hours that wait to be closed.
    pub to_close: u64,
}
