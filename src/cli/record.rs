//! The arguments of `tp-perf record`, which are also those of `tp-perf OPTIONS`.

use super::attach::AttachArgs;
use super::budget::{BudgetArg, parse_budget};
use super::command_line::own_arguments;
use super::help::PATTERNS;
use super::processes::OnlyArgs;
use super::usage::{usage, usage_with_tips};
use crate::capture::flight::LastLimits;
use crate::capture::{self, AttachOptions, StopRules};
use crate::control::Manner;
use crate::recording::LogColumn;
use crate::units::{Bytes, parse_duration, parse_events, parse_size};
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Record the next 100,000 events of the default selection
  sudo tp-perf record -n 100k
  # Record while a command runs, and exit with its code
  sudo tp-perf record make -j8
  # Record two groups, without one of their tracepoints
  sudo tp-perf record -t sched,irq -x sched_switch -d 10s
  # Record which processes cause the events, and show them
  sudo tp-perf record --with pid,comm -d 10s -o who
  tp-perf report who --by process
  # Record only a command, and the processes that it starts
  sudo tp-perf record --only-command make -j8
  # Keep the last 30 seconds in memory, and write them at Ctrl-C, or at `kill -USR2` without stopping
  sudo tp-perf record --last 30s -o flight
  # Record the default selection and one more tracepoint
  sudo tp-perf record --also sched_switch -d 10s -o idle";

/// The least memory for the events of `--last`, in bytes.
const LEAST_LAST_BYTES: usize = 1 << 20;

const SHORT: &str = "`tp-perf record --help` has more options, and examples.";

/// The arguments of a capture.
#[derive(Debug, Args)]
#[command(after_help = SHORT, after_long_help = format!("{EXAMPLES}\n\n{PATTERNS}"))]
pub struct RecordArgs {
    /// Stop after this many events, as in `100k` or `2M`
    ///
    /// log.csv then has exactly the first N in time order.
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_events)]
    events: Option<u64>,
    /// Stop after this time, as in `500ms`, `10s` or `1m30s`
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Keep the last TIME, as in `30s`; write it at the end
    ///
    /// tp-perf keeps the events in memory, and forgets the oldest ones. SIGUSR2 (`kill -USR2 PID`) writes those that it has into a
    /// directory of their own, and tp-perf goes on: DIR-2, DIR-3 and so on. Their log.csv and summary.json follow a little later.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    last: Option<Duration>,
    /// Take at most this much memory for the events of --last
    ///
    /// If the events of TIME take more, tp-perf forgets them earlier. An event takes 24 bytes.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "last", hide_short_help = true,
          default_value = "256M")]
    last_bytes: usize,
    /// Take at most this part of all CPUs' time, as in `5%`
    ///
    /// To keep the budget, tp-perf thins the tracepoints that cost most: it counts all their hits, and records one in 17 or
    /// one in 257. log.csv then has a column `hits`: how many hits a row stands for. If that is not enough, tp-perf detaches the
    /// hottest tracepoints, and does not count their later hits. `--events` counts rows of the log, not hits. Without a budget,
    /// or with `none`, tp-perf records every hit.
    #[arg(long, value_name = "PART", value_parser = parse_budget)]
    budget: Option<BudgetArg>,
    /// Record more of each event: pid,tid,comm,cgroup,cpu
    ///
    /// `pid`, `tid`, and `comm` come together: an event then takes 32 bytes instead of 24. With `cgroup`, an event also has pid, tid,
    /// and comm, and takes 40 bytes. The names and cgroups are those at the time of the event. A report shows them with `--by process`.
    /// tp-perf always knows the CPU; with `cpu`, which takes 8 bytes more, `perf script -F cpu` shows it too.
    #[arg(long, value_enum, hide_possible_values = true, value_name = "FIELDS", value_delimiter = ',')]
    with: Vec<LogColumn>,
    /// Add these columns to log.csv (separated by commas)
    ///
    /// They follow the other columns, in the order that you give. tp-perf also records the fields that they need, as with --with.
    #[arg(long, value_enum, hide_short_help = true, value_name = "FIELDS", value_delimiter = ',')]
    log_columns: Vec<LogColumn>,
    /// Write the recording into this directory
    ///
    /// The directory must be new or empty. By default tp-perf makes one in the current directory: tp-perf-<UTC time>.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace the recording that is in DIR
    #[arg(long, hide_short_help = true)]
    force: bool,
    /// Print nothing but errors
    #[arg(short, long, hide_short_help = true)]
    quiet: bool,
    /// Run this command, and stop when it ends
    ///
    /// If the capture stops first, tp-perf waits for COMMAND. tp-perf exits with COMMAND's exit code.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    only: OnlyArgs,
    #[command(flatten)]
    attach: AttachArgs,
}

