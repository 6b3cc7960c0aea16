//! The input of `learn`, `identify` and `check`: the arguments that they share.

use super::attach::AttachArgs;
use super::budget::BudgetArg;
use super::command_line::own_arguments;
use super::memory::MemoryArgs;
use super::source::{part, places};
use super::usage::usage;
use crate::capture::{self, OnlyProcesses, StopRules};
use crate::control::Manner;
use crate::observation::Observation;
use crate::state::Length;
use crate::units::{Moment, nanoseconds, parse_duration, parse_events, parse_moment};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Capture options. They cannot be used with a SOURCE.
pub(super) const OF_CAPTURES: [&str; 6] =
    ["clock", "compress", "include_self", "SelectionArgs", "MachineArgs", "RingArgs"];

/// The input: a part of a source, or this machine now.
#[derive(Debug, Args)]
pub(super) struct ObservationArgs {
    /// Count in windows of this length, as in `1s` or `100000events` [default: 1s]
    #[arg(long, hide_short_help = true, value_name = "LENGTH", value_parser = parse_length)]
    window: Option<Length>,
    /// Begin at this time in a SOURCE, as in `2s`
    ///
    /// A time with a unit counts from the first event. A number without a unit is a timestamp of log.csv, in nanoseconds. For a history:
    /// `2026-11-30 14:00` (UTC) or `2h ago`.
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = parse_moment, conflicts_with = "duration")]
    from: Option<Moment>,
    /// End before this time in a SOURCE
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = parse_moment, conflicts_with = "duration")]
    to: Option<Moment>,
    /// Watch this machine for this time
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Print nothing but results and errors
    #[arg(short, long)]
    quiet: bool,
    /// Watch this machine until this command ends
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    pub memory: MemoryArgs,
    #[command(flatten)]
    attach: AttachArgs,
}

impl ObservationArgs {
    /// The input, the length of the windows if the user set it, and the behaviour of the command. `usual` is how long tp-perf
    /// watches this machine if neither --duration nor COMMAND limits the time; `None` is without end.
    pub fn request(
        self,
        sources: Vec<PathBuf>,
        usual: Option<Duration>,
    ) -> Result<(Observation, Option<Length>, Manner), clap::Error> {
        let ObservationArgs { window, from, to, duration, attach, quiet, command, memory: _ } = self;
        if sources.is_empty() {
            if from.or(to).is_some() {
                return Err(usage(
                    "--from and --to select a part of a SOURCE; name a SOURCE, or use --duration".to_owned(),
                ));
            }
            let command = attach.watch.find_any(command)?;
            let compress = attach.compress;
            let (attach, manner) = attach.request(quiet)?;
            let duration = duration.or(usual.filter(|_| command.is_none()));
            let rules = StopRules { events: None, duration };
            let arguments = own_arguments();
            let options = capture::CaptureOptions {
                rules,
                output: None,
                force: false,
                attach,
                compress,
                only: OnlyProcesses::default(),
                log_columns: Vec::new(),
                last: None,
                command,
                arguments,
            };
            Ok((Observation::Machine(Box::new(options)), window, manner))
        } else {
            if duration.is_some() || !command.is_empty() {
                return Err(usage(
                    "--duration and COMMAND cannot be used with a SOURCE; --from and --to select a part of it"
                        .to_owned(),
                ));
            }
            let observation = Observation::Source { places: places(sources)?, part: Box::new(part(None, from, to)?) };
            Ok((observation, window, Manner::reading(quiet)))
        }
    }
}

/// Checks that windows of this length can be followed, if they are to be.
///
/// # Errors
/// Wrong usage: windows of a number of events.
pub(super) fn may_follow(follow: bool, length: Option<Length>) -> Result<(), clap::Error> {
    match (follow, length) {
        (true, Some(Length::Events(_))) => {
            Err(usage("--follow needs windows of a length in time, such as `--window 1s`".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Sets the budget of watching this machine.
///
/// # Errors
/// Wrong usage: windows of a number of events, which are recorded.
pub(super) fn set_budget(
    observation: &mut Observation,
    budget: Option<BudgetArg>,
    length: Option<Length>,
) -> Result<(), clap::Error> {
    let (Observation::Machine(options), Some(BudgetArg(Some(budget)))) = (observation, budget) else { return Ok(()) };
    if let Some(Length::Events(_)) = length {
        return Err(usage("--budget needs windows of a length in time, such as `--window 1s`".to_owned()));
    }
    options.attach.budget = Some(budget);
    Ok(())
}

/// `1s`, or `100000events`.
fn parse_length(text: &str) -> Result<Length, String> {
    match text.strip_suffix("events").or_else(|| text.strip_suffix("event")) {
        Some(number) => parse_events(number.trim()).map(Length::Events),
        None => parse_duration(text).map(|length| Length::Ns(nanoseconds(length))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_of_time_or_of_events() {
        assert_eq!(parse_length("1s").unwrap(), Length::Ns(1_000_000_000));
        assert_eq!(parse_length("100000events").unwrap(), Length::Events(100_000));
        for text in ["", "5", "0s", "0events", "xevents"] {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }
}
