//! The command line: its arguments, and the validated requests that they become.
//!
//! Each subcommand has a file with its arguments. Arguments that several subcommands share have a file for each idea. This file
//! is the only list of the subcommands: it imports their files, and none of them imports this file.

mod attach;
mod budget;
mod cgroups;
mod check;
mod command_line;
mod completions;
#[cfg(feature = "monitor")]
mod config_file;
mod count;
mod doctor;
mod export;
#[cfg(feature = "monitor")]
mod flight;
mod habits;
mod help;
mod identify;
mod learn;
mod library;
mod list;
mod machine;
mod man;
mod memory;
#[cfg(feature = "monitor")]
mod monitor;
mod observation;
mod overhead;
mod plots;
mod processes;
mod record;
mod replay;
mod report;
mod rings;
mod selection;
mod source;
mod states;
#[cfg(test)]
mod testing;
#[cfg(feature = "top")]
mod top;
mod usage;
mod watch;

pub use check::{CheckArgs, CheckFormat, CheckRequest, FollowedCheck};
pub(crate) use command_line::own_arguments;
pub use completions::CompletionsArgs;
pub use count::{CountArgs, CountCommand, CountFormat};
pub use doctor::{DoctorArgs, DoctorRequest};
pub use export::{ExportArgs, ExportRequest};
#[cfg(feature = "monitor")]
pub use flight::{FlightAct, FlightArgs};
pub use identify::{IdentifyArgs, IdentifyFormat, IdentifyRequest};
pub use learn::{LearnArgs, LearnRequest};
pub use list::{ListArgs, ListFormat, ListRequest};
pub use man::ManArgs;
#[cfg(feature = "monitor")]
pub use monitor::{MonitorArgs, monitor_request_again};
pub use overhead::{OverheadArgs, OverheadFormat, OverheadRequest};
pub use record::{RecordArgs, RecordRequest};
pub use replay::{ReplayArgs, ReplayRequest};
pub use report::{ReportArgs, ReportFormat, ReportRequest, StatesFrom};
pub use states::{EvaluationFormat, StatesAct, StatesArgs, StatesRequest};
#[cfg(feature = "top")]
pub use top::{TopArgs, TopRequest};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use help::PATTERNS;

const EXAMPLES: &str = "\
Examples:
  # See a recording without root, in the browser
  tp-perf report --example --open
  # Record the next 100,000 events
  sudo tp-perf --events 100000
  # Record while a command runs
  sudo tp-perf -o build make -j8
  # Show the hits live
  sudo tp-perf top
  # Keep a history of the hits for weeks, and serve metrics
  sudo tp-perf monitor --history /var/lib/tp-perf/history --metrics 127.0.0.1:9464
  # Count the hits of each tracepoint while a command runs
  sudo tp-perf count make -j8
  # Show a recording: tables, or a page with graphs
  tp-perf report build
  tp-perf report build --html build.html
  # Measure what recording costs a command
  sudo tp-perf overhead make -j8
  # Learn what an idle machine does; later, check it
  sudo tp-perf learn idle
  sudo tp-perf check --against idle
  # Find out why recording fails
  sudo tp-perf doctor
  # Print completions for a shell, or the manual page
  tp-perf completions bash
  tp-perf man";

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  `check` found something
  With COMMAND, tp-perf exits with COMMAND's own exit code.";

/// Show what the Linux kernel is doing, by its tracepoints
///
/// tp-perf watches the kernel's tracepoints on all CPUs. With options or a COMMAND and no subcommand, it records until the first of these: --events,
/// --duration, the end of COMMAND, Ctrl-C. The recording is a directory with log.csv (the events in time order),
/// tracepoints.csv, groups.csv, summary.json, and events.perf, which `tp-perf replay` and `perf script` read.
///
/// By default, tp-perf excludes about a third of all tracepoints: system calls, ftrace's own events, and tracepoints that fire
/// very often. `tp-perf list` shows them; --all and --also select them.
#[derive(Debug, Parser)]
#[command(
    version,
    disable_version_flag = true,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
