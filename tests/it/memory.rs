//! Inputs that take much memory: tp-perf refuses them, or reads them within its bound. It never runs out of memory.

use crate::common::report::path;
use crate::common::{Test, tests};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tp_perf::perf_data::MAGIC;

pub const TESTS: &[Test] = tests![
    a_log_of_long_or_many_names_is_refused,
    a_log_of_large_numbers_is_refused,
    a_log_whose_hits_change_with_each_row_is_refused,
    the_table_beside_a_log_is_bounded,
    what_zstd_needs_is_bounded,
    the_windows_of_a_session_are_bounded,
    sessions_and_libraries_are_bounded,
    a_summary_without_an_end_is_not_read,
    the_rows_of_reports_are_bounded,
    escaped_names_are_bounded,
    the_log_of_names_full_of_escapes_is_written_whole,
    the_bound_is_set_by_the_user,
];

/// The bound in MiB in these tests.
const BOUND: u64 = 32;
/// The memory in MiB that tp-perf may take in all.
const ALL: u64 = BOUND + 64;

/// Runs tp-perf where the system gives it no more than [`ALL`].
pub fn run(words: &[&str]) -> Output {
    run_within(BOUND, words)
}

/// Runs tp-perf with a bound in MiB, where the system gives it no more than 64 MiB beyond that.
fn run_within(bound: u64, words: &[&str]) -> Output {
    let limited = format!("ulimit -v {} && exec \"$0\" \"$@\"", (bound + ALL - BOUND) << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_tp-perf")]).args(words);
    // Otherwise each thread reserves addresses that it never uses.
    command.env("MALLOC_ARENA_MAX", "1");
    command.arg("--max-memory").arg(format!("{bound}M")).stdin(Stdio::null());
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 4), "{words:?}: {}: {errors}", output.status);
    output
}

/// Runs a command that must refuse its input, and returns the error.
pub fn refused(words: &[&str]) -> String {
    let output = run(words);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words:?}: {errors}");
    assert!(
        errors.contains(" would bring the memory of all inputs ") && errors.contains("--max-memory "),
        "{words:?}: {errors}"
    );
    errors
}

/// Runs a command that must read its input.
pub fn read(words: &[&str]) {
    let output = run(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a file in pieces, compressed with zstd.
pub fn packed(path: &Path, write: impl FnOnce(&mut dyn Write)) {
    let mut encoder = zstd::Encoder::new(File::create(path).unwrap(), 1).unwrap();
    write(&mut encoder);
    encoder.finish().unwrap();
}

const LOG: &str = "timestamp,tpid,gid,tracepoint name\n";

fn a_log_of_long_or_many_names_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv.zst");
    for (names, length) in [(100, 60_000), (100_000, 0)] {
        packed(&log, |out| {
            out.write_all(LOG.as_bytes()).unwrap();
            let mut random = fastrand::Rng::with_seed(1);
            for n in 1..=names {
                let name: String = (0..length).map(|_| random.alphanumeric()).collect();
                writeln!(out, "{n},{n},1,{name}{n}").unwrap();
            }
        });
        for command in ["replay", "report"] {
            let error = refused(&[command, path(&log)]);
            assert!(error.contains("to about "), "{error}");
        }
    }
}

fn a_log_of_large_numbers_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    fs::write(&log, format!("{LOG}5,1000000,1000000,a\n")).unwrap();
    refused(&["replay", path(&log)]);
    fs::write(&log, format!("{LOG}5,100000,100000,a\n")).unwrap();
    read(&["report", path(&log)]);
}

fn a_log_whose_hits_change_with_each_row_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    for (rows, is_refused) in [(20_000u64, false), (200_000, true)] {
        let rows: String = (0..rows).map(|n| format!("{n},1,1,a,{}\n", 1 + n % 2 * 16)).collect();
        fs::write(&log, format!("timestamp,tpid,gid,tracepoint name,hits\n{rows}")).unwrap();
        match is_refused {
            false => read(&["report", path(&log)]),
            true => assert!(refused(&["replay", path(&log)]).contains("the steps of its tracepoints")),
        }
    }
}

fn the_table_beside_a_log_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (log, table) = (folder.path().join("log.csv"), folder.path().join("tracepoints.csv"));
    fs::write(&log, format!("{LOG}5,1,1,a\n")).unwrap();
    let header = "tpid,gid,tracepoint name,group name,tracefs id,status\n";
    let rows: String = (1..=200_000).map(|n| format!("{n},1,a,b,1,\n")).collect();
    for rows in [rows, "x".repeat(20 << 20), format!("1,1,{},b,1,\n", "x".repeat(9 << 20))] {
        fs::write(&table, format!("{header}{rows}")).unwrap();
        refused(&["replay", path(folder.path())]);
    }
    // A file with a hole has any length.
    File::create(&table).unwrap().set_len(1 << 40).unwrap();
    refused(&["replay", path(folder.path())]);
}

