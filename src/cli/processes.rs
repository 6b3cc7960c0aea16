//! The options that choose processes.

use super::cgroups::CgroupArgs;
use super::help::CAPTURE_OPTIONS;
use super::usage::usage;
use crate::capture::OnlyProcesses;
use crate::events::{NamePattern, ProcessFilter, Tid};
use clap::Args;
use std::str::FromStr;

/// The processes that a recording keeps.
#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE_OPTIONS)]
pub(super) struct OnlyArgs {
    /// Record only these processes, and those that they start from then on (separated by commas)
    ///
    /// The recording stops when all of them have ended. tp-perf leaves out tracepoints that are hit only in interrupts, and counts
    /// their hits. The hits of other processes still cost time: the kernel records them, and tp-perf leaves them out.
    #[arg(short, long = "pid", hide_short_help = true, value_name = "PID", value_delimiter = ',', value_parser = parse_pid)]
    pids: Vec<Tid>,
    /// Record only threads with these names, as in `gcc,redis*`
    ///
    /// A name counts from the time at which the thread has it. With --pid or --only-command, both must match.
    #[arg(long = "comm", hide_short_help = true, value_name = "GLOB")]
    comms: Vec<NamePatterns>,
    #[command(flatten)]
    cgroups: CgroupArgs,
    /// Record only COMMAND, and the processes that it starts
    #[arg(long, hide_short_help = true, conflicts_with = "pids")]
    only_command: bool,
}

impl OnlyArgs {
    /// The chosen processes.
    ///
    /// # Errors
    /// Wrong usage: --only-command without COMMAND.
    pub fn only(self, has_command: bool) -> Result<OnlyProcesses, clap::Error> {
        if self.only_command && !has_command {
            return Err(usage("--only-command needs a COMMAND, as in `tp-perf record --only-command make`".to_owned()));
        }
        let processes = ProcessFilter { pids: self.pids, names: flatten(self.comms), cgroups: self.cgroups.patterns() };
        Ok(OnlyProcesses { processes, command: self.only_command })
    }
}

/// Patterns of names as they are typed, with commas between them.
#[derive(Debug, Clone)]
pub(super) struct NamePatterns(Vec<NamePattern>);

impl FromStr for NamePatterns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        NamePattern::list(text).map(NamePatterns)
    }
}

/// All patterns of all options.
pub(super) fn flatten(patterns: Vec<NamePatterns>) -> Vec<NamePattern> {
    patterns.into_iter().flat_map(|NamePatterns(patterns)| patterns).collect()
}

/// Reads the number of a process.
pub(super) fn parse_pid(text: &str) -> Result<Tid, String> {
    let number = text.parse().map_err(|_| "write the number of a process, as in `812`".to_owned())?;
    Tid::new(number).ok_or_else(|| "no process has this number; the highest is 4194303".to_owned())
}