/// A capture, and how much it shows.
#[derive(Debug)]
pub struct RecordRequest {
    /// The capture.
    pub options: capture::CaptureOptions,
    /// How much tp-perf shows, and whether it waits for the detach.
    pub manner: Manner,
}

impl RecordArgs {
    /// The words of COMMAND.
    pub fn command(&self) -> &[OsString] {
        &self.command
    }

    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: standard output as a directory, rings that no kernel maps, or a COMMAND that cannot be run.
    pub fn request(self) -> Result<RecordRequest, clap::Error> {
        if self.output.as_deref().is_some_and(|output| output.as_os_str() == "-") {
            let message = "a recording is a directory, and cannot be written to standard output";
            let tips = [
                "for a directory of this name: `-o ./-`".to_owned(),
                "for the log on standard output: `tp-perf record -o DIR`, then `tp-perf replay DIR -o -`".to_owned(),
            ];
            return Err(usage_with_tips(message.to_owned(), tips));
        }
        let compress = self.attach.compress;
        let command = self.attach.watch.find_any(self.command)?;
        let (attach, manner) = self.attach.request(self.quiet)?;
        let budget = self.budget.and_then(|BudgetArg(budget)| budget);
        let only = self.only.only(command.is_some())?;
        if budget.is_some() && only.chooses() {
            return Err(usage(
                "--budget thins the hits of all processes together, so it cannot be used with a choice of processes; limit the \
                 tracepoints instead (-t, -x)"
                    .to_owned(),
            ));
        }
        let of_columns = self.with.iter().chain(&self.log_columns).map(|column| column.fields());
        let process = of_columns.chain([only.fields()]).max().unwrap_or_default();
        if self.last.is_some() {
            if self.events.is_some() {
                return Err(usage(
                    "--last keeps the newest events, and --events the first ones; use one of the two".to_owned(),
                ));
            }
            if only.chooses() {
                return Err(usage(
                    "--last records all processes; leave out the choice of processes, and make it when you read the recording, as in \
                     `tp-perf report REC --pid 812`"
                        .to_owned(),
                ));
            }
            if self.last_bytes < LEAST_LAST_BYTES {
                return Err(usage(format!(
                    "--last-bytes is at least {}, because a round of the rings must fit",
                    Bytes(LEAST_LAST_BYTES as u64)
                )));
            }
        }
        let last = self.last.map(|time| LastLimits { time, after: Duration::ZERO, bytes: self.last_bytes as u64 });
        let sampled_cpu = self.with.contains(&LogColumn::Cpu);
        let attach = AttachOptions { budget, process, sampled_cpu, ..attach };
        let options = capture::CaptureOptions {
            rules: StopRules { events: self.events, duration: self.duration },
            output: self.output,
            force: self.force,
            attach,
            compress,
            only,
            last,
            log_columns: LogColumn::each_once(self.log_columns),
            command,
            arguments: own_arguments(),
        };
        Ok(RecordRequest { options, manner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::DEFAULT_RING_SIZE;
    use crate::cli::testing::parse;
    use crate::os::clock::Clock;

    #[test]
    fn the_default_ring_is_that_of_the_library() {
        let request = parse::<RecordArgs>("").unwrap().request().unwrap();
        assert_eq!(DEFAULT_RING_SIZE, request.options.attach.ring_size);
    }

    #[test]
    fn standard_output_is_no_directory() {
        let error = parse::<RecordArgs>("-o -").unwrap().request().unwrap_err().to_string();
        assert!(error.contains("cannot be written to standard output") && error.contains("-o ./-"), "{error}");
        let request = parse::<RecordArgs>("-o ./-").unwrap().request().unwrap();
        assert_eq!(request.options.output, Some("./-".into()));
    }

    #[test]
    fn a_capture_takes_all_its_options() {
        let words = "-n 100_000 -d 10s -o out --force --compress -t sched:* -x *_waking --cpus 0-1,4 --clock tai --ring-size 5M \
                     --include-self --wait-detach -q -- sh -c true";
        let RecordRequest { options, manner } = parse::<RecordArgs>(words).unwrap().request().unwrap();
        assert_eq!(options.rules.events, Some(100_000));
        assert_eq!(options.rules.duration, Some(Duration::from_secs(10)));
        assert_eq!(options.attach.choice.cpus.as_ref().unwrap().as_slice(), [0, 1, 4].map(crate::os::cpus::Cpu::new));
        assert_eq!((options.attach.clock, options.attach.budget), (Clock::Tai, None));
        assert_eq!(options.attach.ring_size, 8 << 20);
        assert!(manner.adjustments[0].contains("5 MiB is rounded up to 8 MiB"), "{:?}", manner.adjustments);
        assert_eq!(options.command.as_ref().unwrap().words(), ["sh", "-c", "true"]);
        assert!(
            options.compress
                && options.attach.choice.include_self
                && options.force
                && manner.wait_detach
                && manner.quiet
        );
    }

    #[test]
    fn the_last_events_are_kept_within_limits() {
        let last = |words| parse::<RecordArgs>(words).and_then(RecordArgs::request).unwrap().options.last;
        let limits = |bytes| LastLimits { time: Duration::from_secs(30), after: Duration::ZERO, bytes };
        assert_eq!((last(""), last("--last 30s")), (None, Some(limits(256 << 20))));
        assert_eq!(last("--last 30s --last-bytes 64M"), Some(limits(64 << 20)));
    }

    #[test]
    fn a_command_needs_no_dashes_and_keeps_its_options() {
        let options = parse::<RecordArgs>("-a -e sched,irq:* -C 0 -n 10k sh -c true -n 5").unwrap_err();
        assert_eq!(options.exit_code(), 2, "-a and -C contradict each other");
        let RecordRequest { options, .. } =
            parse::<RecordArgs>("-a -e sched,irq:* --also task -n 10k sh -c true -n 5").unwrap().request().unwrap();
        assert_eq!(options.command.unwrap().words(), ["sh", "-c", "true", "-n", "5"]);
        assert_eq!((options.rules.events, options.attach.choice.cpus), (Some(10_000), None));
        let selection = options.attach.choice.selection;
        assert_eq!((selection.only.len(), selection.also.len(), selection.all), (2, 1, false));
        assert!(parse::<RecordArgs>("-t sched --all").is_err());
    }

    #[test]
    fn wrong_usage_names_the_option() {
        for (words, said) in [
            ("--events 0", "--events"),
            ("--events 99999999999999999999", "--events"),
            ("--duration soon", "--duration"),
            ("--duration 10", "unit"),
            ("--ring-size 3apples", "--ring-size"),
            ("--ring-size 2G", "--ring-size"),
            ("--budget 0%", "more than 0%"),
            ("--budget 200%", "at most 100%"),
            ("--budget 5", "as in `1%`"),
            ("--budget 5% --pid 1", "choice of processes"),
            ("--only-command", "needs a COMMAND"),
            ("--pid 1 --only-command true", "--only-command"),
            ("--container web", "not a name"),
            ("--last soon", "--last"),
            ("--last-bytes 64M", "--last"),
            ("--last 3s -n 5", "--events"),
            ("--last 3s --with pid --pid 1", "all processes"),
            ("--last 3s --last-bytes 64k", "at least 1 MiB"),
            ("--cpus 1-", "--cpus"),
            ("--clock sundial", "--clock"),
            ("-t a[", "--tracepoint"),
            ("-- no-such-program-at-all", "was not found in"),
        ] {
            let error = parse::<RecordArgs>(words).and_then(RecordArgs::request).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
