//! Infers the state of a system from the activity of its kernel. This module counts events in windows,
//! measures how far apart windows are, decides how unusual a distance is, and finds the points at which the
//! state changes.
//!
//! ```text
//!  source ──> windows ──> session ──> library
//!                            │           │
//!                            ▼           ▼
//!                        names in common, windows of one length
//!                            │           │
//!                            │    states: profiles, and how far sessions are from their own
//!                            ▼           ▼
//!                changes ──> judge ──> stretches, reasons
//!                              ├──> blocks ──> findings of a check
//!                              └──> sessions left out ──> evaluation of a library
//! ```

mod answer;
mod calibration;
mod changes;
mod check;
mod composition;
mod deviation;
mod evaluate;
mod follow;
mod formats;
#[cfg(feature = "history")]
mod history;
mod identify;
mod known;
mod library;
mod load;
mod logs;
mod looks;
mod losses;
mod model;
mod moments;
mod names;
mod profile;
mod reasons;
mod repeats;
mod session;
mod source;
mod stretch;
mod suggest;
#[cfg(test)]
mod testing;
mod watched;
mod windows;

pub use answer::Answer;
pub use calibration::{ALPHA, Score};
pub use changes::changes;
pub use check::{BLOCK, Check, Episode, Finding, FindingKind, PER_DAY, said_beside};
pub use composition::{Composition, Name, Part};
pub use deviation::{Deviation, DeviationKind, Factors, GroupDeviation};
pub use evaluate::{Evaluation, Repeated, StateEvaluation, Told, repeated};
pub use follow::{Alarm, AlarmKind, AllClear, CALM, Follow, FollowMessage, FollowedEnd, HOLD, Onset, StateTurn};
pub use formats::{Suite, write_check_json, write_csv, write_csv_header};
pub use formats::{follow_begin_json, follow_end_json, follow_error_json, follow_message_json};
pub use formats::{write_error_json, write_evaluation_json, write_json, write_junit, write_suggestion_json};
#[cfg(feature = "history")]
pub use history::read_history;
pub use identify::Identification;
pub use known::{Known, WINDOW};
pub use library::{Error as LibraryError, Learned, Library, ShareRange, Usable, read_session, state_name};
pub use load::SessionLoad;
pub use model::{LEAST_WINDOWS, NotLearned, Opinion, State, States};
pub use names::{LEAST_COVERAGE, Names, Seen};
pub use profile::{BETWEEN_FREEDOM, LEAST_DEVIATION};
pub use reasons::Reason;
pub use session::{SCHEMA, Session, SessionEngine, SessionOrigin};
pub use source::{learn, read};
pub use stretch::Stretch;
pub use suggest::{Quality, Suggestion, suggest};
pub use watched::WatchedStates;
pub use windows::{Length, MOST_WINDOWS, TooMany, Window, Windows, least_of};

use crate::drain::{Problem, replay};
use crate::memory::TooMuch;
use crate::recording;
use crate::units::{Plural, Share};
use std::fmt;

