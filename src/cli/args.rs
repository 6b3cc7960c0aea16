//! The arguments, and how they become requests.

use super::identify::{CheckArgs, CheckRequest, IdentifyArgs, IdentifyRequest};
use super::overhead::{OverheadArgs, OverheadRequest};
use super::replay::{ReplayArgs, ReplayRequest};
use super::report::{ReportArgs, ReportRequest};
use super::states::{LearnArgs, LearnRequest, StatesArgs, StatesRequest};
use crate::capture::{self, AttachOptions, StopRules};
use crate::control::CommandLine;
use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::os::process::page_size;
use crate::tracefs::{Pattern, SelectionRequest};
use crate::units::{Bytes, parse_duration, parse_events, parse_size};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The kernel refuses larger rings.
const MOST_RING: usize = 1 << 30;

const EXAMPLES: &str = "\
Examples:
  sudo tp-perf --events 100000            record the next 100,000 events of all tracepoints
  sudo tp-perf -d 10s -o idle             record for ten seconds into the directory `idle`
  sudo tp-perf -- make -j8                record while a command runs, and end with its exit code
  sudo tp-perf -t 'sched:*' -x sched_switch -n 1000
                                          record the tracepoints of one group, but for one
  tp-perf replay idle                     the same results again, from a recording
  tp-perf report idle --html idle.html    what it holds: top tracepoints, and a page with graphs
  sudo tp-perf overhead -- make -j8       what capturing costs a command on this machine
  sudo tp-perf learn idle                 watch for a minute, and remember what an idle machine does
  sudo tp-perf identify                   which of the states that were learned this machine is in
  sudo tp-perf list 'sched:*'             what there is, what would be captured, and why not
  sudo tp-perf doctor                     what this machine allows, and the cure for what is missing

A PATTERN is a glob over group:name, as in `sched:*`; without a colon it is a tracepoint's name in any group.
Exit codes: 0 done, 1 failed, 2 wrong usage; with COMMAND its own.";

/// Record every tracepoint that fires in the Linux kernel, on every CPU
///
/// Without a subcommand tp-perf captures until the first of: --events, --duration, the end of COMMAND, Ctrl-C. It leaves
/// a directory with log.csv (every event in time order), tracepoints.csv, groups.csv, summary.json, and events.perf, which
/// `tp-perf replay` and `perf script` read.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    capture: CaptureArgs,
}

/// What to do instead of capturing.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn a recording, a file of perf record or a log.csv into a log and a summary again
    Replay(ReplayArgs),
    /// Show what a source holds: top tracepoints and groups, graphs, one page; several side by side, and what differs
    Report(ReportArgs),
    /// Measure what capturing costs a command, by runs with and without it
    Overhead(Box<OverheadArgs>),
    /// Add to a library of states: counts of a recording, or of this machine now, under a name
    Learn(Box<LearnArgs>),
    /// List, show and remove the states of a library
    States(StatesArgs),
    /// Tell which of the known states a recording or this machine is in, and why
    Identify(Box<IdentifyArgs>),
    /// Check that a recording or this machine is as it was learned, for CI and cron
    Check(Box<CheckArgs>),
    /// Show the tracepoints: what would be captured, what is excluded, and why
    List(ListArgs),
    /// Check what this machine allows and what a capture needs, with the cure for what is missing
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example: tp-perf completions bash > /etc/bash_completion.d/tp-perf")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example: tp-perf man > /usr/local/share/man/man1/tp-perf.1")]
    Man,
}

#[derive(Debug, Args)]
struct SelectionArgs {
    /// Only the tracepoints that match; repeatable. The default exclusions do not apply then
    #[arg(short, long = "tracepoint", value_name = "PATTERN", value_parser = pattern)]
    tracepoints: Vec<Pattern>,
    /// Not the tracepoints that match; repeatable
    #[arg(short = 'x', long, value_name = "PATTERN", value_parser = pattern)]
    exclude: Vec<Pattern>,
    /// Take also what is excluded by default (hit too often; `tp-perf list` shows it)
    #[arg(long)]
    no_default_excludes: bool,
}

#[derive(Debug, Args)]
struct MachineArgs {
    /// Only these CPUs, as in `0-3,7` [default: all that are online]
    #[arg(long, value_name = "LIST")]
    cpus: Option<CpuList>,
    /// Memory for events per CPU, as in `512K` or `8M`; rounded up to a power of two of pages
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "8M")]
    ring_size: usize,
}

