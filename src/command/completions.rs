//! `tp-perf completions`: a completion script for a shell.

use super::context::Context;
use crate::cli::{Cli, CompletionsArgs};
use clap::CommandFactory;

/// Prints the script.
pub fn run(args: CompletionsArgs, context: &mut Context) -> anyhow::Result<u8> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tp-perf", &mut out);
    context.out.print(&out)?;
    Ok(0)
}