/// The side of a comparison that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The source that is compared with the states.
    Source,
    /// A session in the library.
    Session {
        /// The state that it belongs to.
        state: String,
        /// The session's name.
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

/// Why a source cannot be compared with states.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source cannot be replayed.
    #[error(transparent)]
    Replay(#[from] replay::Error),
    /// The library cannot be used.
    #[error(transparent)]
    Library(#[from] library::Error),
    /// The comparison takes too much memory.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The source has too many windows.
    #[error("`{place}`: {cause}")]
    TooMany {
        /// The source.
        place: String,
        /// The limit that it exceeds.
        cause: TooMany,
    },
    /// The source is damaged, or its capture ended early.
    #[error("`{place}`: {cause}; only complete sources can be compared with states")]
    Damaged {
        /// The source.
        place: String,
        /// Its problem.
        cause: Problem,
    },
    /// The source is a recording with a budget, and not each hit of its tracepoints is an event.
    #[error(
        "`{place}`: {} {} thinned or detached to keep the budget, so its events do not show how often they were hit; \
         record without --budget",
        Plural(*.tracepoints as u64, "tracepoint"), Plural(*.tracepoints as u64, "tracepoint").were()
    )]
    Thinned {
        /// The source.
        place: String,
        /// The number of such tracepoints.
        tracepoints: usize,
    },
    /// The counts break a rule of the session format, so the library could not read them back.
    #[error("`{place}`: the library cannot store this session: {reason}")]
    Unkeepable {
        /// The source.
        place: String,
        /// The rule that it breaks.
        reason: String,
    },
    /// The user interrupted tp-perf before it had a result.
    #[error("interrupted")]
    Interrupted,
    /// The source is shorter than a window.
    #[error("the source is shorter than one window of {length}")]
    Short {
        /// The length of a window.
        length: Length,
    },
    /// The session lost too much, or is too short, to show a state.
    #[error(
        "`{place}`: {} of {window}, of {windows} in all; a session needs at least {LEAST_WINDOWS}, and half of all. A window is \
         usable if it lost at most a tenth of its events",
        Plural(*.usable as u64, "usable window")
    )]
    TooLittle {
        /// The source.
        place: String,
        /// Its usable windows.
        usable: usize,
        /// All its windows.
        windows: usize,
        /// The length of a window.
        window: Length,
    },
    /// An error of one of several sources.
    #[error("{place}: {cause}")]
    Of {
        /// The source.
        place: String,
        /// Its error.
        cause: Box<Error>,
    },
    /// The file is a session, so its windows cannot be divided again.
    #[error("`{place}` is already divided into windows of {window}")]
    Counted {
        /// The session's file.
        place: String,
        /// The length of its windows.
        window: Length,
    },
    /// No whole number of the existing windows makes a window of the wanted length.
    #[error("{what} has windows of {has}, which cannot be joined to windows of {wanted}")]
    Length {
        /// The side that has the windows.
        what: What,
        /// Their length.
        has: Length,
        /// The wanted length.
        wanted: Length,
    },
    /// Too few events belong to tracepoints that every side captured.
    #[error(
        "too little can be compared: the source and all sessions have {names} captured tracepoints in common, and only {} \
        of the events of {what} belong to them; at least {} is needed{}",
        Share(*.coverage), Share(LEAST_COVERAGE), why(.what)
    )]
    Coverage {
        /// The side with too few of these events.
        what: What,
        /// The part of its events that belong to these tracepoints, from 0 to 1.
        coverage: f64,
        /// How many tracepoints every side captured.
        names: usize,
    },
    /// The source was captured with a narrower selection than a session of the library.
    #[error(
        "too little can be compared: only {} of the events of {what} belong to tracepoints that the source captured too; \
        at least {} is needed",
        Share(*.coverage), Share(LEAST_COVERAGE)
    )]
    Narrow {
        /// The session with too few of these events.
        what: What,
        /// The part of its events that belong to these tracepoints, from 0 to 1.
        coverage: f64,
    },
    /// All sessions of a state are shorter than a window.
    #[error("no session of state `{state}` is as long as one window of {length}")]
    NoWindows {
        /// The state.
        state: String,
        /// The length of a window.
        length: Length,
    },
    /// The source did not capture all tracepoints that were chosen because they suffice.
    #[error(
        "the source did not capture {missing} of the {of} tracepoints that suffice for the library; leave out --few-tracepoints"
    )]
    FewMissing {
        /// How many it did not capture.
        missing: usize,
        /// How many were chosen.
        of: usize,
    },
    /// The library does not show how much sessions of a state differ.
    #[error(
        "the library does not show how much sessions of one state differ, so tp-perf cannot name a state; learn two more \
        sessions of a state, at other times"
    )]
    NoSpread,
    /// The library has a single state.
    #[error(
        "the library has a single state, so no tracepoints tell states apart; learn a second state, or watch all tracepoints"
    )]
    OneState,
    /// Too many blocks lost too many events.
    #[error("the source cannot be checked: {lossy} of its {blocks} blocks lost more than a tenth of their events")]
    TooLossy {
        /// Blocks that lost too much.
        lossy: usize,
        /// All blocks.
        blocks: usize,
    },
    /// A state has too few sessions to estimate how its sessions differ from each other.
    #[error(
        "state `{state}` has {} of at least one block ({}); a check needs two, to measure how sessions differ",
        Plural(*.sessions as u64, "session"), Plural(*.block as u64, "window")
    )]
    TooFewSessions {
        /// The state.
        state: String,
        /// How many of its sessions have at least one block.
        sessions: usize,
        /// Windows in a block.
        block: usize,
    },
}

/// The likely reason why one side shares few of its events with all others.
fn why(what: &What) -> &'static str {
    match what {
        What::Source => "",
        What::Session { .. } => "; that session was captured with another selection, or on another kernel",
    }
}

impl Error {
    /// Whether the user interrupted it.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Error::Interrupted | Error::Replay(replay::Error::Interrupted))
    }
}

impl From<recording::Error> for Error {
    fn from(error: recording::Error) -> Self {
        Error::Replay(error.into())
    }
}
