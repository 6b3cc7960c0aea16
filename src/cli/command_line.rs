//! COMMAND, and tp-perf's own command line.

use super::usage::usage;
use crate::control::CommandLine;
use std::ffi::OsString;

/// COMMAND, if there is one.
pub(super) fn find(command: Vec<OsString>) -> Result<Option<CommandLine>, clap::Error> {
    match command.is_empty() {
        true => Ok(None),
        false => CommandLine::find(command).map(Some).map_err(usage),
    }
}

/// The arguments of tp-perf itself.
pub(super) fn own_arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}
