//! The arguments of `tp-perf man`.

use clap::{Args, ValueHint};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tp-perf man | man -l -                  read the page of tp-perf
  tp-perf man report | man -l -           read the page of `tp-perf report`
  sudo tp-perf man --dir /usr/local/share/man/man1
                                          install all pages; `man tp-perf-report` then opens one";

/// The arguments of `tp-perf man`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// Print the page of this subcommand [default: the page of tp-perf]
    #[arg(value_name = "SUBCOMMAND")]
    pub subcommand: Option<String>,
    /// Write the pages of tp-perf and of all its subcommands into the directory DIR, and print their paths
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "subcommand")]
    pub dir: Option<PathBuf>,
}
