//! The arguments of `tp-perf replay`.

use super::help::PATTERNS;
use super::source::{SourceArgs, place};
use crate::control::Manner;
use crate::drain::replay::{self, ReplayOutput};
use crate::recording::LogColumn;
use crate::source::Place;
use crate::units::parse_speed;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  # See a recording without root
  tp-perf replay --example
  # Print a recording's summary
  tp-perf replay idle
  # Write the same log, byte for byte, and the summary
  tp-perf replay idle -o again
  # Turn the output of `perf record` into a recording
  tp-perf replay perf.data -o rec
  # Print half a second of one group's events
  tp-perf replay idle -t irq --from 1s --to 1500ms -o -
  # Read perf's output from another host
  ssh host sudo perf record -a -e irq:\\* -o - sleep 1 | tp-perf replay -";

/// The arguments of `tp-perf replay`.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{PATTERNS}"))]
pub struct ReplayArgs {
    /// A recording's directory, a file of `perf record`, a log.csv, or `-`
    ///
    /// A recording's events.perf works too, even if it is compressed with zstd. `-` is standard input.
    #[arg(value_name = "SOURCE", required_unless_present = "example")]
    source: Option<PathBuf>,
    /// Replay the built-in recording
    #[arg(long, conflicts_with = "source")]
    example: bool,
    /// Write the results into this directory; `-` prints the log
    ///
    /// The results are log.csv, tracepoints.csv, groups.csv and summary.json.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace the recording that is in DIR
    ///
    /// This also removes the events.perf in DIR, unless it is the SOURCE.
    #[arg(long)]
    force: bool,
    /// Add these columns to log.csv (separated by commas)
    ///
    /// They follow the other columns, in the order that you give. A cell is empty if SOURCE does not have the value.
    #[arg(long, value_enum, value_name = "FIELDS", value_delimiter = ',')]
    log_columns: Vec<LogColumn>,
    /// Replay at the original pace, times FACTOR
    #[arg(long, value_name = "FACTOR", value_parser = parse_speed)]
    speed: Option<f64>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    part: SourceArgs,
}

/// A replay, and how much it shows.
#[derive(Debug)]
pub struct ReplayRequest {
    /// The replay.
    pub options: replay::ReplayOptions,
    /// How much tp-perf shows.
    pub manner: Manner,
}

impl ReplayArgs {
    /// Whether it writes no file.
    pub fn only_prints(&self) -> bool {
        self.output.as_deref().is_none_or(|path| path.as_os_str() == "-")
    }

    /// The bound of the memory that inputs take, in bytes, if the user set it.
    pub fn memory(&self) -> Option<u64> {
        self.part.memory.bound()
    }

    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: an empty range of time.
    pub fn request(self) -> Result<ReplayRequest, clap::Error> {
        let is_dash = |path: &PathBuf| path.as_os_str() == "-";
        let output = match self.output {
            None => ReplayOutput::Nothing,
            Some(path) if is_dash(&path) => ReplayOutput::Stdout,
            Some(path) => ReplayOutput::Directory(path),
        };
        let filter = self.part.request()?;
        let place = self.source.map_or(Place::Example, place);
        let options = replay::ReplayOptions {
            place,
            output,
            force: self.force,
            filter,
            speed: self.speed,
            log_columns: LogColumn::each_once(self.log_columns),
        };
        Ok(ReplayRequest { options, manner: Manner::reading(self.quiet) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;
    use crate::events::Filter;
    use crate::os::cpus::Cpu;
    use crate::units::Moment;
    use std::time::Duration;

    #[test]
    fn a_replay_takes_all_its_options() {
        let words =
            "- -o - -n 7 -t sched:* -x *_waking --cpus 1 --pid 5,6 --comm a* --from 1s --to 99000000 --speed 2 -q";
        let options = parse::<ReplayArgs>(words).and_then(ReplayArgs::request).unwrap().options;
        assert_eq!((options.place, options.output, options.speed), (Place::Stdin, ReplayOutput::Stdout, Some(2.0)));
        let (from, to) = (Moment::After(Duration::from_secs(1)), Moment::At(99_000_000));
        let Filter { events, from: begin, to: end, cpus, only, exclude, processes } = options.filter;
        assert_eq!((processes.pids.len(), processes.names.len()), (2, 1));
        assert_eq!((events, begin, end), (Some(7), Some(from), Some(to)));
        assert_eq!(cpus.unwrap().as_slice(), [Cpu::new(1)]);
        assert_eq!((only.len(), exclude.len()), (1, 1));
    }

    #[test]
    fn wrong_usage_names_the_option() {
        for (words, said) in [("", "SOURCE"), ("x --from 2s --to 1s", "--from"), ("x --speed 0", "--speed")] {
            let error = parse::<ReplayArgs>(words).and_then(ReplayArgs::request).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
