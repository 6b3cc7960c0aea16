//! The options that choose what a capture attaches to, and how. All commands that capture share them.

use super::help::CAPTURE_OPTIONS;
use super::machine::MachineArgs;
use super::selection::SelectionArgs;
use super::usage::usage;
use crate::capture::AttachOptions;
use crate::control::{CommandLine, Manner};
use crate::os::clock::Clock;
use clap::Args;
use std::ffi::OsString;

/// The options of attaching, and of the files.
#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE_OPTIONS)]
pub(super) struct AttachArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// Take the timestamps from this clock
    #[arg(long, hide_short_help = true, value_enum, default_value_t)]
    clock: Clock,
    /// Compress events.perf, as `perf record -z` does
    ///
    /// The file is a seventh of the size. tp-perf itself uses more CPU time.
    #[arg(long, hide_short_help = true)]
    pub compress: bool,
    /// Also record the events that tp-perf itself causes
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

impl AttachArgs {
    /// Finds the program of COMMAND, with the rights that the user chose for it.
    pub fn find(&self, command: Vec<OsString>) -> Result<CommandLine, clap::Error> {
        let find = if self.command_as_root { CommandLine::find_as_root } else { CommandLine::find };
        find(command).map_err(usage)
    }

    /// The validated options, and the behaviour of the command.
    pub fn request(self, quiet: bool) -> Result<(AttachOptions, Manner), clap::Error> {
        let (ring_size, adjustment) = self.machine.ring_size()?;
        let options = AttachOptions {
            selection: self.selection.request(),
            cpus: self.machine.cpus,
            clock: self.clock,
            ring_size,
            include_self: self.include_self,
        };
        let adjustments = adjustment.into_iter().collect();
        Ok((options, Manner { quiet, wait_detach: self.wait_detach, adjustments }))
    }
}
