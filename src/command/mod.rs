//! The subcommands, from their arguments to their output and exit code.
//!
//! Each subcommand has a file with a function `run`, which validates the arguments before anything starts. The other files help
//! several subcommands, and know nothing about the command line. To add a subcommand:
//!
//! 1. Write its arguments and their validation in `cli/NAME.rs`, with tests, and add it to `Command` in `cli/mod.rs`.
//! 2. Write `run(args, context)` in `command/NAME.rs`, and add it to the `match` below; the compiler asks for it.
//! 3. Write its output in `terminal/NAME.rs`, as a function of facts, with a golden screen.
//! 4. Add it to docs/guide.md and CHANGELOG.md.

mod check;
mod completions;
mod context;
mod count;
mod count_by;
mod destination;
mod detach;
mod doctor;
mod export;
#[cfg(feature = "monitor")]
mod flight;
mod follow;
#[cfg(any(feature = "monitor", feature = "top"))]
mod followed_states;
mod identify;
mod learn;
mod list;
mod man;
#[cfg(feature = "monitor")]
mod monitor;
#[cfg(feature = "monitor")]
mod monitor_alarms;
#[cfg(feature = "monitor")]
mod monitor_events;
#[cfg(feature = "monitor")]
mod monitor_flight;
#[cfg(feature = "monitor")]
mod monitor_history;
#[cfg(feature = "monitor")]
mod monitor_options;
#[cfg(feature = "monitor")]
mod monitor_outputs;
#[cfg(feature = "monitor")]
mod monitor_run;
mod observe;
mod open;
mod overhead;
mod record;
mod replay;
mod report;
mod seen;
mod sources;
mod states;
mod stop;
#[cfg(feature = "top")]
mod top;
#[cfg(feature = "top")]
mod top_recorded;
#[cfg(feature = "top")]
mod top_screen;
mod wait;
mod watch;

use crate::cli::{Cli, Command, Usage};
use crate::memory;
use crate::os::landlock::forbid_changes;
use crate::os::privileges::{self, Starts};
use crate::terminal::messages;
pub use context::Context;
pub use count::count;
pub use record::record;

use std::process::ExitCode;

/// Runs the command. If the command fails, prints the error. Wrong usage ends the process.
pub fn run(cli: Cli, usage: &Usage) -> ExitCode {
    match dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if messages::is_closed_pipe(error.chain()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(error) => usage.exit(error),
            Err(error) => {
                messages::say_failure(error.chain());
                ExitCode::FAILURE
            }
        },
    }
}

/// Gives up all rights that the command does not need.
fn begin_with_least_rights(cli: &Cli) -> Result<(), privileges::Error> {
    privileges::take_over(cli.traces())?;
    if !cli.traces() {
        // The browser of `report --open` may need to gain rights: its sandbox does on some systems.
        let opens_browser = matches!(&cli.command, Some(Command::Report(args)) if args.opens_browser());
        privileges::give_up(if opens_browser { Starts::AsUser } else { Starts::Nothing })?;
    }
    if cli.command.as_ref().is_some_and(Command::only_prints) {
        // An older kernel has no Landlock. tp-perf works there too, without this protection.
        let _ = forbid_changes();
    }
    Ok(())
}

/// Runs the command, and returns its exit code.
fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    begin_with_least_rights(&cli)?;
    let context = &mut Context::new()?;
    if let Some(bound) = cli.command.as_ref().and_then(Command::memory) {
        memory::set_bound(bound);
    }
    match cli.command {
        None => record::run(cli.record, context),
        Some(Command::Record(args)) => record::run(*args, context),
        Some(Command::Count(args)) => count::run(*args, context),
        #[cfg(feature = "top")]
        Some(Command::Top(args)) => top::run(*args, context),
        #[cfg(feature = "monitor")]
        Some(Command::Monitor(args)) => monitor::run(*args, context),
        #[cfg(feature = "monitor")]
        Some(Command::Flight(args)) => flight::run(args, context),
        Some(Command::Replay(args)) => replay::run(args, context),
        Some(Command::Export(args)) => export::run(args, context),
        Some(Command::Report(args)) => report::run(args, context),
        Some(Command::Overhead(args)) => overhead::run(*args, context),
        Some(Command::Learn(args)) => learn::run(*args, context),
        Some(Command::States(args)) => states::run(args, context),
        Some(Command::Identify(args)) => identify::run(*args, context),
        Some(Command::Check(args)) => check::run(*args, context),
        Some(Command::List(args)) => list::run(args, context),
        Some(Command::Doctor(args)) => doctor::run(args, context),
        Some(Command::Completions(args)) => completions::run(args, context),
        Some(Command::Man(args)) => man::run(args, context),
    }
}
