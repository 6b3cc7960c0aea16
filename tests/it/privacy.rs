//! Checks who may read the files that tp-perf creates.

use crate::common::report::{fixture, path};
use crate::common::{Test, tests};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const TESTS: &[Test] =
    tests![recordings_and_libraries_are_private, a_reused_directory_stays_as_it_is, named_files_follow_the_umask];

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
    run(folder.path(), "000", &["learn", "make", path(&source), "-q", "--window", "10ms", "--library", "deep/er"]);
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
