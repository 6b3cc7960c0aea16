//! The arguments of `tp-perf completions`.

use clap::Args;

/// The arguments of `tp-perf completions`.
#[derive(Debug, Args)]
#[command(after_long_help = "Example: tp-perf completions bash > /etc/bash_completion.d/tp-perf")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
