//! `tp-perf`: parses, dispatches and exits.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    tp_perf::command::run(tp_perf::cli::Cli::parse())
}
