//! Errors of reading perf.data.

use crate::memory::TooMuch;
use std::io;

/// The parts that are missing from a perf.data file whose events can be read.
#[derive(Debug, thiserror::Error)]
pub enum Shortfall {
    /// The header does not give the length of the records, because its writer did not finish.
    #[error("the writer did not finish the file, so the length of its data and the names of its events are missing")]
    NoEnd,
    /// The file ends before the end of the records that its header gives.
    #[error("the file is cut short, so the names of its events, which are at its end, are missing")]
    Cut,
    /// The list of features behind the records cannot be read.
    #[error("{0}")]
    Features(io::Error),
    /// The names of tracepoints before the first event cannot be read.
    #[error("failed to read the names of tracepoints at byte {at} of the file: {reason}")]
    Names {
        /// The position of their record, in bytes from the start of the file.
        at: u64,
        /// What is wrong with them.
        reason: String,
    },
    /// A feature behind the records cannot be read.
    #[error("failed to read feature {bit} of the file: {cause}")]
    Feature {
        /// The number of the feature's bit in the header.
        bit: u64,
        /// What is wrong with it.
        cause: io::Error,
    },
}

/// Why a perf.data file cannot be read at all. Damage behind the header is an [`io::Error`] once reading gets
/// there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error of the operating system.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The first bytes are not those of perf.data.
    #[error("not a perf.data file: it does not start with PERFILE2")]
    NoPerfData,
    /// The file comes from a machine with the other byte order.
    #[error("the file was recorded on a machine with the other byte order")]
    OtherByteOrder,
    /// The file is one of several that share the events.
    #[error("the file is part of a directory from `perf record --threads`, whose events are spread over several files")]
    Threads,
    /// The header is damaged.
    #[error("the header is damaged at byte {at}: {reason}")]
    Header {
        /// The position in bytes from the start of the file.
        at: u64,
        /// What is wrong there.
        reason: String,
    },
    /// No attribute says which events the sample ids belong to.
    #[error("the file does not describe its events: there is no attribute before the first event")]
    NoAttributes,
    /// All events are of other kinds than tracepoints.
    #[error("none of the events in the file is a tracepoint")]
    NoTracepoints,
    /// The file takes too much memory.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The samples of this event have no timestamp.
    #[error("the samples of {0} have no time")]
    NoTime(String),
    /// The samples of this event have no sample id, or not at the same position as those of other events.
    #[error("the samples of {0} have no id at a position that all events share")]
    NoId(String),
}

/// Why a part of the header cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What is wrong with it.
    #[error("{0}")]
    Damaged(String),
    /// It takes too much memory.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Fault::Damaged(reason)
    }
}

impl From<&str> for Fault {
    fn from(reason: &str) -> Self {
        Fault::Damaged(reason.to_owned())
    }
}

impl Fault {
    /// The error for a part at byte `at` of the file.
    pub(super) fn at(self, at: u64) -> Error {
        match self {
            Fault::Damaged(reason) => Error::Header { at, reason },
            Fault::TooMuch(cause) => Error::TooMuch(cause),
        }
    }
}
