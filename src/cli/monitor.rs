//! The arguments of `tp-perf monitor`.

use super::budget::{BudgetArg, parse_budget};
use super::check::parse_per_day;
use super::config_file::with_config;
use super::help::{CAPTURE_OPTIONS, PATTERNS};
use super::library::{LibraryArgs, parse_state};
use super::usage::usage;
use super::watch::WatchArgs;
use crate::alarms::{Rule, RuleError};
use crate::capture::flight::{DEFAULT_LAST_BYTES, FlightFolder, LastLimits};
use crate::counting::{CountOptions, USUAL_WINDOW};
use crate::history::Keep;
use crate::metrics::ServerAddress;
use crate::monitor::{FlightRequest, MonitorRequest};
use crate::processes::CountBy;
use crate::state::{PER_DAY, WatchedStates};
use crate::units::{parse_duration, parse_size};
use clap::{Arg, Args, Parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Keep a history, and serve metrics to Prometheus
  sudo tp-perf monitor --history /var/lib/tp-perf/history --metrics 127.0.0.1:9464
  # Raise alarms when this machine is not as learned, or when a rule is true
  sudo tp-perf monitor --against idle --rule 'kmem:* > 1M/s for 10s'
  # Run a command for each alarm
  sudo tp-perf monitor --rule 'new after 10m' --on-alarm 'logger \"$TP_PERF_ALARM\"'
  # Keep the last 30 seconds event by event, and write them at an alarm
  sudo tp-perf monitor --flight 30s --rule 'block:*_issue > 10k/s for 5s'
  # Name the services and containers that cause an alarm
  sudo tp-perf monitor --by cgroup --rule 'kmem:* > 1M/s for 10s'
  # Check a config file
  tp-perf monitor --config monitor.toml --check-config";

const RULES: &str = "\
Rules:
  PATTERN > RATE [for TIME]     the sum of the rates is higher, as in 'kmem:* > 1M/s for 10s'
  PATTERN < RATE [for TIME]     it is lower, as in 'net:* < 10/min for 5m'
  new [PATTERN] [after TIME]    a tracepoint is hit for the first time. tp-perf knows those that are hit in the first TIME (1h), and those of \
the history
An alarm ends when its rule has been false for the same time, and for at least 10s. An alarm about a new tracepoint has no end.";

const EVENTS: &str = "\
Each event is one line of JSON on stdout: the start, alarms and their ends, changes of state, faults, and the end. SIGHUP makes tp-perf \
read the config file again. SIGINT or SIGTERM end it.";

/// The shortest and the longest window: a budget acts once in each.
const LEAST_WINDOW: Duration = Duration::from_millis(100);
const MOST_WINDOW: Duration = Duration::from_secs(10);
/// The first window is short, so that the budget acts soon.
const FIRST_WINDOW: Duration = Duration::from_millis(300);
/// The budget if the user sets none, as a part of the time of all CPUs.
const USUAL_BUDGET: f64 = 0.01;
/// The budget, the number and the size of the recordings of the flight recorder, if the user sets nothing.
const FLIGHT_BUDGET: f64 = 0.02;
const FLIGHT_KEEP: u32 = 10;
const FLIGHT_SIZE: usize = 4 << 30;
/// A round of the rings must fit into the memory of the flight recorder.
const LEAST_FLIGHT_MEMORY: usize = 1 << 20;

/// The limits for events that are only counted by process or cgroup.
const ONLY_COUNTED: LastLimits = LastLimits { time: Duration::from_secs(16), after: Duration::ZERO, bytes: 16 << 20 };

/// The headings of the help.
const HISTORY: &str = "History and metrics";
const METRICS: &str = HISTORY;
const ALARMS: &str = "Alarms";
const FLIGHT: &str = "Flight recorder";

/// The arguments of `tp-perf monitor`.
#[derive(Debug, Args)]
#[command(mut_args(under_own_heading), after_help = "--help shows rules and examples.", after_long_help = format!("{EXAMPLES}\n\n{RULES}\n\n{EVENTS}\n\n{PATTERNS}"))]
pub struct MonitorArgs {
    /// Read options from a TOML file
    ///
    /// Each key is the long name of an option, as in `budget = "1%"` or `rule = ["new after 10m"]`. An option on the
    /// command line overrides its key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the options and the config file; do not start
    #[arg(long, hide_short_help = true)]
    check_config: bool,
    /// Set the length of a window [default: 1s]
    ///
    /// From 100ms to 10s.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    every: Option<Duration>,
    /// Limit the cost to this part of CPU time [default: 1%]
    ///
    /// tp-perf counts rare tracepoints all the time. It visits hot ones at random times and estimates their hits, and detaches
    /// the hottest if that is not enough. `none` counts each hit, whatever it costs.
    #[arg(long, value_name = "PART", value_parser = parse_budget)]
    budget: Option<BudgetArg>,
    /// Stop after this time
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration, hide_short_help = true)]
    duration: Option<Duration>,
    /// Print nothing on stderr but errors
    #[arg(short, long, hide_short_help = true)]
    quiet: bool,
    /// Keep the hits of each window in DIR, as Parquet
    #[arg(long, value_name = "DIR", help_heading = HISTORY)]
    history: Option<PathBuf>,
    /// Keep windows for this time [default: 30d]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "history", help_heading = HISTORY, hide_short_help = true)]
    keep: Option<Duration>,
    /// Keep sums of each minute for this time [default: 400d]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "history", help_heading = HISTORY, hide_short_help = true)]
    keep_minutes: Option<Duration>,
    /// Keep at most this many bytes [default: 2G]
    ///
    /// tp-perf removes the oldest files, and those with minutes last.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "history", help_heading = HISTORY, hide_short_help = true)]
    keep_size: Option<usize>,
    /// Serve metrics to Prometheus, as at 127.0.0.1:9464
    ///
    /// Or on a unix socket, as in `unix:/run/tp-perf/socket`. Repeatable. The server has no password and no encryption. Use an address that only this machine can reach. A POST to /flight on a
    /// unix socket makes the flight recorder write a recording.
    #[arg(long, value_name = "ADDRESS", help_heading = METRICS)]
    metrics: Vec<ServerAddress>,
    /// Write metrics into FILE, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE", help_heading = METRICS, hide_short_help = true)]
    textfile: Option<PathBuf>,
    /// Raise an alarm when in none of these learned states
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = parse_state, help_heading = ALARMS)]
    against: Vec<String>,
    /// Report the learned state in which this machine is, when it changes
    #[arg(long, help_heading = ALARMS, hide_short_help = true)]
    identify: bool,
    /// Raise an alarm by a rule, as in 'kmem:* > 1M/s'
    #[arg(long, value_name = "RULE", help_heading = ALARMS)]
    rule: Vec<String>,
    /// Run this shell command for each alarm
    ///
    /// `sh -c` runs it, with the alarm's line of JSON in the variable TP_PERF_ALARM. Commands run one after the other. They have no
    /// capabilities and cannot gain rights.
    #[arg(long, value_name = "COMMAND", help_heading = ALARMS)]
    on_alarm: Option<String>,
    /// Kill this command after TIME [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "on_alarm", help_heading = ALARMS, hide_short_help = true)]
    on_alarm_timeout: Option<Duration>,
    /// Allow N false alarms of single tracepoints per day
    #[arg(long, value_name = "N", default_value_t = PER_DAY, value_parser = parse_per_day, requires = "against", help_heading = ALARMS, hide_short_help = true)]
    false_alarms: f64,
    /// Do not report a state's alarm again within TIME
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10m", requires = "against", help_heading = ALARMS, hide_short_help = true)]
    silence: Duration,
    /// Keep the last TIME event by event; an alarm writes it
    ///
    /// The events stay in memory until an alarm. `kill -USR2` and `tp-perf flight dump` write them, too. Each recording is a directory in --flight-dir, which `tp-perf report` reads.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = FLIGHT)]
    flight: Option<Duration>,
    /// Also write the events of TIME after the alarm
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "flight", help_heading = FLIGHT, hide_short_help = true)]
    flight_after: Option<Duration>,
    /// Write recordings into DIR [default: flight]
    #[arg(long, value_name = "DIR", requires = "flight", help_heading = FLIGHT, hide_short_help = true)]
    flight_dir: Option<PathBuf>,
    /// Keep at most N recordings [default: 10]
    #[arg(long, value_name = "N", requires = "flight", value_parser = clap::value_parser!(u32).range(1..), help_heading = FLIGHT, hide_short_help = true)]
    flight_keep: Option<u32>,
    /// Keep at most this many bytes of recordings [default: 4G]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "flight", help_heading = FLIGHT, hide_short_help = true)]
    flight_size: Option<usize>,
    /// Take at most this much memory for events [default: 256M]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "flight", help_heading = FLIGHT, hide_short_help = true)]
    flight_memory: Option<usize>,
    /// Limit the cost of recording events [default: 2%]
    ///
    /// This budget limits --flight and --by, in addition to --budget. tp-perf thins hot tracepoints: it records one hit in N, and
    /// counts all hits.
    #[arg(long, value_name = "PART", value_parser = parse_budget, help_heading = FLIGHT, hide_short_help = true)]
    flight_budget: Option<BudgetArg>,
    /// Also count by process or by cgroup
    ///
    /// The metrics show the hits. Alarms name the processes or cgroups with the most hits. For this count, tp-perf records events, as
    /// with --flight. The hits of thinned tracepoints are estimates.
    #[arg(long, value_name = "WHAT", value_enum, help_heading = METRICS, hide_short_help = true)]
    by: Option<CountBy>,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

