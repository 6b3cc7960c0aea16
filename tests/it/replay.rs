//! Replays recordings of a real kernel, from the bytes to the log, on any machine.

use crate::common::report::fixture;
use crate::common::screen::assert_screen;
use crate::common::{Test, tests};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use tp_perf::recording::{SCHEMA, Summary};

pub const TESTS: &[Test] = tests![
    every_fixture_replays_to_its_stored_results,
    every_fixture_holds_what_stock_perf_listed_of_it,
    a_storm_that_overflowed_its_rings_has_real_losses_and_a_balanced_accounting,
    standard_input_replays_as_the_file_does,
    a_log_replays_to_itself,
    filters_and_ranges_take_what_they_say,
    what_is_asked_for_in_vain_is_an_error_and_leaves_nothing,
    a_compressed_recording_has_all_its_samples_in_compressed_records,
    results_of_one_recording_are_not_mixed_with_another,
    a_recording_whose_header_is_cut_is_read_from_its_log,
    a_second_layer_of_zstd_is_refused,
    a_replay_on_a_full_disk_keeps_its_log,
    a_directory_that_cannot_be_read_is_not_called_no_recording,
    a_recording_is_not_replaced_without_force,
    a_reader_that_has_seen_enough_is_no_error,
    the_built_in_example_shows_what_tp_perf_does,
    pace_changes_nothing_but_the_time,
    a_recording_cut_short_says_what_is_missing_and_keeps_the_rest,
];

const CAPTURED: [(&str, &str); 5] = [
    ("idle", "idle.perf.zst"),
    ("make", "make.perf.zst"),
    ("apache", "apache.perf.zst"),
    ("overflow", "overflow.perf.zst"),
    ("compressed", "compressed.perf"),
];

const BY_PERF: [(&str, &str); 3] =
    [("perf-file", "perf-file.data"), ("perf-pipe", "perf-pipe.data"), ("perf-z", "perf-z.data")];

pub fn unpacked(name: &str) -> Vec<u8> {
    zstd::decode_all(fs::File::open(fixture(name)).unwrap()).unwrap()
}

fn replay(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("replay").args(words).stdin(Stdio::null()).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with the results of a replay in `rec`.
struct Replayed {
    folder: TempDir,
    output: Output,
}

impl Replayed {
    fn of(source: &Path, words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rec = folder.path().join("rec");
        let all = [&[source.to_str().unwrap(), "-o", rec.to_str().unwrap()], words].concat();
        Replayed { output: replay(&all), folder }
    }

    fn well(source: &Path, words: &[&str]) -> Self {
        let replayed = Self::of(source, words);
        assert!(replayed.output.status.success(), "{words:?}: {}", text(&replayed.output.stderr));
        replayed
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("rec").join(name)).unwrap()
    }

    fn summary(&self) -> Value {
        serde_json::from_str(&self.read("summary.json")).unwrap()
    }

    /// The (time, tpid, name) of every row.
    fn rows(&self) -> Vec<(u64, u32, String)> {
        let log = self.read("log.csv");
        let mut log = csv::Reader::from_reader(log.as_bytes());
        log.deserialize::<(u64, u32, u32, String)>()
            .map(Result::unwrap)
            .map(|(time, tpid, _, name)| (time, tpid, name))
            .collect()
    }
}

/// The summary in today's schema, without the time of the replay itself. The summaries in the fixtures have
/// schema 1.
fn timeless(summary: &str) -> Value {
    let mut summary: Summary = serde_json::from_str(summary).unwrap();
    (summary.schema, summary.timing_ns.drain) = (SCHEMA, 0);
    // Newer than the fixtures.
    summary.tracepoints.excluded_by_default = None;
    serde_json::to_value(summary).unwrap()
}

