//! Runs `tp-perf report`.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

pub fn report(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("report").args(words).stdin(Stdio::null()).output().unwrap()
}

pub fn well(words: &[&str]) -> String {
    let output = report(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a report that must fail and print an error.
pub fn failure(words: &[&str]) {
    let output = report(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    assert!(!output.stderr.is_empty(), "{words:?}");
}

pub fn json(words: &[&str]) -> Value {
    serde_json::from_str(&well(&[words, &["--format", "json"]].concat())).unwrap()
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
