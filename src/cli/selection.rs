//! The selection of tracepoints: the arguments that captures, `list` and `doctor` share.

use super::help::CAPTURE_OPTIONS;
use crate::tracefs::{Error, Pattern, SelectionRequest};
use clap::Args;
use std::str::FromStr;

/// Patterns as they are typed, with commas between them.
#[derive(Debug, Clone)]
pub(super) struct Patterns(Vec<Pattern>);

impl FromStr for Patterns {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Pattern::list(text).map(Patterns)
    }
}

/// The patterns of all occurrences of an option.
pub(super) fn flatten(patterns: Vec<Patterns>) -> Vec<Pattern> {
    patterns.into_iter().flat_map(|Patterns(patterns)| patterns).collect()
}

#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE_OPTIONS)]
pub(super) struct SelectionArgs {
    /// Select only these tracepoints, as in `sched,irq:*`
    ///
    /// The default exclusions do not apply then. Repeatable. perf's `-e` and `--event` mean the same.
    #[arg(short, short_alias = 'e', long = "tracepoint", alias = "event", value_name = "PATTERN")]
    tracepoints: Vec<Patterns>,
    /// Add these tracepoints to the default selection
    #[arg(long, value_name = "PATTERN")]
    also: Vec<Patterns>,
    /// Exclude these tracepoints
    ///
    /// Repeatable. An exclusion overrides the other options.
    #[arg(short = 'x', long, value_name = "PATTERN")]
    exclude: Vec<Patterns>,
    /// Turn off the default exclusions
    ///
    /// By default, tp-perf excludes about a third of all tracepoints: system calls, ftrace's own events, and tracepoints that
    /// fire very often. `tp-perf list` shows them.
    #[arg(long, alias = "no-default-excludes", conflicts_with = "tracepoints")]
    all: bool,
}

impl SelectionArgs {
    pub fn request(self) -> SelectionRequest {
        SelectionRequest {
            only: flatten(self.tracepoints),
            also: flatten(self.also),
            exclude: flatten(self.exclude),
            all: self.all,
        }
    }
}
