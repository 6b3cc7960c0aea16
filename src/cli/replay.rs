//! The arguments of `tp-perf replay`.

use super::source::{SourceArgs, place};
use crate::control::Manner;
use crate::drain::replay::{self, ReplayOutput};
use crate::source::Place;
use crate::units::parse_speed;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tp-perf replay --example                a recording that is built in: what tp-perf shows
  tp-perf replay idle                     a recording's summary
  tp-perf replay idle -o again            its log and summary anew, the same byte for byte
  tp-perf replay perf.data -o rec         what `perf record -a -e 'sched:*'` wrote
  tp-perf replay idle -t 'irq:*' --from 1s --to 1500ms -o -
                                          half a second of some of its events, to stdout
  ssh host 'sudo perf record -a -e \"irq:*\" -o - sleep 1' | tp-perf replay -
";

/// The arguments of `tp-perf replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    /// A recording's directory or its events.perf (also compressed with zstd), a file that `perf record` wrote, a log.csv, or
    /// `-` for standard input
    #[arg(value_name = "SOURCE", required_unless_present = "example")]
    source: Option<PathBuf>,
    /// Replay the built-in recording: a build that starts on an idle machine
    #[arg(long, conflicts_with = "source")]
    example: bool,
    /// The directory to make for log.csv, tracepoints.csv, groups.csv and summary.json; `-` writes the log to stdout
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace a recording that is in DIR already, with its events.perf if that is not the SOURCE
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    part: SourceArgs,
    /// Keep to the pace of the recording: 1 as it was, 10 ten times as fast [default: as fast as can be]
    #[arg(long, value_name = "FACTOR", value_parser = parse_speed)]
    speed: Option<f64>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// A replay, and how it shows itself.
#[derive(Debug)]
pub struct ReplayRequest {
    /// The replay.
    pub options: replay::ReplayOptions,
    /// How much is shown.
    pub manner: Manner,
}

impl ReplayArgs {
    /// What is asked for, validated.
    ///
    /// # Errors
    /// Wrong usage: a range that nothing is in.
    pub fn request(self) -> Result<ReplayRequest, clap::Error> {
        let is_dash = |path: &PathBuf| path.as_os_str() == "-";
        let output = match self.output {
            None => ReplayOutput::Nothing,
            Some(path) if is_dash(&path) => ReplayOutput::Stdout,
            Some(path) => ReplayOutput::Directory(path),
        };
        let filter = self.part.request()?;
        let place = self.source.map_or(Place::Example, place);
        let options = replay::ReplayOptions { place, output, force: self.force, filter, speed: self.speed };
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
        let words = "- -o - -n 7 -t sched:* -x *_waking --cpus 1 --from 1s --to 99 --speed 2 -q";
        let options = parse::<ReplayArgs>(words).and_then(ReplayArgs::request).unwrap().options;
        assert_eq!((options.place, options.output, options.speed), (Place::Stdin, ReplayOutput::Stdout, Some(2.0)));
        let (from, to) = (Moment::After(Duration::from_secs(1)), Moment::At(99));
        let Filter { events, from: begin, to: end, cpus, only, exclude } = options.filter;
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
