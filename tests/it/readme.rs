//! Checks the README and `docs`: every command line of tp-perf in them is valid, and those that need no
//! kernel succeed.

use crate::common::report::fixture;
use crate::common::{Test, perf_file, tests};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;
use tp_perf::cli::{self, Cli};

/// `tp-perf` alone shows the help.
const MISSING: ErrorKind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

pub const TESTS: &[Test] = tests![
    every_command_line_parses,
    what_needs_no_kernel_ends_well,
    every_option_of_the_table_exists,
    the_readme_is_short,
];

/// A command line of tp-perf in a page.
#[derive(Debug)]
struct Line {
    /// The page, and the line in it.
    place: String,
    /// The words after `tp-perf`.
    words: Vec<String>,
    /// Whether it is run with sudo.
    needs_root: bool,
    /// Whether it is in a block of shell commands. Otherwise it is in a sentence or a table.
    is_in_block: bool,
}

/// The recordings that the pages name.
const RECORDINGS: [&str; 14] = [
    "idle",
    "build",
    "apache",
    "first",
    "rec1",
    "rec2",
    "rec3",
    "recording",
    "idle1",
    "idle2",
    "idle3",
    "dd1",
    "dd2",
    "dd3",
];

/// The README and the pages in `docs`.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    paths.sort();
    paths.insert(0, root.join("README.md"));
    let page = |path: &std::path::PathBuf| {
        (path.strip_prefix(root).unwrap().display().to_string(), fs::read_to_string(path).unwrap())
    };
    paths.iter().map(page).collect()
}

/// All command lines of tp-perf: in `sh` blocks, after a `$` in `text` blocks, and between backticks.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (page, text) in pages() {
        let mut block = None;
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{page}:{number}");
            match (line.strip_prefix("```"), block) {
                (Some(language), None) => block = Some(language),
                (Some(_), Some(_)) => block = None,
                (None, Some("sh")) => lines.extend(commands(line, &place, true)),
                (None, Some("text")) => {
                    lines.extend(line.strip_prefix("$ ").into_iter().flat_map(|line| commands(line, &place, true)));
                }
                (None, Some(_)) => {}
                (None, None) => {
                    // Every other part is between backticks.
                    let code = line.split('`').skip(1).step_by(2);
                    let code = code.filter(|code| code.contains("tp-perf") && !code.contains("…/"));
                    lines.extend(code.flat_map(|code| commands(code, &place, false)));
                }
            }
        }
    }
    lines
}

/// The commands of tp-perf in a line of shell commands.
fn commands(line: &str, place: &str, is_in_block: bool) -> Vec<Line> {
    let of_words = |words: &[String]| {
        let needs_root = words.first().is_some_and(|word| word == "sudo");
        let (program, words) = words[usize::from(needs_root)..].split_first()?;
        let is_ours = program == "tp-perf" || program.ends_with("/tp-perf");
        let words = words.split(|word| word == ">").next().unwrap_or_default().to_vec();
        is_ours.then(|| Line { place: place.to_owned(), words, needs_root, is_in_block })
    };
    words(line).split(|word| ["&&", "|", ";"].contains(&word.as_str())).filter_map(of_words).collect()
}

/// Splits a line into words as a shell does, and drops a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote has no end: {line}");
    words.extend(word);
    words
}

/// The line with values in place of its placeholders, and with all optional parts.
fn filled_in(line: &Line) -> Vec<String> {
    let (words, command) = match line.words.iter().position(|word| word == "--") {
        // Not every machine has the program that the page names.
        Some(dashes) => (&line.words[..dashes], &["--", "true"][..]),
        None => (&line.words[..], &[][..]),
    };
    let fill = |word: &String| {
        let bare = word.trim_matches(['[', ']']).trim_end_matches('…').trim_end_matches(']');
        match bare {
            // Not every machine has these programs.
            "make" | "sudo" => "true".to_owned(),
            "N" => "7".to_owned(),
            "TIME" => "1s".to_owned(),
            "SHELL" => "bash".to_owned(),
            "STATE" => "idle".to_owned(),
            "PATTERN" => "sched:*".to_owned(),
            word => word.to_owned(),
        }
    };
    let words = words.iter().map(fill).filter(|word| !word.is_empty());
    ["tp-perf".to_owned()].into_iter().chain(words).chain(command.iter().map(|word| word.to_string())).collect()
}

