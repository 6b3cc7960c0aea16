//! The arguments of `tp-perf man`: none.

use clap::Args;

/// The arguments of `tp-perf man`.
#[derive(Debug, Args)]
#[command(after_help = "Example: tp-perf man > /usr/local/share/man/man1/tp-perf.1")]
pub struct ManArgs {}
