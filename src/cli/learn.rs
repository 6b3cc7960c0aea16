//! The arguments of `tp-perf learn`.

use super::help::{SEE_CAPTURE_OPTIONS, listed_elsewhere};
use super::library::{LibraryArgs, parse_state};
use super::observation::{OF_CAPTURES, ObservationArgs};
use crate::control::Manner;
use crate::observation::Observation;
use crate::state::{Length, Library};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Watch this machine for a minute, and name its state `idle`
  sudo tp-perf learn idle
  # Watch this machine while a command runs
  sudo tp-perf learn build -- make -j8
  # Learn from recordings; each becomes a session
  tp-perf learn apache rec1 rec2 rec3
  # Learn from a part of a recording, into the library `states`
  tp-perf learn apache rec --from 5s --to 65s --library states";

const SESSIONS: &str = "\
A library keeps counts per window, some kilobytes for each minute. Learn each state from several sessions, at different \
times of day, and start the load anew for each. `identify` needs three sessions of a state, better five, and about twenty in the \
whole library; `check` needs about ten. tp-perf does not learn a session that lost much. `tp-perf states --evaluate` shows what the \
library can tell apart.";

/// The arguments of `tp-perf learn`.
#[derive(Debug, Args)]
#[command(
    override_usage = "tp-perf learn [OPTIONS] <STATE> [SOURCE]...\n       tp-perf learn [OPTIONS] <STATE> -- <COMMAND>..."
)]
#[command(mut_args(listed_elsewhere), after_help = SEE_CAPTURE_OPTIONS)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{SESSIONS}\n\n{SEE_CAPTURE_OPTIONS}"))]
pub struct LearnArgs {
    /// The name of the state
    #[arg(value_name = "STATE", value_parser = parse_state)]
    state: String,
    /// Learn from these sources; without any, watch this machine for a minute
    ///
    /// A source is a recording's directory, a file that `perf record` wrote, a log.csv, or a session of a library.
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    sources: Vec<PathBuf>,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    observation: ObservationArgs,
}

/// A request to learn a state.
#[derive(Debug)]
pub struct LearnRequest {
    /// The name of the state.
    pub state: String,
    /// The input.
    pub observation: Observation,
    /// The length of the windows, if the user set it.
    pub length: Option<Length>,
    /// The library that keeps the state.
    pub library: Library,
    /// How much tp-perf shows, and whether it waits for the detach.
    pub manner: Manner,
}

impl LearnArgs {
    /// Whether it watches this machine, and reads no source.
    pub fn watches_machine(&self) -> bool {
        self.sources.is_empty()
    }

    /// The bound of the memory that inputs take, in bytes, if the user set it.
    pub fn memory(&self) -> Option<u64> {
        self.observation.memory.bound()
    }

    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: options that do not go together, or no library.
    pub fn request(self) -> Result<LearnRequest, clap::Error> {
        let (observation, length, manner) = self.observation.request(self.sources, Some(Duration::from_secs(60)))?;
        let library = self.library.library()?;
        Ok(LearnRequest { state: self.state, observation, length, library, manner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    fn request(words: &str) -> Result<LearnRequest, clap::Error> {
        parse::<LearnArgs>(words).and_then(LearnArgs::request)
    }

    #[test]
    fn a_state_is_learned_from_sources_or_from_the_machine() {
        let learn = request("idle a b --from 1s --to 5s --library lib --window 100ms -q").unwrap();
        let Observation::Source { places, part } = learn.observation else { panic!("sources") };
        assert_eq!((learn.state.as_str(), places.len(), learn.manner.quiet), ("idle", 2, true));
        assert!(part.from.is_some() && part.to.is_some());
        assert_eq!(learn.length, Some(Length::Ns(100_000_000)));
        assert_eq!(learn.library, Library::at("lib".into()));

        let duration = |words: &str| {
            let Observation::Machine(options) = request(words).unwrap().observation else { panic!("the machine") };
            (options.rules.duration, options.command.is_some())
        };
        assert_eq!(duration("idle --library l"), (Some(Duration::from_secs(60)), false));
        assert_eq!(duration("idle --library l -d 5s -t sched:*"), (Some(Duration::from_secs(5)), false));
        assert_eq!(duration("idle --library l -- true"), (None, true));
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for words in [
            "",
            "a/b",
            ".a",
            "idle rec -d 5s",
            "idle rec -t sched:*",
            "idle rec --ring-size 1M",
            "idle rec --compress",
            "idle rec -- true",
            "idle --from 1s",
            "idle rec --from 2s --to 1s",
            "idle - -",
        ] {
            let code = request(words).err().map(|error| error.exit_code());
            assert_eq!(code, Some(2), "{words}");
        }
    }
}