/// The options of other commands have a heading of captures. The short help must fit one screen.
fn under_own_heading(arg: Arg) -> Arg {
    let is_of_command = ["command_as_root"].contains(&arg.get_id().as_str());
    match (arg.get_help_heading(), arg.get_id().as_str()) {
        (_, "library") => arg.help_heading(ALARMS).hide_short_help(true),
        (Some(CAPTURE_OPTIONS), _) => {
            arg.help_heading("Tracepoints and CPUs").hide_short_help(true).hide(is_of_command)
        }
        _ => arg,
    }
}

#[derive(Debug, Parser)]
#[command(name = "monitor", no_binary_name = true)]
struct MonitorWords {
    #[command(flatten)]
    args: MonitorArgs,
}

impl MonitorArgs {
    /// The validated request. Reads the config file.
    ///
    /// # Errors
    /// Wrong usage: a config file or a rule that cannot be read, or windows that are too short or too long.
    pub fn request(self) -> Result<MonitorRequest, clap::Error> {
        // The words behind `tp-perf monitor`.
        self.request_of(&std::env::args_os().skip(2).collect::<Vec<_>>())
    }

    /// The request, where `typed` are the words behind the name of the subcommand.
    fn request_of(self, typed: &[OsString]) -> Result<MonitorRequest, clap::Error> {
        match &self.config {
            None => self.validated(),
            Some(path) => {
                use clap::CommandFactory;
                let words = with_config(&MonitorWords::command().no_binary_name(false), path, typed)?;
                let in_file = |error: clap::Error| match error.use_stderr() {
                    true => usage(format!("with {}: {}", path.display(), in_short(&error))),
                    false => error,
                };
                let MonitorWords { args } = MonitorWords::try_parse_from(words).map_err(in_file)?;
                args.validated().map_err(in_file)
            }
        }
    }

