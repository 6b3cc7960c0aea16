//! The arguments of `tp-perf overhead`.

use super::attach::AttachArgs;
use super::usage::usage;
use crate::control::{CommandLine, Manner};
use crate::overhead;
use clap::{Args, ValueEnum};
use std::ffi::OsString;

const EXAMPLES: &str = "\
Examples:
  sudo tp-perf overhead -- make -s -j8 clean all
                                          what capturing everything costs a build
  sudo tp-perf overhead --prepare 'make clean' --runs 10 -- make -s -j8
                                          the same with the cleaning left out, and a narrower interval
  sudo tp-perf overhead -t 'sched:*' -- ./benchmark
                                          what one group costs
  sudo tp-perf overhead --format json -- ./benchmark | jq .cpu.change
                                          for a program

COMMAND is run without and with capturing in turns, each pair in random order, with the same tracepoints attached to all
the time and only switched on and off between runs. What is captured is thrown away.
COMMAND is no shell line: `-- sh -c '…'` runs one. Exit codes: 0 measured, 1 failed, 2 wrong usage; COMMAND's own if it fails.";

/// The arguments of `tp-perf overhead`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct OverheadArgs {
    /// Pairs of runs, one with and one without capturing
    #[arg(short, long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Runs before them that do not count, without capturing
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=100_000))]
    warmup: u32,
    /// Run this by `sh -c` before each run; its time is left out
    #[arg(short, long, value_name = "COMMAND")]
    prepare: Option<OsString>,
    /// Show what COMMAND prints, on stderr
    #[arg(long)]
    show_output: bool,
    /// Go on where COMMAND ends with another code than 0
    #[arg(short, long)]
    ignore_failure: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: OverheadFormat,
    #[command(flatten)]
    attach: AttachArgs,
    /// Show no progress and no notes
    #[arg(short, long)]
    quiet: bool,
    /// What to run
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// How a measurement is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OverheadFormat {
    /// For people
    #[default]
    Text,
    /// All there is, each run too, as one object
    Json,
    /// For an issue or a wiki
    Markdown,
}

/// A measurement, and how it shows itself.
#[derive(Debug)]
pub struct OverheadRequest {
    /// The measurement.
    pub options: overhead::MeasureOptions,
    /// How to print it.
    pub format: OverheadFormat,
    /// How much is shown, and what is waited for.
    pub manner: Manner,
}

impl OverheadArgs {
    /// What is asked for, validated.
    ///
    /// # Errors
    /// Wrong usage: rings that no kernel maps, or a COMMAND that cannot be run.
    pub fn request(self) -> Result<OverheadRequest, clap::Error> {
        let compress = self.attach.compress;
        let (attach, manner) = self.attach.request(self.quiet)?;
        let shell = |line: OsString| CommandLine::find(vec!["sh".into(), "-c".into(), line]);
        let options = overhead::MeasureOptions {
            attach,
            compress,
            command: CommandLine::find(self.command).map_err(usage)?,
            prepare: self.prepare.map(shell).transpose().map_err(usage)?,
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
        for words in ["", "true", "-r 0 -- true", "-- no-such-program-at-all", "-n 5 -- true"] {
            assert_eq!(request(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
