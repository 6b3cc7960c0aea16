//! `tp-perf`: parses, dispatches and exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    let (cli, usage) = tp_perf::cli::parse();
    tp_perf::command::run(cli, &usage)
}