/// Validates the words as tp-perf does before it starts to work.
fn parse(words: &[String]) -> Result<(), clap::Error> {
    let Cli { command, record, .. } = match Cli::try_parse_from(words) {
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | MISSING) => return Ok(()),
        parsed => parsed?,
    };
    match command {
        None => record.request().map(drop),
        Some(cli::Command::Record(args)) => args.request().map(drop),
        Some(cli::Command::Count(args)) => args.request().map(drop),
        #[cfg(feature = "top")]
        Some(cli::Command::Top(args)) => args.request().map(drop),
        // The config file of an example does not exist.
        #[cfg(feature = "monitor")]
        Some(cli::Command::Monitor(args)) => match args.request() {
            Err(error) if error.to_string().contains("the config file cannot be read") => Ok(()),
            request => request.map(drop),
        },
        Some(cli::Command::Replay(args)) => args.request().map(drop),
        Some(cli::Command::Report(args)) => args.request().map(drop),
        Some(cli::Command::Export(args)) => args.request().map(drop),
        Some(cli::Command::Overhead(args)) => args.request().map(drop),
        Some(cli::Command::Learn(args)) => args.request().map(drop),
        Some(cli::Command::States(args)) => args.request().map(drop),
        Some(cli::Command::Identify(args)) => args.request().map(drop),
        Some(cli::Command::Check(args)) => args.request().map(drop),
        // clap validates all of their arguments.
        Some(cli::Command::Completions(_) | cli::Command::Man(_)) => Ok(()),
        #[cfg(feature = "monitor")]
        Some(cli::Command::Flight(_)) => Ok(()),
        Some(cli::Command::Doctor(args)) => args.request().map(drop),
        Some(cli::Command::List(_)) => Ok(()),
    }
}

fn every_command_line_parses() {
    let lines = lines();
    let subcommands: BTreeSet<String> =
        Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let shown: BTreeSet<String> = lines.iter().filter_map(|line| line.words.first().cloned()).collect();
    let missing: Vec<_> = subcommands.difference(&shown).collect();
    assert!(missing.is_empty(), "no page shows {missing:?}");
    // A sentence may name a subcommand without its arguments.
    let is_name = |line: &&Line| !line.is_in_block && line.words.len() == 1 && subcommands.contains(&line.words[0]);
    let wrong = lines.iter().filter(|line| !is_name(line)).filter_map(|line| {
        let words = filled_in(line);
        parse(&words).err().map(|error| format!("{}: {}\n{error}", line.place, words.join(" ")))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A recording of three tracepoints for five seconds. Each number gives another recording.
fn recording(number: u64) -> NamedTempFile {
    let tracepoints = [("irq", "softirq_entry"), ("sched", "sched_waking"), ("task", "task_rename")];
    let mut random = fastrand::Rng::with_seed(number);
    let mut event = |n: u64| (number * 100_000_000_000 + n * 10_000_000, random.u32(1..=3), random.u32(0..4));
    let events: Vec<_> = (0..500).map(&mut event).collect();
    perf_file(&tracepoints, &[&events], None)
}

/// Runs the commands of the blocks in order and in one folder, as a reader would try them.
fn what_needs_no_kernel_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    for (number, name) in (1..).zip(RECORDINGS) {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::copy(recording(number).path(), folder.path().join(name).join("events.perf")).unwrap();
    }
    fs::copy(fixture("perf-file.data"), folder.path().join("perf.data")).unwrap();
    let mut ran = 0;
    for line in lines() {
        // With --speed, a replay takes as long as the recording, a test must not open a browser, and `top` needs a terminal.
        let is_left_out = line.words.iter().any(|word| ["--speed", "--open", "top"].contains(&word.as_str()));
        if line.needs_root || !line.is_in_block || is_left_out {
            continue;
        }
        let output = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
            .args(&line.words)
            .current_dir(folder.path())
            .env("XDG_DATA_HOME", folder.path().join("data"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let codes: &[i32] = if line.words[0] == "check" { &[0, 3] } else { &[0] };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(codes.contains(&output.status.code().unwrap()), "{line:?} ended with {}: {said}", output.status);
        ran += 1;
    }
    assert!(ran > 10, "{ran} commands ran");
}

fn every_option_of_the_table_exists() {
    let command = Cli::command();
    // The first table of options in the guide is that of a capture.
    let (_, guide) = pages().into_iter().find(|(name, _)| name == "docs/guide.md").unwrap();
    let rows = guide.lines().skip_while(|line| !line.starts_with("| option |")).skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).map(|row| row.split('|').nth(1).unwrap());
    let mut found = 0;
    for option in cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        let name = option.split(' ').next().unwrap();
        let mut arguments = command.get_arguments();
        let exists = arguments.any(|argument| match name.strip_prefix("--") {
            Some(long) => argument.get_long() == Some(long),
            None => argument.get_short().is_some_and(|short| name == format!("-{short}")),
        });
        assert!(exists, "there is no option `{option}`");
        found += 1;
    }
    assert!(found > 10, "{found} options in the table");
}

fn the_readme_is_short() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.lines().count() <= 130, "{} lines", readme.lines().count());
    assert_eq!(readme.lines().find(|line| line.chars().count() > 100), None, "a line of more than 100 columns");
}
