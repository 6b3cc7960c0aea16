//! The errors of histories.

use crate::memory::TooMuch;
use std::io;
use std::path::{Path, PathBuf};

/// Why a history could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operation on a file or folder failed.
    #[error("failed to {verb} `{path}`: {cause}")]
    Io {
        /// The attempted operation, as a verb.
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Another monitor writes to the folder.
    #[error("another monitor of this host{} writes to `{path}`", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process id of the other monitor, if it is known.
        pid: Option<u32>,
    },
    /// The folder belongs to neither this user nor root.
    #[error("`{path}` belongs to another user (user id {owner})")]
    OtherOwner {
        /// The folder.
        path: PathBuf,
        /// The owner's user id.
        owner: u32,
    },
    /// The path leads to nothing that looks like a history.
    #[error(
        "`{0}` is not a history of tp-perf: it has no folder `windows`, `host=…` or `date=…`, and no file of an hour"
    )]
    NotAHistory(PathBuf),
    /// A Parquet file of another program.
    #[error("`{0}` is a Parquet file, but tp-perf did not write it: it has no metadata `tp_perf.history`")]
    OtherParquet(PathBuf),
    /// The history has several hosts, and none is chosen.
    #[error("`{path}` has the histories of {} hosts: {}", hosts.len(), hosts.join(", "))]
    SeveralHosts {
        /// The folder.
        path: PathBuf,
        /// The names of the hosts.
        hosts: Vec<String>,
    },
    /// The history does not have the chosen host.
    #[error("`{path}` does not have the host `{host}`; it has {}", hosts.join(", "))]
    NoSuchHost {
        /// The folder.
        path: PathBuf,
        /// The chosen host.
        host: String,
        /// The names of the hosts that it has.
        hosts: Vec<String>,
    },
    /// A newer version of tp-perf wrote the file.
    #[error("`{path}` has schema {schema}, and this version of tp-perf reads up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u32,
        /// The newest schema that can be read.
        known: u32,
    },
    /// The bytes of a file are wrong.
    #[error("`{path}` is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
    /// A part was chosen by something that a history does not have.
    #[error("`{path}` is a history, which has no {what}: choose a part of it with --from and --to")]
    HasNo {
        /// The history.
        path: PathBuf,
        /// What it does not have.
        what: &'static str,
    },
    /// The chosen time has no window.
    #[error("`{path}` has no window in this time{}", span.as_ref().map(|(from, to)| format!(": it reaches from {from} to {to}")).unwrap_or_default())]
    NoWindow {
        /// The history.
        path: PathBuf,
        /// The wall-clock times at which it begins and ends, if it has a window.
        span: Option<(String, String)>,
    },
    /// Reading needs too much memory.
    #[error("failed to read `{path}`: {cause}")]
    Memory {
        /// The file.
        path: PathBuf,
        /// The refusal.
        cause: TooMuch,
    },
}

impl Error {
    /// Whether a disk or a quota is full, or a file would exceed its size limit.
    pub fn is_full(&self) -> bool {
        matches!(self, Error::Io { cause, .. } if crate::recording::is_full(cause))
    }
}

/// Makes the error of an operation that failed.
pub(super) fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::Io { verb, path, cause }
}

/// Makes the error of wrong bytes.
pub(super) fn damaged(path: &Path, what: impl ToString) -> Error {
    Error::Damaged { path: path.to_owned(), what: what.to_string() }
}

/// Makes the error of too much memory.
pub(super) fn too_much(path: &Path) -> impl FnOnce(TooMuch) -> Error {
    let path = path.to_owned();
    move |cause| Error::Memory { path, cause }
}
