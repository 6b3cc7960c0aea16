//! Why a perf.data file cannot be read.

use std::io;

/// Why a perf.data file cannot be read at all. What is damaged behind its beginning is an [`io::Error`] where it is met.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It does not begin as perf.data does.
    #[error("it is no perf.data: it does not begin with PERFILE2")]
    NoPerfData,
    /// It comes from another kind of machine.
    #[error("it was recorded on a machine of the other byte order")]
    OtherByteOrder,
    /// Its header is damaged.
    #[error("its header is damaged at byte {at}: {reason}")]
    Header {
        /// Where, in bytes from the start.
        at: u64,
        /// How.
        reason: String,
    },
    /// Ids without what they stand for.
    #[error("it does not say what its events are: there is no attribute before the first event")]
    NoAttributes,
    /// Other events than tracepoints.
    #[error("none of its events is a tracepoint")]
    NoTracepoints,
    /// The samples of this event do not tell when they were taken.
    #[error("the samples of {0} have no time")]
    NoTime(String),
    /// The samples of this event do not tell what they are of, or not where those of others do.
    #[error("the samples of {0} have no id at a place that all events share")]
    NoId(String),
}
