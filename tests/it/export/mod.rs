//! `tp-perf export`: each format has all events or hits, as other programs and other readers count them.

mod perf;
mod perfetto;
#[cfg(feature = "history")]
mod python;
mod refusals;
mod tables;
#[cfg(feature = "history")]
mod to_history;

use crate::common::budget::{FileEnd, budgeted};
use crate::common::report::{fixture, json, path};
use crate::common::{Test, nothing_more, perf_file};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub const TESTS: &[Test] = &[
    ("a_table_has_the_columns_of_the_log_and_the_totals_of_the_report", nothing_more, tables::events),
    ("columns_are_chosen_and_those_that_are_missing_are_named", nothing_more, tables::columns),
    ("windows_have_all_hits", nothing_more, tables::windows),
    ("any_text_is_read_back", nothing_more, tables::odd_names),
    ("a_trace_has_all_events_on_each_kind_of_track", nothing_more, perfetto::instants),
    ("with_very_many_events_the_hottest_tracepoints_become_counters", nothing_more, perfetto::counters),
    ("the_definitions_of_perfetto_decode_a_trace", perfetto::has_definitions, perfetto::definitions),
    ("the_trace_processor_of_perfetto_reads_a_trace", perfetto::has_trace_processor, perfetto::trace_processor),
    ("perf_prints_the_cpu_and_the_process_of_each_event", perf::has_perf, perf::script),
    ("a_file_for_perf_is_a_source_again", nothing_more, perf::source),
    #[cfg(feature = "history")]
    ("duckdb_pandas_and_pyarrow_read_each_table", python::has_them, python::tables),
    #[cfg(feature = "history")]
    ("a_recording_becomes_a_history", nothing_more, to_history::recording),
    #[cfg(feature = "history")]
    ("a_thinned_tracepoint_is_an_estimate_in_a_history", nothing_more, to_history::thinned),
    #[cfg(feature = "history")]
    ("the_windows_of_a_history_are_exported", nothing_more, to_history::windows),
    ("an_export_that_fails_leaves_nothing_and_names_the_fix", nothing_more, refusals::refusals),
    ("what_was_read_before_damage_is_exported", nothing_more, refusals::damage),
];

/// Runs `tp-perf export`.
fn export(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("export").args(words).stdin(Stdio::null()).output().unwrap()
}

/// Runs an export that must end well, and returns its standard output.
fn well(words: &[&str]) -> String {
    let output = export(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The recorded events of each tracepoint in a report, or the hits in a history.
fn totals(source: &str) -> BTreeMap<String, u64> {
    let report = json(&[source]);
    let summary = &report["sources"][0]["summary"];
    let column = if summary["history"].is_null() { "recorded" } else { "counted" };
    let row = |row: &serde_json::Value| (row["name"].as_str().unwrap().to_owned(), row[column].as_u64().unwrap_or(0));
    summary["per_tracepoint"].as_array().unwrap().iter().map(row).filter(|(_, events)| *events > 0).collect()
}

/// Sources of several kinds: a recording, files of perf with processes, and a recording with a budget.
struct Sources {
    folder: TempDir,
    all: Vec<PathBuf>,
}

impl Sources {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let thinned = folder.path().join("thinned.perf");
        fs::copy(budgeted(FileEnd::Whole).path(), &thinned).unwrap();
        let all = vec![fixture("idle.perf.zst"), fixture("perf-file.data"), fixture("perf-tasks.data"), thinned];
        Sources { folder, all }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The rows of a log with these columns, as `replay` prints them.
fn log(source: &Path, columns: &str) -> Vec<BTreeMap<String, String>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    let output =
        command.args(["replay", path(source), "-q", "-o", "-", "-n", "1G", "--log-columns", columns]).output().unwrap();
    assert!(output.status.success());
    csv_rows(&String::from_utf8(output.stdout).unwrap())
}

fn csv_rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// The sums of a number by name.
fn sums(rows: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    rows.fold(BTreeMap::new(), |mut sums, (name, number)| {
        *sums.entry(name).or_insert(0) += number;
        sums
    })
}
