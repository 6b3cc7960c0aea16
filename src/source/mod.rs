//! Sources of a replay: what a capture left, what `perf record` wrote, or a log.

mod log_csv;
mod perf_data;

pub use log_csv::LogCsv;
pub use perf_data::PerfData;

use crate::blocks::ReadBlocks;
use crate::perf::data::{Features, Header, MAGIC, MAGIC_SWAPPED, PIPE_HEADER, seekable};
use crate::recording::{self, Facts};
use crate::stream::EventStream;
use crate::tracefs::Table;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A small recording that is built in, of a Linux kernel being compiled: what tp-perf shows where nothing can be traced.
const EXAMPLE: &[u8] = include_bytes!("../../fixtures/make.perf.zst");

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Where a replay takes its events from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A recording's directory, or a file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// The recording that is built in.
    Example,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Path(path) => write!(f, "{}", path.display()),
            Place::Stdin => f.write_str("standard input"),
            Place::Example => f.write_str("the built-in example"),
        }
    }
}

/// A source, opened.
pub struct Source {
    /// Its events.
    pub stream: EventStream,
    /// What it says of itself.
    pub about: About,
    /// Whether it tells the CPU of each event.
    pub knows_cpus: bool,
    /// What the user should know of it and is no error.
    pub remarks: Vec<String>,
    /// What is missing from it, if that is known already.
    pub problem: Option<String>,
}

/// What a source says of itself.
#[derive(Debug, Clone)]
pub enum About {
    /// A capture of tp-perf's.
    Capture(Box<Facts>),
    /// What `perf record` wrote.
    Perf {
        /// What it noted of machine and recording.
        features: Box<Features>,
        /// The clock of the samples.
        clock: String,
    },
    /// A log, which says nothing.
    Log,
}

/// Why a source cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// A directory that no capture left.
    #[error(
        "it is a directory without {} and {}, and so no recording; a replay takes a recording's directory, a file that \
             `perf record` wrote, or a log.csv",
        recording::EVENTS,
        recording::LOG
    )]
    NoRecording,
    /// What perf writes with several threads.
    #[error(
        "it is a directory of `perf record --threads`, whose parts cannot be put together here; record without --threads"
    )]
    PerfDirectory,
    /// Nothing is in it.
    #[error("it is empty")]
    Empty,
    /// It begins like nothing that is known.
    #[error(
        "it is neither perf.data nor a log.csv (it begins with {begins}); a replay takes a recording's directory, a \
             file that `perf record` wrote, or a log.csv"
    )]
    Unknown {
        /// Its first bytes.
        begins: String,
    },
    /// It does not begin as perf.data does.
    #[error("it is no perf.data: it does not begin with PERFILE2")]
    NoPerfData,
    /// It comes from another kind of machine.
    #[error("it was recorded on a machine of the other byte order; replay it on such a machine")]
    OtherByteOrder,
    /// A form that has to be read back and forth.
    #[error(
        "this form of perf.data cannot be read from a pipe, because what it needs first stands at its end: name the \
             file itself, or record with `perf record -o -`"
    )]
    NeedsFile,
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
    #[error("none of its events is a tracepoint; record some with `perf record -a -e 'sched:*'`")]
    NoTracepoints,
    /// The samples of an event lack something.
    #[error("the samples of {event} have no {what}; record them with `perf record {option}`")]
    Lacks {
        /// Which event.
        event: String,
        /// What is missing.
        what: &'static str,
        /// The option of perf record that adds it.
        option: &'static str,
    },
    /// A log without all of its columns.
    #[error("line 1: its header lacks `{missing}`; a log begins with `timestamp,tpid,gid,tracepoint name`")]
    Columns {
        /// Which.
        missing: String,
    },
    /// A log with its columns in another order.
    #[error("line 1: its columns are not `timestamp,tpid,gid,tracepoint name`, in this order")]
    ColumnOrder,
    /// What tp-perf noted in it cannot be read.
    #[error("tp-perf's own notes in it cannot be read ({0}): was it written by a newer tp-perf?")]
    Facts(serde_json::Error),
    /// The table beside a log is damaged.
    #[error("tracepoints.csv: {0}")]
    Table(String),
}