#[command(mut_args(short_at_the_root), after_help = "", after_long_help = format!("{EXAMPLES}\n\n{PATTERNS}\n\n{EXIT_CODES}"))]
#[command(override_usage = "tp-perf [OPTIONS] [COMMAND...] | <SUBCOMMAND> ...")]
#[command(subcommand_help_heading = "Subcommands", subcommand_value_name = "SUBCOMMAND")]
pub struct Cli {
    /// The subcommand. Without one, tp-perf records.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The capture.
    #[command(flatten)]
    pub record: RecordArgs,
    /// Print version
    #[arg(short = 'V', long, action = clap::ArgAction::Version, hide_short_help = true)]
    pub version: (),
}

impl Cli {
    /// Whether the command reads tracefs or attaches to this machine, which needs rights of root.
    pub fn traces(&self) -> bool {
        match &self.command {
            None
            | Some(
                Command::Record(_) | Command::Count(_) | Command::Overhead(_) | Command::List(_) | Command::Doctor(_),
            ) => true,
            #[cfg(feature = "top")]
            Some(Command::Top(args)) => args.watches_machine(),
            #[cfg(feature = "monitor")]
            Some(Command::Monitor(args)) => args.watches_machine(),
            Some(Command::Learn(args)) => args.watches_machine(),
            Some(Command::Identify(args)) => args.watches_machine(),
            Some(Command::Check(args)) => args.watches_machine(),
            #[cfg(feature = "monitor")]
            Some(Command::Flight(_)) => false,
            Some(
                Command::Report(_)
                | Command::Replay(_)
                | Command::Export(_)
                | Command::States(_)
                | Command::Completions(_)
                | Command::Man(_),
            ) => false,
        }
    }
}

impl Command {
    /// Whether the command only reads files and prints: it writes no file, attaches to nothing, and starts no program.
    pub fn only_prints(&self) -> bool {
        match self {
            Command::Report(args) => args.only_prints(),
            Command::Replay(args) => args.only_prints(),
            Command::Export(args) => args.only_prints(),
            Command::States(args) => args.only_prints(),
            Command::Identify(args) => !args.watches_machine(),
            Command::Check(args) => !args.watches_machine(),
            #[cfg(feature = "top")]
            Command::Top(_) => false,
            #[cfg(feature = "monitor")]
            Command::Monitor(_) | Command::Flight(_) => false,
            Command::Man(args) => args.dir.is_none(),
            Command::Completions(_) => true,
            Command::Record(_)
            | Command::Count(_)
            | Command::Overhead(_)
            | Command::Learn(_)
            | Command::List(_)
            | Command::Doctor(_) => false,
        }
    }
}

/// Hides from the short help the options that `tp-perf record -h` shows.
fn short_at_the_root(arg: clap::Arg) -> clap::Arg {
    match arg.get_id().as_str() {
        "events" | "duration" | "help" => arg,
        _ => arg.hide_short_help(true),
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record events; `tp-perf OPTIONS` does the same
    Record(Box<RecordArgs>),
    /// Count hits, at a fifth of the cost of recording
    Count(Box<CountArgs>),
    /// Show live which tracepoints are hit, by which processes
    #[cfg(feature = "top")]
    Top(Box<TopArgs>),
    /// Count for weeks: history, metrics, alarms
    #[cfg(feature = "monitor")]
    Monitor(Box<MonitorArgs>),
    /// Show recordings: tables, graphs, a page, differences
    Report(ReportArgs),
    /// Reproduce the log and the summary of a recording
    Replay(ReplayArgs),
    /// Export for Perfetto, DuckDB, pandas, perf, spreadsheets
    Export(ExportArgs),
    /// Measure what tp-perf costs a command
    Overhead(Box<OverheadArgs>),
    /// Learn a state; `tp-perf states` lists and removes them
    Learn(Box<LearnArgs>),
    /// List, show and remove learned states
    #[command(hide = true)] // The short help must fit one screen.
    States(StatesArgs),
    /// Identify the state of this machine, or of a recording
    Identify(Box<IdentifyArgs>),
    /// Check that the state is as learned, for CI and cron
    Check(Box<CheckArgs>),
    /// List the tracepoints, and why each is selected or not
    List(ListArgs),
    /// Check what this machine allows, and show the fixes
    Doctor(DoctorArgs),
    /// Ask a monitor for a recording of the last seconds
    #[cfg(feature = "monitor")]
    #[command(hide = true)] // The short help must fit one screen.
    Flight(FlightArgs),
    /// Print a completion script for a shell
    #[command(hide = true)]
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(hide = true)]
    Man(ManArgs),
}

