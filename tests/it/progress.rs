//! What progress leaves on a terminal.

use crate::common::report::fixture;
use crate::common::screen::{open_terminal, read_terminal};
use crate::common::{Test, tests};
use std::io::Write;
use std::process::Command;

pub const TESTS: &[Test] = tests![ctrl_c_leaves_no_progress];

const COLUMNS: u16 = 80;

/// The lines that a terminal shows after these bytes, as far as progress needs it.
fn lines(bytes: &[u8]) -> Vec<String> {
    let mut screen = vec![Vec::<char>::new()];
    let (mut row, mut column) = (0, 0);
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => (row, column) = (row + 1, 0),
            '\x1b' => {
                let sequence: String = rest.by_ref().skip(1).take_while(|c| !c.is_ascii_alphabetic()).collect();
                // Only erasing a line matters here; colours do not.
                if sequence == "2" {
                    screen[row].clear();
                }
            }
            c => {
                if column == usize::from(COLUMNS) {
                    (row, column) = (row + 1, 0);
                }
                screen.resize_with(screen.len().max(row + 1), Vec::new);
                let length = screen[row].len().max(column + 1);
                screen[row].resize(length, ' ');
                screen[row][column] = c;
                column += 1;
            }
        }
        screen.resize_with(screen.len().max(row + 1), Vec::new);
    }
    screen.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
}

fn ctrl_c_leaves_no_progress() {
    let (mut terminal, programs_end) = open_terminal(COLUMNS);
    let end = || programs_end.try_clone().unwrap();
    // With a terminal of its own, so that Ctrl-C reaches it.
    let mut child = Command::new("setsid")
        .args(["--ctty", env!("CARGO_BIN_EXE_tp-perf"), "replay", "--speed", "0.01"])
        .arg(fixture("idle.perf.zst"))
        .env("TERM", "xterm")
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    let mut is_stopped = false;
    let (status, seen) = read_terminal(&mut terminal, programs_end, &mut child, |terminal, seen| {
        if !is_stopped && lines(seen).iter().any(|line| line.contains("replaying")) {
            terminal.write_all(b"\x03").unwrap();
            is_stopped = true;
        }
    });
    assert_eq!(status.code(), Some(130));
    let text = String::from_utf8_lossy(&seen);
    assert!(text.contains("replaying") && text.contains("^C"), "{text}");
    let left = lines(&seen);
    assert!(left.iter().any(|line| line.contains("accounting")), "{left:#?}");
    let dead = left.iter().find(|line| line.contains("replaying") || line.contains("^C"));
    assert_eq!(dead, None, "{left:#?}");
}