/// What a capture attaches to, and how it keeps what comes.
#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// The clock of the timestamps
    #[arg(long, value_enum, default_value_t)]
    clock: Clock,
    /// Compress events.perf, as `perf record -z` does: a seventh of the size, for more of tp-perf's own CPU time
    #[arg(long)]
    pub(super) compress: bool,
    /// Record tp-perf's own events too
    #[arg(long)]
    include_self: bool,
    /// Wait until the kernel has let go of all tracepoints, instead of leaving that to the background
    #[arg(long)]
    pub(super) wait_detach: bool,
}

#[derive(Debug, Args)]
struct CaptureArgs {
    /// Stop after this many events; log.csv then has exactly the first N in time order
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_events)]
    events: Option<u64>,
    /// Stop after this time, as in `500ms`, `10s` or `1m30s`
    #[arg(short, long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// The directory to make for the recording [default: tp-perf-<UTC time>]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace a recording that is in DIR already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    attach: AttachArgs,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
    /// Run this, and stop when it ends. If the capture stops before, tp-perf waits for it and ends with its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The arguments of `tp-perf list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Show only tracepoints that match
    #[arg(value_name = "PATTERN", value_parser = pattern)]
    patterns: Vec<Pattern>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The arguments of `tp-perf doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    machine: MachineArgs,
}

/// How a table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// As tracepoints.csv
    Csv,
    /// An array of objects
    Json,
}

/// What the user wants, validated.
#[derive(Debug)]
pub enum Request {
    /// Capture.
    Capture(Box<CaptureRequest>),
    /// Replay.
    Replay(Box<ReplayRequest>),
    /// Report.
    Report(Box<ReportRequest>),
    /// Measure what capturing costs.
    Overhead(Box<OverheadRequest>),
    /// Learn a state.
    Learn(Box<LearnRequest>),
    /// List, show or remove states.
    States(StatesRequest),
    /// Tell which state it is.
    Identify(Box<IdentifyRequest>),
    /// Check against states.
    Check(Box<CheckRequest>),
    /// List.
    List(ListRequest),
    /// Check the machine.
    Doctor(DoctorRequest),
    /// Print a completion script.
    Completions(clap_complete::Shell),
    /// Print the manual page.
    Man,
}

/// A capture, and how it shows itself.
#[derive(Debug)]
pub struct CaptureRequest {
    /// The capture.
    pub options: capture::Options,
    /// Wait for the detach.
    pub wait_detach: bool,
    /// Print nothing but errors.
    pub quiet: bool,
    /// What was changed in what the user asked for.
    pub notes: Vec<String>,
}

/// A list.
#[derive(Debug)]
pub struct ListRequest {
    /// Show only these; all if empty.
    pub patterns: Vec<Pattern>,
    /// The selection that the statuses are of.
    pub selection: SelectionRequest,
    /// How to print it.
    pub format: Format,
}

/// A check of the machine for a capture of this shape.
#[derive(Debug)]
pub struct DoctorRequest {
    /// Which tracepoints.
    pub selection: SelectionRequest,
    /// Which CPUs.
    pub cpus: Option<CpuList>,
    /// Bytes of each CPU's ring.
    pub ring_size: usize,
}

impl Cli {
    /// Validates what clap has parsed.
    pub fn request(self) -> Result<Request, clap::Error> {
        Ok(match self.command {
            None => Request::Capture(Box::new(self.capture.request()?)),
            Some(Command::Replay(replay)) => Request::Replay(Box::new(replay.request()?)),
            Some(Command::Report(report)) => Request::Report(Box::new(report.request()?)),
            Some(Command::Overhead(overhead)) => Request::Overhead(Box::new(overhead.request()?)),
            Some(Command::Learn(learn)) => Request::Learn(Box::new(learn.request()?)),
            Some(Command::States(states)) => Request::States(states.request()?),
            Some(Command::Identify(identify)) => Request::Identify(Box::new(identify.request()?)),
            Some(Command::Check(check)) => Request::Check(Box::new(check.request()?)),
            Some(Command::List(list)) => Request::List(ListRequest {
                patterns: list.patterns,
                selection: list.selection.request(),
                format: list.format,
            }),
            Some(Command::Doctor(doctor)) => {
                let (ring_size, _) = doctor.machine.ring_size()?;
                Request::Doctor(DoctorRequest {
                    selection: doctor.selection.request(),
                    cpus: doctor.machine.cpus,
                    ring_size,
                })
            }
            Some(Command::Completions { shell }) => Request::Completions(shell),
            Some(Command::Man) => Request::Man,
        })
    }
}

impl CaptureArgs {
    fn request(self) -> Result<CaptureRequest, clap::Error> {
        let (compress, wait_detach) = (self.attach.compress, self.attach.wait_detach);
        let (attach, notes) = self.attach.request()?;
        let command = find(self.command)?;
        let options = capture::Options {
            rules: StopRules { events: self.events, duration: self.duration },
            output: self.output,
            force: self.force,
            attach,
            compress,
            command,
            arguments: own_arguments(),
        };
        Ok(CaptureRequest { options, wait_detach, quiet: self.quiet, notes })
    }
}

impl AttachArgs {
    /// What is asked for, and notes on what was changed in it.
    pub(super) fn request(self) -> Result<(AttachOptions, Vec<String>), clap::Error> {
        let (ring_size, note) = self.machine.ring_size()?;
        let options = AttachOptions {
            selection: self.selection.request(),
            cpus: self.machine.cpus,
            clock: self.clock,
            ring_size,
            include_self: self.include_self,
        };
        Ok((options, note.into_iter().collect()))
    }
}

impl SelectionArgs {
    fn request(self) -> SelectionRequest {
        SelectionRequest {
            only: self.tracepoints,
            exclude: self.exclude,
            no_default_excludes: self.no_default_excludes,
        }
    }
}

impl MachineArgs {
    /// The size that perf can map, and a note if it is not what was typed.
    fn ring_size(&self) -> Result<(usize, Option<String>), clap::Error> {
        if self.ring_size > MOST_RING {
            let most = Bytes(MOST_RING as u64);
            return Err(usage(format!("--ring-size: the kernel maps rings of at most {most} per CPU")));
        }
        let bytes = self.ring_size.next_power_of_two().max(page_size());
        let note = (bytes != self.ring_size).then(|| {
            let (typed, size) = (Bytes(self.ring_size as u64), Bytes(bytes as u64));
            format!("--ring-size {typed} is rounded up to {size}, a power of two of pages")
        });
        Ok((bytes, note))
    }
}

/// COMMAND, if there is one.
pub(super) fn find(command: Vec<OsString>) -> Result<Option<CommandLine>, clap::Error> {
    match command.is_empty() {
        true => Ok(None),
        false => CommandLine::find(command).map(Some).map_err(usage),
    }
}

/// What tp-perf itself was called with.
pub(super) fn own_arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

pub(super) fn usage(message: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, message)
}

pub(super) fn pattern(text: &str) -> Result<Pattern, crate::tracefs::Error> {
    Pattern::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::DEFAULT_RING_SIZE;
    use crate::os::cpus::Cpu;
    use clap::CommandFactory;

    fn parse(words: &[&str]) -> Result<Request, clap::Error> {
        Cli::try_parse_from(["tp-perf"].iter().chain(words)).and_then(Cli::request)
    }

    fn capture(words: &[&str]) -> CaptureRequest {
        match parse(words).unwrap() {
            Request::Capture(request) => *request,
            other => panic!("{words:?} gave {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
        assert_eq!(DEFAULT_RING_SIZE, capture(&[]).options.attach.ring_size);
    }

    #[test]
    fn a_capture_takes_all_its_options() {
        let words = "-n 100_000 -d 10s -o out --force --compress -t sched:* -x *_waking --cpus 0-1,4 --clock tai --ring-size 5M \
                     --include-self --wait-detach -q -- sh -c true";
        let request = capture(&words.split_whitespace().collect::<Vec<_>>());
        let options = &request.options;
        assert_eq!(options.rules.events, Some(100_000));
        assert_eq!(options.rules.duration, Some(Duration::from_secs(10)));
        assert_eq!(options.attach.cpus.as_ref().unwrap().as_slice(), [0, 1, 4].map(Cpu::new));
        assert_eq!(options.attach.clock, Clock::Tai);
        assert_eq!(options.attach.ring_size, 8 << 20);
        assert!(request.notes[0].contains("5 MiB is rounded up to 8 MiB"), "{:?}", request.notes);
        assert_eq!(options.command.as_ref().unwrap().words(), ["sh", "-c", "true"]);
        assert!(
            options.compress && options.attach.include_self && options.force && request.wait_detach && request.quiet
        );
    }

    #[test]
    fn wrong_usage_names_the_option() {
        for (words, said) in [
            (&["--events", "0"][..], "--events"),
            (&["--events", "99999999999999999999"], "--events"),
            (&["--duration", "soon"], "--duration"),
            (&["--duration", "10"], "unit"),
            (&["--ring-size", "3 apples"], "--ring-size"),
            (&["--ring-size", "2G"], "--ring-size"),
            (&["--cpus", "1-"], "--cpus"),
            (&["--clock", "sundial"], "--clock"),
            (&["-t", "a["], "--tracepoint"),
            (&["replay"], "SOURCE"),
            (&["replay", "x", "--from", "2s", "--to", "1s"], "--from"),
            (&["replay", "x", "--speed", "0"], "--speed"),
            (&["--", "no-such-program-at-all"], "was not found in PATH"),
        ] {
            let error = parse(words).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
