//! The arguments of `tp-perf identify` and `check`, which hold something against states.

use super::look::{Look, LookArgs, OF_CAPTURES};
use super::states::{LibraryArgs, parse_state};
use crate::state::{ALPHA, Library, PER_DAY};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const IDENTIFY_EXAMPLES: &str = "\
Examples:
  sudo tp-perf identify                   watch this machine for ten seconds, and tell which state it is in
  tp-perf identify recording              the states of a recording over time, with what decided
  tp-perf identify recording --window 100ms --format csv
                                          a row for each window and state
  tp-perf report recording --html r.html --states
                                          the same beside the graphs of a report

For each window the states are told that cannot be rejected at the level --alpha, the nearest first; none is `unknown`.";

const CHECK_EXAMPLES: &str = "\
Examples:
  sudo tp-perf check --against idle -d 60s
                                          is this machine as idle as it was when that was learned?
  tp-perf check --against apache,nginx recording --format junit > check.xml
                                          for CI: each part of it should be as one of the two
Exit codes: 0 as learned, 3 not as learned, 1 failed, 2 wrong usage.";

fn parse_alpha(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(alpha) if alpha > 0.0 && alpha < 1.0 => Ok(alpha),
        _ => Err("write a number between 0 and 1, as in `0.05`".to_owned()),
    }
}

fn parse_per_day(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("write a number more than 0, as in `1` or `0.1`".to_owned()),
    }
}

/// How what is known of states is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum IdentifyFormat {
    /// For people
    #[default]
    Text,
    /// All there is, as one object
    Json,
    /// A row for each window and state
    Csv,
}

/// The arguments of `tp-perf identify`.
#[derive(Debug, Args)]
#[command(after_help = IDENTIFY_EXAMPLES)]
pub struct IdentifyArgs {
    /// A recording, a file of `perf record`, a log.csv, a session of a library, or `-`; without one this machine is watched, for
    /// ten seconds if nothing else is asked for
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    source: Option<PathBuf>,
    /// Reject a state if windows of it are as far away less often than this
    #[arg(long, value_name = "LEVEL", default_value_t = ALPHA, value_parser = parse_alpha)]
    alpha: f64,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: IdentifyFormat,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    look: LookArgs,
}

/// What is to be identified.
#[derive(Debug)]
pub struct IdentifyRequest {
    /// What.
    pub look: Look,
    /// By which states.
    pub library: Library,
    /// At which level.
    pub alpha: f64,
    /// How to print it.
    pub format: IdentifyFormat,
}

impl IdentifyArgs {
    pub(super) fn request(self) -> Result<IdentifyRequest, clap::Error> {
        let look = self.look.request(self.source.into_iter().collect(), Duration::from_secs(10))?;
        Ok(IdentifyRequest { look, library: self.library.library()?, alpha: self.alpha, format: self.format })
    }
}

/// How a check is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// All there is, as one object
    Json,
    /// As CI systems read test results
    Junit,
}

/// The arguments of `tp-perf check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct CheckArgs {
    /// The states that it should be in; repeatable, or with commas
    #[arg(long, value_name = "STATE", required = true, value_delimiter = ',', value_parser = parse_state)]
    against: Vec<String>,
    /// A recording, a file of `perf record`, a log.csv, a session of a library, or `-`; without one this machine is watched, for
    /// a minute if nothing else is asked for
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    source: Option<PathBuf>,
    /// How many false alarms of single tracepoints are allowed in a day of watching
    #[arg(long, value_name = "N", default_value_t = PER_DAY, value_parser = parse_per_day)]
    false_alarms: f64,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: CheckFormat,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    look: LookArgs,
}

/// What is to be checked.
#[derive(Debug)]
pub struct CheckRequest {
    /// What.
    pub look: Look,
    /// The states that it should be in.
    pub against: Vec<String>,
    /// Of which library.
    pub library: Library,
    /// False alarms allowed in a day.
    pub per_day: f64,
    /// How to print it.
    pub format: CheckFormat,
}

impl CheckArgs {
    pub(super) fn request(self) -> Result<CheckRequest, clap::Error> {
        let look = self.look.request(self.source.into_iter().collect(), Duration::from_secs(60))?;
        let mut against = self.against;
        against.sort();
        against.dedup();
        let library = self.library.library()?;
        Ok(CheckRequest { look, against, library, per_day: self.false_alarms, format: self.format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Request};
    use clap::Parser;

    fn parse(words: &str) -> Result<Request, clap::Error> {
        Cli::try_parse_from(["tp-perf"].into_iter().chain(words.split_whitespace())).and_then(Cli::request)
    }

    #[test]
    fn a_check_takes_several_states() {
        let Ok(Request::Check(request)) =
            parse("check --against b,a --against a rec --library l --format junit --false-alarms 0.1")
        else {
            panic!("these words ask for a check")
        };
        assert_eq!(
            (request.against.join(" ").as_str(), request.per_day, request.format),
            ("a b", 0.1, CheckFormat::Junit)
        );
        let Ok(Request::Identify(request)) = parse("identify - --alpha 0.01 --format csv --library l") else {
            panic!()
        };
        assert_eq!((request.alpha, request.format), (0.01, IdentifyFormat::Csv));
    }
}
