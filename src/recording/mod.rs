//! A recording: the directory that a capture leaves.
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

mod directory;
mod facts;
mod folder;
mod log;
mod new_file;
mod sudo;
mod summary;
mod tables;
mod tool;

pub use directory::RecordingDir;
pub use facts::{Ending, FACTS_SCHEMA, Facts, LeftOut, StopReason};
#[doc(hidden)]
pub use folder::Folder;
pub use log::{LogSink, LogWriter};
pub use new_file::NewFile;
#[doc(hidden)]
pub use sudo::{caller_of_sudo, is_under_sudo};
pub use summary::{
    CpuSummary, EventsSummary, RestrictionSummary, SCHEMA, SelfSummary, Summary, TimingSummary, TracepointSummary,
    TracepointsSummary, UnaccountedSummary, accounts,
};
pub use tables::{encode_tracepoints, read_tracepoints, tracepoint_fields, write_groups, write_tracepoints};
pub use tool::Tool;

use std::io;
use std::path::PathBuf;

/// `timestamp,tpid,gid,tracepoint name`, a row for each event in time order.
pub const LOG: &str = "log.csv";
/// All tracepoints with their numbers and what became of them.
pub const TRACEPOINTS: &str = "tracepoints.csv";
/// All groups with their numbers.
pub const GROUPS: &str = "groups.csv";
/// What the capture was, and its accounting.
pub const SUMMARY: &str = "summary.json";

/// The ring bytes, as perf.data.
pub const EVENTS: &str = "events.perf";

/// All files of a recording.
pub const FILES: [&str; 5] = [LOG, TRACEPOINTS, GROUPS, SUMMARY, EVENTS];

/// Why a recording, or a file made of one, could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is a recording already.
    #[error("`{path}` holds a recording already (it has {file})")]
    Exists {
        /// The directory.
        path: PathBuf,
        /// A file of the recording in it.
        file: &'static str,
    },
    /// Something else is in the way.
    #[error("`{0}` is in the way and is not a directory")]
    NotADirectory(PathBuf),
    /// A directory is where a file of the recording is to be.
    #[error("`{0}` is a directory where a file is to be written")]
    DirectoryInTheWay(PathBuf),
    /// The directory holds files, but no recording.
    #[error("`{0}` is not empty, and holds no recording")]
    NotEmpty(PathBuf),
    /// A file that is not to be replaced.
    #[error("`{0}` is there already")]
    FileExists(PathBuf),
    /// Something that is no file and no directory.
    #[error("`{0}` is no regular file, and is not replaced")]
    NotAFile(PathBuf),
    /// Another capture writes there.
    #[error("another capture is writing into `{0}`")]
    InUse(PathBuf),
    /// A symbolic link is in the way.
    #[error("`{0}` is a symbolic link, and nothing is written through one")]
    SymbolicLink(PathBuf),
    /// A call on the directory or a file failed.
    #[error("failed to {verb} `{path}`: {cause}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// Whether an error says that a disk or a quota is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl Error {
    /// Whether writing failed because nobody reads any more.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Error::Io { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}