    fn validated(self) -> Result<MonitorRequest, clap::Error> {
        let every = self.every.unwrap_or(USUAL_WINDOW);
        if !(LEAST_WINDOW..=MOST_WINDOW).contains(&every) {
            let [least, most] = [LEAST_WINDOW, MOST_WINDOW].map(humantime::format_duration);
            return Err(usage(format!("--every must be from {least} to {most}")));
        }
        let budget = self.budget.map_or(Some(USUAL_BUDGET), |BudgetArg(budget)| budget);
        let rules = self.rule.iter().map(|rule| rule.parse()).collect::<Result<Vec<Rule>, RuleError>>();
        let rules = rules.map_err(|error| usage(format!("--rule: {error}")))?;
        for (number, rule) in rules.iter().map(Rule::to_string).enumerate() {
            if rules[..number].iter().any(|other| other.to_string() == rule) {
                return Err(usage(format!("--rule: `{rule}` is there twice")));
            }
        }
        if let Some(path) = &self.textfile {
            let above = path.parent().filter(|above| !above.as_os_str().is_empty());
            if path.extension().is_none_or(|extension| extension != "prom") {
                return Err(usage(format!(
                    "--textfile: `{}` must end in .prom, or node_exporter does not read it",
                    path.display()
                )));
            }
            if let Some(above) = above.filter(|above| !above.is_dir()) {
                return Err(usage(format!("--textfile: there is no folder `{}`", above.display())));
            }
        }
        let usual = Keep::default();
        let keep = Keep {
            windows_for: self.keep.unwrap_or(usual.windows_for),
            minutes_for: self.keep_minutes.unwrap_or(usual.minutes_for),
            bytes: self.keep_size.map_or(usual.bytes, |bytes| bytes as u64),
        };
        let states = match self.identify || !self.against.is_empty() {
            false => None,
            true => Some(WatchedStates {
                library: self.library.library()?,
                identify: self.identify,
                against: sorted(self.against),
                per_day: self.false_alarms,
                silence: self.silence,
            }),
        };
        let bytes = self.flight_memory.unwrap_or(DEFAULT_LAST_BYTES as usize);
        if bytes < LEAST_FLIGHT_MEMORY {
            return Err(usage("--flight-memory: use at least 1M".to_owned()));
        }
        if self.flight_budget.is_some() && self.flight.is_none() && self.by.is_none() {
            return Err(usage("--flight-budget limits the recording of events; add --flight or --by".to_owned()));
        }
        let limits = match self.flight {
            Some(time) => LastLimits { time, after: self.flight_after.unwrap_or_default(), bytes: bytes as u64 },
            None => ONLY_COUNTED,
        };
        let folder = self.flight.map(|_| FlightFolder {
            path: self.flight_dir.unwrap_or_else(|| "flight".into()),
            most: self.flight_keep.unwrap_or(FLIGHT_KEEP) as usize,
            bytes: self.flight_size.unwrap_or(FLIGHT_SIZE) as u64,
        });
        let flight = (folder.is_some() || self.by.is_some()).then(|| FlightRequest {
            limits,
            folder,
            by: self.by,
            budget: self.flight_budget.map_or(Some(FLIGHT_BUDGET), |BudgetArg(budget)| budget),
        });
        let (choice, manner) = self.watch.request(self.quiet);
        let count = CountOptions {
            // A busy machine should not cost more than the budget for a whole window.
            first: Some(FIRST_WINDOW.min(every)),
            duration: self.duration,
            budget,
            measure_cost: true,
            opens_later: true,
            ..CountOptions::of(choice, every)
        };
        Ok(MonitorRequest {
            count,
            manner,
            only_check: self.check_config,
            history: self.history.map(|folder| (folder, keep)),
            metrics: self.metrics,
            textfile: self.textfile,
            states,
            rules,
            on_alarm: self.on_alarm.map(|command| (command, self.on_alarm_timeout.unwrap_or(Duration::from_secs(30)))),
            flight,
        })
    }

