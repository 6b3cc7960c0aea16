//! The arguments of `tp-perf learn`, `states`, `identify` and `check`.

use super::args::{AttachArgs, find, own_arguments, usage};
use super::source::{places, range};
use crate::capture::{self, StopRules};
use crate::results::Range;
use crate::source::Place;
use crate::state::{ALPHA, Length, Library, PER_DAY, state_name};
use crate::units::{Moment, nanoseconds, parse_duration, parse_events, parse_moment};
use clap::{Args, Subcommand, ValueEnum};
use std::ffi::OsString;
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
each time: with n sessions nothing can be called unlike all of them at a level below 1/(n+1), a session taken for one.";

const STATES_EXAMPLES: &str = "\
Examples:
  tp-perf states                          the states that are known, and what from
  tp-perf states show apache              its sessions, and the tracepoints that make it
  tp-perf states remove apache 20261126T101500Z
                                          take away one session; without one the whole state";

const IDENTIFY_EXAMPLES: &str = "\
Examples:
  sudo tp-perf identify                   watch this machine for ten seconds, and tell which state it is in
  tp-perf identify recording              the states of a recording over time, with what decided
  tp-perf identify recording --window 100ms --format csv
                                          a row for each window and state
  tp-perf report recording --html r.html --states
                                          the same beside the graphs of a report

For each window the states are told that cannot be rejected at the level --alpha, the nearest first; none is `unknown`.";

const CHECK_EXAMPLES: &str = "\
Examples:
  sudo tp-perf check --against idle -d 60s
                                          is this machine as idle as it was when that was learned?
  tp-perf check --against apache,nginx recording --format junit > check.xml
                                          for CI: each part of it should be as one of the two
Exit codes: 0 as learned, 3 not as learned, 1 failed, 2 wrong usage.";

/// Options of captures that mean nothing for a source.
const OF_CAPTURES: [&str; 5] = ["clock", "compress", "include_self", "SelectionArgs", "MachineArgs"];

/// Where states are kept.
#[derive(Debug, Args)]
struct LibraryArgs {
    /// The folder of the library [default: tp-perf/states in $XDG_DATA_HOME, or else ~/.local/share]
    #[arg(long, value_name = "DIR")]
    library: Option<PathBuf>,
}

impl LibraryArgs {
    fn library(self) -> Result<Library, clap::Error> {
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

/// What is looked at: a part of a source, or what is captured now.
#[derive(Debug, Args)]
struct LookArgs {
    /// How long a window is, as in `1s` or `100ms`; or of how many events, as in `100000events`
    /// [default: 1s]
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    window: Option<Length>,
    /// Of a SOURCE, begin here: so long after its first event, or at a timestamp of log.csv
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "duration")]
    from: Option<Moment>,
    /// Of a SOURCE, end before this
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "duration")]
    to: Option<Moment>,
    /// Of this machine, watch for so long
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    attach: AttachArgs,
    /// Wait until the kernel has let go of all tracepoints, instead of leaving that to the background
    #[arg(long)]
    wait_detach: bool,
    /// Print nothing but results and errors
    #[arg(short, long)]
    quiet: bool,
    /// Watch while this runs, and until it ends
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What is looked at, validated.
#[derive(Debug)]
pub struct Look {
    /// Where it comes from.
    pub at: LookAt,
    /// How long the windows are, if that was asked for.
    pub length: Option<Length>,
    /// Print nothing but results and errors.
    pub quiet: bool,
}

/// Where what is looked at comes from.
#[derive(Debug)]
pub enum LookAt {
    /// Sources, and which part of them.
    Sources(Vec<Place>, Range),
    /// This machine, now.
    Machine(Box<Watch>),
}

/// A capture of which only counts are kept.
#[derive(Debug)]
pub struct Watch {
    /// The capture.
    pub options: capture::Options,
    /// Wait for the detach.
    pub wait_detach: bool,
    /// What was changed in what the user asked for.
    pub notes: Vec<String>,
}

impl LookArgs {
    /// `usual`: how long this machine is watched if nothing else ends that.
    fn request(self, sources: Vec<PathBuf>, usual: Duration) -> Result<Look, clap::Error> {
        let LookArgs { window, from, to, duration, attach, wait_detach, quiet, command } = self;
        let at = if sources.is_empty() {
            if from.or(to).is_some() {
                return Err(usage("--from and --to are of a SOURCE: name one, or use --duration".to_owned()));
            }
            let command = find(command)?;
            let compress = attach.compress;
            let (attach, notes) = attach.request()?;
            let duration = duration.or(command.is_none().then_some(usual));
            let rules = StopRules { events: None, duration };
            let arguments = own_arguments();
            let options = capture::Options { rules, output: None, force: false, attach, compress, command, arguments };
            LookAt::Machine(Box::new(Watch { options, wait_detach, notes }))
        } else {
            if duration.is_some() || !command.is_empty() {
                return Err(usage(
                    "a SOURCE was recorded already: leave --duration and COMMAND away (--from and --to choose a part)"
                        .to_owned(),
                ));
            }
            LookAt::Sources(places(sources)?, range(None, from, to)?)
        };
        Ok(Look { at, length: window, quiet })
    }
}

