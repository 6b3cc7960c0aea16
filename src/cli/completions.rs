//! The arguments of `tp-perf completions`.

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  # Install the completions for yourself; new shells then load them
  tp-perf completions bash > ~/.local/share/bash-completion/completions/tp-perf
  tp-perf completions fish > ~/.config/fish/completions/tp-perf.fish
  # For zsh, ~/.zfunc must be in `fpath`
  tp-perf completions zsh > ~/.zfunc/_tp-perf";

/// The arguments of `tp-perf completions`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// Print the completions for this shell
    pub shell: clap_complete::Shell,
}
