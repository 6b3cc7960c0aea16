//! The rights of captures under sudo. `privileges` has those of the commands that only read files.

use super::rig::{Background, RENAME, Recording, eventually, pids_of};
use crate::common::sudo::{Homes, Rights, USER, errors, give};
use crate::common::{Test, nothing_more};
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tp_perf::os::cpus::Cpu;

pub const TESTS: &[Test] = &[
    ("a_capture_has_the_rights_of_the_user", nothing_more, a_capture_has_the_rights_of_the_user),
    ("a_capture_of_root_itself_has_no_capabilities", nothing_more, a_capture_of_root_itself_has_no_capabilities),
    ("the_child_that_detaches_has_no_rights", nothing_more, the_child_that_detaches_has_no_rights),
    ("command_runs_as_the_user", nothing_more, command_runs_as_the_user),
    (
        "a_program_that_only_root_can_reach_runs_only_as_root",
        nothing_more,
        a_program_that_only_root_can_reach_runs_only_as_root,
    ),
    ("root_itself_runs_any_command", nothing_more, root_itself_runs_any_command),
    ("command_runs_as_root_only_if_asked_to", nothing_more, command_runs_as_root_only_if_asked_to),
    (
        "an_output_that_the_user_may_not_write_is_refused_before_the_capture",
        nothing_more,
        an_output_that_the_user_may_not_write_is_refused_before_the_capture,
    ),
    (
        "an_output_that_root_does_not_own_is_refused_before_the_capture",
        nothing_more,
        an_output_that_root_does_not_own_is_refused_before_the_capture,
    ),
    ("learning_writes_into_the_library_of_the_user", nothing_more, learning_writes_into_the_library_of_the_user),
    ("overhead_runs_its_programs_as_the_user", nothing_more, overhead_runs_its_programs_as_the_user),
    (
        "overhead_that_attaches_again_gives_its_programs_no_rights",
        nothing_more,
        overhead_that_attaches_again_gives_its_programs_no_rights,
    ),
    (
        "overhead_runs_its_programs_as_root_only_if_asked_to",
        nothing_more,
        overhead_runs_its_programs_as_root_only_if_asked_to,
    ),
    (
        "a_command_of_root_that_cannot_be_stopped_is_named",
        nothing_more,
        a_command_of_root_that_cannot_be_stopped_is_named,
    ),
    ("command_does_not_share_the_keys_of_root", shows_keys, command_does_not_share_the_keys_of_root),
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

/// A COMMAND that writes its identity, its rights, its environment, and the rights of tp-perf into files. tp-perf gives
/// up its rights while COMMAND starts, so COMMAND waits for that, but not for ever.
const SCRIPT: &str = "id -u > id; id -g >> id; id -G >> id; cat /proc/self/status > own; env > env
    n=0; until grep -q 'NoNewPrivs:.1' /proc/$PPID/status || [ $n = 1000 ]; do n=$((n + 1)); sleep 0.01; done
    cat /proc/$PPID/status > parent";

fn captured(words: &[&str]) -> (Homes, Output) {
    let homes = Homes::new();
    let output =
        homes.command(&[&["-t", RENAME, "-o", "rec"], words, &["--", "sh", "-c", SCRIPT]].concat()).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    (homes, output)
}

fn root_itself_runs_any_command() {
    let homes = Homes::new();
    let script = homes.of_user.join("script");
    fs::write(&script, "#!/bin/sh\ngrep CapEff /proc/self/status > caps\n").unwrap();
    for path in [&script, &homes.of_user] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        give(path);
    }
    for calls_sudo in [false, true] {
        let mut command = homes.command(&["-q", "-t", RENAME, "-o", "rec", "--force", "--", script.to_str().unwrap()]);
        match calls_sudo {
            true => command.env("SUDO_UID", "0").env("SUDO_GID", "0"),
            false => command.env_remove("SUDO_UID"),
        };
        let output = command.current_dir(&homes.of_root).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        let rights = Rights::parse(&fs::read_to_string(homes.of_root.join("caps")).unwrap());
        assert!(!rights.field("CapEff").trim_matches('0').is_empty(), "{rights:?}");
    }
}

