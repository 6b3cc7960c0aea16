//! What kept results from being all that was asked for.

use crate::recording;
use crate::source::Shortfall;
use crate::units::{OneLine, Plural};
use std::fmt;
use std::io;

/// What kept results from being all that was asked for. All that could be had is there.
#[derive(Debug)]
pub enum Problem {
    /// The log could not be written to its end.
    LogCut {
        /// The events in it.
        logged: u64,
        /// Why not.
        cause: recording::Error,
    },
    /// The source is damaged, or could not be read further.
    Damaged {
        /// Where and how.
        cause: io::Error,
        /// Events that were read before.
        read: u64,
    },
    /// The capture ended before its time.
    EndedEarly {
        /// As its ending notes it.
        reason: String,
    },
    /// The source lacks something, which was known when it was opened.
    Lacking {
        /// What.
        cause: Shortfall,
        /// Events that were read.
        read: u64,
    },
    /// The recording has no ending: its capture was killed, or could write no further.
    Unended {
        /// Events that were read.
        read: u64,
    },
    /// The recording's ending cannot be read.
    UnreadableEnding,
    /// Samples have ids that stand for nothing.
    UnknownIds {
        /// How many samples.
        samples: u64,
    },
    /// The user stopped the reading.
    Stopped,
    /// The file of the events does not have all that was captured.
    FileCut {
        /// Why not.
        cause: io::Error,
    },
    /// The same, and something else beside it.
    FileCutToo(Box<Problem>),
}

/// What the user loses where the disk is full.
const FILE_CUT: &str = "events.perf does not have all that was captured";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = |read: &u64| Plural(*read, "event");
        let were = |read: &u64| events(read).were();
        match self {
            Problem::LogCut { logged, cause } => write!(f, "log.csv has only the first {logged} events: {cause}"),
            Problem::Damaged { cause, read } => write!(f, "{cause}; {} before that {} read", events(read), were(read)),
            Problem::EndedEarly { reason } => write!(f, "the capture ended before its time: {}", OneLine(reason)),
            Problem::Lacking { cause, read } => write!(f, "{cause}; {} {} read", events(read), were(read)),
            Problem::Unended { read } => write!(
                f,
                "it is incomplete: its capture was killed, or could write no further; {} up to there {} read, and the \
                 kernel's counts are missing",
                events(read),
                were(read)
            ),
            Problem::UnreadableEnding => f.write_str(
                "tp-perf's note of how the capture ended cannot be read: it is damaged, or a newer tp-perf wrote it",
            ),
            Problem::UnknownIds { samples } => {
                write!(f, "it is damaged: {} have ids of no known tracepoint", Plural(*samples, "sample"))
            }
            Problem::Stopped => f.write_str("it was not read to its end: you stopped it"),
            Problem::FileCut { cause } => write!(f, "{FILE_CUT}: {cause}"),
            Problem::FileCutToo(problem) => write!(f, "{FILE_CUT}; the summary covers the rest; also: {problem}"),
        }
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// Whether it is that nobody reads the log any more.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Problem::LogCut { cause, .. } if cause.is_closed_pipe())
    }

    /// With what kept the file of the events from being whole, if anything did.
    pub fn and_of_file(problem: Option<Problem>, in_file: io::Result<()>) -> Option<Problem> {
        match (in_file, problem) {
            (Ok(()), problem) => problem,
            (Err(_), Some(problem)) => Some(Problem::FileCutToo(Box::new(problem))),
            (Err(cause), None) => Some(Problem::FileCut { cause }),
        }
    }
}
