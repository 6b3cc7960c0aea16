//! The arguments of `tp-perf overhead`.

use super::attach::AttachArgs;
use super::help::{SEE_CAPTURE_OPTIONS, listed_elsewhere};
use crate::control::Manner;
use crate::overhead;
use clap::{Args, ValueEnum};
use std::ffi::OsString;

const EXAMPLES: &str = "\
Examples:
  # Measure what recording costs a build
  sudo tp-perf overhead make -s -j8 clean all
  # Leave the cleaning out of the measurement, and narrow the interval
  sudo tp-perf overhead --prepare 'make clean' --runs 10 make -s -j8
  # Measure what one group costs
  sudo tp-perf overhead -t sched ./benchmark
  # Print the result as JSON, for a program
  sudo tp-perf overhead --format json ./benchmark | jq .cpu.change";

const METHOD: &str = "\
tp-perf runs COMMAND in pairs, once without and once with recording, in random order. The tracepoints stay attached all the \
time; tp-perf only switches them on and off between the runs. It discards the recorded events.

COMMAND is not a shell line: use `sh -c '...'` to run one. Exit codes: 0 measured, 1 failed, 2 wrong usage; COMMAND's own if \
COMMAND fails.";

/// The arguments of `tp-perf overhead`.
#[derive(Debug, Args)]
#[command(mut_args(listed_elsewhere), after_help = SEE_CAPTURE_OPTIONS)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{METHOD}\n\n{SEE_CAPTURE_OPTIONS}"))]
pub struct OverheadArgs {
    /// Run N pairs: one run with and one without recording
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// First do N warm-up runs, without recording
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
        let command = self.attach.watch.find(self.command)?;
        let shell = |line| self.attach.watch.find(vec!["sh".into(), "-c".into(), line]);
        let prepare = self.prepare.map(shell).transpose()?;
        let (attach, manner) = self.attach.request(self.quiet)?;
        let options = overhead::MeasureOptions {
            attach,
            compress,
            command,
            prepare,
            pairs: self.runs as usize,
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
                     --wait-detach -q -- sh -c true";
        let OverheadRequest { options, format, manner } = request(words).unwrap();
        assert_eq!((options.pairs, options.warmup, options.command.words().len()), (7, 0, 3));
        assert_eq!(options.prepare.unwrap().words(), ["sh", "-c", "true"]);
        assert!(options.show_output && options.ignore_failure && options.compress && manner.wait_detach);
        assert_eq!((options.attach.ring_size, format), (1 << 20, OverheadFormat::Markdown));
    }

    #[test]
    fn by_default_it_is_five_pairs_and_a_warm_up() {
        let options = request("-- true").unwrap().options;
        assert_eq!((options.pairs, options.warmup), (5, 1));
        for words in ["", "-r 0 -- true", "-- no-such-program-at-all", "-n 5 -- true"] {
            assert_eq!(request(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