fn every_fixture_replays_to_its_stored_results() {
    for (name, file) in CAPTURED.into_iter().chain(BY_PERF) {
        let replayed = Replayed::well(&fixture(file), &[]);
        assert!(replayed.read("log.csv").into_bytes() == unpacked(&format!("{name}.log.csv.zst")), "{name}: log.csv");
        let stored = fs::read_to_string(fixture(&format!("{name}.summary.json"))).unwrap();
        assert_eq!(timeless(&replayed.read("summary.json")), timeless(&stored), "{name}");
        // The reader accepts both names, and the writer uses the new one.
        let written: Value = serde_json::from_str(&replayed.read("summary.json")).unwrap();
        assert!(written["unaccounted"].is_array() && written.get("residuals").is_none(), "{name}");
        assert!(
            written["events"].get("unaccounted").is_some() && written["events"].get("residual").is_none(),
            "{name}"
        );
    }
}

fn every_fixture_holds_what_stock_perf_listed_of_it() {
    for (name, file) in CAPTURED.into_iter().chain(BY_PERF) {
        // With --events, a capture writes a log that is shorter than its recording. This replay writes all
        // events.
        let replayed = Replayed::well(&fixture(file), &["-n", "1000000"]);
        let names: std::collections::HashMap<u32, String> =
            csv::Reader::from_reader(replayed.read("tracepoints.csv").as_bytes())
                .records()
                .map(Result::unwrap)
                .map(|row| (row[0].parse().unwrap(), format!("{}:{}", &row[3], &row[2])))
                .collect();
        let mut logged: Vec<_> =
            replayed.rows().into_iter().map(|(time, tpid, _)| (time, names[&tpid].clone())).collect();
        let mut listed: Vec<(u64, String)> = text(&unpacked(&format!("{name}.script.zst")))
            .lines()
            .map(|line| {
                let mut words = line.split_whitespace().map(|word| word.trim_end_matches(':'));
                (words.next().unwrap().replace('.', "").parse().unwrap(), words.next().unwrap().to_owned())
            })
            .collect();
        assert!(!listed.is_empty());
        // perf and tp-perf order events of the same time differently.
        logged.sort();
        listed.sort();
        assert!(logged == listed, "{name}: {} logged, {} listed by perf", logged.len(), listed.len());
    }
}

fn a_storm_that_overflowed_its_rings_has_real_losses_and_a_balanced_accounting() {
    let replayed = Replayed::well(&fixture("overflow.perf.zst"), &[]);
    let events = &replayed.summary()["events"];
    let number = |field: &str| events[field].as_i64().unwrap();
    assert!(number("lost") > 1_000, "{events}");
    assert_eq!(number("recorded") + number("lost") + number("unaccounted"), number("counted"));
}

fn standard_input_replays_as_the_file_does() {
    for file in ["make.perf.zst", "compressed.perf", "perf-pipe.data", "perf-file.data"] {
        let rows = |stdin: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
            let output = command.args(["replay", "-", "-o", "-", "-q"]).stdin(stdin).output().unwrap();
            (output.status.code(), output.stdout, text(&output.stderr))
        };
        let expected = Replayed::well(&fixture(file), &[]).read("log.csv").into_bytes();
        let (code, redirected, error) = rows(fs::File::open(fixture(file)).unwrap().into());
        assert!(code == Some(0) && redirected == expected, "{file}: {error}");
        let mut cat = Command::new("cat").arg(fixture(file)).stdout(Stdio::piped()).spawn().unwrap();
        let (code, piped, error) = rows(cat.stdout.take().unwrap().into());
        cat.wait().unwrap();
        if file == "perf-file.data" {
            assert!(code == Some(1) && piped.is_empty(), "{error}");
            assert_screen("replay_of_a_pipe", &error);
        } else {
            assert!(code == Some(0) && piped == expected, "{file}: {error}");
        }
    }
}

