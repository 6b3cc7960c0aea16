//! Which tracepoints are wanted: the arguments that captures, `list` and `doctor` share.

use crate::tracefs::{Error, Pattern, SelectionRequest};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct SelectionArgs {
    /// Only the tracepoints that match; repeatable. The default exclusions do not apply then
    #[arg(short, long = "tracepoint", value_name = "PATTERN", value_parser = pattern)]
    tracepoints: Vec<Pattern>,
    /// Not the tracepoints that match; repeatable
    #[arg(short = 'x', long, value_name = "PATTERN", value_parser = pattern)]
    exclude: Vec<Pattern>,
    /// Take also what is excluded by default (hit too often; `tp-perf list` shows it)
    #[arg(long)]
    no_default_excludes: bool,
}

impl SelectionArgs {
    pub fn request(self) -> SelectionRequest {
        SelectionRequest {
            only: self.tracepoints,
            exclude: self.exclude,
            no_default_excludes: self.no_default_excludes,
        }
    }
}

pub(super) fn pattern(text: &str) -> Result<Pattern, Error> {
    Pattern::new(text)
}
