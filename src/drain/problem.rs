//! Problems: why results are incomplete.

use crate::os::cpus::{Cpu, named};
use crate::recording;
use crate::source::Shortfall;
use crate::text::OneLine;
use crate::units::Plural;
use std::fmt;
use std::io;

/// Why results are incomplete. They contain everything that could be read.
#[derive(Debug)]
pub enum Problem {
    /// The log could not be written completely.
    LogCut {
        /// The number of events in the log.
        logged: u64,
        /// The error that stopped it.
        cause: recording::Error,
    },
    /// The source is damaged, or could not be read to its end.
    Damaged {
        /// The damage or the error, with its position.
        cause: io::Error,
        /// The number of events read before that.
        read: u64,
    },
    /// The capture ended before one of its stop rules applied.
    EndedEarly {
        /// The reason in the capture's ending.
        reason: String,
    },
    /// A part of the source is missing, as was known when it was opened.
    Lacking {
        /// The missing part.
        cause: Shortfall,
        /// The number of events read.
        read: u64,
    },
    /// The recording has no ending: the file was cut, or the capture was killed or could not write any more.
    Unended {
        /// The number of events read.
        read: u64,
    },
    /// The ending of the recording cannot be parsed.
    UnreadableEnding,
    /// Samples have ids that belong to no opened event.
    UnknownIds {
        /// The number of these samples.
        samples: u64,
    },
    /// CPUs were online for a part of the capture in which tp-perf did not watch them.
    Unwatched {
        /// The CPUs, ascending.
        cpus: Vec<Cpu>,
    },
    /// The user stopped the reading.
    Stopped,
    /// `events.perf` does not contain everything that was captured.
    FileCut {
        /// The error that stopped it.
        cause: io::Error,
    },
    /// [`FileCut`](Self::FileCut), and another problem.
    FileCutToo(Box<Problem>),
}

/// The consequence of a full disk.
const FILE_CUT: &str = "events.perf does not contain the whole capture";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = |read: &u64| Plural(*read, "event");
        let were = |read: &u64| events(read).were();
        match self {
            Problem::LogCut { logged, cause } => write!(f, "log.csv has only the first {logged} events: {cause}"),
            Problem::Damaged { cause, read } => write!(f, "{cause}; {} {} read before that", events(read), were(read)),
            Problem::EndedEarly { reason } => write!(f, "the capture ended early: {}", OneLine(reason)),
            Problem::Lacking { cause, read } => write!(f, "{cause}; {} {} read", events(read), were(read)),
            Problem::Unended { read } => write!(
                f,
                "the recording lacks its end: the file was cut, or the capture was killed or could not write any more; {} {} \
                read, and the kernel's counts are missing",
                events(read),
                were(read)
            ),
            Problem::UnreadableEnding => f.write_str(
                "tp-perf's note of how the capture ended cannot be read; it is damaged, or a newer tp-perf wrote it",
            ),
            Problem::UnknownIds { samples } => {
                write!(f, "the source is damaged: {} had unknown sample ids", Plural(*samples, "sample"))
            }
            Problem::Unwatched { cpus } => {
                write!(
                    f,
                    "hits are missing: tp-perf watched {} for a part of the time only, or not at all",
                    named(cpus)
                )
            }
            Problem::Stopped => f.write_str("you stopped tp-perf before it had read the source to its end"),
            Problem::FileCut { cause } => write!(f, "{FILE_CUT}: {cause}"),
            Problem::FileCutToo(problem) => write!(f, "{FILE_CUT}, but the summary covers it; also: {problem}"),
        }
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// Whether the problem is only that the reader of the log has closed the pipe.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Problem::LogCut { cause, .. } if cause.is_closed_pipe())
    }

    /// Combines a problem with the result of writing `events.perf`.
    pub fn and_of_file(problem: Option<Problem>, in_file: io::Result<()>) -> Option<Problem> {
        match (in_file, problem) {
            (Ok(()), problem) => problem,
            (Err(_), Some(problem)) => Some(Problem::FileCutToo(Box::new(problem))),
            (Err(cause), None) => Some(Problem::FileCut { cause }),
        }
    }
}
