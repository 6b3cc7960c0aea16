//! A library in a folder of its own, and sessions made for tests.

use super::report::path;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A library in its own folder.
pub struct LibraryRig {
    pub folder: TempDir,
    /// The commands that failed, with their messages.
    pub said: RefCell<String>,
}

impl LibraryRig {
    pub fn new() -> Self {
        LibraryRig { folder: tempfile::tempdir().unwrap(), said: RefCell::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn call(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(words).arg("--library").arg(self.path("library")).stdin(Stdio::null()).output().unwrap()
    }

    pub fn well(&self, words: &[&str]) -> String {
        let output = self.call(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail, and keeps its message.
    pub fn failure(&self, words: &[&str]) {
        let output = self.call(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        let error = String::from_utf8(output.stderr).unwrap();
        let said = format!("$ tp-perf {}\n{error}\n", words.join(" "));
        // Remove paths of the test.
        let folders = [self.folder.path(), Path::new(env!("CARGO_MANIFEST_DIR"))];
        let said = folders.iter().fold(said, |said, folder| said.replace(&format!("{}/", path(folder)), ""));
        // Some sessions are named by the time of the test.
        let nameless = |word: &str| match word.len() >= 16 && word[..8].bytes().all(|c| c.is_ascii_digit()) {
            true => "[session]".to_owned(),
            false => word.to_owned(),
        };
        self.said.borrow_mut().push_str(&said.split('`').map(nameless).collect::<Vec<_>>().join("`"));
    }

    /// The number of sessions of a state.
    pub fn sessions(&self, state: &str) -> usize {
        fs::read_dir(self.path("library").join(state)).unwrap().count()
    }

    pub fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.well(&[words, &["--format", "json"]].concat())).unwrap()
    }

    /// Writes a session and returns its path.
    pub fn session(&self, name: &str, session: &Value) -> PathBuf {
        let path = self.path(&format!("{name}.json"));
        fs::write(&path, session.to_string()).unwrap();
        path
    }

    /// Learns sessions of these shares, with windows of a second.
    pub fn learn(&self, state: &str, shares: [u64; 3], sessions: u64) {
        for seed in 0..sessions {
            let session = self.session("made", &session(&[(30, shares)], seed * 31 + shares[0]));
            self.well(&["learn", state, path(&session)]);
        }
    }
}

/// A session with this many windows of each of these shares. Shares are in thousands of events, and have
/// noise.
pub fn session(stretches: &[(usize, [u64; 3])], seed: u64) -> Value {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rows = [(); 3].map(|()| Vec::<u64>::new());
    for (windows, shares) in stretches {
        for _ in 0..*windows {
            for (row, share) in rows.iter_mut().zip(shares) {
                row.push(share * 1_000 + random.u64(..=share * 60));
            }
        }
    }
    let [switch, fault, queue] = rows;
    json!({
        "schema": 1,
        "tool": {"name": "tp-perf", "version": "test"},
        "origin": {"kernel": "6.18", "hostname": "here", "cpus": [0, 1], "clock": "monotonic", "started": null, "begin_ns": seed},
        "window": {"ns": 1_000_000_000},
        "windows": switch.len(),
        "counts": {"sched:wakeup": switch, "exceptions:fault": fault, "net:queue": queue},
        "not_hit": {"block": ["rq_issue"]},
        "left_out": {}
    })
}

pub const IDLE: [u64; 3] = [70, 25, 5];
pub const WEB: [u64; 3] = [20, 10, 70];
