//! Why a library cannot be used.

use super::LONGEST_NAME;
use crate::recording;
use crate::state::session;
use std::io;
use std::path::PathBuf;

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("failed to read `{}`: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file or folder could not be removed.
    #[error("failed to remove `{}`: {cause}", path.display())]
    Remove {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] recording::Error),
    /// A file is no session.
    #[error("`{}` is not a usable session: {cause}", path.display())]
    Session {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: session::Error,
    },
    /// There is nothing in it.
    #[error("the library `{}` has no states", .0.display())]
    Empty(PathBuf),
    /// It has no such state.
    #[error("the library `{}` has no state `{name}`{}", path.display(), they(.states))]
    NoState {
        /// Of which library.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        states: Vec<String>,
    },
    /// The state has no such session.
    #[error("the state `{state}` has no session `{name}`")]
    NoSession {
        /// Which state.
        state: String,
        /// What was asked for.
        name: String,
    },
    /// The same session is there.
    #[error(
        "`{place}`: state `{state}` has this session already (`{name}`), or a part of it: no session may count twice"
    )]
    Known {
        /// Which session.
        place: String,
        /// In which state.
        state: String,
        /// As which session.
        name: String,
    },
    /// Two of those to be added are the same.
    #[error("`{place}` and `{other}` are the same session, or parts of one: no session may count twice")]
    Twice {
        /// Which.
        place: String,
        /// And which.
        other: String,
    },
    /// A state's files are damaged, all of them.
    #[error("no session of state `{0}` can be read")]
    OnlyDamaged(String),
    /// No folder can have this name.
    #[error(
        "`{}` cannot be the name of a state: use letters, digits and `-_.+@`, the first no dot or dash, {LONGEST_NAME} at the most",
        crate::units::OneLine(.0)
    )]
    BadName(String),
    /// Nobody knows where it is.
    #[error("there is no home directory to keep a library in: name a folder (--library)")]
    NoHome,
}

fn they(states: &[String]) -> String {
    match states {
        [] => String::new(),
        states => format!("; it has {}", states.join(", ")),
    }
}
