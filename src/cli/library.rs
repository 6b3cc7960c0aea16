//! The library that keeps the states: the arguments that all commands with a library share.

use super::usage::usage;
use crate::state::{Library, state_name};
use clap::Args;
use std::path::PathBuf;

/// The library that keeps the states.
#[derive(Debug, Args)]
pub(super) struct LibraryArgs {
    /// Use the library in DIR [default: ~/.local/share/tp-perf/states]
    #[arg(long, value_name = "DIR")]
    pub library: Option<PathBuf>,
}

impl LibraryArgs {
    pub fn library(self) -> Result<Library, clap::Error> {
        library(self.library)
    }
}

/// The library in this folder, or the user's.
pub(super) fn library(path: Option<PathBuf>) -> Result<Library, clap::Error> {
    match path {
        Some(path) => Ok(Library::at(path)),
        None => Library::of_user().map_err(|error| usage(error.to_string())),
    }
}

pub(super) fn parse_state(text: &str) -> Result<String, String> {
    state_name(text).map_err(|error| error.to_string())
}
