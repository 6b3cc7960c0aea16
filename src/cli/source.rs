//! The part of a source that the user selects: the arguments that replays and reports share.

use super::cgroups::CgroupArgs;
use super::memory::MemoryArgs;
use super::processes::{self, NamePatterns, parse_pid};
use super::selection::{Patterns, flatten};
use super::usage::usage;
use crate::events::{Filter, ProcessFilter, Tid};
use crate::os::cpus::CpuList;
use crate::source::Place;
use crate::units::{Moment, Ns, parse_events, parse_moment};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Part of the source")]
pub(super) struct SourceArgs {
    /// Take only the first N events, as in `100k`
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_events)]
    events: Option<u64>,
    /// Take only these tracepoints, as in `sched,irq:*`
    #[arg(short, short_alias = 'e', long = "tracepoint", alias = "event", value_name = "PATTERN")]
    tracepoints: Vec<Patterns>,
    /// Leave out these tracepoints
    #[arg(short = 'x', long, value_name = "PATTERN")]
    exclude: Vec<Patterns>,
    /// Take only these CPUs, as in `0-3,7`
    #[arg(short = 'C', long, hide_short_help = true, alias = "cpu", value_name = "LIST")]
    cpus: Option<CpuList>,
    /// Take only events of these processes, and of those that they start (separated by commas)
    ///
    /// The source must have processes: see `tp-perf record --with`.
    #[arg(short, long = "pid", hide_short_help = true, value_name = "PID", value_delimiter = ',', value_parser = parse_pid)]
    pids: Vec<Tid>,
    /// Take only events of threads with these names, as in `gcc,redis*`
    ///
    /// With --pid, both must match.
    #[arg(long = "comm", hide_short_help = true, value_name = "GLOB")]
    comms: Vec<NamePatterns>,
    #[command(flatten)]
    cgroups: CgroupArgs,
    /// Begin at this time, as in `2s`
    ///
    /// A time with a unit counts from the first event. A number without a unit is a timestamp of log.csv, in nanoseconds. For a history:
    /// `2026-11-30 14:00` (UTC) or `2h ago`.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    from: Option<Moment>,
    /// End before this time
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Option<Moment>,
    #[command(flatten)]
    pub memory: MemoryArgs,
}

impl SourceArgs {
    pub fn request(self) -> Result<Filter, clap::Error> {
        let part = part(self.events, self.from, self.to)?;
        let processes =
            ProcessFilter { pids: self.pids, names: processes::flatten(self.comms), cgroups: self.cgroups.patterns() };
        let (only, exclude) = (flatten(self.tracepoints), flatten(self.exclude));
        Ok(Filter { only, exclude, cpus: self.cpus, processes, ..part })
    }
}

/// The part of a source between two times, with at most this many events.
pub(super) fn part(events: Option<u64>, from: Option<Moment>, to: Option<Moment>) -> Result<Filter, clap::Error> {
    if let (Some(from), Some(to)) = (from, to)
        && std::mem::discriminant(&from) == std::mem::discriminant(&to)
        && from.absolute(Ns(0)) >= to.absolute(Ns(0))
    {
        return Err(usage("--from is not before --to, so the part would be empty".to_owned()));
    }
    Ok(Filter { events, from, to, ..Filter::default() })
}

/// The sources that the user typed.
pub(super) fn places(paths: Vec<PathBuf>) -> Result<Vec<Place>, clap::Error> {
    let places: Vec<Place> = paths.into_iter().map(place).collect();
    if places.iter().filter(|place| **place == Place::Stdin).count() > 1 {
        return Err(usage("standard input (`-`) can be read only once".to_owned()));
    }
    Ok(places)
}

/// The source that the user typed.
pub(super) fn place(path: PathBuf) -> Place {
    match path.as_os_str() == "-" {
        true => Place::Stdin,
        false => Place::Path(path),
    }
}
