//! The arguments of `tp-perf overhead`.

use super::attach::AttachArgs;
use super::budget::parse_part;
use super::help::{SEE_CAPTURE_OPTIONS, listed_elsewhere};
use crate::control::Manner;
use crate::overhead::{self, Way};
use clap::{Args, ValueEnum};
use std::ffi::OsString;

const EXAMPLES: &str = "\
Examples:
  # Measure what recording costs a build
  sudo tp-perf overhead make -s -j8 clean all
  # Leave the cleaning out of the measurement, and narrow the interval
  sudo tp-perf overhead --prepare 'make clean' --runs 10 make -s -j8
  # Compare recording with counting
  sudo tp-perf overhead --ways record,count make -s -j8 clean all
  # Measure what one group costs, and what it costs while its events are off
  sudo tp-perf overhead --nothing-attached -t sched ./benchmark
  # Print the result as JSON, for a program
  sudo tp-perf overhead --format json ./benchmark | jq '.ways[0].cpu.change'";

const METHOD: &str = "\
tp-perf runs COMMAND in rounds. A round has a run with the events off, and a run with the events of each way on, in random \
order. Within a round, tp-perf compares the runs. All ways stay attached to the tracepoints all the time; tp-perf only \
switches their events on and off between the runs. It discards the recorded events and the counts.

COMMAND is not a shell line: use `sh -c '...'` to run one. Exit codes: 0 measured, 1 failed, 2 wrong usage; COMMAND's own if \
COMMAND fails.";

/// The arguments of `tp-perf overhead`.
#[derive(Debug, Args)]
#[command(mut_args(listed_elsewhere), after_help = SEE_CAPTURE_OPTIONS)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{METHOD}\n\n{SEE_CAPTURE_OPTIONS}"))]
pub struct OverheadArgs {
    /// Measure these ways
    ///
    /// Each way adds a run of COMMAND to each round. So by default, tp-perf measures only recording.
    #[arg(long, value_name = "WAYS", value_enum, value_delimiter = ',', default_value = Way::Record.name())]
    ways: Vec<Way>,
    /// The budget of the ways `budget` and `record-budget`, as in `1%`
    ///
    /// tp-perf acts once a second (`budget`) or four times a second (`record-budget`), so COMMAND should run for several seconds.
    #[arg(long, hide_short_help = true, value_name = "PART", value_parser = parse_part, default_value = "1%")]
    budget: f64,
    /// Also measure the cost of events that are off
    ///
    /// Tracepoints cost time while they are attached, even if their events are off. Each round then has a run with nothing attached too: the first or the last of the round. Before most of these runs,
    /// tp-perf waits until the kernel has detached everything: about 36 ms for each tracepoint, or a minute for the default
    /// selection. After each wait, it does the warm-up runs again.
    #[arg(long)]
    nothing_attached: bool,
    /// Run N rounds: one run with the events off, and one for each way
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// First do N warm-up runs, with the events off
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=100_000))]
    warmup: u32,
    /// Run this with `sh -c` before each run, untimed
    #[arg(short, long, value_name = "COMMAND")]
    prepare: Option<OsString>,
    /// Show COMMAND's output, on stderr
    #[arg(long)]
    show_output: bool,
    /// Continue if COMMAND exits with a code other than 0
    #[arg(short, long)]
    ignore_failure: bool,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: OverheadFormat,
    /// Show no progress and no notes
    #[arg(short, long)]
    quiet: bool,
    /// The command to measure
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    #[command(flatten)]
    attach: AttachArgs,
}

/// The format of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OverheadFormat {
    /// For people
    #[default]
    Text,
    /// Everything, including each run, as one object
    Json,
    /// For an issue or a wiki
    Markdown,
}

/// A measurement, and how much it shows.
#[derive(Debug)]
pub struct OverheadRequest {
    /// The measurement.
    pub options: overhead::MeasureOptions,
    /// The format of the result.
    pub format: OverheadFormat,
    /// How much tp-perf shows, and whether it waits for the detach.
    pub manner: Manner,
}

impl OverheadArgs {
    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: rings that no kernel maps, or a COMMAND that cannot be run.
    pub fn request(self) -> Result<OverheadRequest, clap::Error> {
        let compress = self.attach.compress;
        let ways = Way::value_variants().iter().copied().filter(|way| self.ways.contains(way)).collect();
        let command = self.attach.watch.find(self.command)?;
        let shell = |line| self.attach.watch.find(vec!["sh".into(), "-c".into(), line]);
        let prepare = self.prepare.map(shell).transpose()?;
        let (attach, manner) = self.attach.request(self.quiet)?;
        let options = overhead::MeasureOptions {
            ways,
            nothing_attached: self.nothing_attached,
            budget: self.budget,
            attach,
            compress,
            command,
            prepare,
            rounds: self.runs as usize,
            warmup: self.warmup as usize,
            show_output: self.show_output,
            ignore_failure: self.ignore_failure,
        };
        Ok(OverheadRequest { options, format: self.format, manner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    fn request(words: &str) -> Result<OverheadRequest, clap::Error> {
        parse::<OverheadArgs>(words).and_then(OverheadArgs::request)
    }

    #[test]
    fn a_measurement_takes_all_its_options() {
        let words = "-r 7 -w 0 -p true --show-output -i --format markdown -t sched:* --cpus 1 --ring-size 1M --compress \
                     --wait-detach -q --ways count,record,count --nothing-attached -- sh -c true";
        let OverheadRequest { options, format, manner } = request(words).unwrap();
        assert_eq!((options.rounds, options.warmup, options.command.words().len()), (7, 0, 3));
        assert_eq!((options.ways, options.nothing_attached), (vec![Way::Record, Way::Count], true));
        assert_eq!(options.prepare.unwrap().words(), ["sh", "-c", "true"]);
        assert!(options.show_output && options.ignore_failure && options.compress && manner.wait_detach);
        assert_eq!((options.attach.ring_size, format), (1 << 20, OverheadFormat::Markdown));
    }

    #[test]
    fn by_default_it_is_five_rounds_of_recording_and_a_warm_up() {
        let options = request("-- true").unwrap().options;
        assert_eq!((options.rounds, options.warmup), (5, 1));
        assert_eq!((options.ways, options.nothing_attached), (vec![Way::Record], false));
        for words in
            ["", "-r 0 -- true", "-- no-such-program-at-all", "-n 5 -- true", "--ways tally -- true", "--ways= -- true"]
        {
            assert_eq!(request(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
