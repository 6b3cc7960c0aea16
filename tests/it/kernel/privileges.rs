//! The rights of captures under sudo. `privileges` has those of the commands that only read files.

use super::rig::{Background, RENAME, Recording, eventually, pids_of};
use crate::common::sudo::{Homes, Rights, USER, errors};
use crate::common::{Test, tests};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use tp_perf::os::cpus::Cpu;

pub const TESTS: &[Test] = tests![
    a_capture_has_the_rights_of_the_user,
    a_capture_of_root_itself_has_no_capabilities,
    the_child_that_detaches_has_no_rights,
    command_runs_as_the_user,
    command_runs_as_root_only_if_asked_to,
    an_output_that_the_user_may_not_write_is_refused_before_the_capture,
    an_output_that_root_does_not_own_is_refused_before_the_capture,
    learning_writes_into_the_library_of_the_user,
    overhead_runs_its_programs_as_the_user,
    overhead_runs_its_programs_as_root_only_if_asked_to,
];

/// Starts a capture that ends with SIGINT.
fn open_ended(homes: &Homes) -> Background {
    let capture = Background::start(&mut homes.command(&["-t", RENAME, "-o", "rec", "--wait-detach"]));
    capture.wait_until_it_polls();
    capture
}

fn a_capture_has_the_rights_of_the_user() {
    let homes = Homes::new();
    let capture = open_ended(&homes);
    for rights in Rights::of_threads(capture.id()) {
        rights.are_the_users();
        rights.stay();
        assert!(rights.field("CapBnd").trim_matches('0').is_empty(), "{rights:?}");
    }
    // The user must not be able to take the descriptors of the events.
    let memory = fs::metadata(format!("/proc/{}/mem", capture.id())).unwrap();
    assert_eq!(memory.uid(), 0, "the process is dumpable, so the user may trace it");
    capture.signal(Signal::SIGINT);
    let output = capture.end();
    assert!(output.status.success(), "{}", errors(&output));
    // Everything was written without rights: the stream, the log, and the summary after the detach.
    let recording = Recording::read(&homes.of_user.join("rec"));
    assert!(recording.summary["timing_ns"]["detach"].is_u64(), "{}", recording.summary);
    assert_eq!(homes.all_is_the_users(), 6);
}

fn a_capture_of_root_itself_has_no_capabilities() {
    let homes = Homes::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(["-t", RENAME, "-o", "rec"]).current_dir(&homes.of_root).env_remove("SUDO_UID");
    let capture = Background::start(&mut command);
    capture.wait_until_it_polls();
    for rights in Rights::of_threads(capture.id()) {
        assert_eq!(rights.field("Uid"), "0 0 0 0");
        rights.stay();
    }
    capture.signal(Signal::SIGINT);
    let output = capture.end();
    assert!(output.status.success(), "{}", errors(&output));
    Recording::read(&homes.of_root.join("rec"));
}

fn the_child_that_detaches_has_no_rights() {
    let homes = Homes::new();
    let capture = open_ended(&homes);
    let parent = capture.id().to_string();
    let status = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mine = |pid: &i32| status(pid).lines().any(|line| line == format!("PPid:\t{parent}"));
    let child = pids_of("tp-perf-detach").into_iter().find(mine).expect("the child waits for the end of the capture");
    for rights in Rights::of_threads(child as u32) {
        rights.are_the_users();
        rights.stay();
        assert!(rights.field("CapBnd").trim_matches('0').is_empty(), "{rights:?}");
    }
    capture.signal(Signal::SIGINT);
    assert!(capture.end().status.success());
    eventually("the child has detached", || !Path::new(&format!("/proc/{child}")).exists());
}

/// A COMMAND that writes its identity, its rights, its environment, and the rights of tp-perf into files.
const SCRIPT: &str = "id -u > id; id -g >> id; id -G >> id; cat /proc/self/status > own; env > env
    until grep -q 'NoNewPrivs:.1' /proc/$PPID/status; do :; done; cat /proc/$PPID/status > parent";

fn captured(words: &[&str]) -> (Homes, Output) {
    let homes = Homes::new();
    let output =
        homes.command(&[&["-t", RENAME, "-o", "rec"], words, &["--", "sh", "-c", SCRIPT]].concat()).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    (homes, output)
}

fn read(homes: &Homes, name: &str) -> String {
    fs::read_to_string(homes.of_user.join(name)).unwrap()
}

