//! The memory of a capture: the arguments that captures and `doctor` share.

use super::help::CAPTURE_OPTIONS;
use super::usage::usage;
use crate::os::process::page_size;
use crate::units::{Bytes, parse_size};
use clap::Args;

/// Smaller rings overflow on any load.
const LEAST_RING: usize = 64 << 10;
/// The kernel refuses larger rings.
const MOST_RING: usize = 1 << 30;

#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE_OPTIONS)]
pub(super) struct RingArgs {
    /// Give each CPU's ring this much memory, as in `512K` or `8M`
    ///
    /// tp-perf rounds SIZE up to a power of two. In a burst, a larger ring loses fewer events.
    #[arg(long, hide_short_help = true, value_name = "SIZE", value_parser = parse_size, default_value = "8M")]
    ring_size: usize,
}

impl RingArgs {
    /// The size that perf can map, in bytes. If it differs from the typed size, a sentence explains the adjustment.
    pub fn ring_size(&self) -> Result<(usize, Option<String>), clap::Error> {
        let bytes = |size: usize| Bytes(size as u64);
        if self.ring_size < LEAST_RING {
            let (typed, least) = (bytes(self.ring_size), bytes(LEAST_RING));
            return Err(usage(format!("--ring-size: {typed} is too small for any load; use at least {least} per CPU")));
        }
        if self.ring_size > MOST_RING {
            let most = bytes(MOST_RING);
            return Err(usage(format!("--ring-size: the kernel maps at most {most} per CPU")));
        }
        let size = self.ring_size.next_power_of_two().max(page_size());
        let adjustment = (size != self.ring_size)
            .then(|| format!("--ring-size: {} is rounded up to {}", bytes(self.ring_size), bytes(size)));
        Ok((size, adjustment))
    }
}
