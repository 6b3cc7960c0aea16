//! The arguments of `tp-perf states`.

use super::identify::parse_alpha;
use super::library::{LibraryArgs, parse_state};
use super::memory::MemoryArgs;
use super::usage::usage;
use crate::state::{ALPHA, Library};
use clap::{Args, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  # List the states of the library
  tp-perf states
  # Show a state: its sessions and its typical tracepoints
  tp-perf states show apache
  # What can the library tell apart, and what should be learned next?
  tp-perf states --evaluate
  # Which tracepoints suffice to tell its states apart?
  tp-perf states --suggest-tracepoints
  # Remove one session, or the whole state
  tp-perf states remove apache 20261126T101500Z
  tp-perf states remove apache";

/// The arguments of `tp-perf states`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct StatesArgs {
    #[command(subcommand)]
    command: Option<StatesCommand>,
    /// Leave out each session and each state, and show what tp-perf would say of them
    ///
    /// The result shows how often the library names its own states, how often it calls a state that was never learned unknown,
    /// which states it cannot tell apart, and what to learn to improve it.
    #[arg(long, group = "look")]
    evaluate: bool,
    /// Find a few tracepoints that suffice to tell the states apart, and show what is lost with them
    ///
    /// `identify --few-tracepoints` and `check --few-tracepoints` watch only these.
    #[arg(long, group = "look")]
    suggest_tracepoints: bool,
    /// Print the evaluation or the suggestion in this format
    #[arg(long, value_enum, default_value_t, requires = "look")]
    format: EvaluationFormat,
    /// Reject states at this level, as `identify --alpha` does
    #[arg(long, value_name = "LEVEL", default_value_t = ALPHA, value_parser = parse_alpha, requires = "look")]
    alpha: f64,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    memory: MemoryArgs,
}

/// The format of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum EvaluationFormat {
    /// For people
    #[default]
    Text,
    /// Everything, as one object
    Json,
}

#[derive(Debug, Subcommand)]
enum StatesCommand {
    /// List the states, as `tp-perf states` alone does
    List {
        #[command(flatten)]
        library: LibraryArgs,
    },
    /// Show a state: its sessions and its typical tracepoints
    Show {
        /// The name of the state
        #[arg(value_name = "STATE", value_parser = parse_state)]
        state: String,
        #[command(flatten)]
        library: LibraryArgs,
    },
    /// Remove a state, or some of its sessions
    Remove {
        /// The name of the state
        #[arg(value_name = "STATE", value_parser = parse_state)]
        state: String,
        /// Remove only these sessions
        #[arg(value_name = "SESSION")]
        sessions: Vec<String>,
        #[command(flatten)]
        library: LibraryArgs,
    },
}

/// A request to a library.
#[derive(Debug)]
pub struct StatesRequest {
    /// The action.
    pub act: StatesAct,
    /// The library.
    pub library: Library,
}

/// An action on a library.
#[derive(Debug, PartialEq)]
pub enum StatesAct {
    /// Lists its states.
    List,
    /// Evaluates it at this level.
    Evaluate(f64, EvaluationFormat),
    /// Finds tracepoints that suffice at this level.
    Suggest(f64, EvaluationFormat),
    /// Shows one state.
    Show(String),
    /// Removes these sessions of a state. Without sessions, removes the state.
    Remove(String, Vec<String>),
}

impl StatesArgs {
    /// Whether it changes no file.
    pub fn only_prints(&self) -> bool {
        !matches!(self.command, Some(StatesCommand::Remove { .. }))
    }

    /// The bound of the memory that inputs take, in bytes, if the user set it.
    pub fn memory(&self) -> Option<u64> {
        self.memory.bound()
    }

    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: --evaluate with a subcommand, or no library, and no home directory.
    pub fn request(self) -> Result<StatesRequest, clap::Error> {
        // The option may stand before or after the subcommand.
        let either = |inner: LibraryArgs, outer: LibraryArgs| LibraryArgs { library: inner.library.or(outer.library) };
        let (act, library) = match self.command {
            Some(_) if self.evaluate || self.suggest_tracepoints => {
                let option = if self.evaluate { "--evaluate" } else { "--suggest-tracepoints" };
                return Err(usage(format!("{option} is about the whole library, and goes with no subcommand")));
            }
            None if self.evaluate => (StatesAct::Evaluate(self.alpha, self.format), self.library),
            None if self.suggest_tracepoints => (StatesAct::Suggest(self.alpha, self.format), self.library),
            None => (StatesAct::List, self.library),
            Some(StatesCommand::List { library }) => (StatesAct::List, either(library, self.library)),
            Some(StatesCommand::Show { state, library }) => (StatesAct::Show(state), either(library, self.library)),
            Some(StatesCommand::Remove { state, sessions, library }) => {
                (StatesAct::Remove(state, sessions), either(library, self.library))
            }
        };
        Ok(StatesRequest { act, library: library.library()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    #[test]
    fn states_are_listed_shown_and_removed() {
        let act = |words: &str| {
            let request = parse::<StatesArgs>(words).and_then(StatesArgs::request).unwrap();
            assert_eq!(request.library, Library::at("l".into()), "{words}");
            request.act
        };
        assert_eq!(act("--library l"), StatesAct::List);
        assert_eq!(act("list --library l"), StatesAct::List);
        assert_eq!(act("--evaluate --library l"), StatesAct::Evaluate(ALPHA, EvaluationFormat::Text));
        assert_eq!(
            act("--evaluate --alpha 0.1 --format json --library l"),
            StatesAct::Evaluate(0.1, EvaluationFormat::Json)
        );
        for words in ["--format json --library l", "--evaluate show idle --library l"] {
            let error = parse::<StatesArgs>(words).and_then(StatesArgs::request).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words}");
        }
        assert_eq!(act("show idle --library l"), StatesAct::Show("idle".to_owned()));
        assert_eq!(act("--library l show idle"), StatesAct::Show("idle".to_owned()));
        assert_eq!(
            act("--library l remove idle a b"),
            StatesAct::Remove("idle".to_owned(), vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(parse::<StatesArgs>("show").unwrap_err().exit_code(), 2);
    }
}