fn command_runs_as_the_user() {
    let (homes, _) = captured(&[]);
    let group = crate::common::sudo::GROUP;
    assert_eq!(read(&homes, "id"), format!("{USER}\n{group}\n{group}\n"));
    let own = Rights::parse(&read(&homes, "own"));
    own.are_the_users();
    // sudo must work in COMMAND.
    assert_eq!(own.field("NoNewPrivs"), "0");
    assert!(!own.field("CapBnd").trim_matches('0').is_empty(), "{own:?}");
    let parent = Rights::parse(&read(&homes, "parent"));
    parent.are_the_users();
    parent.stay();
    let env = read(&homes, "env");
    let nobody = nix::unistd::User::from_uid(USER.into()).unwrap().expect("every system has the user nobody");
    for (name, value) in [
        ("HOME", nobody.dir.display().to_string()),
        ("USER", nobody.name.clone()),
        ("LOGNAME", nobody.name),
        ("SHELL", nobody.shell.display().to_string()),
        ("SUDO_UID", USER.to_string()),
    ] {
        assert!(env.lines().any(|line| line == format!("{name}={value}")), "{name}={value} in {env}");
    }
    homes.all_is_the_users();
}

fn command_runs_as_root_only_if_asked_to() {
    let (homes, _) = captured(&["--command-as-root"]);
    assert_eq!(read(&homes, "id"), "0\n0\n0 4 20\n");
    let own = Rights::parse(&read(&homes, "own"));
    assert_eq!((own.field("Uid"), own.field("NoNewPrivs")), ("0 0 0 0", "0"));
    assert!(!own.has_no_capability(), "{own:?}");
    // tp-perf itself kept nothing.
    let parent = Rights::parse(&read(&homes, "parent"));
    parent.are_the_users();
    parent.stay();
    let home = std::env::var("HOME").unwrap_or_default();
    assert!(read(&homes, "env").lines().any(|line| line == format!("HOME={home}")));
    assert_eq!(fs::metadata(homes.of_user.join("rec/log.csv")).unwrap().uid(), USER);
}

fn an_output_that_the_user_may_not_write_is_refused_before_the_capture() {
    let homes = Homes::new();
    symlink(&homes.of_root, homes.of_user.join("link")).unwrap();
    let of_root = homes.of_root.join("rec");
    let mark = homes.of_user.join("it-ran");
    for output in [of_root.to_str().unwrap(), "link/rec"] {
        let said = homes.denied(&["-t", RENAME, "-o", output, "--", "touch", mark.to_str().unwrap()]);
        assert!(said.contains("ermission denied") && said.contains("`sudo env -u SUDO_UID "), "{said}");
        assert!(!mark.exists(), "the capture began");
    }
    let library = homes.of_root.join("lib");
    for library in [library.to_str().unwrap(), "link/lib"] {
        let said = homes.denied(&["learn", "idle", "--library", library, "--", "touch", mark.to_str().unwrap()]);
        assert!(said.contains("ermission denied") && said.contains("`sudo env -u SUDO_UID "), "{said}");
        assert!(!mark.exists(), "the capture began");
    }
}

fn an_output_that_root_does_not_own_is_refused_before_the_capture() {
    let homes = Homes::new();
    let (output, mark) = (homes.of_user.join("rec"), homes.of_user.join("it-ran"));
    let library = homes.of_user.join("lib");
    let target = ["-o", output.to_str().unwrap()];
    let learn = ["learn", "idle", "--library", library.to_str().unwrap()];
    for words in [&["record", target[0], target[1]][..], &learn] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(words).args(["-t", RENAME, "--", "touch"]).arg(&mark).env_remove("SUDO_UID");
        let output = command.current_dir(&homes.of_root).output().unwrap();
        let said = errors(&output);
        assert!(output.status.code() == Some(1) && said.contains("; a capture gives up root's right"), "{said}");
        assert!(!mark.exists(), "the capture began");
    }
}

fn learning_writes_into_the_library_of_the_user() {
    let homes = Homes::new();
    let _load = Background::storm(Cpu::new(0));
    let words = ["learn", "idle", "--library", "lib", "-t", RENAME, "-d", "100ms", "--window", "1ms"];
    homes.well(&words);
    assert_eq!(homes.all_is_the_users(), 3);
    homes.well(&["identify", "--library", "lib", "--window", "1ms", "-t", RENAME, "-d", "100ms"]);
}

/// Runs `overhead`, whose programs write their user ids and their NoNewPrivs.
fn measured(words: &[&str]) -> (Homes, String) {
    let homes = Homes::new();
    let line = ["overhead", "-t", RENAME, "-w", "0", "-r", "1", "--prepare", "id -u >> ids"];
    let script = "id -u >> ids; grep NoNewPrivs /proc/self/status >> nnp";
    homes.well(&[&line, words, &["--", "sh", "-c", script]].concat());
    assert_eq!(read(&homes, "nnp"), "NoNewPrivs:\t0\n".repeat(2));
    let ids = read(&homes, "ids");
    (homes, ids)
}

fn overhead_runs_its_programs_as_the_user() {
    let (homes, ids) = measured(&[]);
    assert_eq!(ids, format!("{USER}\n").repeat(4));
    homes.all_is_the_users();
}

fn overhead_runs_its_programs_as_root_only_if_asked_to() {
    assert_eq!(measured(&["--command-as-root"]).1, "0\n".repeat(4));
}