fn a_program_that_only_root_can_reach_runs_only_as_root() {
    let homes = Homes::new();
    let (script, mark) = (homes.of_root.join("script"), homes.of_root.join("it-ran"));
    fs::write(&script, format!("#!/bin/sh\n: > {}\n", mark.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    for (rights, runs) in [("-q", false), ("--command-as-root", true)] {
        let words = ["-t", RENAME, "-o", "rec", rights, "--", script.to_str().unwrap()];
        let output = homes.command(&words).output().unwrap();
        assert_eq!((output.status.success(), mark.exists()), (runs, runs), "{rights}: {}", errors(&output));
    }
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
        assert!(
            output.status.code() == Some(1) && said.contains("; during a capture, root may open only its own files"),
            "{said}"
        );
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
    let script = "id -u >> ids; grep NoNewPrivs /proc/self/status >> nnp; cat /proc/$PPID/status > parent";
    homes.well(&[&line, words, &["--", "sh", "-c", script]].concat());
    assert_eq!(read(&homes, "nnp"), "NoNewPrivs:\t0\n".repeat(2));
    let ids = read(&homes, "ids");
    (homes, ids)
}

fn overhead_runs_its_programs_as_the_user() {
    let (homes, ids) = measured(&[]);
    assert_eq!(ids, format!("{USER}\n").repeat(4));
    Rights::parse(&read(&homes, "parent")).are_the_users();
    homes.all_is_the_users();
}

fn overhead_that_attaches_again_gives_its_programs_no_rights() {
    let homes = Homes::new();
    let script = "cat /proc/self/status > own.$$; cat /proc/$PPID/status > parent.$$; echo $$ >> ran";
    let words = ["overhead", "-t", RENAME, "-w", "0", "-r", "2", "--nothing-attached", "--", "sh", "-c", script];
    homes.well(&words);
    // In the first round, the run with nothing attached is the last; in the second, it is the first.
    let ran: Vec<String> = read(&homes, "ran").lines().map(str::to_owned).collect();
    let [_, _, first_nothing, second_nothing, off, on] = &ran[..] else { panic!("{ran:?}") };
    let rights = |of: &str, run: &str| Rights::parse(&read(&homes, &format!("{of}.{run}")));
    ran.iter().for_each(|run| rights("own", run).are_the_users());
    for run in [first_nothing, second_nothing] {
        let parent = rights("parent", run);
        assert!(!parent.has_no_capability(), "tp-perf needs its rights to attach again");
        assert_eq!(parent.field("CapEff").trim_matches('0'), "", "but it has set them aside: {parent:?}");
    }
    for run in [off, on] {
        rights("parent", run).are_the_users();
    }
    homes.all_is_the_users();
}

fn overhead_runs_its_programs_as_root_only_if_asked_to() {
    assert_eq!(measured(&["--command-as-root"]).1, "0\n".repeat(4));
}

fn a_command_of_root_that_cannot_be_stopped_is_named() {
    let homes = Homes::new();
    let script = ": > it-runs; until [ -e go ]; do sleep 0.01; done";
    let words = ["-t", RENAME, "-o", "rec", "--command-as-root", "--", "sh", "-c", script];
    let mut capture = homes.command(&words).stderr(Stdio::piped()).spawn().unwrap();
    eventually("COMMAND runs", || homes.of_user.join("it-runs").exists());
    kill(Pid::from_raw(capture.id() as i32), Signal::SIGTERM).unwrap();
    let lines = BufReader::new(capture.stderr.take().unwrap()).lines().map(Result::unwrap);
    // tp-perf prints this when it has tried to stop COMMAND.
    let said: Vec<_> = lines.take_while(|line| !line.contains("waiting for COMMAND")).collect();
    fs::write(homes.of_user.join("go"), "").unwrap();
    // Nothing may keep running if the test fails below.
    assert!(capture.wait().unwrap().success());
    assert!(said.iter().any(|line| line.contains("may not stop COMMAND, which has more rights")), "{said:?}");
}

fn shows_keys() -> Result<(), String> {
    if Path::new("/proc/keys").exists() { Ok(()) } else { Err("a kernel that shows its keys in /proc/keys".to_owned()) }
}

/// Puts a key into a new session keyring of root, as a login does.
fn have_a_key() -> std::io::Result<()> {
    use nix::libc;
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    const KEY_SPEC_SESSION_KEYRING: libc::c_int = -3;
    let none = std::ptr::null::<libc::c_char>();
    let (kind, name) = (c"user".as_ptr(), c"tp-perf-key-of-root".as_ptr());
    // SAFETY: the pointers are null, or point to texts that live for ever.
    let results = unsafe {
        [
            libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, none),
            libc::syscall(libc::SYS_add_key, kind, name, name, 1, KEY_SPEC_SESSION_KEYRING),
        ]
    };
    if results.contains(&-1) { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

fn command_does_not_share_the_keys_of_root() {
    use std::os::unix::process::CommandExt;
    let homes = Homes::new();
    let script = "cat /proc/keys > keys";
    for (rights, sees) in [("--command-as-root", true), ("-q", false)] {
        let mut command = homes.command(&["-t", RENAME, "-o", "rec", "--force", rights, "--", "sh", "-c", script]);
        // SAFETY: the closure makes two system calls, which is allowed between fork and exec.
        unsafe { command.pre_exec(have_a_key) };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(read(&homes, "keys").contains("tp-perf-key-of-root"), sees, "{rights}");
        fs::remove_file(homes.of_user.join("keys")).unwrap();
    }
}
