//! Why a perf.data file cannot be read.

use std::io;

/// What a perf.data file lacks although its events can be read.
#[derive(Debug, thiserror::Error)]
pub enum Shortfall {
    /// Its header does not say where the records end.
    #[error("its writer came to no end, so that it says neither how long it is nor what its events are called")]
    NoEnd,
    /// The file ends within the records, which it says are longer.
    #[error("it is cut short, and with its end went the names of its events")]
    Cut,
    /// The list of what stands behind the records is not there.
    #[error("{0}")]
    Features(io::Error),
    /// A part of what stands behind the records cannot be read.
    #[error("feature {bit}: {cause}")]
    Feature {
        /// Which, as the number of its bit in the header.
        bit: u64,
        /// Why not.
        cause: io::Error,
    },
}

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
