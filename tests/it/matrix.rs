//! A folder of other tools' files, given by `TP_PERF_OTHER_FILES`: tp-perf reads the same events as `perf script`.
//!
//! The test prints a line for each file. A file that the installed perf cannot read shows only that tp-perf ends in order.

use crate::common::Test;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tp_perf::events::stream::EventStream;
use tp_perf::source::{self, About, Place, Source};
use tp_perf::terminal::messages::sentence;

pub const TESTS: &[Test] =
    &[("files_of_other_tools_have_the_events_that_perf_script_shows", has_files_and_perf, compare_all)];

const FOLDER: &str = "TP_PERF_OTHER_FILES";

fn has_files_and_perf() -> Result<(), String> {
    let has_perf = perf(&["--version"]).is_ok_and(|output| output.status.success());
    match std::env::var_os(FOLDER) {
        Some(_) if has_perf => Ok(()),
        Some(_) => Err("perf".to_owned()),
        None => Err(format!("{FOLDER}, a folder with files of perf record and of similar tools")),
    }
}

/// Runs perf. As root, it mounts tracefs and leaves it mounted, so it gets mounts of its own.
fn perf(words: &[&str]) -> std::io::Result<std::process::Output> {
    let mut command = match nix::unistd::Uid::effective().is_root() {
        true => Command::new("unshare"),
        false => Command::new("perf"),
    };
    if nix::unistd::Uid::effective().is_root() {
        command.args(["--mount", "perf"]);
    }
    command.args(words).output()
}

/// How often each tracepoint was hit at each time in nanoseconds.
type Hits = BTreeMap<(u64, String), u64>;

/// What perf shows of the tracepoints in a file; `None` if it cannot read the file to its end.
fn of_perf(path: &str) -> Option<Hits> {
    let script = perf(&["script", "-f", "-F", "time,event", "--ns", "-i", path]).ok()?;
    if !script.status.success() {
        return None;
    }
    let mut hits = Hits::new();
    for line in String::from_utf8_lossy(&script.stdout).lines() {
        let mut words = line.split_whitespace();
        let (Some(time), Some(event)) = (words.next(), words.next()) else { continue };
        let (event, time) = (event.trim_end_matches(':'), time.trim_end_matches(':').replace('.', ""));
        if is_tracepoint(event) {
            *hits.entry((time.parse().ok()?, event.to_owned())).or_default() += 1;
        }
    }
    Some(hits)
}

/// Whether perf's name of an event is `group:name`. Other events can have modifiers, as in `cycles:u`, and slashes.
fn is_tracepoint(event: &str) -> bool {
    let is_modifier = |name: &str| name.chars().all(|letter| "ukhGHpPSDIWe".contains(letter));
    event.split_once(':').is_some_and(|(_, name)| !is_modifier(name) && !name.contains([':', '=']))
        && !event.contains('/')
}

/// The hits that tp-perf reads, the number of late events, and the problem if it does not read to the end.
fn of_tp_perf(mut stream: EventStream) -> (Hits, u64, Option<String>) {
    let mut hits = Hits::new();
    let problem = loop {
        match stream.next_with_table() {
            Ok(Some((batch, table))) => batch.iter().for_each(|event| {
                *hits.entry((event.time.0, table.get(event.tpid()).full_name())).or_default() += 1;
            }),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    let late = stream.decoded().per_cpu.iter().map(|cpu| cpu.late).sum();
    (hits, late, problem)
}

/// Compares a file, and returns the result in words. It is an error if the two tools differ.
fn compare(path: &Path) -> Result<String, String> {
    let opened = source::open(&Place::Path(path.to_owned()), None);
    let of_perf = of_perf(path.to_str().ok_or("the name is not UTF-8")?);
    let Source { stream, problem, about, .. } = match opened {
        Ok(source) => source,
        Err(error) => {
            let refused = format!("refused: {}", sentence(&error));
            let Some(hits) = of_perf else { return Ok(format!("{refused} (nor does perf read it)")) };
            return match hits.values().sum() {
                0u64 => Ok(refused),
                events => Err(format!("{refused}, but perf shows {events} events of tracepoints")),
            };
        }
    };
    let not_sampled: BTreeSet<String> = match &about {
        About::Perf { not_sampled, .. } => {
            not_sampled.iter().map(|tpid| stream.table().get(*tpid).full_name()).collect()
        }
        _ => BTreeSet::new(),
    };
    let (hits, late, damage) = of_tp_perf(stream);
    let number = |hits: &Hits| hits.values().sum::<u64>();
    let problem = problem.map(|problem| problem.to_string()).or(damage);
    let read = format!("{} events{}", number(&hits), problem.map(|text| format!(" ({text})")).unwrap_or_default());
    let Some(mut expected) = of_perf else { return Ok(format!("{read}; perf cannot read it")) };
    // perf makes samples of the members of sampled groups from those of their leaders. tp-perf reports that it does not.
    expected.retain(|(_, event), _| !not_sampled.contains(event));
    let missing = expected.iter().filter(|(hit, number)| hits.get(*hit).is_none_or(|own| own < *number)).count() as u64;
    let added = hits.iter().filter(|(hit, number)| expected.get(*hit).is_none_or(|of_perf| of_perf < *number)).count();
    match (missing, added) {
        (missing, 0) if missing <= late => Ok(format!("{read}, as in perf")),
        _ => Err(format!("{read}, but {} in perf: {missing} missing, {added} added", number(&expected))),
    }
}

fn compare_all() {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(std::env::var_os(FOLDER).unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut report, mut wrong) = (String::new(), 0);
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy();
        match compare(path) {
            Ok(result) => writeln!(report, "{name}: {result}").unwrap(),
            Err(difference) => {
                wrong += 1;
                writeln!(report, "{name}: WRONG: {difference}").unwrap();
            }
        }
    }
    println!("\n{report}{} files", paths.len());
    assert!(!paths.is_empty() && wrong == 0, "{wrong} of {} files differ", paths.len());
}
