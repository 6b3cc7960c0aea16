//! Words that users of perf and strace type, and their replacements in tp-perf.

use super::usage::usage;
use crate::control::CommandLine;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

type Instead = (&'static [&'static str], &'static str);

/// Subcommands of perf.
const SUBCOMMANDS: [Instead; 8] = [
    (&["script"], "`tp-perf replay RECORDING -o -` prints the events"),
    (&["stat"], "`tp-perf -d 10s` shows how often each tracepoint was hit"),
    (&["top"], "`perf top` shows functions; `tp-perf -d 10s` shows tracepoints"),
    (&["diff"], "`tp-perf report ONE OTHER` shows how recordings differ"),
    (&["evlist"], "`tp-perf report RECORDING` shows its tracepoints"),
    (&["trace", "ftrace"], "`tp-perf --also 'syscalls:*'` records system calls, without their arguments"),
    (&["probe"], "`perf probe` adds probes; tp-perf watches the tracepoints that the kernel has"),
    (
        &["annotate", "sched", "lock", "kmem", "mem", "c2c", "timechart", "kwork", "inject"],
        "`perf` has this subcommand, and reads the events.perf of a recording",
    ),
];

/// Options of perf and strace.
const OPTIONS: [Instead; 12] = [
    (&["-g", "--call-graph"], "tp-perf records no stacks; `perf record -g` and bpftrace do"),
    (&["-F", "--freq"], "leave it out: tp-perf records every hit, so it has no sampling frequency"),
    (&["-c", "--count"], "leave it out: tp-perf records every hit, so it has no sampling period"),
    (
        &["-p", "--pid", "--tid", "-u", "--uid", "-G", "--cgroup"],
        "leave it out: tp-perf watches all processes; `perf record -p PID` watches one",
    ),
    (&["-f", "--follow-forks", "--no-inherit"], "leave it out: tp-perf watches all processes"),
    (&["--filter"], "tp-perf does not read the arguments of tracepoints; `perf record --filter` does"),
    (&["-m", "--mmap-pages"], "use --ring-size, as in `--ring-size 16M`"),
    (&["-z", "--compression-level"], "use --compress"),
    (&["-k", "--clockid"], "use --clock, as in `--clock monotonic-raw`"),
    (&["-v", "--verbose"], "leave it out: summary.json in the recording has the details"),
    (&["-i", "--input"], "name the file without an option, as in `tp-perf report perf.data`"),
    (&["-s", "--sort", "--stdio"], "leave it out: the report is a table sorted by the number of events"),
];

fn look_up(table: &[Instead], word: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|(_, instead)| *instead)
}

/// The error for a COMMAND that was typed without `--` and that the user probably meant as a subcommand. `own` has the names of
/// tp-perf's subcommands.
pub(super) fn misread_subcommand(command: &[OsString], own: &[&str]) -> Option<clap::Error> {
    /// A word that is less similar to a subcommand is a program.
    const ALIKE: f64 = 0.8;
    let word = command.first()?.to_str()?;
    let error = |problem: &str, tips: &[String]| {
        let tips: String = tips.iter().map(|tip| format!("\n\n  tip: {tip}")).collect();
        usage(format!("{problem}{tips}"))
    };
    let as_program = format!("`tp-perf -- {word}` records while the program `{word}` runs");
    if own.contains(&word) {
        let problem = format!("the subcommand `{word}` comes after options of a recording");
        return Some(error(&problem, &[format!("put it first: `tp-perf {word} ...`"), as_program]));
    }
    if let Some(instead) = look_up(&SUBCOMMANDS, word) {
        return Some(error(&format!("tp-perf has no subcommand `{word}`"), &[instead.to_owned(), as_program]));
    }
    let likeness = |own: &&&str| (strsim::jaro_winkler(word, own) * 1e6) as u64;
    let similar = own.iter().max_by_key(likeness).filter(|own| strsim::jaro_winkler(word, own) >= ALIKE)?;
    let is_program = CommandLine::find(command.to_vec()).is_ok();
    let problem = format!("tp-perf has no subcommand `{word}`, and PATH has no program of that name");
    (!is_program).then(|| error(&problem, &[format!("a similar subcommand exists: `tp-perf {similar}`")]))
}

/// Adds the replacement for an unknown option. Removes the hint that the option may belong to COMMAND, because it rarely does.
pub(super) fn explain(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    error.remove(ContextKind::Suggested);
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return error };
    let option = typed.split('=').next().unwrap_or_default();
    if let Some(instead) = look_up(&OPTIONS, option) {
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
    fn a_word_of_perf_is_not_run_as_a_program() {
        assert!(misread("script").contains("tp-perf replay RECORDING -o -"));
        assert!(misread("lsit").contains("`tp-perf list`"));
        assert!(misread("list sched").contains("put it first: `tp-perf list ...`"));
        assert_eq!([misread("true"), misread("no-such-program-at-all")], [""; 2], "COMMANDs");
    }
}
