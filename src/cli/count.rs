//! The arguments of `tp-perf count`.

use super::budget::{BudgetArg, parse_budget};
use super::help::{CAPTURE_OPTIONS, PATTERNS};
use super::usage::usage;
use super::watch::WatchArgs;
use crate::control::Manner;
use crate::counting::{CountOptions, USUAL_WINDOW};
use crate::processes::CountBy;
use crate::units::parse_duration;
use clap::{Arg, Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Count for ten seconds
  sudo tp-perf count -d 10s
  # Print a line each second, until Ctrl-C
  sudo tp-perf count --every 1s
  # Show which services and containers cause the hits
  sudo tp-perf count --by cgroup -d 5s
  # Count while a command runs, and exit with its code
  sudo tp-perf count make -j8
  # Run a command ten times, and print means with their intervals
  sudo tp-perf count --repeat 10 -t kmem,block ./benchmark
  # For one minute, write a row per window, tracepoint, and CPU
  sudo tp-perf count --every 100ms --per-cpu -d 1m --format csv -o counts.csv";

const SHORT: &str = "`tp-perf count --help` has more options, and examples.";

const METHOD: &str = "\
tp-perf counts hits on the whole machine, not only those of COMMAND. The kernel counts them without a ring, so none are \
lost. Counting costs about a fifth of what recording costs. Without --budget, all counts are exact.

stdout belongs to COMMAND. With COMMAND, the counts go to stderr, or to the file of -o.";

/// A shorter window would be little more than its own tick.
const SHORTEST_WINDOW: Duration = Duration::from_millis(1);
/// A budget needs enough visits in a window, and must act soon after the load changes.
const LEAST_STEERED: Duration = Duration::from_millis(100);
const MOST_STEERED: Duration = Duration::from_secs(10);
/// The number of tracepoints and groups that the text shows.
const USUAL_TOP: usize = 10;

/// The arguments of `tp-perf count`.
#[derive(Debug, Args)]
#[command(mut_args(under_own_heading), after_help = SHORT, after_long_help = format!("{EXAMPLES}\n\n{METHOD}\n\n{PATTERNS}"))]
pub struct CountArgs {
    /// Stop after this time, as in `500ms`, `10s` or `1m30s`
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Print the hits of each window of this length
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    every: Option<Duration>,
    /// Show the hits of each CPU
    #[arg(long)]
    per_cpu: bool,
    /// Run COMMAND N times, and show means with 95 % intervals
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with_all = ["every", "per_cpu", "duration", "budget"])]
    repeat: Option<u32>,
    /// Limit the cost to this share of CPU time, as in `1%`
    ///
    /// tp-perf counts rare tracepoints all the time. It visits hot ones at random times and estimates their hits, and detaches
    /// the hottest if that is not enough. `~` marks estimates. `none` counts each hit, whatever it costs.
    #[arg(long, value_name = "PART", value_parser = parse_budget, conflicts_with = "per_cpu")]
    budget: Option<BudgetArg>,
    /// Show who causes the hits: `process` or `cgroup`
    ///
    /// tp-perf counts all hits, and records some of them with their process, within the budget (5% of all CPUs' time, if you
    /// set none). The hits of each process are estimated from that. `~` marks estimates.
    #[arg(long, value_enum, hide_possible_values = true, value_name = "WHAT", conflicts_with_all = ["every", "per_cpu", "repeat"])]
    by: Option<CountBy>,
    /// Show the top N tracepoints and groups [default: 10]
    #[arg(long, hide_short_help = true, value_name = "N")]
    top: Option<u32>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: CountFormat,
    /// Write the counts into this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show no progress and no notes
    #[arg(short, long, hide_short_help = true)]
    quiet: bool,
    /// Count until this command ends
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    watch: WatchArgs,
}

/// The format of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CountFormat {
    /// For people
    #[default]
    Text,
    /// A row for each tracepoint; with --every, for each window and tracepoint
    Csv,
    /// One object; with --every, a line for each window before it
    Json,
}

/// A count, and how much it shows.
#[derive(Debug)]
pub struct CountCommand {
    /// What to count, and for how long.
    pub options: CountOptions,
    /// Whether to print each window.
    pub each_window: bool,
    /// Whether to show the hits of each CPU.
    pub per_cpu: bool,
    /// How often to run COMMAND, if the user set it.
    pub repeat: Option<u32>,
    /// Whose hits to show, if the user set it.
    pub by: Option<CountBy>,
    /// How many tracepoints and groups the text shows.
    pub top: usize,
    /// The format.
    pub format: CountFormat,
    /// The file of the counts.
    pub output: Option<PathBuf>,
    /// How much tp-perf shows, and whether it waits for the detach.
    pub manner: Manner,
}

