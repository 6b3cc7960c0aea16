//! Sources of a replay: a recording, a file of `perf record`, or a log.
//!
//! ```
//! use tp_perf::source::{self, About, Place};
//!
//! let source = source::open(&Place::Path("fixtures/perf-file.data".into()), None)?;
//! match source.about {
//!     About::Capture(facts) => println!("a capture by tp-perf that began at {}", facts.started),
//!     About::Perf { clock, .. } => println!("a file of perf record, with the clock {clock}"),
//!     About::Log => println!("a log.csv"),
//! }
//! # Ok::<(), source::Error>(())
//! ```

mod error;
mod hits_column;
mod log_csv;
mod newest;
mod readers;
mod thread_columns;

pub use error::{Error, Packer};
pub use log_csv::LogCsv;
pub use newest::{Newest, newest};

// Users of the library need these here.
pub use crate::perf_data::{Features, Shortfall};

use crate::control::Signals;
use crate::events::stream::{EventStream, Packed};
use crate::os::files::open_to_read;
use crate::os::memory::raise_bound_for_capture;
use crate::perf_data::input::{Input, ReaderInput};
use crate::perf_data::{self, Header, MAGIC, MAGIC_SWAPPED, PIPE_HEADER, PerfData, ZstdWindow, seekable};
use crate::recording::{self, Facts};
use crate::tracefs::{Table, Tpid};
use nix::sys::stat::fstat;
use readers::{Awaited, Metered, Unpacked};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The built-in recording, of a build that starts on an idle machine. With it, tp-perf works on machines that cannot trace.
const EXAMPLE: &[u8] = include_bytes!("../../fixtures/example.perf.zst");

/// The file with the events in a directory that perf made, for example with `perf record --kcore`.
const PERF_DATA: &str = "data";

/// The first bytes of a file in the oldest form of perf.data.
const OLD_MAGIC: &[u8] = b"PERFFILE";

/// The first bytes of a file that `trace-cmd record` wrote.
const TRACE_CMD_MAGIC: &[u8] = b"\x17\x08\x44tracing";

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// The place of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A recording's directory, or a file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// The built-in recording.
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

impl Place {
    /// Whether this place is read from the file at a path. A recording consists of all its files.
    pub fn reads(&self, path: &Path) -> bool {
        let number = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
        let Some(target) = number(path) else { return false };
        let files: Vec<Option<(u64, u64)>> = match self {
            // A history consists of all files in its folder. A recording's folder has files of the recording.
            Place::Path(folder)
                if folder.is_dir() && !recording::FILES.iter().any(|name| folder.join(name).exists()) =>
            {
                return path
                    .canonicalize()
                    .and_then(|path| Ok(path.starts_with(folder.canonicalize()?)))
                    .unwrap_or(false);
            }
            Place::Path(path) => {
                // The tables of a log are in the same folder.
                let beside = recording::FILES.map(|name| path.with_file_name(name)).into_iter();
                let beside = beside.filter(|_| path.ends_with(recording::LOG));
                let within = recording::FILES.map(|name| path.join(name)).into_iter();
                within.chain(beside).chain([path.clone()]).map(|path| number(&path)).collect()
            }
            Place::Stdin => vec![fstat(io::stdin()).ok().map(|file| (file.st_dev, file.st_ino))],
            Place::Example => Vec::new(),
        };
        files.contains(&Some(target))
    }
}

/// A source, opened.
pub struct Source {
    /// Its events.
    pub stream: EventStream,
    /// The facts that it contains about itself.
    pub about: About,
    /// Whether it contains the CPU of each event.
    pub knows_cpus: bool,
    /// Whether it contains the thread of each event.
    pub knows_threads: bool,
    /// Whether the source has the cgroup of each event.
    pub knows_cgroups: bool,
    /// Whether its events may stand for several hits each: it is a recording with a budget, or the log of one.
    pub has_hits: bool,
    /// The nanoseconds from the times of its events to those of the wall clock; `None` if the source does not have them.
    pub wall_offset_ns: Option<i64>,
    /// Remarks for the user that are not errors.
    pub remarks: Vec<String>,
    /// The part that is missing from it, if that is already known.
    pub problem: Option<Shortfall>,
    /// Its file, as device and inode.
    pub file: Option<(u64, u64)>,
}

/// The facts that a source contains about itself.
#[derive(Debug, Clone)]
pub enum About {
    /// A capture by tp-perf.
    Capture(Box<Facts>),
    /// A file of `perf record`.
    Perf {
        /// Its notes about the machine and the recording.
        features: Box<Features>,
        /// The clock of the samples.
        clock: String,
        /// The tracepoints that take no samples of their own. The number of their hits is not known.
        not_sampled: Vec<Tpid>,
    },
    /// A log, which contains no facts about itself.
    Log,
}

