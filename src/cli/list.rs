//! The arguments of `tp-perf list`.

use super::selection::{SelectionArgs, pattern};
use crate::tracefs::{Pattern, SelectionRequest};
use clap::{Args, ValueEnum};

/// The arguments of `tp-perf list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Show only tracepoints that match
    #[arg(value_name = "PATTERN", value_parser = pattern)]
    patterns: Vec<Pattern>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
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
    /// Show only these; all if empty.
    pub patterns: Vec<Pattern>,
    /// The selection that the statuses are of.
    pub selection: SelectionRequest,
    /// How to print it.
    pub format: ListFormat,
}

impl ListArgs {
    /// What is asked for.
    pub fn request(self) -> ListRequest {
        ListRequest { patterns: self.patterns, selection: self.selection.request(), format: self.format }
    }
}
