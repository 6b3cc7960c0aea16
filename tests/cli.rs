//! The program as it is called: wrong usage, help, and what it prints without a kernel.

use assert_cmd::Command;
use std::process::Stdio;

fn tp_perf(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(words);
    command
}

#[test]
fn wrong_usage_ends_with_two_and_says_what_is_wrong() {
    for (words, said) in [
        (&["--events", "0"][..], "at least 1"),
        (&["--duration", "10"], "`10s`"),
        (&["--ring-size", "lots"], "`512K`"),
        (&["--cpus", "3-1"], "backwards"),
        (&["-t", "a["], "not a pattern"),
        (&["--", "/no/such/program"], "does not exist"),
        (&["make"], "--"),
        (&["list", "--format", "xml"], "possible values"),
        (&["-n", "5", "list"], "unexpected argument"),
    ] {
        let output = tp_perf(words).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_has_examples_and_names_every_command() {
    let output = tp_perf(&["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "Examples:",
        "list",
        "replay",
        "report",
        "doctor",
        "completions",
        "man",
        "--events",
        "--wait-detach",
        "Exit codes:",
    ] {
        assert!(help.contains(word), "{word} is not in {help}");
    }
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = tp_perf(&["completions", shell]).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("ring-size"), "{shell}");
    }
    let output = tp_perf(&["man"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains(".TH tp-perf 1"));
}

#[test]
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

#[test]
fn no_colour_where_there_is_no_terminal() {
    let output = tp_perf(&["doctor"]).output().unwrap();
    assert!(!output.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stdout));
}
