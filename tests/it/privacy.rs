//! Checks who may read the files that tp-perf creates.

use crate::common::report::{fixture, path};
use crate::common::{Test, nothing_more};
use nix::unistd::geteuid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const TESTS: &[Test] = &[
    ("recordings_and_libraries_are_private", nothing_more, recordings_and_libraries_are_private),
    ("a_reused_directory_stays_as_it_is", nothing_more, a_reused_directory_stays_as_it_is),
    ("named_files_follow_the_umask", nothing_more, named_files_follow_the_umask),
    ("nothing_private_goes_to_a_directory_of_another_user", root, a_directory_of_another_user),
];

fn root() -> Result<(), String> {
    if geteuid().is_root() { Ok(()) } else { Err("root, to make files of other users".to_owned()) }
}

/// Runs tp-perf in a folder, with this umask.
fn run(folder: &Path, umask: &str, words: &[&str]) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_tp-perf")]);
    let output = command.args(words).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The entry itself and all entries below it.
fn all_below(entry: &Path) -> Vec<PathBuf> {
    let mut all = vec![entry.to_owned()];
    if entry.is_dir() {
        fs::read_dir(entry).unwrap().for_each(|entry| all.extend(all_below(&entry.unwrap().path())));
    }
    all
}

fn assert_modes(entry: &Path, of_directories: u32, of_files: u32) {
    let all = all_below(entry);
    assert!(all.iter().any(|entry| entry.is_file()), "{all:?}");
    for entry in all {
        let expected = if entry.is_dir() { of_directories } else { of_files };
        assert_eq!(format!("{:o}", mode(&entry)), format!("{expected:o}"), "{}", entry.display());
    }
}

fn recordings_and_libraries_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture("make.perf.zst");
    run(folder.path(), "000", &["replay", path(&source), "-q", "-o", "rec"]);
    run(folder.path(), "000", &["learn", "make", path(&source), "-q", "--window", "5ms", "--library", "deep/er"]);
    assert_modes(&folder.path().join("rec"), 0o700, 0o600);
    assert_modes(&folder.path().join("deep"), 0o700, 0o600);
}

/// The user has chosen the permissions of a directory that exists. The files in it are new.
fn a_reused_directory_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture("idle.perf.zst");
    let rec = folder.path().join("rec");
    fs::create_dir(&rec).unwrap();
    fs::set_permissions(&rec, fs::Permissions::from_mode(0o755)).unwrap();
    for force in [&[][..], &["--force"]] {
        run(folder.path(), "022", &[&["replay", path(&source), "-q", "-o", "rec"], force].concat());
        assert_modes(&rec, 0o755, 0o600);
        // With --force, the files of an older version are replaced.
        let old = all_below(&rec).into_iter().filter(|entry| entry.is_file());
        old.for_each(|file| fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap());
    }
}

fn named_files_follow_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture("idle.perf.zst");
    for (umask, of_directories, of_files) in [("022", 0o755, 0o644), ("002", 0o775, 0o664), ("077", 0o700, 0o600)] {
        let (page, plots) = (format!("{umask}.html"), format!("{umask}.plots"));
        run(folder.path(), umask, &["report", path(&source), "-q", "--html", &page, "--plots", &plots]);
        assert_modes(&folder.path().join(page), of_directories, of_files);
        assert_modes(&folder.path().join(plots), of_directories, of_files);
    }
}

fn a_directory_of_another_user() {
    /// Neither root, nor the user who called sudo.
    const OTHER: u32 = 54_321;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let source = folder.path().join("source.perf.zst");
    fs::copy(fixture("make.perf.zst"), &source).unwrap();
    let rec = folder.path().join("rec");
    let state = folder.path().join("library/make");
    let directories = [&rec, &folder.path().join("library"), &state];
    for directory in directories {
        fs::create_dir(directory).unwrap();
        std::os::unix::fs::chown(directory, Some(OTHER), Some(OTHER)).unwrap();
    }
    let run = |words: &[&str], caller: Option<u32>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(words).current_dir(folder.path()).stdin(Stdio::null());
        for name in ["SUDO_UID", "SUDO_GID"] {
            command.env_remove(name);
            caller.map(|caller| command.env(name, caller.to_string()));
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let replay = ["replay", "source.perf.zst", "-q", "-o", "rec"];
    let forced = [&replay[..], &["--force"]].concat();
    let learn = ["learn", "make", "source.perf.zst", "-q", "--window", "5ms", "--library", "library"];
    for words in [&replay[..], &forced, &learn] {
        let (code, error) = run(words, None);
        assert_eq!(code, Some(1), "{words:?}");
        assert!(error.contains("belongs to another user (user id 54321)"), "{error}");
    }
    assert!(fs::read_dir(&rec).unwrap().next().is_none() && fs::read_dir(&state).unwrap().next().is_none());
    // A page and plots are not private.
    assert_eq!(run(&["report", "source.perf.zst", "-q", "--plots", "rec"], None).0, Some(0));
    all_below(&rec).iter().filter(|entry| entry.is_file()).for_each(|file| fs::remove_file(file).unwrap());

    for words in [&replay[..], &forced, &learn] {
        assert_eq!(run(words, Some(OTHER)), (Some(0), String::new()), "{words:?}: the user who called sudo");
    }
    // Root may read and replace everything, so a directory of root is as private as one's own.
    directories.iter().for_each(|directory| std::os::unix::fs::chown(directory, Some(0), Some(0)).unwrap());
    assert_eq!(run(&forced, None), (Some(0), String::new()));
}
