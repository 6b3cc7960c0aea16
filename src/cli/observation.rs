//! What `learn`, `identify` and `check` observe: the arguments that they share.

use super::attach::AttachArgs;
use super::command_line::{find, own_arguments};
use super::source::{part, places};
use super::usage::usage;
use crate::capture::{self, StopRules};
use crate::control::Manner;
use crate::observation::Observation;
use crate::state::Length;
use crate::units::{Moment, nanoseconds, parse_duration, parse_events, parse_moment};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Options of captures that mean nothing for a source.
pub(super) const OF_CAPTURES: [&str; 5] = ["clock", "compress", "include_self", "SelectionArgs", "MachineArgs"];

/// What is observed: a part of a source, or what is captured now.
#[derive(Debug, Args)]
pub(super) struct ObservationArgs {
    /// How long a window is, as in `1s` or `100ms`; or of how many events, as in `100000events`
    /// [default: 1s]
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    window: Option<Length>,
    /// Of a SOURCE, begin here: so long after its first event, or at a timestamp of log.csv
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "duration")]
    from: Option<Moment>,
    /// Of a SOURCE, end before this
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "duration")]
    to: Option<Moment>,
    /// Of this machine, watch for so long
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    attach: AttachArgs,
    /// Print nothing but results and errors
    #[arg(short, long)]
    quiet: bool,
    /// Watch while this runs, and until it ends
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl ObservationArgs {
    /// What is observed, the windows' length if that was asked for, and how the command behaves. `usual`: how long this
    /// machine is watched if nothing else ends that.
    pub fn request(
        self,
        sources: Vec<PathBuf>,
        usual: Duration,
    ) -> Result<(Observation, Option<Length>, Manner), clap::Error> {
        let ObservationArgs { window, from, to, duration, attach, quiet, command } = self;
        if sources.is_empty() {
            if from.or(to).is_some() {
                return Err(usage("--from and --to are of a SOURCE: name one, or use --duration".to_owned()));
            }
            let command = find(command)?;
            let compress = attach.compress;
            let (attach, manner) = attach.request(quiet)?;
            let duration = duration.or(command.is_none().then_some(usual));
            let rules = StopRules { events: None, duration };
            let arguments = own_arguments();
            let options =
                capture::CaptureOptions { rules, output: None, force: false, attach, compress, command, arguments };
            Ok((Observation::Machine(Box::new(options)), window, manner))
        } else {
            if duration.is_some() || !command.is_empty() {
                return Err(usage(
                    "a SOURCE was recorded already: leave --duration and COMMAND away (--from and --to choose a part)"
                        .to_owned(),
                ));
            }
            let observation = Observation::Source { places: places(sources)?, part: part(None, from, to)? };
            Ok((observation, window, Manner::reading(quiet)))
        }
    }
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
