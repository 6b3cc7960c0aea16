//! How much of the machine a capture takes: the arguments that captures and `doctor` share.

use super::usage::usage;
use crate::os::cpus::CpuList;
use crate::os::process::page_size;
use crate::units::{Bytes, parse_size};
use clap::Args;

/// The kernel refuses larger rings.
const MOST_RING: usize = 1 << 30;

#[derive(Debug, Args)]
pub(super) struct MachineArgs {
    /// Only these CPUs, as in `0-3,7` [default: all that are online]
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,
    /// Memory for events per CPU, as in `512K` or `8M`; rounded up to a power of two of pages
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "8M")]
    ring_size: usize,
}

impl MachineArgs {
    /// The size that perf can map, and the adjustment if it is not what was typed.
    pub fn ring_size(&self) -> Result<(usize, Option<String>), clap::Error> {
        if self.ring_size > MOST_RING {
            let most = Bytes(MOST_RING as u64);
            return Err(usage(format!("--ring-size: the kernel maps rings of at most {most} per CPU")));
        }
        let bytes = self.ring_size.next_power_of_two().max(page_size());
        let adjustment = (bytes != self.ring_size).then(|| {
            let (typed, size) = (Bytes(self.ring_size as u64), Bytes(bytes as u64));
            format!("--ring-size {typed} is rounded up to {size}, a power of two of pages")
        });
        Ok((bytes, adjustment))
    }
}
