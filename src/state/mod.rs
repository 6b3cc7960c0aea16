//! The state of a system, from what its kernel does: windows of counts, how far they are apart, how unusual that is, and where it
//! changes.
//!
//! ```text
//!  source ──> windows ──> session ──> library
//!                            │           │
//!                            ▼           ▼
//!                        names in common, windows of one length
//!                            │           │
//!                            │    states: known windows, usual distances
//!                            ▼           ▼
//!                   opinions of each window ──> changes ──> stretches, reasons
//!                                         └──> blocks ──> findings of a check
//! ```

mod answer;
mod changes;
mod check;
mod composition;
mod conformal;
mod formats;
mod identify;
mod known;
mod library;
mod model;
mod names;
mod nearest;
mod reasons;
mod session;
mod source;
mod stretch;
#[cfg(test)]
mod testing;
mod windows;

pub use answer::Answer;
pub use changes::changes;
pub use check::{BLOCK, Check, Finding, FindingKind, PER_DAY, said_beside};
pub use composition::{Composition, Name, Part};
pub use conformal::{Calibration, PValue, together, too_low};
pub use formats::{write_check_json, write_csv, write_json, write_junit};
pub use identify::{ALPHA, Identification};
pub use known::{Known, WINDOW};
pub use library::{Error as LibraryError, Learned, Library, ShareRange, read_session, state_name};
pub use model::{Opinion, State, States};
pub use names::{LEAST_COVERAGE, Names, Seen};
pub use reasons::Reason;
pub use session::{SCHEMA, Session, SessionOrigin};
pub use source::{learn, read};
pub use stretch::{Stretch, StretchOpinion};
pub use windows::{Length, MOST_WINDOWS, TooMany, Window, Windows};

use crate::drain::{Problem, replay};
use crate::recording;
use crate::units::{Plural, Share};
use std::fmt;

/// Which side of a comparison an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The source that is held against states.
    Source,
    /// A session in the library.
    Session {
        /// Of which state.
        state: String,
        /// Which.
        name: String,
    },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Source => f.write_str("the source"),
            What::Session { state, name } => write!(f, "session `{name}` of state `{state}`"),
        }
    }
}

/// Why nothing can be said of a state.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be replayed.
    #[error(transparent)]
    Replay(#[from] replay::Error),
    /// The library cannot be used.
    #[error(transparent)]
    Library(#[from] library::Error),
    /// The source has far too many windows.
    #[error("`{place}`: {cause}")]
    TooMany {
        /// Which source.
        place: String,
        /// How many.
        cause: TooMany,
    },
    /// The source is damaged, or the capture ended before its time.
    #[error("`{place}`: {cause}; states are compared with complete sources only")]
    Damaged {
        /// Which source.
        place: String,
        /// What is missing.
        cause: Problem,
    },
    /// A library could not read what was counted.
    #[error("`{place}`: {reason}; a library cannot hold such a session")]
    Unkeepable {
        /// Which source.
        place: String,
        /// Why not.
        reason: String,
    },
    /// The user asked for the end before there was anything to say.
    #[error("interrupted")]
    Interrupted,
    /// The source is shorter than a window.
    #[error("the source is shorter than a window of {length}")]
    Short {
        /// How long a window is.
        length: Length,
    },
    /// One of several sources is to blame.
    #[error("{place}: {cause}")]
    Of {
        /// Which.
        place: String,
        /// Why.
        cause: Box<Error>,
    },
    /// It cannot be cut any more.
    #[error("`{place}` was counted already and keeps its windows (of {window})")]
    Counted {
        /// Which session.
        place: String,
        /// How long its windows are.
        window: Length,
    },
    /// Windows of one length cannot be made of windows of another.
    #[error("{what} has windows of {has}, and no whole number of them makes {wanted}")]
    Length {
        /// Whose windows.
        what: What,
        /// How long they are.
        has: Length,
        /// How long they should be.
        wanted: Length,
    },
    /// Too little can be compared.
    #[error(
        "too little can be compared: the source and all sessions captured {names} tracepoints in common, which have \
         only {} of the events of {what}; at least {} is needed{}",
        Share(*.coverage), Share(LEAST_COVERAGE), why(.what)
    )]
    Coverage {
        /// Whose events.
        what: What,
        /// The part of them.
        coverage: f64,
        /// How many tracepoints all captured.
        names: usize,
    },
    /// The source was captured with another selection than what is known.
    #[error(
        "too little can be compared: only {} of the events of {what} are of tracepoints that the source captured too; \
         at least {} is needed",
        Share(*.coverage), Share(LEAST_COVERAGE)
    )]
    Narrow {
        /// Whose events.
        what: What,
        /// The part of them.
        coverage: f64,
    },
    /// A state is known from sessions that are shorter than a window.
    #[error("no session of state `{state}` is as long as a window of {length}")]
    NoWindows {
        /// Which state.
        state: String,
        /// How long a window is.
        length: Length,
    },
    /// Too much was lost to say anything.
    #[error("nothing can be said: {lossy} of {blocks} blocks lost more than a tenth of their events")]
    TooLossy {
        /// Blocks that lost too much.
        lossy: usize,
        /// Of how many.
        blocks: usize,
    },
    /// Nobody knows how sessions of the state differ.
    #[error(
        "state `{state}` has {} that can be cut into blocks of {}, and a check needs two to know how sessions differ",
        Plural(*.sessions as u64, "session"), Plural(*.block as u64, "window")
    )]
    TooFewSessions {
        /// Which state.
        state: String,
        /// How many there are.
        sessions: usize,
        /// Windows of a block.
        block: usize,
    },
}

/// Why one side has few of its events in common with all others, if that is known.
fn why(what: &What) -> &'static str {
    match what {
        What::Source => "",
        What::Session { .. } => "; it was captured with another selection, or on another kernel",
    }
}

impl Error {
    /// Whether the user stopped it.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Error::Interrupted | Error::Replay(replay::Error::Interrupted))
    }
}

impl From<recording::Error> for Error {
    fn from(error: recording::Error) -> Self {
        Error::Replay(error.into())
    }
}
