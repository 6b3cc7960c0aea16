//! Runs the program: wrong usage, help, and other output that needs no kernel. `screens` checks the words.

use crate::common::{Test, nothing_more};
use assert_cmd::Command;
use clap::CommandFactory;
use nix::unistd::geteuid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use tp_perf::cli::Cli;

pub const TESTS: &[Test] = &[
    ("wrong_usage_ends_with_two_and_prints_no_result", nothing_more, wrong_usage),
    ("help_names_every_command_and_every_command_has_help", nothing_more, help),
    ("completions_name_every_command", nothing_more, completions),
    ("the_manual_page_names_every_command", nothing_more, manual_page),
    ("a_closed_pipe_is_no_failure", nothing_more, closed_pipe),
    ("results_that_cannot_be_printed_are_a_failure", nothing_more, no_output),
    ("no_colour_where_there_is_no_terminal", nothing_more, no_colour),
    ("an_ordinary_user_sees_the_command_to_type_as_root", root, ordinary_user),
];

fn tp_perf(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(words);
    command
}

/// The output of a command that succeeds.
fn printed(words: &[&str]) -> String {
    let output = tp_perf(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// All subcommands that the help lists, as clap has them.
fn subcommands() -> Vec<String> {
    let listed = |command: &&clap::Command| !command.is_hide_set();
    let names: Vec<String> =
        Cli::command().get_subcommands().filter(listed).map(|command| command.get_name().to_owned()).collect();
    assert!(!names.is_empty());
    names
}

fn wrong_usage() {
    for words in [
        &["--events", "0"][..],
        &["--duration", "10"],
        &["--ring-size", "lots"],
        &["--cpus", "3-1"],
        &["-t", "a["],
        &["--", "/no/such/program"],
        &["lsit"],
        &["script"],
        &["-g"],
        &["--ring-size", "63K"],
        &["list", "--format", "xml"],
        &["-n", "5", "list"],
    ] {
        let output = tp_perf(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}: {output:?}");
    }
}

fn help() {
    let help = printed(&["--help"]);
    for name in subcommands() {
        let lines = help.lines().filter(|line| line.split_whitespace().next() == Some(&name));
        assert_eq!(lines.count(), 1, "{name} has no line of its own in {help}");
        assert!(printed(&[&name, "--help"]).lines().count() > 3, "{name}");
    }
}

fn completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        let words: Vec<&str> = script.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
        for name in subcommands() {
            assert!(words.contains(&name.as_str()), "{shell}: {name}");
        }
    }
}

fn manual_page() {
    let page = printed(&["man"]);
    for name in subcommands() {
        assert!(
            page.lines().any(|line| line.trim() == format!("\\fBtp\\-perf\\-{name}\\fR(1)")),
            "{name} is not in {page}"
        );
    }
}

fn closed_pipe() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Standard output is closed, or full.
fn no_output() {
    let commands = [
        &["report", "--example"][..],
        &["report", "--example", "--format", "csv"],
        &["report", "--example", "--html", "-"],
        &["replay", "--example"],
        &["replay", "--example", "-o", "-"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["report", "-h"],
        &["--version"],
    ];
    for (redirection, cause) in [
        (">&-", "standard output is closed"),
        ("1</dev/null", "standard output is open only for reading"),
        (">/dev/full", "No space left on device"),
    ] {
        let run = |words: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}"), env!("CARGO_BIN_EXE_tp-perf")]);
            command.args(words).output().unwrap()
        };
        for words in commands {
            let output = run(words);
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{redirection} {words:?}: {error}");
            assert!(error.contains(cause), "{redirection} {words:?}: {error}");
        }
        // Nothing is printed.
        assert!(run(&["report", "--example", "-q"]).status.success());
        assert_eq!(run(&["--no-such-option"]).status.code(), Some(2));
    }
    // Other standard streams do not matter, and a device that swallows all is one.
    for redirection in [">/dev/null", ">/dev/null <&- 2>&-", "<>/dev/null >&0"] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}"), env!("CARGO_BIN_EXE_tp-perf")]);
        assert!(command.args(["report", "--example"]).output().unwrap().status.success(), "{redirection}");
    }
}

fn no_colour() {
    let output = tp_perf(&["doctor"]).output().unwrap();
    assert!(!output.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stdout));
}

fn root() -> Result<(), String> {
    if geteuid().is_root() { Ok(()) } else { Err("root, to become an ordinary user".to_owned()) }
}

fn ordinary_user() {
    const NOBODY: u32 = 65534;
    // The build directory may be closed to other users.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("tp-perf");
    fs::copy(env!("CARGO_BIN_EXE_tp-perf"), &program).unwrap();
    for (words, line) in [(&["-n", "5", "-t", "sched:*"][..], "-n 5 -t 'sched:*'"), (&["list"], "list")] {
        let mut command = std::process::Command::new(&program);
        let output = command.args(words).uid(NOBODY).gid(NOBODY).current_dir("/").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let first = format!("tp-perf: needs root: sudo {} {line}\n", program.display());
        assert!(said.starts_with(&first), "{said}");
    }
}
