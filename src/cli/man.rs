//! The arguments of `tp-perf man`.

use clap::{Args, ValueHint};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  # Read a page
  tp-perf man | man -l -
  tp-perf man report | man -l -
  # Write all pages, and install them
  tp-perf man --dir .
  sudo install -m 644 -t /usr/local/share/man/man1 *.1";

/// The arguments of `tp-perf man`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ManArgs {
    /// Print the page of this subcommand [default: the page of tp-perf itself]
    #[arg(value_name = "SUBCOMMAND")]
    pub subcommand: Option<String>,
    /// Write the pages of tp-perf and of all its subcommands into the directory DIR, and print their paths
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "subcommand")]
    pub dir: Option<PathBuf>,
}
