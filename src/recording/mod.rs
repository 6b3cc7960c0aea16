//! A recording: the directory that a capture produces.
//!
//! ```
//! use tp_perf::recording::Summary;
//!
//! let text = std::fs::read_to_string("fixtures/idle.summary.json")?;
//! let summary: Summary = serde_json::from_str(&text)?;
//! println!("{} events were recorded, {} were lost", summary.events.recorded, summary.events.lost);
//! # assert!(summary.events.recorded > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cost;
mod directory;
mod facts;
mod folder;
mod last;
mod log;
mod new_file;
mod only;
mod readers;
mod summary;
mod tables;
mod thinned;
mod tool;
mod unwatched;

pub use cost::CostOfRecording;
pub use directory::RecordingDir;
pub use facts::{Ending, Facts, LeftOut, StopReason};
#[doc(hidden)]
pub use folder::Folder;
pub use last::{LastSummary, Trigger, TriggerKind};
pub use log::{LogColumn, LogSink, LogWriter};
pub use new_file::NewFile;
pub use only::{OnlySummary, OtherHits, OthersSummary, only_words};
#[doc(hidden)]
pub use readers::Readers;
pub(crate) use summary::is_zero;
pub use summary::{
    CpuSummary, EventsSummary, RestrictionSummary, SCHEMA, SelfSummary, Summary, TimingSummary, TracepointSummary,
    TracepointsSummary, UnaccountedSummary, WindowsSummary, accounts,
};
pub use tables::{
    TableError, encode_tracepoints, read_tracepoints, tracepoint_fields, write_groups, write_tracepoints,
};
pub use thinned::{BudgetSummary, ThinnedStretch};
pub use tool::Tool;
pub use unwatched::{Unwatched, missed_cpus};

use std::io;
use std::path::PathBuf;

/// The log: `timestamp,tpid,gid,tracepoint name`, one row per event, in time order.
pub const LOG: &str = "log.csv";
/// All tracepoints of the kernel with their numbers and their status.
pub const TRACEPOINTS: &str = "tracepoints.csv";
/// All groups of the kernel with their numbers.
pub const GROUPS: &str = "groups.csv";
/// The facts about the capture, and its accounting.
pub const SUMMARY: &str = "summary.json";

/// The ring bytes, as perf.data.
pub const EVENTS: &str = "events.perf";

/// All files of a recording.
pub const FILES: [&str; 5] = [LOG, TRACEPOINTS, GROUPS, SUMMARY, EVENTS];

/// Why a recording, or a file made from one, could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory already contains a recording.
    #[error("`{path}` already contains a recording (it has {file})")]
    Exists {
        /// The directory.
        path: PathBuf,
        /// A file of the recording in it.
        file: &'static str,
    },
    /// The path exists and is not a directory.
    #[error("`{0}` exists and is not a directory")]
    NotADirectory(PathBuf),
    /// A directory has the name of a file to write.
    #[error("`{0}` is a directory, so tp-perf cannot write a file there")]
    DirectoryInTheWay(PathBuf),
    /// The directory contains files, but no recording.
    #[error("`{0}` is not empty, and does not contain a recording")]
    NotEmpty(PathBuf),
    /// A file exists and must not be replaced.
    #[error("`{0}` already exists")]
    FileExists(PathBuf),
    /// Something that is neither a file nor a directory has the name of a file to write.
    #[error("`{0}` is not a regular file, so tp-perf does not replace it")]
    NotAFile(PathBuf),
    /// The directory belongs to neither this user nor root.
    #[error("`{path}` belongs to another user (user id {owner})")]
    OtherOwner {
        /// The directory.
        path: PathBuf,
        /// The owner's user id.
        owner: u32,
    },
    /// Another capture has locked the directory.
    #[error("another capture is writing to `{0}`")]
    InUse(PathBuf),
    /// The path is a symbolic link.
    #[error("`{0}` is a symbolic link, and tp-perf does not write through links")]
    SymbolicLink(PathBuf),
    /// An operation on the directory or on a file failed.
    #[error("failed to {verb} `{path}`: {cause}")]
    Io {
        /// The attempted operation, as a verb.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
}

/// Whether an error means that a disk or a quota is full, or that a file would exceed its size limit.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl Error {
    /// Whether writing failed because a disk is full, or for a similar limit; see [`is_full`].
    pub fn is_full(&self) -> bool {
        matches!(self, Error::Io { cause, .. } if is_full(cause))
    }

    /// Whether writing failed because the reader has closed the pipe.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Io { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}