/// The begin of a file in the pipe form.
pub fn pipe_form() -> Vec<u8> {
    [&MAGIC[..], &16u64.to_ne_bytes()].concat()
}

fn what_zstd_needs_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.zst");
    let mut encoder = zstd::Encoder::new(File::create(&file).unwrap(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(format!("{LOG}5,1,1,a\n").as_bytes()).unwrap();
    encoder.finish().unwrap();
    assert!(refused(&["replay", path(&file)]).contains("the window of zstd"));
    // 64 MiB of one line, and of one record after the other.
    for begin in [format!("{LOG}5,1,1,").into_bytes(), pipe_form()] {
        packed(&file, |out| {
            out.write_all(&begin).unwrap();
            (0..64).for_each(|_| out.write_all(&vec![b'x'; 1 << 20]).unwrap());
        });
        assert_eq!(run(&["replay", path(&file)]).status.code(), Some(1));
    }
}

fn the_windows_of_a_session_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    let rows: String =
        (0..4_000u64).map(|n| format!("{},{},1,a{}\n", n * 1_000_000_000, n % 1_500 + 1, n % 1_500)).collect();
    fs::write(&log, format!("{LOG}{rows}")).unwrap();
    let library = path(folder.path());
    let error = refused(&["learn", "idle", path(&log), "--library", library]);
    assert!(error.contains("choose longer windows (--window)"), "{error}");
    read(&["learn", "idle", path(&log), "--library", library, "--window", "100s"]);
}

fn sessions_and_libraries_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("idle");
    let library = path(folder.path());
    let log = folder.path().join("log.csv");
    let rows: String = (0..30u64).map(|n| format!("{},1,1,a\n", n * 500_000_000)).collect();
    fs::write(&log, format!("{LOG}{rows}")).unwrap();
    read(&["learn", "idle", path(&log), "--library", library]);
    let session = fs::read_dir(&state).unwrap().next().unwrap().unwrap().path();
    let json = fs::read_to_string(&session).unwrap();
    assert!(json.contains("\"gid1:a\": ["), "{json}");
    let zeros = "0,".repeat(250_000);
    let names = |name: &dyn Fn(u32) -> String, n: u32| (0..n).map(name).collect::<Vec<_>>().join(",");
    let bombs = [
        // Many counts, many names, and many strings.
        json.replace("\"gid1:a\": [", &format!("\"gid1:b\": [{}", zeros.repeat(20))),
        json.replace("\"gid1:a\": [", &format!("{},\"gid1:a\": [", names(&|n| format!("\"g:{n}\": []"), 300_000))),
        json.replace("\"not_hit\": {", &format!("\"not_hit\": {{\"g\": [{}]", names(&|_| "\"\"".to_owned(), 500_000))),
        // The file is not JSON at all.
        "[".repeat(40 << 20),
    ];
    for bomb in bombs {
        fs::write(&session, bomb).unwrap();
        let session = path(&session);
        for words in [
            &["check", session, "--against", "idle", "--library", library][..],
            &["identify", path(&log), "--library", library],
            &["states", "--library", library],
            &["learn", "new", session, "--library", library],
            &["report", path(&log), "--states", "--library", library],
        ] {
            refused(words);
        }
    }
    // Many lists with one short text each: the parsed form is much longer than the file.
    let lists = names(&|n| format!("\"{n:x}\":[\"a\"]"), 2_200_000);
    let other = folder.path().join("lists.json");
    fs::write(&other, json.replace("\"not_hit\": {", &format!("\"not_hit\": {{{lists}"))).unwrap();
    let output = run_within(512, &["learn", "new", path(&other), "--library", library]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    // A file without an end, and a file with a hole.
    let other = folder.path().join("other.json");
    std::os::unix::fs::symlink("/dev/zero", &other).unwrap();
    refused(&["learn", "new", path(&other), "--library", library]);
    File::create(&session).unwrap().set_len(1 << 40).unwrap();
    refused(&["states", "--library", library]);
    // Many small sessions are as large as a few large ones.
    let whole =
        json.replace("\"not_hit\": {", &format!("\"not_hit\": {{\"g\": [{}]", names(&|n| format!("\"{n}\""), 20_000)));
    (0..20).for_each(|n| fs::write(state.join(format!("s{n}.json")), &whole).unwrap());
    fs::write(&session, &json).unwrap();
    refused(&["states", "--library", library]);
}