/// Opens a source. The next signal ends any waiting for data, such as for a pipe.
pub fn open(place: &Place, signals: Option<&Signals>) -> Result<Source, Error> {
    let candidate = Candidate { signals, table: Table::default(), is_packed: false };
    match place {
        Place::Path(path) => candidate.path(path),
        Place::Stdin => candidate.file(File::from(io::stdin().as_fd().try_clone_to_owned()?)),
        Place::Example => candidate.reader(Box::new(EXAMPLE), Some(EXAMPLE.len() as u64)),
    }
}

/// Opens a file of another kind. The next signal ends any waiting for data, such as for a pipe.
pub fn open_file(path: &Path, signals: &Signals) -> io::Result<Box<dyn Read>> {
    let file = open_to_read(path)?;
    Ok(match file.metadata()?.is_file() {
        true => Box::new(file),
        false => Box::new(Awaited { file, wake: signals.wakers()? }),
    })
}

/// The facts that are known while tp-perf finds out the kind of a source.
struct Candidate<'a> {
    signals: Option<&'a Signals>,
    /// The tracepoints of a log.
    table: Table,
    /// Whether one layer of zstd has been removed.
    is_packed: bool,
}

impl Candidate<'_> {
    fn path(mut self, path: &Path) -> Result<Source, Error> {
        if !std::fs::metadata(path)?.is_dir() {
            // A log within its recording has the table beside it.
            let beside = path.with_file_name(recording::TRACEPOINTS);
            let is_log = path.file_name().is_some_and(|name| name == recording::LOG);
            if is_log && beside.is_file() {
                self.table = recording::read_tracepoints(&beside).map_err(Error::Table)?;
            }
            return self.file(open_to_read(path)?);
        }
        let has = |name: &str| match path.join(name).metadata() {
            Ok(file) => Ok(file.is_file() && file.len() > 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            // Whether the directory is a recording is not known.
            Err(error) => Err(error),
        };
        if has(recording::EVENTS)? {
            let has_log = has(recording::LOG)?;
            let beside = Candidate { signals: self.signals, table: Table::default(), is_packed: false };
            match self.file(open_to_read(&path.join(recording::EVENTS))?) {
                Err(cause) if has_log && cause.is_damage() => beside.log_instead_of_events(path, &cause),
                // Only tp-perf makes such a directory, and its events.perf has facts before the first event.
                Ok(Source { about: About::Perf { .. }, .. }) if has_log => {
                    beside.log_instead_of_events(path, &"it ends before its first event")
                }
                source => source,
            }
        } else if has(recording::LOG)? {
            self.path(&path.join(recording::LOG))
        } else if has(PERF_DATA)? {
            // A perf that was killed did not mark the file.
            if path.join("data.0").exists() {
                return Err(perf_data::Error::Threads.into());
            }
            self.file(open_to_read(&path.join(PERF_DATA))?)
        } else {
            Err(Error::NoRecording)
        }
    }

    /// The log of a recording whose events.perf cannot be read. A disk that is full can cut events.perf within its header,
    /// and leave a whole log.
    fn log_instead_of_events(self, recording: &Path, cause: &dyn std::fmt::Display) -> Result<Source, Error> {
        let mut source = self.path(&recording.join(recording::LOG))?;
        source.remarks.push(format!(
            "{} cannot be read ({cause}); this reads {} instead, which has no losses and no counts of the kernel",
            recording::EVENTS,
            recording::LOG
        ));
        Ok(source)
    }

    fn file(self, file: File) -> Result<Source, Error> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let wake = self.signals.map(Signals::wakers).transpose()?.unwrap_or_default();
            return self.reader(Box::new(Awaited { file, wake }), None);
        }
        let number = Some((metadata.dev(), metadata.ino()));
        let source = self.regular(file, metadata.len())?;
        Ok(Source { file: number, ..source })
    }

    fn regular(self, mut file: File, length: u64) -> Result<Source, Error> {
        if file.stream_position()? == 0 {
            let mut head = [0; 16];
            let read = file.read_at(&mut head, 0)?;
            if head[..read].starts_with(&MAGIC) && head[8..16] != PIPE_HEADER.to_ne_bytes() {
                let seekable::Seekable { header, data, problem } = seekable::read(&file)?;
                let position = data.start;
                return of_perf(PerfData::seekable(ReaderInput::part(file, data)?, header, position)?, problem);
            }
        }
        self.reader(Box::new(file), Some(length))
    }

    /// Data that can be read once, from its first byte.
    fn reader(self, mut reader: Box<dyn Read>, length: Option<u64>) -> Result<Source, Error> {
        let mut head = Vec::new();
        reader.by_ref().take(64).read_to_end(&mut head)?;
        if let Some(rest) = head.strip_prefix(b"\xEF\xBB\xBF") {
            head = rest.to_vec();
        }
        let begins = |magic: &[u8]| head.starts_with(magic);
        if head.is_empty() {
            return Err(Error::Empty);
        } else if begins(OLD_MAGIC) {
            return Err(Error::OldPerf);
        } else if begins(&MAGIC_SWAPPED) {
            return Err(perf_data::Error::OtherByteOrder.into());
        } else if begins(&MAGIC) {
            if head.get(8..16) == Some(&(seekable::HEADER as u64).to_ne_bytes()) {
                return Err(if self.is_packed { Error::PackedFile } else { Error::NeedsFile });
            }
            let whole = Cursor::new(head).chain(reader);
            let mut perf = PerfData::piped(ReaderInput::new(whole, length))?;
            if self.is_packed {
                perf.refuse_compressed();
            }
            return of_perf(perf, None);
        } else if begins(&ZSTD_MAGIC) {
            if self.is_packed {
                return Err(Error::PackedTwice);
            }
            return self.zstd(head, reader, length);
        } else if is_log(&head) {
            let log = LogCsv::open(Box::new(Cursor::new(head).chain(reader)), self.table, length)?;
            let (has_hits, knows_threads, knows_cgroups) = (log.has_hits(), log.has_threads(), log.has_cgroups());
            return Ok(Source {
                stream: EventStream::new(log),
                about: About::Log,
                knows_cpus: false,
                knows_threads,
                knows_cgroups,
                has_hits,
                wall_offset_ns: None,
                remarks: Vec::new(),
                problem: None,
                file: None,
            });
        }
        if let Some(packer) = Packer::of(&head) {
            return Err(Error::Packed(packer));
        } else if head.starts_with(TRACE_CMD_MAGIC) {
            return Err(Error::TraceCmd);
        }
        let text = String::from_utf8_lossy(&head[..head.len().min(16)]).into_owned();
        Err(Error::Unknown { begins: format!("{text:?}") })
    }
}

