//! The command line: what can be typed, and the validated requests that it turns into.
//!
//! A file for each subcommand has its arguments, and a file for each idea has those that several share. This file is the
//! only list of the subcommands: it imports theirs, and none of them imports it.

mod attach;
mod check;
mod command_line;
mod completions;
mod doctor;
mod identify;
mod learn;
mod library;
mod list;
mod machine;
mod man;
mod observation;
mod overhead;
mod record;
mod replay;
mod report;
mod selection;
mod source;
mod states;
#[cfg(test)]
mod testing;
mod usage;

pub use check::{CheckArgs, CheckFormat, CheckRequest};
pub use completions::CompletionsArgs;
pub use doctor::{DoctorArgs, DoctorRequest};
pub use identify::{IdentifyArgs, IdentifyFormat, IdentifyRequest};
pub use learn::{LearnArgs, LearnRequest};
pub use list::{ListArgs, ListFormat, ListRequest};
pub use man::ManArgs;
pub use overhead::{OverheadArgs, OverheadFormat, OverheadRequest};
pub use record::{RecordArgs, RecordRequest};
pub use replay::{ReplayArgs, ReplayRequest};
pub use report::{ReportArgs, ReportFormat, ReportRequest, StatesFrom};
pub use states::{StatesAct, StatesArgs, StatesRequest};

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  sudo tp-perf --events 100000            record the next 100,000 events of all tracepoints
  sudo tp-perf -d 10s -o idle             record for ten seconds into the directory `idle`
  sudo tp-perf -- make -j8                record while a command runs, and end with its exit code
  sudo tp-perf -t 'sched:*' -x sched_switch -n 1000
                                          record the tracepoints of one group, but for one
  tp-perf replay idle                     the same results again, from a recording
  tp-perf report idle --html idle.html    what it holds: top tracepoints, and a page with graphs
  sudo tp-perf overhead -- make -j8       what capturing costs a command on this machine
  sudo tp-perf learn idle                 watch for a minute, and remember what an idle machine does
  sudo tp-perf identify                   which of the states that were learned this machine is in
  sudo tp-perf list 'sched:*'             what there is, what would be captured, and why not
  sudo tp-perf doctor                     what this machine allows, and the cure for what is missing

A PATTERN is a glob over group:name, as in `sched:*`; without a colon it is a tracepoint's name in any group.
Exit codes: 0 done, 1 failed, 2 wrong usage; with COMMAND its own.";

/// Record every tracepoint that fires in the Linux kernel, on every CPU
///
/// Without a subcommand tp-perf captures until the first of: --events, --duration, the end of COMMAND, Ctrl-C. It leaves
/// a directory with log.csv (every event in time order), tracepoints.csv, groups.csv, summary.json, and events.perf, which
/// `tp-perf replay` and `perf script` read.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, max_term_width = 110)]
pub struct Cli {
    /// What to do instead of capturing, if anything.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The capture.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// What to do instead of capturing.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn a recording, a file of perf record or a log.csv into a log and a summary again
    Replay(ReplayArgs),
    /// Show what a source holds: top tracepoints and groups, graphs, one page; several side by side, and what differs
    Report(ReportArgs),
    /// Measure what capturing costs a command, by runs with and without it
    Overhead(Box<OverheadArgs>),
    /// Add to a library of states: counts of a recording, or of this machine now, under a name
    Learn(Box<LearnArgs>),
    /// List, show and remove the states of a library
    States(StatesArgs),
    /// Tell which of the known states a recording or this machine is in, and why
    Identify(Box<IdentifyArgs>),
    /// Check that a recording or this machine is as it was learned, for CI and cron
    Check(Box<CheckArgs>),
    /// Show the tracepoints: what would be captured, what is excluded, and why
    List(ListArgs),
    /// Check what this machine allows and what a capture needs, with the cure for what is missing
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
