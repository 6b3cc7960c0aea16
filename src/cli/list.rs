//! The arguments of `tp-perf list`.

use super::help::PATTERNS;
use super::selection::{Patterns, SelectionArgs, flatten};
use crate::tracefs::{Pattern, SelectionRequest};
use clap::{Args, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  # The default selection, and what it excludes
  tp-perf list
  # What `-t sched` would select
  tp-perf list sched
  # All tracepoints as JSON
  tp-perf list --all --format json";

/// The arguments of `tp-perf list`.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{PATTERNS}"))]
pub struct ListArgs {
    /// Show the tracepoints that `-t PATTERN` would select
    #[arg(value_name = "PATTERN")]
    patterns: Vec<Patterns>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    #[command(flatten)]
    selection: SelectionArgs,
}

/// How a table is printed.
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

/// A list.
#[derive(Debug)]
pub struct ListRequest {
    /// Show only these, and select them; show all if empty.
    pub patterns: Vec<Pattern>,
    /// The rest of the selection.
    pub selection: SelectionRequest,
    /// How to print it.
    pub format: ListFormat,
}

impl ListArgs {
    /// What is asked for.
    pub fn request(self) -> ListRequest {
        ListRequest { patterns: flatten(self.patterns), selection: self.selection.request(), format: self.format }
    }
}
