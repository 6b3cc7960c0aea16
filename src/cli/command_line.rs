//! COMMAND, and tp-perf's own command line.

use super::attach::AttachArgs;
use crate::control::CommandLine;
use std::ffi::OsString;

/// COMMAND, if there is one, with the rights that the user chose for it.
pub(super) fn find(command: Vec<OsString>, options: &AttachArgs) -> Result<Option<CommandLine>, clap::Error> {
    match command.is_empty() {
        true => Ok(None),
        false => options.find(command).map(Some),
    }
}

/// The arguments of tp-perf itself.
pub(super) fn own_arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}
