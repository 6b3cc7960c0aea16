//! The options that choose what a capture attaches to, and how. All commands that capture share them.

use super::help::CAPTURE_OPTIONS;
use super::rings::RingArgs;
use super::watch::WatchArgs;
use crate::capture::AttachOptions;
use crate::control::Manner;
use crate::engine::ProcessFields;
use crate::os::clock::Clock;
use clap::Args;

/// The options of attaching, and of the files.
#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE_OPTIONS)]
pub(super) struct AttachArgs {
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    rings: RingArgs,
    /// Take the timestamps from this clock
    #[arg(long, hide_short_help = true, value_enum, default_value_t)]
    clock: Clock,
    /// Compress events.perf, as `perf record -z` does
    ///
    /// The file is a seventh of the size. tp-perf itself uses more CPU time.
    #[arg(long, hide_short_help = true)]
    pub compress: bool,
}

impl AttachArgs {
    /// The validated options, and the behaviour of the command.
    pub fn request(self, quiet: bool) -> Result<(AttachOptions, Manner), clap::Error> {
        let (ring_size, adjustment) = self.rings.ring_size()?;
        let (choice, mut manner) = self.watch.request(quiet);
        manner.adjustments.extend(adjustment);
        let options = AttachOptions {
            choice,
            clock: self.clock,
            ring_size,
            process: ProcessFields::None,
            sampled_cpu: false,
            budget: None,
        };
        Ok((options, manner))
    }
}
