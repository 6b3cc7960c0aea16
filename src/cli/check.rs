//! The arguments of `tp-perf check`.

use super::budget::{BudgetArg, parse_budget};
use super::help::{COST, SEE_CAPTURE_OPTIONS, listed_elsewhere};
use super::library::{LibraryArgs, parse_state};
use super::observation::{OF_CAPTURES, ObservationArgs, may_follow, set_budget};
use super::usage::usage;
use crate::control::Manner;
use crate::observation::Observation;
use crate::state::{Length, Library, PER_DAY};
use crate::units::parse_duration;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Check that this machine is as idle as when `idle` was learned
  sudo tp-perf check --against idle -d 60s
  # Watch this machine until Ctrl-C, raise alarms, and keep their windows
  sudo tp-perf check --against idle --follow --save alarms
  # An alarm was fine: add its windows to the state
  tp-perf learn idle alarms/not-idle/20261129T182123Z.json
  # Check in CI that each part of two recordings is like one of two states
  tp-perf check --against apache,nginx rec1 rec2 --format junit > check.xml";

const CODES: &str = "\
Exit codes: 0 as learned, 3 not as learned (with --follow: an alarm was raised), 1 failed, 2 wrong usage. Of several sources, a failed one decides the exit code, \
and otherwise one that is not as learned.";

const SEEN: &str = "\
False alarms: seen with --follow, in 3.4 hours of stored windows that were followed several times, each time with other minutes \
learned: one on a quiet machine, and none under nine loads. This is too little to promise less than one a day. --false-alarms limits \
only alarms of single tracepoints, and only if the learned sessions show all that the system does.";

pub(super) fn parse_per_day(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("write a number greater than 0, as in `1` or `0.1`".to_owned()),
    }
}

/// The format of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// Everything, as one object; for several sources, as an array of objects
    Json,
    /// Test results for CI systems, as JUnit writes them
    Junit,
}

/// The arguments of `tp-perf check`.
#[derive(Debug, Args)]
#[command(
    override_usage = "tp-perf check [OPTIONS] --against <STATE> [SOURCE]...\n       tp-perf check --against <STATE> -- <COMMAND>..."
)]
#[command(mut_args(listed_elsewhere), after_help = SEE_CAPTURE_OPTIONS)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{CODES}\n\n{SEEN}\n\n{COST}\n\n{SEE_CAPTURE_OPTIONS}"))]
pub struct CheckArgs {
    /// Allow these states (separated by commas)
    #[arg(long, value_name = "STATE", required = true, value_delimiter = ',', value_parser = parse_state)]
    against: Vec<String>,
    /// Check these sources; without any, watch this machine
    ///
    /// A source is a recording's directory, a file that `perf record` wrote, a log.csv, a session of a library, or `-` for
    /// standard input.
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    sources: Vec<PathBuf>,
    /// Watch until Ctrl-C, and report alarms and their ends
    ///
    /// It also ends with -d, with COMMAND, or at the end of a SOURCE, whose windows are read one after the other. Each answer is for
    /// the last five windows. An alarm is raised when eight answers in a row reject all allowed states, or when a tracepoint is
    /// outside its learned range for six blocks of ten windows. So a change of about four windows can be enough. The alarm ends
    /// after thirty windows that are as learned. Not with --format junit, and not with windows of events.
    #[arg(long)]
    follow: bool,
    /// With --follow: only count an alarm that comes again within TIME
    ///
    /// The time begins at the end of the last alarm that was reported. An alarm comes again if it has the same cause: the source looks
    /// like the same states, and the same group of tracepoints deviates most, in the same direction. If it lasts for sixty windows, it is
    /// reported.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10m", requires = "follow", hide_short_help = true)]
    silence: Duration,
    /// With --follow: keep the windows of each alarm in DIR
    ///
    /// When an alarm ends, its windows (at most the last 3,600) become a session in DIR/not-STATE, and tp-perf prints the command that
    /// adds it to the state. Only when this machine is watched.
    #[arg(long, value_name = "DIR", requires = "follow", conflicts_with_all = ["sources", "few_tracepoints", "budget"], hide_short_help = true)]
    save: Option<PathBuf>,
    /// Allow N false alarms of single tracepoints per day of watching
    #[arg(long, value_name = "N", default_value_t = PER_DAY, value_parser = parse_per_day)]
    false_alarms: f64,
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
    format: CheckFormat,
    /// Show all tracepoints, and not only the strongest
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    observation: ObservationArgs,
}

/// How to raise alarms as they come.
#[derive(Debug)]
pub struct FollowedCheck {
    /// An alarm that comes again this soon after its end is not reported.
    pub silence: Duration,
    /// The library that keeps the windows of each alarm.
    pub save: Option<Library>,
}

/// A request to check.
#[derive(Debug)]
pub struct CheckRequest {
    /// The input.
    pub observation: Observation,
    /// The length of the windows, if the user set it.
    pub length: Option<Length>,
    /// The allowed states.
    pub against: Vec<String>,
    /// The library of these states.
    pub library: Library,
    /// The allowed false alarms in a day of watching.
    pub per_day: f64,
    /// Whether to raise alarms as they come, and how.
    pub follow: Option<FollowedCheck>,
    /// Whether to compare only a few tracepoints.
    pub few_tracepoints: bool,
    /// The format of the answer.
    pub format: CheckFormat,
    /// Whether the text shows all tracepoints.
    pub verbose: bool,
    /// How much tp-perf shows, and whether it waits for the detach.
    pub manner: Manner,
}

impl CheckArgs {
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
    pub fn request(self) -> Result<CheckRequest, clap::Error> {
        let usual = (!self.follow).then_some(Duration::from_secs(60));
        let (mut observation, length, manner) = self.observation.request(self.sources, usual)?;
        set_budget(&mut observation, self.budget, length)?;
        if self.follow && self.format == CheckFormat::Junit {
            return Err(usage(
                "--follow has no JUnit file; use `--format json` for a line of JSON for each alarm".to_owned(),
            ));
        }
        may_follow(self.follow, length)?;
        let save = self.save.map(Library::at);
        let follow = self.follow.then_some(FollowedCheck { silence: self.silence, save });
        let few_tracepoints = self.few_tracepoints;
        let mut against = self.against;
        against.sort();
        against.dedup();
        let (library, per_day, format, verbose) =
            (self.library.library()?, self.false_alarms, self.format, self.verbose);
        Ok(CheckRequest {
            observation,
            length,
            against,
            library,
            per_day,
            follow,
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
    fn a_check_takes_several_states() {
        let words = "--against b,a --against a rec other - --library l --format junit --false-alarms 0.1";
        let request = parse::<CheckArgs>(words).and_then(CheckArgs::request).unwrap();
        assert_eq!(
            (request.against.join(" ").as_str(), request.per_day, request.format),
            ("a b", 0.1, CheckFormat::Junit)
        );
        assert!(matches!(request.observation, Observation::Source { places, .. } if places.len() == 3));
        for words in ["a", "--against a/b rec"] {
            assert_eq!(parse::<CheckArgs>(words).unwrap_err().exit_code(), 2, "{words}");
        }
    }
}
