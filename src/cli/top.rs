//! The arguments of `tp-perf top`.

use super::budget::{BudgetArg, parse_budget};
use super::help::{CAPTURE_OPTIONS, PATTERNS};
use super::library::LibraryArgs;
use super::source::place;
use super::usage::usage;
use super::watch::WatchArgs;
use crate::control::Manner;
use crate::counting::{CountOptions, USUAL_WINDOW};
use crate::source::Place;
use crate::state::WatchedStates;
use crate::units::parse_duration;
use clap::{Arg, Args};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Show what the kernel is doing now
  sudo tp-perf top
  # Show memory and block tracepoints, ten times a second
  sudo tp-perf top -t kmem,block --every 100ms
  # Limit the cost to 1 % of the time of all CPUs
  sudo tp-perf top --budget 1%
  # Show in which learned state this machine is
  sudo tp-perf top --identify --library states
  # Move through a recording, without root
  tp-perf top first";

const KEYS: &str = "\
Keys: `?` shows them. ↑ and ↓ choose a row, and the lowest lines then show which processes cause its hits.
Tab shows groups, and then the graph. `/` filters by name. `q` quits.

tp-perf counts hits and keeps to the budget; `~` marks estimates. It estimates the processes from samples of the chosen row.";

/// The shortest and the longest window: a budget acts once in each.
const LEAST_WINDOW: Duration = Duration::from_millis(100);
const MOST_WINDOW: Duration = Duration::from_secs(10);
/// The first window is short, so that the first numbers come soon.
const FIRST_WINDOW: Duration = Duration::from_millis(300);
/// The budget if the user sets none, as a part of the time of all CPUs.
const USUAL_BUDGET: f64 = 0.05;

/// The options that have no meaning for a recording.
const OF_MACHINE: [&str; 10] =
    ["identify", "library", "budget", "duration", "tracepoints", "also", "exclude", "all", "cpus", "all_cpus"];

/// What to show.
#[derive(Debug)]
pub enum TopRequest {
    /// This machine, and the states in which it may be.
    Machine(Box<CountOptions>, Manner, Option<WatchedStates>),
    /// A recording, in windows of this length if it is set.
    Source(Place, Option<Duration>),
}

/// The arguments of `tp-perf top`.
#[derive(Debug, Args)]
#[command(mut_args(under_own_heading), after_help = "Keys: `?` shows them. `q` quits.", after_long_help = format!("{EXAMPLES}\n\n{KEYS}\n\n{PATTERNS}"))]
pub struct TopArgs {
    /// Show this recording instead of this machine
    ///
    /// A recording, a history of `monitor`, a file of `perf record`, or a log.csv. ← and → move through time.
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_MACHINE)]
    source: Option<PathBuf>,
    /// Set the length of a window [default: 1s]
    ///
    /// TIME is from 100ms to 10s. tp-perf shows a recording in about 120 windows, unless this option sets their length.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    every: Option<Duration>,
    /// Limit the cost to this share of CPU time [default: 5%]
    ///
    /// tp-perf counts rare tracepoints all the time. It visits hot ones at random times and estimates their hits, and detaches
    /// the hottest if that is not enough. `none` counts each hit, whatever it costs.
    #[arg(long, value_name = "PART", value_parser = parse_budget)]
    budget: Option<BudgetArg>,
    /// Show the learned state in which this machine is
    ///
    /// `tp-perf learn` stores states. After some windows, tp-perf shows the name of the state, or `unknown` if this machine is like
    /// none of them.
    #[arg(long)]
    identify: bool,
    #[command(flatten)]
    library: LibraryArgs,
    /// Quit after this time
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    watch: WatchArgs,
}

/// The options of other commands have a heading of captures.
fn under_own_heading(arg: Arg) -> Arg {
    let is_of_command = ["command_as_root"].contains(&arg.get_id().as_str());
    let arg = if arg.get_id() == "library" { arg.hide_short_help(true).requires("identify") } else { arg };
    match arg.get_help_heading() {
        Some(CAPTURE_OPTIONS) => arg.help_heading("Tracepoints and CPUs").hide(is_of_command),
        _ => arg,
    }
}

impl TopArgs {
    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: windows that are too short or too long.
    pub fn request(self) -> Result<TopRequest, clap::Error> {
        let TopArgs { source, every, budget, identify, library, duration, watch } = self;
        if let Some(source) = source {
            return Ok(TopRequest::Source(place(source), every));
        }
        let every = every.unwrap_or(USUAL_WINDOW);
        if !(LEAST_WINDOW..=MOST_WINDOW).contains(&every) {
            let [least, most] = [LEAST_WINDOW, MOST_WINDOW].map(humantime::format_duration);
            return Err(usage(format!("--every must be from {least} to {most}")));
        }
        let budget = budget.map_or(Some(USUAL_BUDGET), |BudgetArg(budget)| budget);
        let (choice, manner) = watch.request(false);
        let options = CountOptions {
            first: Some(FIRST_WINDOW.min(every)),
            duration,
            budget,
            measure_cost: true,
            opens_later: true,
            ..CountOptions::of(choice, every)
        };
        let states = identify.then(|| library.library().map(WatchedStates::to_identify));
        Ok(TopRequest::Machine(Box::new(options), manner, states.transpose()?))
    }

    /// Whether it attaches to this machine.
    pub fn watches_machine(&self) -> bool {
        self.source.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    fn request(words: &str) -> Result<TopRequest, clap::Error> {
        parse::<TopArgs>(words).and_then(TopArgs::request)
    }

    fn of_machine(words: &str) -> (CountOptions, Manner) {
        let Ok(TopRequest::Machine(options, manner, _)) = request(words) else { panic!("{words:?}") };
        (*options, manner)
    }

    #[test]
    fn it_has_a_budget_unless_the_user_wants_none() {
        let (options, _) = of_machine("");
        assert_eq!((options.budget, options.every, options.opens_later), (Some(USUAL_BUDGET), USUAL_WINDOW, true));
        let (options, manner) = of_machine("--budget none --every 100ms -t kmem -C 0 -d 5s --wait-detach");
        assert_eq!((options.budget, options.first), (None, Some(LEAST_WINDOW)));
        assert!(options.duration == Some(Duration::from_secs(5)) && manner.wait_detach);
    }

    #[test]
    fn a_recording_has_windows_of_any_length() {
        assert!(matches!(request("first"), Ok(TopRequest::Source(Place::Path(_), None))));
        assert!(matches!(request("first --every 10ms"), Ok(TopRequest::Source(_, Some(_)))));
    }

    #[test]
    fn wrong_usage_names_the_fix() {
        for (words, said) in [
            ("first -t kmem", "cannot be used"),
            ("--every 10ms", "from 100ms to 10s"),
            ("--every 1m", "from 100ms to 10s"),
            ("--budget 0%", "more than 0%"),
        ] {
            let error = request(words).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
