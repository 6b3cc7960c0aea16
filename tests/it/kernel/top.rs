//! `tp-perf top` on a terminal: it shows who hits a tracepoint, and gives the terminal back, whatever ends it.

use crate::common::screen::{open_terminal, read_terminal};
use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, GETSID};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("it_shows_the_hits_and_the_process_that_causes_them", nothing_more, who),
    ("a_hot_tracepoint_shows_its_process_too", nothing_more, hot),
    ("samples_of_the_chosen_row_cost_the_count_no_hit", nothing_more, exact),
    ("the_terminal_comes_back_after_each_end", nothing_more, ends),
    ("it_ends_when_its_terminal_goes_away", nothing_more, gone),
    ("without_a_terminal_it_says_what_to_do", nothing_more, no_terminal),
];

/// What a terminal gets at the begin and at the end.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// Runs `top` on a terminal in a new directory. Each of the texts is awaited, and then the keys behind it are typed.
fn top(words: &[&str], steps: &[(&str, &str)]) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().unwrap();
    top_in(folder.path(), words, steps)
}

fn top_in(folder: &std::path::Path, words: &[&str], steps: &[(&str, &str)]) -> (ExitStatus, String) {
    let (mut terminal, programs_end) = open_terminal(100);
    let end = || Stdio::from(programs_end.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    // If the test fails to quit, it ends anyway.
    let end_anyway = if words.contains(&"-d") { &[][..] } else { &["-d", "60s"] };
    command
        .arg("top")
        .args(["-t", GETSID])
        .args(end_anyway)
        .args(words)
        .current_dir(folder)
        .env("TERM", "xterm-256color");
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    let mut steps = steps.iter();
    let (mut next, mut from) = (steps.next(), 0);
    let (status, seen) = read_terminal(&mut terminal, programs_end, &mut child, |terminal, seen| {
        while let Some((text, keys)) = next {
            let Some(at) = String::from_utf8_lossy(&seen[from..]).find(text) else { return };
            // The same text must be drawn again for the next step.
            from = (from + at + text.len()).min(seen.len());
            match keys.strip_prefix("signal ") {
                Some(signal) => kill(pid, signal.parse::<Signal>().unwrap()).unwrap(),
                None => terminal.write_all(keys.as_bytes()).unwrap(),
            }
            next = steps.next();
        }
    });
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert_eq!(next, None, "it never showed this: {seen:?}");
    (status, seen)
}

const DOWN: &str = "\u{1b}[B";

/// A program that hits the tracepoint: with pauses, or as often as it can.
fn storm(pause: &str) -> Background {
    let mut command = Command::new("sh");
    let loops = format!("while :; do $0 storm 200 getsid; {pause} done");
    Background::start(command.args(["-c", &loops]).arg(std::env::current_exe().unwrap()))
}

fn name_of_test() -> String {
    let myself = std::env::current_exe().unwrap();
    myself.file_name().unwrap().to_str().unwrap().chars().take(15).collect()
}

fn who() {
    let _storm = storm("sleep 0.1;");
    let folder = tempfile::tempdir().unwrap();
    let name = name_of_test();
    // Only what changes is drawn, so a phrase may come in pieces.
    let steps = [(GETSID, DOWN), (name.as_str(), "p"), ("cgroup", "w"), ("wrote", "q")];
    let (status, seen) = top_in(folder.path(), &["--budget", "none"], &steps);
    assert!(status.success() && seen.contains("hits/s"), "{seen:?}");
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let csv = fs::read_to_string(file).unwrap();
    assert!(csv.lines().count() > 1 && csv.contains(",syscalls,sys_enter_getsid,"), "{csv}");
}

fn hot() {
    let _storm = storm("");
    let name = name_of_test();
    let (status, seen) = top(&["--every", "500ms"], &[(GETSID, DOWN), (name.as_str(), "q")]);
    assert!(status.success(), "{seen:?}");
}

/// Bursts of a known number, while the samples of the row go on and off in each window.
fn exact() {
    const BURSTS: u64 = 25;
    const BURST: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, programs_end) = open_terminal(100);
    let end = || Stdio::from(programs_end.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(["top", "-d", "60s", "-t", GETSID, "--budget", "none", "--every", "200ms"]);
    command.current_dir(folder.path()).env("TERM", "xterm-256color");
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    let mut bursts: Option<std::process::Child> = None;
    let (mut step, mut from, mut frames) = (0, 0, 0);
    let (status, seen) = read_terminal(&mut terminal, programs_end, &mut child, |terminal, seen| {
        let new = String::from_utf8_lossy(&seen[from..]).into_owned();
        match step {
            0 if new.contains("hits/s") => {
                let mut command = Command::new("sh");
                let bursting = format!("for i in $(seq {BURSTS}); do $0 storm {BURST} getsid; sleep 0.1; done");
                bursts = Some(command.args(["-c", &bursting]).arg(std::env::current_exe().unwrap()).spawn().unwrap());
            }
            1 if new.contains(GETSID) => terminal.write_all(DOWN.as_bytes()).unwrap(),
            2 if new.contains("intervals") && bursts.as_mut().unwrap().try_wait().unwrap().is_some() => {}
            // The window with the last hits has ended by then.
            3 if frames < 20 => {
                frames += 1;
                return;
            }
            3 => terminal.write_all(b"w").unwrap(),
            4 if new.contains("wrote") => terminal.write_all(b"q").unwrap(),
            _ => return,
        }
        step += 1;
        from = seen.len();
    });
    assert!(status.success() && step == 5, "step {step}: {:?}", String::from_utf8_lossy(&seen));
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut csv = csv::Reader::from_path(file).unwrap();
    let hits: u64 = csv.records().map(|row| row.unwrap()[4].parse::<u64>().unwrap()).sum();
    assert_eq!(hits, BURSTS * BURST);
}

fn ends() {
    let (status, seen) = top(&["-d", "1s"], &[]);
    assert!(status.success() && seen.contains(ENTER), "{seen:?}");
    for (keys, code) in [("q", 0), ("\u{3}", 0), ("signal SIGTERM", 0), ("signal SIGINT", 0), ("signal SIGHUP", 0)] {
        let (status, seen) = top(&[], &[("hits/s", keys)]);
        let (_, end) = seen.rsplit_once(LEAVE).unwrap_or_else(|| panic!("{keys:?} leaves {seen:?}"));
        assert!(end.contains(SHOW_CURSOR) && !end.contains(ENTER), "{keys:?} leaves {seen:?}");
        assert_eq!(status.code(), Some(code), "{keys:?}: {seen:?}");
    }
}

/// The parent has ignored SIGHUP, so only the terminal itself shows its end.
fn gone() {
    let (mut terminal, programs_end) = open_terminal(100);
    let end = || Stdio::from(programs_end.try_clone().unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec $0 top -t $1", env!("CARGO_BIN_EXE_tp-perf"), GETSID]);
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop((command, programs_end));
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("hits/s") {
        let mut bytes = [0; 4096];
        let length = terminal.read(&mut bytes).unwrap();
        seen.extend_from_slice(&bytes[..length]);
    }
    drop(terminal);
    let has_ended = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        child.try_wait().unwrap().is_some()
    });
    child.kill().unwrap();
    assert!(has_ended, "it goes on without a terminal");
}

fn no_terminal() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    let output = command.arg("top").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("tp-perf count --every 1s"), "{said}");
}