/// Opens a source.
pub fn open(place: &Place) -> Result<Source, Error> {
    match place {
        Place::Path(path) => open_path(path),
        Place::Stdin => match File::open("/dev/stdin") {
            // A file that is redirected can be read back and forth.
            Ok(file) if file.metadata()?.is_file() => open_file(file, Table::default()),
            _ => open_reader(Box::new(io::stdin()), None, Table::default()),
        },
        Place::Example => open_reader(Box::new(EXAMPLE), Some(EXAMPLE.len() as u64), Table::default()),
    }
}

fn open_path(path: &Path) -> Result<Source, Error> {
    if !std::fs::metadata(path)?.is_dir() {
        // A log within its recording has the table beside it.
        let beside = path.with_file_name(recording::TRACEPOINTS);
        let is_log = path.file_name().is_some_and(|name| name == recording::LOG);
        let table = if is_log && beside.exists() { recording::read_tracepoints(&beside) } else { Ok(Table::default()) };
        return open_file(File::open(path)?, table.map_err(Error::Table)?);
    }
    match File::open(path.join(recording::EVENTS)) {
        Ok(file) => open_file(file, Table::default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match File::open(path.join(recording::LOG)) {
            Ok(file) => {
                let table = recording::read_tracepoints(&path.join(recording::TRACEPOINTS)).map_err(Error::Table)?;
                open_file(file, table)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match path.join("data").is_file() {
                true => Err(Error::PerfDirectory),
                false => Err(Error::NoRecording),
            },
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn open_file(file: File, table: Table) -> Result<Source, Error> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return open_reader(Box::new(file), None, table);
    }
    let mut head = [0; 16];
    let length = file.read_at(&mut head, 0)?;
    if head[..length].starts_with(&MAGIC) && head[8..16] != PIPE_HEADER.to_ne_bytes() {
        let seekable::Seekable { header, data, problem } = seekable::read(&file)?;
        let position = data.start;
        return of_perf(PerfData::seekable(ReadBlocks::part(file, data)?, header, position)?, problem);
    }
    open_reader(Box::new(file), Some(metadata.len()), table)
}

/// Opens what can be read once, from its first byte.
fn open_reader(mut reader: Box<dyn Read>, length: Option<u64>, table: Table) -> Result<Source, Error> {
    let mut head = Vec::new();
    reader.by_ref().take(64).read_to_end(&mut head)?;
    let begins = |magic: &[u8]| head.starts_with(magic);
    if head.is_empty() {
        return Err(Error::Empty);
    } else if begins(&MAGIC_SWAPPED) {
        return Err(Error::OtherByteOrder);
    } else if begins(&MAGIC) {
        if head.get(8..16) == Some(&(seekable::HEADER as u64).to_ne_bytes()) {
            return Err(Error::NeedsFile);
        }
        let whole = Cursor::new(head).chain(reader);
        return of_perf(PerfData::piped(ReadBlocks::new(whole, length))?, None);
    } else if begins(&ZSTD_MAGIC) {
        let whole = Cursor::new(head).chain(reader);
        return open_reader(Box::new(zstd::Decoder::new(whole)?), None, table);
    } else if begins(b"timestamp") || begins(b"\"timestamp") {
        let log = LogCsv::open(Box::new(Cursor::new(head).chain(reader)), table, length)?;
        return Ok(Source {
            stream: EventStream::new(log),
            about: About::Log,
            knows_cpus: false,
            remarks: Vec::new(),
            problem: None,
        });
    }
    let text = String::from_utf8_lossy(&head[..head.len().min(16)]).into_owned();
    Err(Error::Unknown { begins: format!("{text:?}") })
}

fn of_perf(mut perf: PerfData, problem: Option<String>) -> Result<Source, Error> {
    let remarks = perf.remarks();
    let Header { features, notes, .. } = &perf.header;
    let about = match notes.whole.first() {
        Some(facts) => About::Capture(Box::new(serde_json::from_str(facts).map_err(Error::Facts)?)),
        None => About::Perf { features: Box::new(features.clone()), clock: perf.clock() },
    };
    if let About::Capture(facts) = &about {
        perf.set_clock_offset(facts.clock_offset_ns);
    }
    let knows_cpus = perf.knows_cpus();
    Ok(Source { stream: EventStream::new(perf), about, knows_cpus, remarks, problem })
}

impl Source {
    /// What a capture has just taken, from its first byte.
    pub fn captured(blocks: impl crate::blocks::Blocks + 'static) -> Result<Self, Error> {
        of_perf(PerfData::piped(blocks)?, None)
    }
}
