//! The arguments of `tp-perf flight`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  # Start a monitor that keeps the last 30 seconds, and ask it for a recording
  sudo tp-perf monitor --flight 30s --metrics unix:/run/tp-perf/socket
  sudo tp-perf flight dump 'the site is slow'";

/// The arguments of `tp-perf flight`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct FlightArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: FlightAct,
}

/// What to do with the flight recorder of a monitor.
#[derive(Debug, Clone, Subcommand)]
pub enum FlightAct {
    /// Ask a monitor to write the events of the last seconds
    ///
    /// The monitor must run with --flight, and with --metrics and a unix socket. It writes the recording without stopping.
    Dump {
        /// A note for the recording, such as 'the site is slow'
        #[arg(value_name = "NOTE")]
        note: Option<String>,
        /// The unix socket of the monitor
        #[arg(long, value_name = "PATH", default_value = "/run/tp-perf/socket")]
        socket: PathBuf,
    },
}
