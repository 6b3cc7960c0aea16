//! Why a source cannot be replayed.

use crate::memory::TooMuch;
use crate::perf_data;
use crate::recording::{self, TableError};
use std::io;

/// A program that compresses files, other than zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packer {
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
}

impl Packer {
    /// The program whose files begin with these bytes.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let magics: [(&[u8], Packer); 3] =
            [(b"\x1F\x8B", Packer::Gzip), (b"\xFD7zXZ\0", Packer::Xz), (b"BZh", Packer::Bzip2)];
        magics.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, packer)| packer)
    }
}

impl std::fmt::Display for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Packer::Gzip => "gzip",
            Packer::Xz => "xz",
            Packer::Bzip2 => "bzip2",
        })
    }
}

/// Why a source cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// No recording is in the current directory.
    #[error("no recording is in the current directory")]
    NoneHere,
    /// A directory that is not a recording.
    #[error("it is a directory without {} and {}, so it is not a recording", recording::EVENTS, recording::LOG)]
    NoRecording,
    /// It is perf.data, and cannot be read.
    #[error(transparent)]
    PerfData(perf_data::Error),
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// Its first bytes match no known format.
    #[error("it is neither perf.data nor a log.csv (it begins with {begins})")]
    Unknown {
        /// Its first bytes.
        begins: String,
    },
    /// A form that a pipe cannot deliver, because tp-perf reads its end first.
    #[error("this form of perf.data cannot be read from a pipe, because tp-perf must read its end first")]
    NeedsFile,
    /// The same form, compressed with zstd.
    #[error("this form of perf.data cannot be read while it is compressed, because tp-perf must read its end first")]
    PackedFile,
    /// zstd in zstd.
    #[error("it is compressed with zstd more than once")]
    PackedTwice,
    /// The file is compressed in a form that tp-perf does not read.
    #[error("it is compressed with {0}")]
    Packed(Packer),
    /// The file has the oldest form of perf.data.
    #[error("it is a file of a very old perf (its first bytes are PERFFILE), which tp-perf does not read")]
    OldPerf,
    /// The file is from trace-cmd.
    #[error("it is a file of trace-cmd (trace.dat), which tp-perf does not read")]
    TraceCmd,
    /// A log without all of its columns.
    #[error("line 1: its header lacks `{missing}`; a log begins with `timestamp,tpid,gid,tracepoint name`")]
    Columns {
        /// The missing columns.
        missing: String,
    },
    /// A log with its columns in another order.
    #[error("line 1: its columns are not `timestamp,tpid,gid,tracepoint name`, in this order")]
    ColumnOrder,
    /// A log with other columns behind its own.
    #[error(
        "line 1: behind its four columns, a log may have `hits`, and then `pid`, `tid`, `comm`, and `cpu`, each once; remove other columns"
    )]
    MoreColumns,
    /// The notes of tp-perf in it cannot be read.
    #[error(
        "tp-perf cannot read its own notes in this file ({0}); a newer tp-perf may have written them: update tp-perf"
    )]
    Facts(serde_json::Error),
    /// The table beside a log is damaged.
    #[error("tracepoints.csv: {0}")]
    Table(TableError),
}

impl From<TooMuch> for Error {
    fn from(error: TooMuch) -> Self {
        Error::Read(error.into())
    }
}

impl Error {
    /// The refusal, if the source takes too much memory.
    pub fn too_much(&self) -> Option<&TooMuch> {
        match self {
            Error::Read(cause) => TooMuch::within(cause),
            Error::PerfData(perf_data::Error::TooMuch(cause)) | Error::Table(TableError::TooMuch(cause)) => Some(cause),
            _ => None,
        }
    }

    /// Whether the contents of the file are damaged.
    pub(super) fn is_damage(&self) -> bool {
        use perf_data::Error::{Header, NoAttributes, NoPerfData};
        matches!(self, Error::PerfData(Header { .. } | NoAttributes | NoPerfData) | Error::Unknown { .. })
            || matches!(self, Error::Read(cause) if cause.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// The error, with an estimate for the whole file if it takes too much memory.
    pub(super) fn of_whole(self, read: u64, length: u64) -> Self {
        match self.too_much() {
            Some(refused) => refused.of_whole(read, length).into(),
            None => self,
        }
    }
}

impl From<perf_data::Error> for Error {
    fn from(error: perf_data::Error) -> Self {
        match error {
            perf_data::Error::Read(cause) => Error::Read(cause),
            error => Error::PerfData(error),
        }
    }
}
