//! The arguments of `tp-perf completions`.

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  tp-perf completions bash > ~/.local/share/bash-completion/completions/tp-perf
  tp-perf completions zsh > ~/.zfunc/_tp-perf
                                          ~/.zfunc must be in zsh's `fpath`
  tp-perf completions fish > ~/.config/fish/completions/tp-perf.fish";

/// The arguments of `tp-perf completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
