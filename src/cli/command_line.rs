//! COMMAND, and tp-perf's own command line.

use super::attach::AttachArgs;
use super::usage::usage;
use crate::control::CommandLine;
use std::ffi::OsString;

/// COMMAND, if there is one, with the rights that the user chose for it.
pub(super) fn find(command: Vec<OsString>, options: &AttachArgs) -> Result<Option<CommandLine>, clap::Error> {
    match command.is_empty() {
        true => Ok(None),
        false => options.with_rights(CommandLine::find(command).map_err(usage)?).map(Some),
    }
}

/// The arguments of tp-perf itself.
pub(super) fn own_arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}
