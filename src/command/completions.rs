//! `tp-perf completions`: a completion script for a shell.

use super::context::Context;
use crate::cli::{Cli, CompletionsArgs};
use clap::CommandFactory;
use clap_complete::{Shell, generate};

/// Prints the script.
pub fn run(args: CompletionsArgs, context: &mut Context) -> anyhow::Result<u8> {
    let mut out = Vec::new();
    generate(args.shell, &mut Cli::command(), "tp-perf", &mut out);
    let script = String::from_utf8(out)?;
    let script = if args.shell == Shell::Bash { with_one_name(&script) } else { script };
    context.out.print(script.as_bytes())?;
    Ok(0)
}

/// clap_complete 4.6 writes the hyphen of the program's name in two ways, and bash then completes nothing behind a
/// subcommand (clap's issue 6421).
fn with_one_name(script: &str) -> String {
    script.replace("tp__subcmd__perf", "tp__perf")
}
