//! Exports that fail, or that are not complete.

use super::{Sources, csv_rows, export, fixture, path};
use std::fs;
use std::process::{Command, Stdio};

pub fn refusals() {
    let sources = Sources::new();
    let folder = sources.folder.path();
    let log = folder.join("log.csv");
    fs::write(&log, "timestamp,tpid,gid,tracepoint name\n5000000,1,1,a\n6000000,2,1,b\n").unwrap();
    let there = folder.join("there.csv");
    fs::write(&there, "before").unwrap();
    let (log, there) = (path(&log), path(&there));
    let cases = [
        (vec![log, there], "already exists: choose another name, or replace it with --force"),
        (vec![log, log], "is the source of this export; tp-perf does not replace it: choose another name"),
        (
            vec![log, "new.data"],
            "does not have the tracefs ids of its tracepoints; perf needs them: name the recording",
        ),
        (vec![log, "new.csv", "-t", "nothing:x"], "nothing"),
        (vec![log, "new.csv", "--cpus", "1"], "does not record the CPUs"),
        (vec![log, "new.csv", "--columns", "cpu"], "does not have the column cpu"),
        (vec![log, "new.csv", "--from", "10s"], "no event in this range"),
        (vec![log, "missing/new.csv"], "failed to open the directory"),
        (vec!["missing", "new.csv"], "failed to open `missing`"),
        #[cfg(feature = "history")]
        (vec![log, "new"], "--began"),
        #[cfg(feature = "history")]
        (vec![log, there, "--format", "history"], "not an empty folder"),
    ];
    for (words, said) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        let output = command.arg("export").args(&words).current_dir(folder).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
    }
    let mut left: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["log.csv", "there.csv", "thinned.perf"]);
    assert_eq!(fs::read_to_string(there).unwrap(), "before");
    assert!(export(&[log, there, "--force"]).status.success());
    assert_eq!(csv_rows(&fs::read_to_string(there).unwrap()).len(), 2);
    // Times that no clock has, with a window for each millisecond between them.
    fs::write(log, format!("timestamp,tpid,gid,tracepoint name\n0,1,1,a\n{},2,1,b\n", u64::MAX)).unwrap();
    for words in [&["x.csv", "--windows", "1ms"][..], &["x.pftrace"], &["x.pftrace", "--windows", "1ms"]] {
        let file = folder.join(words[0]);
        let output = export(&[&[log, path(&file), "--force"], &words[1..]].concat());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    #[cfg(feature = "history")]
    {
        let new = folder.join("new");
        let output = export(&[log, path(&new), "--began", "2026-11-30", "--windows", "1ms"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("more than 1000000 windows: choose longer ones") && !new.exists(), "{error}");
    }
    // A reader that closes the pipe is no failure.
    let example = ["export", "--example", "-", "--format", "jsonl"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(example)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A source that is cut has its first events, and the problem is reported.
pub fn damage() {
    let sources = Sources::new();
    let whole = fs::read(fixture("perf-pipe.data")).unwrap();
    let cut = sources.file("cut.data");
    fs::write(&cut, &whole[..whole.len() - whole.len() / 8]).unwrap();
    for name in ["out.csv", "out.pftrace", "out2.data"] {
        let out = sources.file(name);
        let output = export(&[path(&cut), path(&out)]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains("read before that"), "{error}");
        assert!(fs::metadata(&out).unwrap().len() > 0 && String::from_utf8(output.stdout).unwrap().contains("wrote"));
    }
}