fn a_log_replays_to_itself() {
    let first = Replayed::well(&fixture("make.perf.zst"), &[]);
    let rec = first.folder.path().join("rec");
    // Replay the log within its recording, next to its table, and then alone.
    let again = Replayed::well(&rec, &[]);
    assert!(first.read("log.csv") == again.read("log.csv"));
    assert!(again.read("groups.csv") == first.read("groups.csv"));
    let alone = first.folder.path().join("alone.csv");
    fs::write(&alone, first.read("log.csv")).unwrap();
    let again = Replayed::well(&alone, &[]);
    assert!(first.read("log.csv") == again.read("log.csv"));
    assert_eq!(again.summary()["events"]["counted"], Value::Null);
    // Cut the log within its last row.
    let log = first.read("log.csv");
    fs::write(&alone, &log[..log.len() - 4]).unwrap();
    let again = Replayed::of(&alone, &[]);
    assert_eq!(again.output.status.code(), Some(1));
    assert!(again.rows().len() + 1 == first.rows().len() && log.starts_with(&again.read("log.csv")));
}

fn filters_and_ranges_take_what_they_say() {
    let source = fixture("make.perf.zst");
    let all = Replayed::well(&source, &["-n", "1000000"]);
    let rows = all.rows();
    let of = |words: &[&str]| Replayed::well(&source, words);

    let first = of(&["-n", "100"]);
    assert_eq!(first.rows(), rows[..100]);
    assert_eq!(
        first.summary()["events"]["recorded"],
        all.summary()["events"]["recorded"],
        "the accounting holds all there is"
    );

    let (from, to) = (rows[1_000].0, rows[3_000].0);
    let range: Vec<_> = rows.iter().filter(|row| (from..to).contains(&row.0)).cloned().collect();
    assert_eq!(of(&["--from", &from.to_string(), "--to", &to.to_string()]).rows(), range);
    let since = |time: u64| format!("{}ns", time - rows[0].0);
    assert_eq!(of(&["--from", &since(from), "--to", &since(to)]).rows(), range);
    let summary = of(&["--from", &since(from)]).summary();
    assert_eq!((&summary["restricted"]["from"], &summary["log_complete"]), (&from.into(), &true.into()));

    let group = of(&["-t", "kmem:*", "-x", "mm_page_alloc"]);
    let table = group.read("tracepoints.csv");
    let captured = |row: &&(u64, u32, String)| {
        let line = table.lines().find(|line| line.starts_with(&format!("{},", row.1))).unwrap();
        line.contains(",kmem,") && row.2 != "mm_page_alloc"
    };
    // A relative time counts from the first of all events, even if a filter removes that event.
    let later = of(&["-t", "kmem:*", "-x", "mm_page_alloc", "--from", &since(from)]).rows();
    assert!(later.iter().eq(rows.iter().filter(captured).filter(|row| row.0 >= from)));
    let expected: Vec<_> = rows.iter().filter(captured).cloned().collect();
    assert!(!expected.is_empty() && group.rows() == expected);
    let summary = group.summary();
    assert_eq!(summary["events"]["recorded"], expected.len());
    let names: Vec<_> =
        summary["per_tracepoint"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("kmem:")) && !names.contains(&"kmem:mm_page_alloc"));
    let rows_of_table = csv::Reader::from_reader(table.as_bytes()).into_records().map(Result::unwrap);
    let mut left_out = 0;
    for row in rows_of_table {
        let [name, group, status] = [&row[2], &row[3], &row[5]];
        assert_eq!(status == "captured", group == "kmem" && name != "mm_page_alloc", "{row:?}");
        left_out += u32::from(status == "excluded: by the replay's -t or -x");
    }
    assert!(left_out > 0, "{table}");

    let (zero, one) = (of(&["--cpus", "0"]), of(&["--cpus", "1"]));
    assert_eq!(zero.rows().len() + one.rows().len(), rows.len());
    assert!(!zero.rows().is_empty() && !one.rows().is_empty());
    assert_eq!(zero.summary()["cpus"], serde_json::json!([0]));
}

