//! `tp-perf man`: the manual page.

use super::context::Context;
use crate::cli::{Cli, ManArgs};
use clap::CommandFactory;

/// Prints the page.
pub fn run(ManArgs {}: ManArgs, context: &mut Context) -> anyhow::Result<u8> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut out)?;
    context.out.print(&out)?;
    Ok(0)
}
