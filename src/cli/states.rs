//! The arguments of `tp-perf learn` and `states`, which make and keep a library.

use super::args::usage;
use super::look::{Look, LookArgs, OF_CAPTURES};
use crate::state::{Library, state_name};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

const LEARN_EXAMPLES: &str = "\
Examples:
  sudo tp-perf learn idle                 watch this machine for a minute, and call what it does `idle`
  sudo tp-perf learn build -- make -j8    watch it while a command runs
  tp-perf learn apache rec1 rec2 rec3     from recordings, each of which is a session
  tp-perf learn apache rec --from 5s --to 65s --library states
                                          from a part of one, into a library in the folder `states`

What is kept of a session are counts by window, some kilobytes a minute. Learn each state from several sessions, started anew
each time, at different times, ten for `check`: with n sessions nothing can be called unlike all of them at a level below
1/(n+1), a session taken for one.";

const STATES_EXAMPLES: &str = "\
Examples:
  tp-perf states                          the states that are known, and what from
  tp-perf states show apache              its sessions, and the tracepoints that make it
  tp-perf states remove apache 20261126T101500Z
                                          take away one session; without one the whole state";

/// Where states are kept.
#[derive(Debug, Args)]
pub(super) struct LibraryArgs {
    /// The folder of the library [default: tp-perf/states in $XDG_DATA_HOME, or else ~/.local/share]
    #[arg(long, value_name = "DIR")]
    library: Option<PathBuf>,
}

impl LibraryArgs {
    pub fn library(self) -> Result<Library, clap::Error> {
        library(self.library)
    }
}

/// The library in this folder, or the user's.
pub(super) fn library(path: Option<PathBuf>) -> Result<Library, clap::Error> {
    match path {
        Some(path) => Ok(Library::at(path)),
        None => Library::of_user().map_err(|error| usage(error.to_string())),
    }
}

pub(super) fn parse_state(text: &str) -> Result<String, String> {
    state_name(text).map_err(|error| error.to_string())
}

/// The arguments of `tp-perf learn`.
#[derive(Debug, Args)]
#[command(after_help = LEARN_EXAMPLES)]
pub struct LearnArgs {
    /// What the state is called
    #[arg(value_name = "STATE", value_parser = parse_state)]
    state: String,
    /// Recordings, files of `perf record`, log.csv files, or sessions of a library; without any this machine is watched, for
    /// a minute if nothing else is asked for
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    sources: Vec<PathBuf>,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    look: LookArgs,
}

/// What is to be learned.
#[derive(Debug)]
pub struct LearnRequest {
    /// As which state.
    pub state: String,
    /// From what.
    pub look: Look,
    /// Where it is kept.
    pub library: Library,
}

impl LearnArgs {
    pub(super) fn request(self) -> Result<LearnRequest, clap::Error> {
        let look = self.look.request(self.sources, Duration::from_secs(60))?;
        Ok(LearnRequest { state: self.state, look, library: self.library.library()? })
    }
}

/// The arguments of `tp-perf states`.
#[derive(Debug, Args)]
#[command(after_help = STATES_EXAMPLES)]
pub struct StatesArgs {
    #[command(subcommand)]
    command: Option<StatesCommand>,
    #[command(flatten)]
    library: LibraryArgs,
}

#[derive(Debug, Subcommand)]
enum StatesCommand {
    /// Show a state: its sessions, and the tracepoints that make it
    Show {
        /// Which
        #[arg(value_name = "STATE", value_parser = parse_state)]
        state: String,
        #[command(flatten)]
        library: LibraryArgs,
    },
    /// Take away sessions of a state, or all of it
    Remove {
        /// Which
        #[arg(value_name = "STATE", value_parser = parse_state)]
        state: String,
        /// Only these sessions of it
        #[arg(value_name = "SESSION")]
        sessions: Vec<String>,
        #[command(flatten)]
        library: LibraryArgs,
    },
}

/// What is to be done with a library.
#[derive(Debug)]
pub struct StatesRequest {
    /// What.
    pub act: StatesAct,
    /// With which.
    pub library: Library,
}

/// What can be done with a library.
#[derive(Debug, PartialEq, Eq)]
pub enum StatesAct {
    /// List its states.
    List,
    /// Show one.
    Show(String),
    /// Remove sessions of one, or all of it.
    Remove(String, Vec<String>),
}

impl StatesArgs {
    pub(super) fn request(self) -> Result<StatesRequest, clap::Error> {
        // The option may stand before or behind the verb.
        let either = |inner: LibraryArgs, outer: LibraryArgs| LibraryArgs { library: inner.library.or(outer.library) };
        let (act, library) = match self.command {
            None => (StatesAct::List, self.library),
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
    use crate::cli::LookAt;
    use crate::cli::{Cli, Request};
    use crate::state::Length;
    use clap::Parser;

    fn parse(words: &str) -> Result<Request, clap::Error> {
        Cli::try_parse_from(["tp-perf"].into_iter().chain(words.split_whitespace())).and_then(Cli::request)
    }

    #[test]
    fn a_state_is_learned_from_sources_or_from_the_machine() {
        let Ok(Request::Learn(request)) = parse("learn idle a b --from 1s --to 5s --library lib --window 100ms -q")
        else {
            panic!("these words ask to learn")
        };
        let LookAt::Sources(places, range) = request.look.at else { panic!("sources") };
        assert_eq!((request.state.as_str(), places.len(), request.look.quiet), ("idle", 2, true));
        assert!(range.from.is_some() && range.to.is_some());
        assert_eq!(request.look.length, Some(Length::Ns(100_000_000)));
        assert_eq!(request.library, Library::at("lib".into()));

        let duration = |words: &str| {
            let Ok(Request::Learn(request)) = parse(words) else { panic!("{words}") };
            let LookAt::Machine(watch) = request.look.at else { panic!("the machine") };
            (watch.options.rules.duration, watch.options.command.is_some())
        };
        assert_eq!(duration("learn idle --library l"), (Some(Duration::from_secs(60)), false));
        assert_eq!(duration("learn idle --library l -d 5s -t sched:*"), (Some(Duration::from_secs(5)), false));
        assert_eq!(duration("learn idle --library l -- true"), (None, true));
    }

    #[test]
    fn states_are_listed_shown_and_removed() {
        let act = |words: &str| {
            let Ok(Request::States(request)) = parse(words) else { panic!("{words}") };
            assert_eq!(request.library, Library::at("l".into()), "{words}");
            request.act
        };
        assert_eq!(act("states --library l"), StatesAct::List);
        assert_eq!(act("states show idle --library l"), StatesAct::Show("idle".to_owned()));
        assert_eq!(act("states --library l show idle"), StatesAct::Show("idle".to_owned()));
        assert_eq!(
            act("states --library l remove idle a b"),
            StatesAct::Remove("idle".to_owned(), vec!["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for words in [
            "learn",
            "learn a/b",
            "learn .a",
            "learn idle rec -d 5s",
            "learn idle rec -t sched:*",
            "learn idle rec --ring-size 1M",
            "learn idle rec --compress",
            "learn idle rec -- true",
            "learn idle --from 1s",
            "learn idle rec --from 2s --to 1s",
            "learn idle - -",
            "identify a b",
            "identify a --alpha 1",
            "check a",
            "check --against a/b rec",
            "states show",
        ] {
            let code = parse(words).err().map(|error| error.exit_code());
            assert_eq!(code, Some(2), "{words}");
        }
    }
}