/// `1s`, or `100000events`.
fn parse_length(text: &str) -> Result<Length, String> {
    match text.strip_suffix("events").or_else(|| text.strip_suffix("event")) {
        Some(number) => parse_events(number.trim()).map(Length::Events),
        None => parse_duration(text).map(|length| Length::Ns(nanoseconds(length))),
    }
}

fn parse_state(text: &str) -> Result<String, String> {
    state_name(text).map_err(|error| error.to_string())
}

fn parse_alpha(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(alpha) if alpha > 0.0 && alpha < 1.0 => Ok(alpha),
        _ => Err("write a number between 0 and 1, as in `0.05`".to_owned()),
    }
}

fn parse_per_day(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("write a number more than 0, as in `1` or `0.1`".to_owned()),
    }
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

/// How what is known of states is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum IdentifyFormat {
    /// For people
    #[default]
    Text,
    /// All there is, as one object
    Json,
    /// A row for each window and state
    Csv,
}

/// The arguments of `tp-perf identify`.
#[derive(Debug, Args)]
#[command(after_help = IDENTIFY_EXAMPLES)]
pub struct IdentifyArgs {
    /// A recording, a file of `perf record`, a log.csv, a session of a library, or `-`; without one this machine is watched, for
    /// ten seconds if nothing else is asked for
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    source: Option<PathBuf>,
    /// Reject a state if windows of it are as far away less often than this
    #[arg(long, value_name = "LEVEL", default_value_t = ALPHA, value_parser = parse_alpha)]
    alpha: f64,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: IdentifyFormat,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    look: LookArgs,
}

/// What is to be identified.
#[derive(Debug)]
pub struct IdentifyRequest {
    /// What.
    pub look: Look,
    /// By which states.
    pub library: Library,
    /// At which level.
    pub alpha: f64,
    /// How to print it.
    pub format: IdentifyFormat,
}

impl IdentifyArgs {
    pub(super) fn request(self) -> Result<IdentifyRequest, clap::Error> {
        let look = self.look.request(self.source.into_iter().collect(), Duration::from_secs(10))?;
        Ok(IdentifyRequest { look, library: self.library.library()?, alpha: self.alpha, format: self.format })
    }
}

/// How a check is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// All there is, as one object
    Json,
    /// As CI systems read test results
    Junit,
}

/// The arguments of `tp-perf check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct CheckArgs {
    /// The states that it should be in; repeatable, or with commas
    #[arg(long, value_name = "STATE", required = true, value_delimiter = ',', value_parser = parse_state)]
    against: Vec<String>,
    /// A recording, a file of `perf record`, a log.csv, a session of a library, or `-`; without one this machine is watched, for
    /// a minute if nothing else is asked for
    #[arg(value_name = "SOURCE", conflicts_with_all = OF_CAPTURES)]
    source: Option<PathBuf>,
    /// How many false alarms a day are allowed, if a day is watched
    #[arg(long, value_name = "N", default_value_t = PER_DAY, value_parser = parse_per_day)]
    false_alarms: f64,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: CheckFormat,
    #[command(flatten)]
    library: LibraryArgs,
    #[command(flatten)]
    look: LookArgs,
}

/// What is to be checked.
#[derive(Debug)]
pub struct CheckRequest {
    /// What.
    pub look: Look,
    /// The states that it should be in.
    pub against: Vec<String>,
    /// Of which library.
    pub library: Library,
    /// False alarms allowed in a day.
    pub per_day: f64,
    /// How to print it.
    pub format: CheckFormat,
}

impl CheckArgs {
    pub(super) fn request(self) -> Result<CheckRequest, clap::Error> {
        let look = self.look.request(self.source.into_iter().collect(), Duration::from_secs(60))?;
        let mut against = self.against;
        against.sort();
        against.dedup();
        let library = self.library.library()?;
        Ok(CheckRequest { look, against, library, per_day: self.false_alarms, format: self.format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Request};
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
    fn windows_are_of_time_or_of_events() {
        assert_eq!(parse_length("1s").unwrap(), Length::Ns(1_000_000_000));
        assert_eq!(parse_length("100000events").unwrap(), Length::Events(100_000));
        for text in ["", "5", "0s", "0events", "xevents"] {
            assert!(parse_length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_check_takes_several_states() {
        let Ok(Request::Check(request)) =
            parse("check --against b,a --against a rec --library l --format junit --false-alarms 0.1")
        else {
            panic!("these words ask for a check")
        };
        assert_eq!(
            (request.against.join(" ").as_str(), request.per_day, request.format),
            ("a b", 0.1, CheckFormat::Junit)
        );
        let Ok(Request::Identify(request)) = parse("identify - --alpha 0.01 --format csv --library l") else {
            panic!()
        };
        assert_eq!((request.alpha, request.format), (0.01, IdentifyFormat::Csv));
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
