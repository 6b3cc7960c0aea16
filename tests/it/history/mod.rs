//! Histories, as other programs read them, and as kills and full disks leave them.

pub mod damage;
mod host;
mod kills;
mod limits;
mod python;
mod size;
mod sources;

use crate::common::{Test, nothing_more};

pub const TESTS: &[Test] = &[
    ("a_killed_monitor_loses_at_most_the_window_that_it_writes", nothing_more, kills::kills),
    ("damaged_files_cost_their_windows_alone", nothing_more, damage::damaged_files),
    ("files_of_other_programs_are_refused", nothing_more, damage::other_files),
    ("a_file_size_limit_costs_no_window", nothing_more, limits::file_size_limit),
    ("a_full_disk_costs_no_window", limits::can_mount, limits::full_disk),
    ("a_report_has_the_sums_of_all_windows", nothing_more, sources::report),
    ("states_are_learned_and_told_from_histories", nothing_more, sources::states),
    ("memory_is_flat", nothing_more, limits::memory),
    ("a_busy_host_takes_at_most_50_mb_a_day", nothing_more, size::busy_host),
    ("duckdb_and_pandas_read_what_was_counted", python::has_duckdb_and_pandas, python::sums),
    ("the_sql_of_the_page_runs", python::has_duckdb_and_pandas, python::page),
];

/// What the program does as a child of a test: `it history WORD …`.
pub fn child(words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match &words[..] {
        ["write", folder, first] => kills::write(folder.as_ref(), first.parse().unwrap()),
        ["recover", folder] => limits::recover(folder.as_ref()),
        ["memory", folder] => limits::write_for_hours(folder.as_ref()),
        _ => panic!("history {words:?}"),
    }
}

/// The seeds of the fuzz targets: their targets, names, and bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    damage::three_hours(folder.path());
    let read = |name: &str| std::fs::read(damage::path_of(folder.path(), name)).unwrap();
    let minutes = std::fs::read(folder.path().join("minutes/host=here/date=2026-11-30/14.parquet")).unwrap();
    vec![
        ("journal", "hour", read(".16.journal")),
        ("hour", "windows", read("14.parquet")),
        ("hour", "minutes", minutes),
    ]
}
