//! The arguments of `tp-perf top`.

use super::budget::{BudgetArg, parse_budget};
use super::help::{CAPTURE_OPTIONS, PATTERNS};
use super::usage::usage;
use super::watch::WatchArgs;
use crate::control::Manner;
use crate::counting::{CountOptions, USUAL_WINDOW};
use crate::units::parse_duration;
use clap::{Arg, Args};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Show what the kernel is doing now
  sudo tp-perf top
  # Show memory and block tracepoints, ten times a second
  sudo tp-perf top -t kmem,block --every 100ms
  # Take at most 1 % of the time of all CPUs
  sudo tp-perf top --budget 1%";

const KEYS: &str = "\
Keys: `?` shows all of them. ↑ and ↓ choose a row, and the lowest lines then show which processes cause its hits.
Tab shows groups, and then the graph. `/` filters by name. `q` quits.

tp-perf counts all hits within the budget; `~` marks estimates. Who causes hits is estimated from samples of the chosen row.";

/// The shortest and the longest window: a budget acts once in each.
const LEAST_WINDOW: Duration = Duration::from_millis(100);
const MOST_WINDOW: Duration = Duration::from_secs(10);
/// The first window is short, so that the first numbers come soon.
const FIRST_WINDOW: Duration = Duration::from_millis(300);
/// The budget if the user sets none, as a part of the time of all CPUs.
const USUAL_BUDGET: f64 = 0.05;

/// The arguments of `tp-perf top`.
#[derive(Debug, Args)]
#[command(mut_args(under_own_heading), after_help = "Keys: `?` shows all of them. `q` quits.", after_long_help = format!("{EXAMPLES}\n\n{KEYS}\n\n{PATTERNS}"))]
pub struct TopArgs {
    /// Show a new window this often, from 100ms to 10s [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    every: Option<Duration>,
    /// Limit the cost to this share of CPU time [default: 5%]
    ///
    /// tp-perf counts rare tracepoints all the time. It visits hot ones at random times and estimates their hits, and detaches
    /// the hottest if that is not enough. `none` counts each hit, whatever it costs.
    #[arg(long, value_name = "PART", value_parser = parse_budget)]
    budget: Option<BudgetArg>,
    /// Quit after this time
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    watch: WatchArgs,
}

/// The options of other commands have a heading of captures.
fn under_own_heading(arg: Arg) -> Arg {
    let is_of_command = ["command_as_root"].contains(&arg.get_id().as_str());
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
    pub fn request(self) -> Result<(CountOptions, Manner), clap::Error> {
        let TopArgs { every, budget, duration, watch } = self;
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
        Ok((options, manner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    fn request(words: &str) -> Result<(CountOptions, Manner), clap::Error> {
        parse::<TopArgs>(words).and_then(TopArgs::request)
    }

    #[test]
    fn it_has_a_budget_unless_the_user_wants_none() {
        let (options, _) = request("").unwrap();
        assert_eq!((options.budget, options.every, options.opens_later), (Some(USUAL_BUDGET), USUAL_WINDOW, true));
        let (options, manner) = request("--budget none --every 100ms -t kmem -C 0 -d 5s --wait-detach").unwrap();
        assert_eq!((options.budget, options.first), (None, Some(LEAST_WINDOW)));
        assert!(options.duration == Some(Duration::from_secs(5)) && manner.wait_detach);
    }

    #[test]
    fn wrong_usage_names_the_fix() {
        for (words, said) in [
            ("--every 10ms", "from 100ms to 10s"),
            ("--every 1m", "from 100ms to 10s"),
            ("--budget 0%", "more than 0%"),
        ] {
            let error = request(words).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
