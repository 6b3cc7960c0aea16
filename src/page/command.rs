//! The command that reports on a part of a source, for a reader of the page to copy.

use crate::events::{CgroupPattern, Filter};
use crate::report::SourceReport;
use crate::source::Place;
use crate::text::ShellWord;
use crate::units::Moment;
use serde::Serialize;
use std::time::UNIX_EPOCH;

/// The command, without the part of the time. The page adds `--from` and `--to`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct PartCommand {
    /// The words for the source and for the choice of tracepoints, CPUs, and processes.
    words: String,
    /// The words for the part of the source that the whole page shows. Empty if that is the whole source.
    whole: String,
    /// From the source's first event to the first of the page, in nanoseconds.
    since: u64,
    /// Whether times are those of the wall clock: the source is a history.
    is_wall: bool,
    /// Whether the source goes on after the end of the page.
    is_cut: bool,
}

/// The command for a source.
pub(super) fn part_command(report: &SourceReport) -> PartCommand {
    let SourceReport { place, filter, processes, activity, origin, summary, .. } = report;
    let mut words = vec!["tp-perf".to_owned(), "report".to_owned(), source_word(place)];
    if processes.is_some() {
        words.extend(["--by", "process"].map(str::to_owned));
    }
    words.extend(choice(filter));
    let first = activity.span().map(|(first, _)| first);
    PartCommand {
        words: line(&words),
        whole: line(&part(filter)),
        since: first.zip(*origin).map_or(0, |(first, origin)| first.since(origin)),
        is_wall: summary.history.is_some(),
        is_cut: filter.to.is_some() || filter.events.is_some(),
    }
}

fn line(words: &[String]) -> String {
    words.iter().map(|word| ShellWord(word).to_string()).collect::<Vec<_>>().join(" ")
}

/// The source, as an argument.
fn source_word(place: &Place) -> String {
    match place {
        Place::Stdin => "-".to_owned(),
        Place::Example => "--example".to_owned(),
        Place::Path(path) => match path.display().to_string() {
            // This would be an option, or standard input.
            path if path.starts_with('-') => format!("./{path}"),
            path => path,
        },
    }
}

/// The choice of tracepoints, CPUs, and processes, as options.
fn choice(filter: &Filter) -> Vec<String> {
    let Filter { only, exclude, cpus, processes, .. } = filter;
    let cgroup = |pattern: &CgroupPattern| match pattern {
        CgroupPattern::Path(path) => ("--cgroup", path.clone()),
        CgroupPattern::Unit(unit) => ("--unit", unit.clone()),
        CgroupPattern::Container(id) => ("--container", id.clone()),
    };
    let options = only.iter().map(|pattern| ("-t", pattern.to_string()));
    let options = options.chain(exclude.iter().map(|pattern| ("-x", pattern.to_string())));
    let options = options.chain(cpus.iter().map(|cpus| ("--cpus", cpus.to_string())));
    let options = options.chain(processes.pids.iter().map(|pid| ("--pid", pid.to_string())));
    let options = options.chain(processes.names.iter().map(|name| ("--comm", name.to_string())));
    let options = options.chain(processes.cgroups.iter().map(cgroup));
    // A value that begins with a dash would be an option.
    options
        .flat_map(|(option, value)| match value.starts_with('-') && option.starts_with("--") {
            true => vec![format!("{option}={value}")],
            false if value.starts_with('-') => vec![format!("{option}{value}")],
            false => vec![option.to_owned(), value],
        })
        .collect()
}

/// The part by time and number, as options.
fn part(filter: &Filter) -> Vec<String> {
    let moments = [("--from", filter.from), ("--to", filter.to)];
    let moments = moments.into_iter().filter_map(|(option, moment)| Some((option, moment_word(moment?))));
    let events = filter.events.map(|events| ("-n", events.to_string()));
    moments.chain(events).flat_map(|(option, value)| [option.to_owned(), value]).collect()
}

fn moment_word(moment: Moment) -> String {
    match moment {
        Moment::At(time) => time.to_string(),
        Moment::After(duration) => humantime::format_duration(duration).to_string().replace(' ', ""),
        Moment::Wall(ns) => {
            let time = UNIX_EPOCH + std::time::Duration::from_nanos(ns);
            humantime::format_rfc3339_nanos(time).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{NamePattern, ProcessFilter, Tid};
    use crate::tracefs::Pattern;
    use crate::units::parse_moment;
    use std::time::Duration;

    #[test]
    fn the_choice_is_words_that_the_command_line_reads_again() {
        let filter = Filter {
            only: Pattern::list("sched:*,-x").unwrap(),
            exclude: Pattern::list("{a,b}:c").unwrap(),
            cpus: Some("0-2,7".parse().unwrap()),
            processes: ProcessFilter {
                pids: vec![Tid::new(7).unwrap()],
                names: NamePattern::list("it's,-a").unwrap(),
                cgroups: vec![CgroupPattern::unit("nginx").unwrap()],
            },
            from: Some(Moment::After(Duration::from_millis(2_500))),
            to: Some(Moment::At(5_000_000)),
            events: Some(9),
        };
        assert_eq!(
            line(&choice(&filter)),
            r"-t 'sched:*' -t-x -x '{a,b}:c' --cpus 0-2,7 --pid 7 --comm 'it'\''s' --comm=-a --unit nginx.service"
        );
        assert_eq!(line(&part(&filter)), "--from 2s500ms --to 5000000 -n 9");
        let places = [Place::Stdin, Place::Example, Place::Path("-a".into()), Place::Path("a b".into())];
        assert_eq!(places.map(|place| source_word(&place)), ["-", "--example", "./-a", "a b"]);
    }

    #[test]
    fn moments_are_read_again_as_the_same_moments() {
        for moment in [
            Moment::At(5_000_000_123),
            Moment::After(Duration::from_nanos(90_061_001_002_003)),
            Moment::After(Duration::ZERO),
            Moment::Wall(1_796_000_000_123_456_789),
        ] {
            assert_eq!(parse_moment(&moment_word(moment)), Ok(moment));
        }
    }
}