/// The commands that capture have a heading for the options of a capture. This command has only some of these options. The
/// short help must fit one screen.
fn under_own_heading(arg: Arg) -> Arg {
    match arg.get_help_heading() {
        Some(CAPTURE_OPTIONS) if ["all", "also", "exclude"].contains(&arg.get_id().as_str()) => {
            arg.help_heading("Tracepoints and CPUs").hide_short_help(true)
        }
        Some(CAPTURE_OPTIONS) => arg.help_heading("Tracepoints and CPUs"),
        _ => arg,
    }
}

impl CountArgs {
    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: windows that are too short, or a COMMAND that is missing or cannot be run.
    pub fn request(self) -> Result<CountCommand, clap::Error> {
        let CountArgs { duration, every, per_cpu, repeat, budget, by, top, format, output, quiet, command, watch } =
            self;
        if let Some(every) = every.filter(|every| *every < SHORTEST_WINDOW) {
            let every = humantime::format_duration(every);
            return Err(usage(format!("--every: {every} is too short to read all counters; use at least 1ms")));
        }
        if repeat.is_some() && command.is_empty() {
            return Err(usage("--repeat needs a COMMAND to run, as in `tp-perf count --repeat 5 make`".to_owned()));
        }
        let each_window = every.is_some();
        let budget = budget.and_then(|BudgetArg(budget)| budget);
        let every = every.unwrap_or(USUAL_WINDOW);
        if budget.is_some() && !(LEAST_STEERED..=MOST_STEERED).contains(&every) {
            let [least, most] = [LEAST_STEERED, MOST_STEERED].map(humantime::format_duration);
            return Err(usage(format!(
                "--budget acts once in each window, so with it --every must be from {least} to {most}"
            )));
        }
        let command = watch.find_any(command)?;
        let (choice, manner) = watch.request(quiet);
        let options = CountOptions { duration, budget, measure_cost: true, command, ..CountOptions::of(choice, every) };
        let top = top.map_or(USUAL_TOP, |top| top as usize);
        Ok(CountCommand { options, each_window, per_cpu, repeat, by, top, format, output, manner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    fn request(words: &str) -> Result<CountCommand, clap::Error> {
        parse::<CountArgs>(words).and_then(CountArgs::request)
    }

    #[test]
    fn a_count_takes_all_its_options() {
        let words = "-d 10s --every 100ms --per-cpu --top 3 --format json -o file -q -t sched:* --also irq -C 0 --include-self \
                     --wait-detach -- sh -c true";
        let count = request(words).unwrap();
        assert_eq!(
            (count.options.duration, count.options.every),
            (Some(Duration::from_secs(10)), Duration::from_millis(100))
        );
        assert_eq!((count.each_window, count.per_cpu, count.top, count.format), (true, true, 3, CountFormat::Json));
        assert_eq!((count.output, count.manner.quiet, count.manner.wait_detach), (Some("file".into()), true, true));
        assert!(count.options.choice.include_self && count.options.choice.cpus.is_some());
        assert_eq!(count.options.command.unwrap().words(), ["sh", "-c", "true"]);
        let count = request("--repeat 7 true").unwrap();
        assert_eq!((count.repeat, count.each_window, count.options.every), (Some(7), false, USUAL_WINDOW));
    }

    #[test]
    fn wrong_usage_names_the_fix() {
        for (words, said) in [
            ("--every 10us", "at least 1ms"),
            ("--every 0s", "greater than zero"),
            ("--repeat 5", "needs a COMMAND"),
            ("--repeat 0 true", "--repeat"),
            ("--budget 0%", "more than 0%"),
            ("--budget 200%", "at most 100%"),
            ("--budget 1% --every 50ms", "from 100ms to 10s"),
            ("--budget 1% --every 1m", "from 100ms to 10s"),
            ("--budget 1% --per-cpu", "--per-cpu"),
            ("--budget NaN%", "more than 0%"),
            ("--budget 0", "as in `1%`"),
            ("--budget much", "as in `1%`"),
            ("--repeat 2 --every 1s true", "--every"),
            ("--by cgroup --every 1s", "--every"),
            ("--by user", "process"),
            ("-- no-such-program-at-all", "was not found in"),
            ("--ring-size 1M", "--ring-size"),
        ] {
            let error = request(words).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
