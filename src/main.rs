//! `tp-perf`: parses, dispatches and exits.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match tp_perf::command::run(tp_perf::cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr cannot be written there is nobody left to tell.
            let _ = writeln!(anstream::stderr(), "tp-perf: {}", tp_perf::units::Visible(format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
