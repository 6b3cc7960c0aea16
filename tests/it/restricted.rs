//! Runs the program where something is missing that it needs: descriptors, /proc, /sys, or a whole system around it.

use crate::common::report::fixture;
use crate::common::{Test, nothing_more};
use nix::unistd::geteuid;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub const TESTS: &[Test] = &[
    ("too_few_descriptors_are_named_with_the_fix", nothing_more, few_descriptors),
    ("without_proc_or_sys_the_message_names_it", mounts, without),
    ("a_bare_root_directory_is_enough_for_files", mounts, bare_root),
];

/// Without root, no test can take away a mount.
fn mounts() -> Result<(), String> {
    let unmounts = || Command::new("unshare").args(["--mount", "umount", "-l", "/proc"]).output();
    match geteuid().is_root() && unmounts().is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err("root, to unmount /proc for one program".to_owned()),
    }
}

/// Commands that trace nothing, and commands that would.
const COMMANDS: [&[&str]; 7] = [
    &["replay", "--example", "-o", "rec"],
    &["report", "--example", "--html", "page.html", "--plots", "plots"],
    &["states", "--library", "none"],
    &["learn", "x", "none", "--library", "deep/er/library"],
    &["list", "-t", "none:none"],
    &["record", "-t", "none:none", "-d", "1s"],
    &["doctor", "-t", "none:none"],
];

fn run(folder: &Path, script: &str, words: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script}exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_tp-perf")]);
    command.args(words).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// The messages of a command that must not crash.
fn messages(what: &str, output: &Output) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.code().is_some_and(|code| code < 100) && !error.contains("panicked"), "{what}: {error}");
    error
}

fn few_descriptors() {
    for limit in [5, 8, 16, 32, 38] {
        for words in COMMANDS {
            let folder = tempfile::tempdir().unwrap();
            let what = format!("ulimit -n {limit}: {words:?}");
            let error = messages(&what, &run(folder.path(), &format!("ulimit -n {limit}; "), words));
            match limit {
                ..=32 => {
                    assert!(error.contains("tp-perf itself needs 32 file descriptors"), "{what}: {error}");
                    assert!(error.contains(&format!("the limit is {limit})")), "{what}: {error}");
                    assert!(error.contains("ulimit -n"), "{what}: {error}");
                }
                _ => assert!(!error.contains("Too many open files") && !error.contains("itself"), "{what}: {error}"),
            }
        }
    }
    // tp-perf raises a soft limit by itself.
    let output = run(Path::new("."), "ulimit -Sn 9; ", &["report", "--example"]);
    assert!(output.status.success(), "{}", messages("soft", &output));
    // Descriptors that are open count, too.
    let open = (3..10).map(|number| format!("{number}</dev/null ")).collect::<String>();
    let error = messages("open", &run(Path::new("."), &format!("ulimit -n 40; exec {open}; "), &["states"]));
    assert!(error.contains("itself needs 32"), "{error}");
}

/// Runs a command without some mounts.
fn unmounted(mounts: &str, words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    let script = format!("umount -l {mounts} && exec \"$0\" \"$@\"");
    command.args(["--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_tp-perf")]);
    command.args(words).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
}

fn without() {
    // No tracefs is mounted in these, so tp-perf mounts its own.
    for mounts in ["/proc", "/sys", "/sys /proc"] {
        for words in COMMANDS {
            let error = messages(&format!("{mounts}: {words:?}"), &unmounted(mounts, words));
            assert!(!error.starts_with("tp-perf: No such file"), "{mounts} {words:?}: {error}");
        }
        let output = unmounted(mounts, &["report", "--example"]);
        assert!(output.status.success(), "{mounts}: {}", messages(mounts, &output));
    }
    let both = String::from("/sys /proc");
    for words in [&["list"][..], &["record", "-d", "1s"], &["doctor"]] {
        let output = unmounted(&both, words);
        let said = messages(&both, &output) + &String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let names = ["mount -t proc proc /proc", "mount -t sysfs sysfs /sys"];
        assert!(names.iter().any(|name| said.contains(name)), "{words:?}: {said}");
    }
    let output = unmounted("/sys", &["record", "-d", "1s", "-t", "none:none"]);
    let said = messages("/sys", &output);
    assert!(said.contains("`/sys/devices/system/cpu/online`") && said.contains("mount -t sysfs sysfs /sys"), "{said}");
}

/// Copies a program and its libraries below a new root.
fn copy_program(program: &Path, root: &Path) {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let libraries = listed.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new);
    for file in libraries.chain([program]) {
        let place = root.join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        // The program is large, and usually on the same filesystem.
        fs::hard_link(fs::canonicalize(file).unwrap(), &place).or_else(|_| fs::copy(file, &place).map(drop)).unwrap();
    }
}

fn bare_root() {
    let root = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_tp-perf"));
    copy_program(program, root.path());
    fs::create_dir(root.path().join("work")).unwrap();
    fs::copy(fixture("idle.perf.zst"), root.path().join("work/idle.perf.zst")).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.arg("--root").arg(root.path()).args(["--wd", "/work"]).arg(program).args(words);
        command.env_remove("HOME").env_remove("XDG_DATA_HOME").stdin(Stdio::null()).output().unwrap()
    };
    for words in [
        &["report", "idle.perf.zst", "--html", "page.html", "--plots", "plots"][..],
        &["replay", "idle.perf.zst", "-o", "rec"],
        &["learn", "idle", "idle.perf.zst", "--window", "10ms", "--library", "library"],
        &["identify", "rec", "--window", "10ms", "--library", "library"],
        &["replay", "rec", "-o", "-"],
    ] {
        let output = run(words);
        assert!(output.status.success(), "{words:?}: {}", messages("", &output));
    }
    for words in [&["list"][..], &["doctor"], &["record", "-d", "1s"]] {
        let output = run(words);
        let said = messages(&format!("{words:?}"), &output) + &String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("mount -t "), "{words:?}: {said}");
    }
    let said = messages("no home", &run(&["states"]));
    assert!(said.contains("--library"), "{said}");
}