fn what_is_asked_for_in_vain_is_an_error_and_leaves_nothing() {
    let (make, perf) = (fixture("make.perf.zst"), fixture("perf-file.data"));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    fs::write(&log, "timestamp,tpid,gid,tracepoint name\n5,1,1,a\n").unwrap();
    let missing = folder.path().join("missing");
    for (source, words) in [
        (&make, &["-t", "shced:*"][..]),
        (&make, &["--cpus", "7"]),
        (&perf, &["-x", "no_such"]),
        (&log, &["--cpus", "0"]),
        (&log, &["-t", "b"]),
        (&missing, &[]),
        (&folder.path().to_owned(), &["-t", "b"]),
        (&PathBuf::from("/"), &[]),
    ] {
        let replayed = Replayed::of(source, words);
        let error = text(&replayed.output.stderr);
        assert_eq!(replayed.output.status.code(), Some(1), "{words:?}: {error}");
        assert!(replayed.output.stdout.is_empty() && !error.is_empty(), "{words:?}: {error}");
        assert!(!replayed.folder.path().join("rec").exists(), "{words:?} left something");
    }
}

fn a_compressed_recording_has_all_its_samples_in_compressed_records() {
    let bytes = fs::read(fixture("compressed.perf")).unwrap();
    let mut kinds = std::collections::BTreeMap::<u32, u32>::new();
    let mut rest = &bytes[16..];
    while !rest.is_empty() {
        let kind = u32::from_ne_bytes(rest[..4].try_into().unwrap());
        let names = if kind == 66 { u32::from_ne_bytes(rest[8..12].try_into().unwrap()) } else { 0 };
        *kinds.entry(kind).or_default() += 1;
        rest = &rest[usize::from(u16::from_ne_bytes([rest[6], rest[7]])) + names as usize..];
    }
    assert!(kinds[&81] > 0 && !kinds.contains_key(&9) && !kinds.contains_key(&68), "{kinds:?}");
}

fn results_of_one_recording_are_not_mixed_with_another() {
    let first = Replayed::well(&fixture("idle.perf.zst"), &[]);
    let rec = first.folder.path().join("rec");
    fs::write(rec.join("events.perf"), unpacked("idle.perf.zst")).unwrap();
    // With --force, a replay keeps its own events.perf, but removes that of another recording.
    let own = replay(&[rec.to_str().unwrap(), "-o", rec.to_str().unwrap(), "--force"]);
    assert!(own.status.success() && rec.join("events.perf").exists(), "{}", text(&own.stderr));
    let other = fixture("make.perf.zst");
    assert!(replay(&[other.to_str().unwrap(), "-o", rec.to_str().unwrap(), "--force"]).status.success());
    assert!(!rec.join("events.perf").exists());
    // It also keeps them if they come through standard input.
    fs::write(rec.join("events.perf"), unpacked("idle.perf.zst")).unwrap();
    let own = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(["replay", "-", "--force", "-o"])
        .arg(&rec)
        .stdin(fs::File::open(rec.join("events.perf")).unwrap())
        .output()
        .unwrap();
    assert!(own.status.success() && rec.join("events.perf").exists(), "{}", text(&own.stderr));
    // A replay of a log does not replace that log.
    fs::write(rec.join("events.perf"), "").unwrap();
    let log = fs::read_to_string(rec.join("log.csv")).unwrap();
    for source in [rec.clone(), rec.join("log.csv")] {
        let output = replay(&[source.to_str().unwrap(), "-o", rec.to_str().unwrap(), "--force"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(fs::read_to_string(rec.join("log.csv")).unwrap() == log, "the log is unchanged");
    }
}

/// A full disk can cut events.perf within its header, and leave a whole log.
fn a_recording_whose_header_is_cut_is_read_from_its_log() {
    let first = Replayed::well(&fixture("idle.perf.zst"), &[]);
    let rec = first.folder.path().join("rec");
    let events = rec.join("events.perf");
    let whole = unpacked("idle.perf.zst");
    let log = fs::read_to_string(rec.join("log.csv")).unwrap();
    for cut in [5, 20, 90, 2_000, 100_000] {
        fs::write(&events, &whole[..cut]).unwrap();
        let output = replay(&[rec.to_str().unwrap(), "-o", "-"]);
        let errors = text(&output.stderr);
        assert!(output.status.success() && errors.contains("this reads log.csv instead"), "{cut}: {errors}");
        assert!(errors.contains("events.perf cannot be read ("), "{cut}: {errors}");
        assert!(text(&output.stdout) == log, "{cut}");
    }
    // A file of its own has no log beside it.
    assert_eq!(replay(&[events.to_str().unwrap()]).status.code(), Some(1));
    fs::remove_file(rec.join("log.csv")).unwrap();
    assert_eq!(replay(&[rec.to_str().unwrap()]).status.code(), Some(1));
}

/// A limit on the size of files stands for a full disk: the log fits, and the table of tracepoints does not.
fn a_replay_on_a_full_disk_keeps_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -f 100 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tp-perf")]);
    command.args(["replay", fixture("make.perf.zst").to_str().unwrap(), "-n", "1000", "-o", "rec"]);
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("failed to write `rec/tracepoints.csv`: File too large"), "{errors}");
    let rec = folder.path().join("rec");
    let names: Vec<_> = fs::read_dir(&rec).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["log.csv"]);
    assert_eq!(fs::read_to_string(rec.join("log.csv")).unwrap().lines().count(), 1_001);
}

