//! The arguments of `tp-perf list`.

use super::help::PATTERNS;
use super::selection::{Patterns, SelectionArgs, flatten};
use crate::tracefs::{Pattern, SelectionRequest};
use clap::{Args, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  # Show the default selection, and the tracepoints that it excludes
  tp-perf list
  # Show the tracepoints that `-t sched` would select
  tp-perf list sched
  # Print all tracepoints as JSON
  tp-perf list --all --format json";

/// The arguments of `tp-perf list`.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{PATTERNS}"))]
pub struct ListArgs {
    /// Show the tracepoints that `-t PATTERN` would select
    #[arg(value_name = "PATTERN", conflicts_with_all = ["tracepoints", "all"])]
    patterns: Vec<Patterns>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    #[command(flatten)]
    selection: SelectionArgs,
}

/// The format of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ListFormat {
    /// For people
    #[default]
    Table,
    /// As tracepoints.csv
    Csv,
    /// An array of objects
    Json,
}

/// A request to list tracepoints.
#[derive(Debug)]
pub struct ListRequest {
    /// Shows and selects only these. If empty, shows all tracepoints.
    pub patterns: Vec<Pattern>,
    /// The rest of the selection.
    pub selection: SelectionRequest,
    /// The format of the list.
    pub format: ListFormat,
}

impl ListArgs {
    /// The request.
    pub fn request(self) -> ListRequest {
        ListRequest { patterns: flatten(self.patterns), selection: self.selection.request(), format: self.format }
    }
}
