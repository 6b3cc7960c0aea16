//! The command line: what can be typed, and the validated options that it turns into.

mod args;
mod identify;
mod look;
mod overhead;
mod replay;
mod report;
mod source;
mod states;

pub use args::{CaptureRequest, Cli, Command, DoctorRequest, Format, ListRequest, Request};
pub use identify::{CheckFormat, CheckRequest, IdentifyFormat, IdentifyRequest};
pub use look::{Look, LookAt, Watch};
pub use overhead::{OverheadFormat, OverheadRequest};
pub use replay::ReplayRequest;
pub use report::{ReportFormat, ReportRequest};
pub use states::{LearnRequest, StatesAct, StatesRequest};

use clap::{CommandFactory, Parser};

/// Reads the arguments of this process. Wrong usage ends it with code 2.
pub fn parse() -> Request {
    let cli = Cli::parse();
    cli.request().unwrap_or_else(|error| error.format(&mut Cli::command()).exit())
}
