//! The arguments of `tp-perf identify`.

use super::budget::{BudgetArg, parse_budget};
use super::help::{COST, SEE_CAPTURE_OPTIONS, listed_elsewhere};
use super::library::LibraryArgs;
use super::observation::{OF_CAPTURES, ObservationArgs, may_follow, set_budget};
use super::usage::usage;
use crate::control::Manner;
use crate::observation::Observation;
use crate::state::{ALPHA, Length, Library};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Watch this machine for ten seconds, and identify its state
  sudo tp-perf identify
  # Identify the states of a recording over time
  tp-perf identify recording
  # In a script: is the source in a state that is known? Exit code 0 or 3
  tp-perf identify recording --fail-unknown
  # Write a row for each window and state
  tp-perf identify recording --window 100ms --format csv
  # Watch this machine until Ctrl-C, and report each change of its state
  sudo tp-perf identify --follow
  # Show the states beside the graphs of a report
  tp-perf report recording --html r.html --states";

const ANSWER: &str = "\
The answer is the nearest state that tp-perf does not reject at the level --alpha. States that cannot be told apart from it are \
named with it. If tp-perf rejects all states, the answer is `unknown`. A state of which too little is known is never the answer; \
tp-perf then reports that it cannot be excluded.";

pub(super) fn parse_alpha(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // With a smaller level, no distance is far enough, and every state would have a name.
        Ok(alpha) if (0.001..=0.5).contains(&alpha) => Ok(alpha),
        _ => Err("write a number from 0.001 to 0.5, as in `0.02`".to_owned()),
    }
}

/// The format of an identification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum IdentifyFormat {
    /// For people
    #[default]
    Text,
    /// Everything, as one object; for several sources, as an array of objects
    Json,
    /// A row for each window and state
    Csv,
}

/// The arguments of `tp-perf identify`.
#[derive(Debug, Args)]
#[command(override_usage = "tp-perf identify [OPTIONS] [SOURCE]...\n       tp-perf identify [OPTIONS] -- <COMMAND>...")]
#[command(mut_args(listed_elsewhere), after_help = SEE_CAPTURE_OPTIONS)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{ANSWER}\n\n{COST}\n\n{SEE_CAPTURE_OPTIONS}"))]
pub struct IdentifyArgs {
    /// Identify the states of these sources; without any, watch this machine for ten seconds
    ///
    /// A source is a recording's directory, a file that `perf record` wrote, a log.csv, a session of a library, or `-` for
    /// standard input.
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    sources: Vec<PathBuf>,
    /// Reject states at this level
    ///
    /// A state is rejected if at most this share of its sessions would be as far away as the source.
    #[arg(long, value_name = "LEVEL", default_value_t = ALPHA, value_parser = parse_alpha)]
    alpha: f64,
    /// Watch until Ctrl-C, and report each change of the state
    ///
    /// It also ends with -d, with COMMAND, or at the end of a SOURCE, whose windows are read one after the other. Each answer is for
    /// the last five windows. A change is reported when eight answers in a row show it. Not with --format csv, and not with windows
    /// of events.
    #[arg(long)]
    follow: bool,
    /// Exit with code 3 if a stretch is unknown
    #[arg(long)]
    fail_unknown: bool,
    /// Compare only a few tracepoints, which suffice to tell the states of the library apart
    ///
    /// Watching them costs less than watching all. Changes in other tracepoints are not noticed. `tp-perf states
    /// --suggest-tracepoints` shows the chosen ones.
    #[arg(long, hide_short_help = true, conflicts_with = "tracepoints")]
    few_tracepoints: bool,
    /// Take at most this part of all CPUs' time, as in `1%`
    ///
    /// tp-perf measures the cost of a hit. It leaves out the hottest tracepoints until each learned state keeps the budget, and counts
    /// each hit of the others. A state that was not learned can cost more; tp-perf then reports the cost. This works only when this
    /// machine is watched.
    #[arg(long, hide_short_help = true, value_name = "PART", value_parser = parse_budget, conflicts_with = "sources")]
    budget: Option<BudgetArg>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: IdentifyFormat,
    /// Show all tracepoints, and not only the strongest
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    observation: ObservationArgs,
}

/// A request to identify states.
#[derive(Debug)]
pub struct IdentifyRequest {
    /// The input.
    pub observation: Observation,
    /// The length of the windows, if the user set it.
    pub length: Option<Length>,
    /// The library of the known states.
    pub library: Library,
    /// The significance level.
    pub alpha: f64,
    /// Whether to report changes as they come.
    pub follow: bool,
    /// Whether an unknown stretch is a failure.
    pub fail_unknown: bool,
    /// Whether to compare only a few tracepoints.
    pub few_tracepoints: bool,
    /// The format of the answer.
    pub format: IdentifyFormat,
    /// Whether the text shows all tracepoints.
    pub verbose: bool,
    /// How much tp-perf shows, and whether it waits for the detach.
    pub manner: Manner,
}

impl IdentifyArgs {
    /// Whether it watches this machine, and reads no source.
    pub fn watches_machine(&self) -> bool {
        self.sources.is_empty()
    }

    /// The bound of the memory that inputs take, in bytes, if the user set it.
    pub fn memory(&self) -> Option<u64> {
        self.observation.memory.bound()
    }

    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: options that do not go together, or no library.
    pub fn request(self) -> Result<IdentifyRequest, clap::Error> {
        let usual = (!self.follow).then_some(Duration::from_secs(10));
        let (mut observation, length, manner) = self.observation.request(self.sources, usual)?;
        set_budget(&mut observation, self.budget, length)?;
        let IdentifyArgs { alpha, follow, fail_unknown, few_tracepoints, format, verbose, .. } = self;
        if follow && format == IdentifyFormat::Csv {
            return Err(usage(
                "--follow has no CSV; use `--format json` for a line of JSON for each change".to_owned(),
            ));
        }
        may_follow(follow, length)?;
        let library = self.library.library()?;
        Ok(IdentifyRequest {
            observation,
            length,
            library,
            alpha,
            follow,
            fail_unknown,
            few_tracepoints,
            format,
            verbose,
            manner,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    #[test]
    fn a_state_is_identified_at_a_level() {
        let words = "- --alpha 0.01 --format csv --library l";
        let request = parse::<IdentifyArgs>(words).and_then(IdentifyArgs::request).unwrap();
        assert_eq!((request.alpha, request.format), (0.01, IdentifyFormat::Csv));
        let several = parse::<IdentifyArgs>("a b - --library l").and_then(IdentifyArgs::request).unwrap();
        assert!(matches!(several.observation, Observation::Source { places, .. } if places.len() == 3));
        for words in ["- -", "a --alpha 1", "a --quiet --verbose"] {
            let error = parse::<IdentifyArgs>(words).and_then(IdentifyArgs::request).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words}");
        }
    }
}
