//! Which part of a source is wanted: the arguments that replays and reports share.

use super::selection::pattern;
use super::usage::usage;
use crate::events::Filter;
use crate::os::cpus::CpuList;
use crate::source::Place;
use crate::tracefs::Pattern;
use crate::units::{Moment, Ns, parse_events, parse_moment};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// At most N events, the first ones in time order
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_events)]
    events: Option<u64>,
    /// Only the tracepoints that match; repeatable
    #[arg(short, long = "tracepoint", value_name = "PATTERN", value_parser = pattern)]
    tracepoints: Vec<Pattern>,
    /// Not the tracepoints that match; repeatable
    #[arg(short = 'x', long, value_name = "PATTERN", value_parser = pattern)]
    exclude: Vec<Pattern>,
    /// Only these CPUs, as in `0-3,7`
    #[arg(long, value_name = "LIST")]
    cpus: Option<CpuList>,
    /// Begin here: so long after the first event, as in `500ms` or `2s`, or at a timestamp of log.csv
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    from: Option<Moment>,
    /// End before this
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Option<Moment>,
}

impl SourceArgs {
    pub fn request(self) -> Result<Filter, clap::Error> {
        let part = part(self.events, self.from, self.to)?;
        Ok(Filter { only: self.tracepoints, exclude: self.exclude, cpus: self.cpus, ..part })
    }
}

/// A part by time and number that something can be in.
pub(super) fn part(events: Option<u64>, from: Option<Moment>, to: Option<Moment>) -> Result<Filter, clap::Error> {
    if let (Some(from), Some(to)) = (from, to)
        && std::mem::discriminant(&from) == std::mem::discriminant(&to)
        && from.absolute(Ns(0)) >= to.absolute(Ns(0))
    {
        return Err(usage("--from is not before --to: nothing would be left".to_owned()));
    }
    Ok(Filter { events, from, to, ..Filter::default() })
}

/// Sources as they are typed.
pub(super) fn places(paths: Vec<PathBuf>) -> Result<Vec<Place>, clap::Error> {
    let places: Vec<Place> = paths.into_iter().map(place).collect();
    if places.iter().filter(|place| **place == Place::Stdin).count() > 1 {
        return Err(usage("standard input (`-`) can be read only once".to_owned()));
    }
    Ok(places)
}

/// A source as it is typed.
pub(super) fn place(path: PathBuf) -> Place {
    match path.as_os_str() == "-" {
        true => Place::Stdin,
        false => Place::Path(path),
    }
}