    /// Whether it attaches to this machine.
    pub fn watches_machine(&self) -> bool {
        !self.check_config
    }
}

/// The request of this process's own command line, read again with its config file.
///
/// # Errors
/// As [`MonitorArgs::request`].
pub fn monitor_request_again() -> Result<MonitorRequest, clap::Error> {
    let typed: Vec<OsString> = std::env::args_os().skip(2).collect();
    let MonitorWords { args } = MonitorWords::try_parse_from(&typed)?;
    args.request_of(&typed)
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

/// The first paragraph of an error's text on one line, without `error: `.
fn in_short(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn request(words: &[&str]) -> Result<MonitorRequest, clap::Error> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        MonitorWords::try_parse_from(&words).and_then(|MonitorWords { args }| args.request_of(&words))
    }

    #[test]
    fn it_has_a_budget_and_a_window_unless_the_user_sets_others() {
        let usual = request(&[]).unwrap();
        assert_eq!((usual.count.budget, usual.count.every), (Some(USUAL_BUDGET), USUAL_WINDOW));
        assert!(usual.history.is_none() && usual.metrics.is_empty() && usual.states.is_none());
        let other =
            request(&["--budget", "none", "--every", "5s", "--history", "h", "--keep", "1d", "--against", "b,a"]);
        let other = other.unwrap();
        assert_eq!((other.count.budget, other.count.every), (None, Duration::from_secs(5)));
        let (_, keep) = other.history.unwrap();
        assert_eq!((keep.windows_for, keep.minutes_for), (Duration::from_secs(86_400), Keep::default().minutes_for));
        assert_eq!(other.states.unwrap().against, ["a", "b"]);
    }

    #[test]
    fn a_config_file_has_the_same_options() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        fs::write(path, "every = \"2s\"\nbudget = \"2%\"\nrule = [\"new\", \"irq > 5/s\"]\ntracepoint = [\"irq\"]\nidentify = true\n").unwrap();
        let from_file = request(&["--config", path, "--budget", "3%"]).unwrap();
        assert_eq!((from_file.count.budget, from_file.count.every), (Some(0.03), Duration::from_secs(2)));
        assert_eq!((from_file.rules.len(), from_file.count.choice.selection.only.len()), (2, 1));
        assert!(from_file.states.is_some_and(|states| states.identify));
        for (config, said) in [
            ("every = \"2 parsecs\"", "every"),
            ("every = \"1h\"", "from 100ms to 10s"),
            ("rule = [\"irq\"]", "is not a rule"),
            ("ever = \"2s\"", "did you mean `every`?"),
            ("on-alarm-timeout = \"2s\"", "on-alarm"),
        ] {
            fs::write(path, config).unwrap();
            let error = request(&["--config", path]).unwrap_err();
            let text = error.to_string();
            assert!(error.exit_code() == 2 && text.contains(path) && text.contains(said), "{config} gave {text}");
        }
    }

    #[test]
    fn wrong_usage_names_the_fix() {
        for (words, said) in [
            (vec!["--every", "10ms"], "from 100ms to 10s"),
            (vec!["--budget", "0%"], "more than 0%"),
            (vec!["--rule", "irq"], "is not a rule"),
            (vec!["--keep", "1d"], "--history"),
            (vec!["--metrics", "nowhere"], "--metrics"),
            (vec!["--silence", "1m"], "--against"),
            (vec!["--config", "/no/such/file"], "cannot be read"),
            (vec!["--rule", "irq>1/s", "--rule", "irq > 1/s"], "is there twice"),
            (vec!["--rule", "new after"], "is not a rule"),
            (vec!["--textfile", "metrics.txt"], "must end in .prom"),
            (vec!["--textfile", "/no/such/metrics.prom"], "there is no folder"),
            (vec!["--flight-keep", "3"], "--flight"),
            (vec!["--flight-budget", "3%"], "--flight or --by"),
            (vec!["--by", "host"], "cgroup"),
            (vec!["--flight", "3s", "--flight-memory", "1k"], "at least 1M"),
        ] {
            let error = request(&words).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
