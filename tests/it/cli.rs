//! Runs the program: wrong usage, help, and other output that needs no kernel. `screens` checks the words.

use crate::common::{Test, tests};
use assert_cmd::Command;
use clap::CommandFactory;
use std::process::Stdio;
use tp_perf::cli::Cli;

pub const TESTS: &[Test] = tests![
    wrong_usage_ends_with_two_and_prints_no_result,
    help_names_every_command_and_every_command_has_help,
    completions_name_every_command,
    the_manual_page_names_every_command,
    a_closed_pipe_is_no_failure,
    no_colour_where_there_is_no_terminal,
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

fn wrong_usage_ends_with_two_and_prints_no_result() {
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

fn help_names_every_command_and_every_command_has_help() {
    let help = printed(&["--help"]);
    for name in subcommands() {
        let lines = help.lines().filter(|line| line.split_whitespace().next() == Some(&name));
        assert_eq!(lines.count(), 1, "{name} has no line of its own in {help}");
        assert!(printed(&[&name, "--help"]).lines().count() > 3, "{name}");
    }
}

fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        let words: Vec<&str> = script.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
        for name in subcommands() {
            assert!(words.contains(&name.as_str()), "{shell}: {name}");
        }
    }
}

fn the_manual_page_names_every_command() {
    let page = printed(&["man"]);
    for name in subcommands() {
        assert!(page.lines().any(|line| line.trim() == format!("tp\\-perf\\-{name}(1)")), "{name} is not in {page}");
    }
}

fn a_closed_pipe_is_no_failure() {
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

fn no_colour_where_there_is_no_terminal() {
    let output = tp_perf(&["doctor"]).output().unwrap();
    assert!(!output.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stdout));
}