impl Command {
    /// The bound of the memory that inputs take, in bytes, if the user set it.
    pub fn memory(&self) -> Option<u64> {
        match self {
            Command::Report(args) => args.memory(),
            Command::Replay(args) => args.memory(),
            Command::Export(args) => args.memory(),
            Command::Learn(args) => args.memory(),
            Command::States(args) => args.memory(),
            Command::Identify(args) => args.memory(),
            Command::Check(args) => args.memory(),
            _ => None,
        }
    }
}

/// Reads the command line. Ends the process for `--help`, `--version` and wrong usage.
pub fn parse() -> (Cli, Usage) {
    let mut command = Cli::command();
    let parsed = command.try_get_matches_from_mut(std::env::args_os()).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli, Usage { subcommand: matches.subcommand_name().map(str::to_owned) }))
    });
    let (cli, usage) = parsed.unwrap_or_else(|error| {
        let typed = std::env::args().nth(1);
        match typed.as_deref().and_then(|name| command.find_subcommand_mut(name)) {
            Some(subcommand) => usage::exit(habits::explain(error, typed.as_deref(), subcommand)),
            None => usage::exit(habits::explain(error, None, &mut command)),
        }
    });
    let own: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    if cli.command.is_none()
        && !is_after_dashes(cli.record.command().len())
        && let Some(error) = habits::misread_subcommand(cli.record.command(), &own)
    {
        usage.exit(error);
    }
    (cli, usage)
}

/// Whether `--` comes directly before this many last words of the command line.
fn is_after_dashes(words: usize) -> bool {
    std::env::args_os().rev().nth(words).is_some_and(|word| word == "--")
}

/// The usage that an error shows: that of the subcommand that the user typed.
#[derive(Debug)]
pub struct Usage {
    subcommand: Option<String>,
}

impl Usage {
    /// Prints an error about wrong usage, and ends the process with code 2.
    pub fn exit(&self, error: clap::Error) -> ! {
        let mut command = Cli::command();
        command.build();
        let subcommand = self.subcommand.as_ref().and_then(|name| command.find_subcommand_mut(name));
        match subcommand {
            Some(subcommand) => usage::exit(error.format(subcommand)),
            None => usage::exit(error.format(&mut command)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// All commands, and the subcommands of `states`.
    fn all() -> Vec<clap::Command> {
        let mut root = Cli::command();
        root.build();
        let mut all = vec![root];
        let mut next = 0;
        while next < all.len() {
            let below: Vec<_> =
                all[next].get_subcommands().filter(|command| command.get_name() != "help").cloned().collect();
            all.extend(below);
            next += 1;
        }
        all
    }

    #[test]
    fn the_short_help_fits_one_screen() {
        for command in all() {
            let help = command.clone().term_width(80).render_help().to_string();
            assert!(help.trim_end().lines().count() <= 24, "{help}");
        }
    }

    #[test]
    fn no_line_of_help_is_wider_than_the_terminal() {
        for command in all() {
            for width in [60, 80, 120, 200] {
                let long = command.clone().term_width(width).render_long_help().to_string();
                let short = command.clone().term_width(width).render_help().to_string();
                let is_too_wide = |line: &&str| line.chars().count() > width && line.split_whitespace().count() > 1;
                assert_eq!(long.lines().chain(short.lines()).find(is_too_wide), None, "{width} columns");
            }
        }
    }
}