fn a_summary_without_an_end_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("rec");
    fs::create_dir(&recording).unwrap();
    fs::write(recording.join("log.csv"), format!("{LOG}5,1,1,a\n")).unwrap();
    File::create(recording.join("summary.json")).unwrap().set_len(1 << 40).unwrap();
    let limited = format!("ulimit -v {} && exec \"$0\" report --max-memory {BOUND}M", ALL << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_tp-perf")]).current_dir(folder.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn the_rows_of_reports_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = |number: u32, names: u32| {
        let log = folder.path().join(format!("{number}.csv"));
        let rows: String = (1..=names).map(|n| format!("{n},{n},{n},a{number}-{n}\n")).collect();
        fs::write(&log, format!("{LOG}{rows}")).unwrap();
        log
    };
    let many = log(0, 12_000);
    let file = folder.path().join("page.html");
    read(&["report", path(&log(1, 5_000)), "--html", path(&file)]);
    assert!(refused(&["report", path(&many)]).contains("rows of a report"));
    assert!(refused(&["report", path(&log(1, 6_000)), "--format", "json"]).contains("rows of a report"));
    // Each source has other names, so a table of all has a cell for each name and source.
    let logs: Vec<_> = (2..60).map(|number| log(number, 80)).collect();
    let logs: Vec<&str> = logs.iter().map(|log| path(log)).collect();
    assert!(refused(&[&["report"][..], &logs].concat()).contains("the comparison of the sources"));
}

fn the_bound_is_set_by_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    fs::write(&log, format!("{LOG}5,100000,1,a\n")).unwrap();
    let run = |words: &[&str]| Command::new(env!("CARGO_BIN_EXE_tp-perf")).args(words).output().unwrap();
    assert!(run(&["replay", path(&log)]).status.success());
    let output = run(&["replay", path(&log), "--max-memory", "1M"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("; the limit is 1 MiB") && error.contains("`--max-memory 16M`"), "{error}");
}

/// The escapes of a character can be ten times as long as the character.
fn escaped_names_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv.zst");
    let out = |name: &str| path(&folder.path().join(name)).to_owned();
    let mut fits = 0;
    for c in ['\u{1b}', '\u{202e}', '<', 'x'] {
        packed(&log, |file| {
            file.write_all(LOG.as_bytes()).unwrap();
            let name = String::from(c).repeat(3_000 / c.len_utf8());
            (0..750).try_for_each(|n| writeln!(file, "{n}000,{},1,\"{name}{n}\"", n + 1)).unwrap();
        });
        let log = path(&log);
        for (n, words) in [
            vec!["report", log, "--format", "json"],
            vec!["report", log, "--html", "-"],
            vec!["report", log, "--format", "markdown", "--top", "1000"],
            vec!["report", log, "--format", "csv", "--top", "1000"],
            vec!["report", log, "--top", "1000"],
            vec!["report", log, "--plots", &out("plots"), "--force"],
            vec!["report", log, log, "--format", "json"],
            vec!["replay", log, "-o", &out("recording"), "--force"],
            vec!["learn", "x", log, "--library", &out(&format!("library{}", c as u32)), "--window", "1us"],
        ]
        .into_iter()
        .enumerate()
        {
            let output = run(&words);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() || errors.contains("--max-memory "), "{c:?} {words:?}: {errors}");
            assert!(c != 'x' || n == 6 || output.status.success(), "{words:?}: {errors}");
            fits += usize::from(output.status.success());
        }
    }
    assert!(fits > 20, "{fits} fit");
}

/// The rows of such names would take more memory than the bound allows.
fn the_log_of_names_full_of_escapes_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv.zst");
    let name = |n: u64| format!("{}{n}", "\u{1b}".repeat(3_000));
    packed(&log, |file| {
        file.write_all(LOG.as_bytes()).unwrap();
        (1..=1_200).try_for_each(|n| writeln!(file, "{n}000,{n},1,\"{}\"", name(n))).unwrap();
    });
    let output = run(&["replay", path(&log), "-o", "-"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let escaped = "\\u{1b}".repeat(3_000);
    let rows: String = (1..=1_200).map(|n| format!("{n}000,{n},1,{escaped}{n}\n")).collect();
    assert!(output.stdout == format!("{LOG}{rows}").into_bytes());
}
