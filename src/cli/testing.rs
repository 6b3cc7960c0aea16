//! One subcommand's arguments by themselves, for its tests.

use clap::{Args, Parser};

#[derive(Debug, Parser)]
struct Alone<A: Args> {
    #[command(flatten)]
    args: A,
}

/// What these words, which stand behind the subcommand's name, are read as.
pub(super) fn parse<A: Args>(words: &str) -> Result<A, clap::Error> {
    Alone::try_parse_from(["tp-perf"].into_iter().chain(words.split_whitespace())).map(|alone| alone.args)
}
