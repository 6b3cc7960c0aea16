//! The options of everything that watches this machine: captures and counts.

use super::help::CAPTURE_OPTIONS;
use super::machine::MachineArgs;
use super::selection::SelectionArgs;
use super::usage::usage;
use crate::capture::Choice;
use crate::control::{CommandLine, Manner};
use clap::Args;
use std::ffi::OsString;

/// The tracepoints and CPUs, the rights of COMMAND, and the detach.
#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE_OPTIONS)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// Also watch the hits that tp-perf itself causes
    #[arg(long, hide_short_help = true)]
    include_self: bool,
    /// Run COMMAND as root
    ///
    /// Under sudo, tp-perf otherwise runs COMMAND as the user who called sudo.
    #[arg(long, hide_short_help = true)]
    command_as_root: bool,
    /// Wait until the kernel has detached all tracepoints
    ///
    /// Otherwise tp-perf returns at once, and a child process detaches them in the background.
    #[arg(long, hide_short_help = true)]
    wait_detach: bool,
}

impl WatchArgs {
    /// Finds the program of COMMAND, with the rights that the user chose for it.
    pub fn find(&self, command: Vec<OsString>) -> Result<CommandLine, clap::Error> {
        let find = if self.command_as_root { CommandLine::find_as_root } else { CommandLine::find };
        find(command).map_err(usage)
    }

    /// The same for a COMMAND that may be missing.
    pub fn find_any(&self, command: Vec<OsString>) -> Result<Option<CommandLine>, clap::Error> {
        (!command.is_empty()).then(|| self.find(command)).transpose()
    }

    /// The tracepoints and CPUs, and the behaviour of the command.
    pub fn request(self, quiet: bool) -> (Choice, Manner) {
        let choice =
            Choice { selection: self.selection.request(), cpus: self.machine.cpus, include_self: self.include_self };
        (choice, Manner { quiet, wait_detach: self.wait_detach, adjustments: Vec::new() })
    }
}
