//! perf.data: the file format of perf's tools, in which tp-perf also stores the ring bytes.
//!
//! tp-perf writes the form that perf uses on a pipe. That form needs no final rewrite, so a file remains
//! readable as far as it goes, even if its writer was killed.
//!
//! ```text
//!   "PERFILE2" │ u64 16
//!   HEADER_FEATURE…     kernel, machine, arguments, clock; whether the ring bytes are compressed
//!   HEADER_ATTR…        one for each tracepoint: how it was opened, and the sample ids of its events
//!   ID_INDEX…           the CPU of each sample id
//!   TRACING_DATA        the names of all tracepoints
//!   HEADER_EVENT_TYPE…  tp-perf's own facts as JSON: perf has skipped records of this type since 2013
//!   ring bytes │ FINISHED_ROUND │ ring bytes │ FINISHED_ROUND …      or COMPRESSED records
//!   READ…               the kernel's counters
//!   HEADER_EVENT_TYPE   how the capture ended
//! ```
//!
//! A file that perf itself writes has a longer header with the positions of attributes, events and features
//! ([`seekable`]). The numbers and layouts come from tools/perf/Documentation/perf.data-file-format.txt and
//! tools/lib/perf/include/perf/event.h in the kernel's source.

mod attr;
mod compress;
mod error;
mod features;
mod for_perf;
mod header;
pub mod input;
mod read;
pub mod record;
pub mod seekable;
mod tracing_data;
mod write;
mod zstd_window;

pub use attr::{Attr, Layout, SampleFields, Trailer, own_layout};
pub use compress::{Compressor, Inflate, MOST_INFLATED};
pub use error::{Error, Fault, Shortfall};
pub use features::{ClockPair, Features};
pub use for_perf::{ForPerf, SampleForPerf, ThreadForPerf};
pub use header::{Described, Header, Notes};
pub use read::{PerfData, ThreadsRead};
pub use write::{Head, HeadThreads, counters, document};
pub use zstd_window::ZstdWindow;

/// The first 8 bytes of a file.
pub const MAGIC: [u8; 8] = *b"PERFILE2";
/// The first 8 bytes of a file from a machine with the other byte order.
pub const MAGIC_SWAPPED: [u8; 8] = *b"2ELIFREP";
/// The size in bytes of the header in the pipe form.
pub const PIPE_HEADER: u64 = 16;

/// Types of perf's own records (`PERF_RECORD_…` in tools/perf).
pub mod kind {
    /// The attribute and the sample ids of an event.
    pub const HEADER_ATTR: u32 = 64;
    /// tp-perf's own notes; perf skips this type.
    pub const HEADER_EVENT_TYPE: u32 = 65;
    /// Names and formats of tracepoints, in the bytes behind the record.
    pub const TRACING_DATA: u32 = 66;
    /// The end of a round.
    pub const FINISHED_ROUND: u32 = 68;
    /// The CPU of each sample id.
    pub const ID_INDEX: u32 = 69;
    /// Hardware traces, in the bytes behind the record.
    pub const AUXTRACE: u32 = 71;
    /// An event's name.
    pub const EVENT_UPDATE: u32 = 78;
    /// A feature of the header.
    pub const HEADER_FEATURE: u32 = 80;
    /// A piece of a zstd stream that contains records. The stream continues from one such record to the next.
    pub const COMPRESSED: u32 = 81;
    /// Like [`COMPRESSED`], but with the payload's length in the body, and padding behind the payload.
    pub const COMPRESSED2: u32 = 83;
    /// The first type of the records that only simpleperf writes. Their size has 32 bits, and its upper half
    /// is where other records have `misc`.
    pub const SIMPLEPERF: u32 = 32_768;
    /// Names and formats of tracepoints, in a record of simpleperf's own.
    pub const SIMPLEPERF_TRACING_DATA: u32 = 32_777;
}

/// Bits of `read_format`.
mod read_format {
    use perf_event_open_sys::bindings as abi;
    pub const TOTAL_TIME_ENABLED: u64 = abi::PERF_FORMAT_TOTAL_TIME_ENABLED as u64;
    pub const TOTAL_TIME_RUNNING: u64 = abi::PERF_FORMAT_TOTAL_TIME_RUNNING as u64;
    pub const ID: u64 = abi::PERF_FORMAT_ID as u64;
    pub const GROUP: u64 = abi::PERF_FORMAT_GROUP as u64;
    pub const LOST: u64 = abi::PERF_FORMAT_LOST as u64;
}

/// Appends a record, padded to a multiple of 8 bytes.
///
/// # Panics
/// If the record is longer than 65,528 bytes.
pub(super) fn push_record(out: &mut Vec<u8>, kind: u32, body: &[&[u8]]) {
    let length = 8 + body.iter().map(|part| part.len()).sum::<usize>();
    let size = u16::try_from(length.next_multiple_of(8)).expect("records are split before they are too long");
    out.extend(kind.to_ne_bytes());
    out.extend(0u16.to_ne_bytes());
    out.extend(size.to_ne_bytes());
    body.iter().for_each(|part| out.extend(*part));
    out.resize(out.len() + length.next_multiple_of(8) - length, 0);
}
