//! The metrics of `monitor`, for Prometheus and programs like it.
//!
//! ```text
//!   ticks ───> Metrics ──> text ──┬─> MetricsServer ──> HTTP
//!   figures ──┘                   └─> write_textfile ──> node_exporter
//! ```
//!
//! All of it works in the thread of the count, because tp-perf excludes only the hits of that thread. So nothing here waits.

mod exposition;
mod families;
mod figures;
mod format;
mod hits;
mod registry;
mod rows;
mod server;
mod shares;
mod textfile;
mod windows;

#[cfg(test)]
mod testing;

pub use figures::{AlarmFigures, FlightFigures, ServerFigures, WrittenHistory};
pub use format::MetricsFormat;
pub use registry::{Metrics, MetricsOptions};
pub use server::{FlightAnswer, MetricsServer, RequestAnswers, ServerAddress};
pub use shares::{LEAST_SERIES, USUAL_SERIES};
pub use textfile::write_textfile;

use std::io;
use std::path::PathBuf;

/// Why metrics could not be served or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address that cannot be read.
    #[error("`{text}` is no address for metrics: {reason}")]
    BadAddress {
        /// The address, as typed.
        text: String,
        /// The mistake in it, and the fix.
        reason: String,
    },
    /// Another program listens there.
    #[error("another program already listens on {address}")]
    InUse {
        /// The address.
        address: ServerAddress,
    },
    /// The path of a socket names something else.
    #[error("`{path}` is there already, and is no socket")]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The server could not start.
    #[error("failed to listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: ServerAddress,
        /// The kernel's error.
        cause: io::Error,
    },
    /// The descriptor that waits for connections could not be made.
    #[error("failed to wait for connections: {0}")]
    Wait(io::Error),
    /// The name of a textfile has another ending.
    #[error("`{path}` does not end in .prom, so node_exporter would not read it")]
    NoTextfile {
        /// The path.
        path: PathBuf,
    },
    /// The textfile could not be written.
    #[error("failed to {verb} `{path}`: {cause}")]
    Textfile {
        /// The attempted operation, as a verb.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        cause: io::Error,
    },
}