impl Candidate<'_> {
    /// A file that zstd compressed to `length` bytes.
    fn zstd(self, head: Vec<u8>, reader: Box<dyn Read>, length: Option<u64>) -> Result<Source, Error> {
        let window = ZstdWindow::of(&head)?;
        let taken = Rc::new(Cell::new(0));
        let reader = Metered { reader: Cursor::new(head).chain(reader), taken: Rc::clone(&taken) };
        let mut decoder = zstd::Decoder::new(reader)?;
        decoder.window_log_max(window.log)?;
        let unpacked = Unpacked { decoder, _window: window, given: 0 };
        let source = Candidate { is_packed: true, ..self }.reader(Box::new(unpacked), None);
        match (source, length) {
            (Ok(source), Some(length)) => {
                let packed: Packed = Box::new(move || (taken.get(), length));
                Ok(Source { stream: source.stream.within(packed), ..source })
            }
            (Err(error), Some(length)) => Err(error.of_whole(taken.get(), length)),
            (source, None) => source,
        }
    }
}

/// Whether a file begins with the header of a log, or with a part of it.
fn is_log(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let line = text.lines().next().unwrap_or_default();
    let mut fields = line.split(',').map(|field| field.trim_matches('"'));
    fields.any(|field| ["timestamp", "tpid", "gid", "tracepoint name"].contains(&field))
}

fn of_perf(mut perf: PerfData, problem: Option<Shortfall>) -> Result<Source, Error> {
    let remarks = perf.remarks();
    let problem = problem.or(perf.header.shortfall.take());
    let Header { features, notes, .. } = &perf.header;
    let about = match notes.whole.first() {
        Some(facts) => About::Capture(Box::new(Facts::of_note(facts).map_err(Error::Facts)?)),
        None => {
            About::Perf { features: Box::new(features.clone()), clock: perf.clock(), not_sampled: perf.not_sampled() }
        }
    };
    let clock_offset_ns = match &about {
        About::Capture(facts) => facts.clock_offset_ns,
        _ => 0,
    };
    // The pair has the clock of the samples.
    let wall_offset_ns = features.clock.map(|pair| pair.wall_offset_ns().wrapping_sub(clock_offset_ns));
    perf.set_clock_offset(clock_offset_ns);
    let (knows_cpus, knows_threads, knows_cgroups) = (perf.knows_cpus(), perf.knows_threads(), perf.knows_cgroups());
    let has_hits = matches!(&about, About::Capture(facts) if facts.budget.is_some());
    Ok(Source {
        stream: EventStream::new(perf),
        about,
        knows_cpus,
        knows_threads,
        knows_cgroups,
        has_hits,
        wall_offset_ns,
        remarks,
        problem,
        file: None,
    })
}

impl Source {
    /// The bytes of a capture that has just ended, from the first one. Raises the bound of the memory that inputs take: its
    /// largest rings must not make a capture useless.
    pub fn captured(input: impl Input + 'static) -> Result<Self, Error> {
        raise_bound_for_capture();
        of_perf(PerfData::piped(input)?, None)
    }
}
