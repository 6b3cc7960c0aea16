//! What a capture attaches to: the arguments that all captures share.

use super::machine::MachineArgs;
use super::selection::SelectionArgs;
use crate::capture::AttachOptions;
use crate::control::Manner;
use crate::os::clock::Clock;
use clap::Args;

/// What a capture attaches to, and how it keeps what comes.
#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// The clock of the timestamps
    #[arg(long, value_enum, default_value_t)]
    clock: Clock,
    /// Compress events.perf, as `perf record -z` does: a seventh of the size, for more of tp-perf's own CPU time
    #[arg(long)]
    pub compress: bool,
    /// Record tp-perf's own events too
    #[arg(long)]
    include_self: bool,
    /// Wait until the kernel has detached all tracepoints, instead of leaving that to the background
    #[arg(long)]
    wait_detach: bool,
}

impl AttachArgs {
    /// What is asked for, and how the command behaves.
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
