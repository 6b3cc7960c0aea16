//! The arguments of `tp-perf completions`.

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  # Complete tp-perf in bash
  tp-perf completions bash > ~/.local/share/bash-completion/completions/tp-perf
  # Complete it in zsh, where `fpath` has ~/.zfunc
  tp-perf completions zsh > ~/.zfunc/_tp-perf
  # Complete it in fish
  tp-perf completions fish > ~/.config/fish/completions/tp-perf.fish";

/// The arguments of `tp-perf completions`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
