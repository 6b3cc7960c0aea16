//! Why a library cannot be used.

use super::LONGEST_NAME;
use crate::memory::TooMuch;
use crate::recording;
use crate::state::session;
use std::io;
use std::path::PathBuf;

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("failed to read `{}`: {cause}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A file or folder cannot be removed.
    #[error("failed to remove `{}`: {cause}", path.display())]
    Remove {
        /// Its path.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] recording::Error),
    /// A file is not a session that this version can read.
    #[error("`{}` is not a usable session: {cause}", path.display())]
    Session {
        /// Its path.
        path: PathBuf,
        /// The cause.
        cause: session::Error,
    },
    /// A session takes too much memory.
    #[error("failed to read `{}`: {cause}", path.display())]
    TooMuch {
        /// Its path.
        path: PathBuf,
        /// The refusal.
        cause: TooMuch,
    },
    /// The library has no states.
    #[error("the library `{}` has no states", .0.display())]
    Empty(PathBuf),
    /// The library does not have this state.
    #[error("the library `{}` has no state `{name}`{}", path.display(), they(.states))]
    NoState {
        /// The library's folder.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The states that the library has.
        states: Vec<String>,
    },
    /// The state does not have this session.
    #[error("the state `{state}` has no session `{name}`")]
    NoSession {
        /// The state.
        state: String,
        /// The name that was asked for.
        name: String,
    },
    /// The state already has this session, or one that overlaps it.
    #[error(
        "`{place}`: state `{state}` already has this session or a part of it (`{name}`); adding it again would count it twice"
    )]
    Known {
        /// The place of the new session.
        place: String,
        /// The state.
        state: String,
        /// The session that the state has.
        name: String,
    },
    /// Two of the sessions to add are the same, or overlap.
    #[error("`{place}` and `{other}` are the same session, or overlap; adding both would count it twice")]
    Twice {
        /// The place of one.
        place: String,
        /// The place of the other.
        other: String,
    },
    /// All session files of a state are damaged.
    #[error("no session of state `{0}` can be read")]
    OnlyDamaged(String),
    /// The name cannot be the name of a folder.
    #[error(
        "`{}` cannot be the name of a state: use letters, digits and `-_.+@`, do not begin with a dot or dash, and use at most {LONGEST_NAME} bytes",
        crate::text::OneLine(.0)
    )]
    BadName(String),
    /// The home directory is unknown, and with it the place of the default library.
    #[error("there is no home directory for the library: name a folder (--library)")]
    NoHome,
}

fn they(states: &[String]) -> String {
    match states {
        [] => String::new(),
        states => format!("; it has {}", states.join(", ")),
    }
}
