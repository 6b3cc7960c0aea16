//! The CPUs to watch: the arguments that captures, counts and `doctor` share.

use super::help::CAPTURE_OPTIONS;
use crate::os::cpus::CpuList;
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE_OPTIONS)]
pub(super) struct MachineArgs {
    /// Watch only these CPUs, as in `0-3,7`
    ///
    /// By default tp-perf watches all CPUs that are online.
    #[arg(short = 'C', long, alias = "cpu", value_name = "LIST")]
    pub cpus: Option<CpuList>,
    /// Watch all CPUs; this is the default (perf needs it)
    #[arg(short = 'a', long, hide = true, conflicts_with = "cpus")]
    all_cpus: bool,
}