fn a_second_layer_of_zstd_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let twice = folder.path().join("twice.zst");
    for file in ["compressed.perf", "perf-z.data"] {
        let Ok(bytes) = fs::read(fixture(file)) else { panic!("{file}") };
        fs::write(&twice, zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
        let output = replay(&[twice.to_str().unwrap()]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{file}: {errors}");
        assert!(errors.contains("decompress"), "{file}: {errors}");
    }
}

fn a_directory_that_cannot_be_read_is_not_called_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("events.perf", folder.path().join("events.perf")).unwrap();
    let output = replay(&[folder.path().to_str().unwrap()]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("Too many levels of symbolic links") && !errors.contains("not a recording"), "{errors}");
}

fn a_recording_is_not_replaced_without_force() {
    let first = Replayed::well(&fixture("idle.perf.zst"), &[]);
    let rec = first.folder.path().join("rec");
    let (source, rec) = (fixture("idle.perf.zst"), rec.to_str().unwrap().to_owned());
    let again = |words: &[&str]| replay(&[&[source.to_str().unwrap(), "-o", &rec], words].concat());
    let output = again(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(again(&["--force"]).status.success());
}

fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(["replay", "-q", "-o", "-"])
        .arg(fixture("make.perf.zst"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

fn the_built_in_example_shows_what_tp_perf_does() {
    let output = replay(&["--example"]);
    let shown = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    // The example is this fixture, so the output is the same.
    assert_eq!(shown, text(&replay(&[fixture("example.perf.zst").to_str().unwrap()]).stdout));
}

fn pace_changes_nothing_but_the_time() {
    let fast = Replayed::well(&fixture("overflow.perf.zst"), &["-n", "500"]);
    let paced = Replayed::well(&fixture("overflow.perf.zst"), &["-n", "500", "--speed", "10"]);
    assert!(fast.read("log.csv") == paced.read("log.csv"));
    assert_eq!(timeless(&fast.read("summary.json")), timeless(&paced.read("summary.json")));
}

fn a_recording_cut_short_says_what_is_missing_and_keeps_the_rest() {
    let bytes = unpacked("idle.perf.zst");
    let folder = tempfile::tempdir().unwrap();
    let rec = folder.path().join("killed");
    fs::create_dir(&rec).unwrap();
    let mut file = fs::File::create(rec.join("events.perf")).unwrap();
    // The counters and the ending come last in the file.
    file.write_all(&bytes[..bytes.len() * 3 / 5]).unwrap();
    let whole = Replayed::well(&fixture("idle.perf.zst"), &["-n", "1000000"]).rows();
    let cut = Replayed::of(&rec, &[]);
    let error = text(&cut.output.stderr);
    assert_eq!(cut.output.status.code(), Some(1));
    assert!(!error.is_empty());
    let rows = cut.rows();
    assert!(!rows.is_empty() && rows.len() < whole.len());
    let summary = cut.summary();
    assert_eq!((&summary["log_complete"], &summary["stop_reason"]), (&false.into(), &Value::Null));
}
