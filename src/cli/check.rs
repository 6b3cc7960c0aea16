//! The arguments of `tp-perf check`.

use super::help::{SEE_CAPTURE_OPTIONS, listed_elsewhere};
use super::library::{LibraryArgs, parse_state};
use super::observation::{OF_CAPTURES, ObservationArgs};
use crate::control::Manner;
use crate::observation::Observation;
use crate::state::{Length, Library, PER_DAY};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Is this machine as idle as when `idle` was learned?
  sudo tp-perf check --against idle -d 60s
  # In CI: each part of a recording must be like one of two states
  tp-perf check --against apache,nginx rec --format junit > check.xml";

const CODES: &str = "\
Exit codes: 0 as learned, 3 not as learned, 1 failed, 2 wrong usage.";

fn parse_per_day(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("write a number greater than 0, as in `1` or `0.1`".to_owned()),
    }
}

/// How a check is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// Everything, as one object
    Json,
    /// As CI systems read test results
    Junit,
}

/// The arguments of `tp-perf check`.
#[derive(Debug, Args)]
#[command(
    override_usage = "tp-perf check [OPTIONS] --against <STATE> [SOURCE]\n       tp-perf check --against <STATE> -- <COMMAND>..."
)]
#[command(mut_args(listed_elsewhere), after_help = SEE_CAPTURE_OPTIONS)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{CODES}\n\n{SEE_CAPTURE_OPTIONS}"))]
pub struct CheckArgs {
    /// Allow these states; repeatable, or with commas
    #[arg(long, value_name = "STATE", required = true, value_delimiter = ',', value_parser = parse_state)]
    against: Vec<String>,
    /// Check this source; without one, watch this machine for a minute
    ///
    /// A source is a recording's directory, a file that `perf record` wrote, a log.csv, a session of a library, or `-` for
    /// standard input.
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    source: Option<PathBuf>,
    /// Allow N false alarms of single tracepoints per day of watching
    #[arg(long, value_name = "N", default_value_t = PER_DAY, value_parser = parse_per_day)]
    false_alarms: f64,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: CheckFormat,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    observation: ObservationArgs,
}

/// What is to be checked.
#[derive(Debug)]
pub struct CheckRequest {
    /// What.
    pub observation: Observation,
    /// How long the windows are, if that was asked for.
    pub length: Option<Length>,
    /// The states that it should be in.
    pub against: Vec<String>,
    /// Of which library.
    pub library: Library,
    /// False alarms allowed in a day.
    pub per_day: f64,
    /// How to print it.
    pub format: CheckFormat,
    /// How much is shown, and what is waited for.
    pub manner: Manner,
}

impl CheckArgs {
    /// What is asked for, validated.
    ///
    /// # Errors
    /// Wrong usage: options that do not go together, or no library.
    pub fn request(self) -> Result<CheckRequest, clap::Error> {
        let sources = self.source.into_iter().collect();
        let (observation, length, manner) = self.observation.request(sources, Duration::from_secs(60))?;
        let mut against = self.against;
        against.sort();
        against.dedup();
        let (library, per_day, format) = (self.library.library()?, self.false_alarms, self.format);
        Ok(CheckRequest { observation, length, against, library, per_day, format, manner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    #[test]
    fn a_check_takes_several_states() {
        let words = "--against b,a --against a rec --library l --format junit --false-alarms 0.1";
        let request = parse::<CheckArgs>(words).and_then(CheckArgs::request).unwrap();
        assert_eq!(
            (request.against.join(" ").as_str(), request.per_day, request.format),
            ("a b", 0.1, CheckFormat::Junit)
        );
        for words in ["a", "--against a/b rec"] {
            assert_eq!(parse::<CheckArgs>(words).unwrap_err().exit_code(), 2, "{words}");
        }
    }
}
