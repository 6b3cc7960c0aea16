//! Words that users of perf and strace type, and their replacements in tp-perf.

use super::usage::usage_with_tips;
use crate::control::CommandLine;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

type Instead = (&'static [&'static str], &'static str);

/// Subcommands of perf.
const SUBCOMMANDS: [Instead; 8] = [
    (&["script"], "`tp-perf replay RECORDING -o -` prints the events"),
    (&["stat"], "`sudo tp-perf record -d 10s`, or with a command, shows how often each tracepoint was hit"),
    (&["diff"], "`tp-perf report ONE OTHER` shows how recordings differ"),
    (&["evlist"], "`tp-perf report RECORDING` shows its tracepoints"),
    (&["trace", "ftrace"], "`sudo tp-perf record -t syscalls -d 10s` records system calls, without their arguments"),
    (&["annotate"], "tp-perf records no code addresses; `perf record` does"),
    (&["probe"], "`perf probe` adds probes; tp-perf watches the tracepoints that the kernel has"),
    (
        &["sched", "lock", "kmem", "mem", "c2c", "timechart", "kwork", "inject"],
        "`perf` has this subcommand, and reads the events.perf of a recording",
    ),
];

/// Options of `perf record` and strace, for the commands that capture.
const OPTIONS_OF_CAPTURES: [Instead; 14] = [
    (&["-g", "--call-graph"], "tp-perf records no stacks; `perf record -g` and bpftrace do"),
    (&["-F", "--freq"], "leave it out: tp-perf records every hit, so it has no sampling frequency"),
    (&["-c", "--count"], "leave it out: tp-perf records every hit, so it has no sampling period"),
    (
        &["-p", "--pid", "--tid", "-u", "--uid", "-G", "--cgroup"],
        "leave it out: tp-perf watches all processes; `tp-perf record` can choose some with --pid, --cgroup, or --comm",
    ),
    (
        &["-f", "--follow-forks", "-i", "--no-inherit"],
        "leave it out: tp-perf watches all processes; `tp-perf record --pid PID` follows those that the process starts",
    ),
    (&["--filter"], "tp-perf does not read the arguments of tracepoints; `perf record --filter` does"),
    (&["-R", "--raw-samples"], "tp-perf records no arguments of tracepoints; `perf record` does"),
    (&["-T", "--timestamp"], "leave it out: every event has its time"),
    (&["-b", "--branch-any", "-j", "--branch-filter"], "tp-perf records no branches; `perf record -b` does"),
    (&["-D", "--delay"], "start later, as in `sleep 1; tp-perf record`"),
    (&["-m", "--mmap-pages"], "use --ring-size, as in `--ring-size 16M`"),
    (&["-z", "--compression-level"], "use --compress"),
    (&["-k", "--clockid"], "use --clock, as in `--clock monotonic-raw`"),
    (&["-v", "--verbose"], "leave it out: summary.json in the recording has the details"),
];

/// Options of `perf report` and `perf script`, for the commands that read a source.
const OPTIONS_OF_SOURCES: [Instead; 5] = [
    (&["-i", "--input"], "name the file without an option, as in `tp-perf report perf.data`"),
    (&["-s", "--sort", "--stdio"], "leave it out: the report is a table sorted by the number of events"),
    (&["-g", "--call-graph"], "a recording of tp-perf has no stacks; `perf report -g` shows those of perf's files"),
    (&["-F", "--fields"], "leave it out: --format csv has all columns"),
    (&["-f", "--force-owner"], "leave it out: tp-perf reads files of any owner"),
];

/// The table for a subcommand; `None` is tp-perf without one.
fn options(subcommand: Option<&str>) -> &'static [Instead] {
    match subcommand {
        None | Some("record" | "overhead" | "learn" | "identify" | "check") => &OPTIONS_OF_CAPTURES,
        Some("report" | "replay" | "export") => &OPTIONS_OF_SOURCES,
        Some(_) => &[],
    }
}

fn look_up(table: &[Instead], word: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|(_, instead)| *instead)
}

/// The error for a COMMAND that was typed without `--` and that the user probably meant as a subcommand. `own` has the names of
/// tp-perf's subcommands.
pub(super) fn misread_subcommand(command: &[OsString], own: &[&str]) -> Option<clap::Error> {
    /// A word that is less similar to a subcommand is a program.
    const ALIKE: f64 = 0.8;
    let word = command.first()?.to_str()?;
    let error = |problem: String, tip: String, other_tip: Option<String>| {
        Some(usage_with_tips(problem, [tip].into_iter().chain(other_tip)))
    };
    let is_program = CommandLine::find(command.to_vec()).is_ok();
    let as_program = is_program.then(|| format!("`tp-perf -- {word}` records while the program `{word}` runs"));
    if own.contains(&word) {
        let problem = format!("the subcommand `{word}` comes after options of a recording");
        return error(problem, format!("put it first: `tp-perf {word} ...`"), as_program);
    }
    if let Some(instead) = look_up(&SUBCOMMANDS, word) {
        return error(format!("tp-perf has no subcommand `{word}`"), instead.to_owned(), as_program);
    }
    let likeness = |own: &&&str| (strsim::jaro_winkler(word, own) * 1e6) as u64;
    let similar = own.iter().max_by_key(likeness).filter(|own| strsim::jaro_winkler(word, own) >= ALIKE)?;
    let problem = format!("tp-perf has no subcommand `{word}`, and PATH has no program of that name");
    if is_program {
        return None;
    }
    error(problem, format!("a similar subcommand exists: `tp-perf {similar}`"), None)
}

/// Adds the replacement for an unknown option. Removes the hint that the option may belong to COMMAND, because it rarely does.
///
/// `command` is the command that was typed, and `subcommand` its name if it is one.
pub(super) fn explain(mut error: clap::Error, subcommand: Option<&str>, command: &mut clap::Command) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    error.remove(ContextKind::Suggested);
    // Clap's own usage line has the options that were typed, and one that it suggests.
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return error };
    let option = typed.split('=').next().unwrap_or_default();
    if let Some(instead) = look_up(options(subcommand), option) {
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(instead)]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misread(words: &str) -> String {
        let command: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let own = ["record", "report", "list"];
        misread_subcommand(&command, &own).map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_option_of_perf_is_explained_for_the_command_that_it_belongs_to() {
        let explained = |subcommand: Option<&str>, option: &str| {
            let mut command = clap::Command::new("tp-perf").no_binary_name(true);
            let error = command.try_get_matches_from_mut([option]).unwrap_err();
            explain(error, subcommand, &mut command).to_string()
        };
        assert!(explained(None, "-m").contains("use --ring-size"));
        assert!(explained(Some("record"), "-i").contains("watches all processes"));
        assert!(explained(Some("report"), "-i").contains("name the file"));
        for (subcommand, option) in [("report", "-m"), ("doctor", "-v"), ("record", "--stdio")] {
            assert!(!explained(Some(subcommand), option).contains("tip:"), "{subcommand} {option}");
        }
    }

    #[test]
    fn a_word_of_perf_is_not_run_as_a_program() {
        assert!(misread("script").contains("tp-perf replay RECORDING -o -"));
        assert!(misread("lsit").contains("`tp-perf list`"));
        assert!(misread("list sched").contains("put it first: `tp-perf list ...`"));
        assert!(!misread("kwork").contains("tp-perf -- kwork"), "there is no such program");
        assert_eq!([misread("true"), misread("no-such-program-at-all")], [""; 2], "COMMANDs");
    }
}
