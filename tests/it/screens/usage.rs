//! The screens of help, completions, manual pages, and wrong usage.

use super::stage::{Stage, heads, pinned, screen};
use crate::common::screen::assert_screen;
use clap::CommandFactory;
use std::fs;
use std::path::Path;
use tp_perf::cli::Cli;

pub fn help() {
    let mut names = vec![String::new()];
    let mut at = 0;
    // All commands and all their subcommands.
    while at < names.len() {
        let path = names[at].clone();
        let command = path.split_whitespace().fold(Cli::command(), |command, name| {
            command.find_subcommand(name).expect("it is where it was found").clone()
        });
        names.extend(
            command.get_subcommands().map(|command| format!("{path} {}", command.get_name()).trim().to_owned()),
        );
        at += 1;
    }
    assert!(names.len() > 11, "{names:?}");
    let file = |name: &str| format!("help {name}").trim().replace(' ', "_");
    for name in &names {
        assert_screen(&file(name), &screen(|_| {}, &[format!("{name} --help").trim()]));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/screens");
    let stored = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut stored: Vec<String> = stored.filter(|name| name.starts_with("help") && name.ends_with(".snap")).collect();
    let mut expected: Vec<String> = names.iter().map(|name| format!("{}.snap", file(name))).collect();
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected, "there is a screen of a command that no longer exists");
}

pub fn completions_and_man() {
    // They come from the same definition as the help, which has its own screens.
    let lines = [("completions bash", 4), ("completions zsh", 4), ("completions fish", 4), ("man", 12)];
    assert_screen("completions_and_man", &heads(&Stage::new(), &lines));
}

pub fn wrong_usage() {
    pinned(
        "wrong_usage",
        &[
            "--version",
            "--events 0",
            "--events many",
            "--duration 10",
            "--ring-size lots",
            "--cpus 3-1",
            "-t a[",
            "-- /no/such/program",
            "lsit",
            "script",
            "-g",
            "--tid 1",
            "record -F 99 -a",
            "--ring-size 63K",
            "list --format xml",
            "-n 5 list",
            "replay",
            "replay a b",
            "replay a --from 2s --to 1s",
            "replay a --from 2 --to 1s",
            "report a --htm b",
            "replay a --speed 0",
            "report - -",
            "report a --top 0",
            "overhead",
            "overhead --runs 0 -- true",
            "overhead --ways recrod -- true",
            "learn",
            "learn a/b fixtures/idle.perf.zst",
            "learn idle a --duration 5s",
            "learn idle --from 5s",
            "identify a --alpha 2",
            "identify a --window 5",
            "check a",
            "check --against idle a --false-alarms 0",
            "states forget idle",
            "completions powder",
            "doctor --cpus x",
        ],
    );
}
