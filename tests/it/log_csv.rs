//! Reads whole and damaged files log.csv. All valid rows are read, and an error names the line of an invalid
//! row.

use crate::common::screen::assert_screen;
use crate::common::{Read, Test, drain, tests};
use proptest::prelude::*;
use std::fmt::Write;
use std::io::{Cursor, Read as _};
use tp_perf::events::stream::{Decoded, EventStream};
use tp_perf::source::LogCsv;
use tp_perf::tracefs::Table;

pub const TESTS: &[Test] = tests![
    a_log_with_any_line_ends_is_read_and_put_into_order,
    what_is_wrong_in_a_log_is_named_with_its_line_and_what_came_before_is_kept,
    a_log_whose_time_steps_far_back_is_refused_from_there,
    a_line_without_an_end_is_refused_before_it_fills_memory,
    any_text_is_a_log_or_is_refused,
];

fn log(text: &str) -> Read {
    match LogCsv::open(Box::new(Cursor::new(text.to_owned().into_bytes())), Table::default(), None) {
        Ok(log) => drain(EventStream::new(log)),
        Err(error) => Read { events: Vec::new(), decoded: Decoded::default(), error: Some(error.to_string()) },
    }
}

const HEADER: &str = "timestamp,tpid,gid,tracepoint name\n";

fn a_log_with_any_line_ends_is_read_and_put_into_order() {
    let rows = format!("{HEADER}30,2,1,a\n10,1,1,\"b, c\"\n20,2,1,a\n");
    for text in [rows.clone(), rows.replace('\n', "\r\n"), rows.replace('\n', "\r"), rows.replace("a\n", "a\n\n")] {
        let Read { events, error, .. } = log(&text);
        assert_eq!(error, None, "{text:?}");
        let read: Vec<_> = events.iter().map(|event| (event.time.0, event.tpid().get())).collect();
        assert_eq!(read, [(10, 1), (20, 2), (30, 2)], "{text:?}");
    }
}

fn what_is_wrong_in_a_log_is_named_with_its_line_and_what_came_before_is_kept() {
    let mut screen = String::new();
    for (rows, kept) in [
        ("1,1,1,a\n2,1,1", 1),
        ("1,1,1,a\n2,1,1,\"a\n3,1,1,a\n", 1),
        ("1,1,1,a\n2,1,1,a", 1),
        ("1,1,1,a\n2,1,1,a\n3,1,", 2),
        ("1,1,1,a\nsoon,1,1,a\n", 1),
        ("-1,1,1,a\n", 0),
        ("1,1,1,a\n2,one,1,a\n", 1),
        ("99999999999999999999,1,1,a\n", 0),
        ("1,4000000000,1,a\n", 0),
        ("1,0,1,a\n", 0),
        ("1,1,99999999,a\n", 0),
        ("1,1,1,a\n2,1,1,b\n", 1),
        ("1,1,1,a,5\n", 0),
        ("\"1,1,1,a\n2,1,1,a\n", 0),
    ] {
        let Read { events, error, .. } = log(&format!("{HEADER}{rows}"));
        let error = error.unwrap_or_else(|| panic!("{rows:?} gave no error"));
        assert_eq!(events.len(), kept, "{rows:?}");
        writeln!(screen, "{rows:?}\n    {error}").unwrap();
    }
    for header in ["timestamp,tpid,tracepoint name\n", "timestamp\n", "tpid,timestamp,gid,tracepoint name\n"] {
        let error = log(header).error.unwrap();
        writeln!(screen, "{header:?}\n    {error}").unwrap();
    }
    assert_screen("log_csv_errors", &screen);
    assert_eq!(log(HEADER).error, None, "a log without rows is valid");
}

fn a_log_whose_time_steps_far_back_is_refused_from_there() {
    let rows: String = (0..40_000u64).map(|n| format!("{},1,1,a\n", 1_000_000_000 + n * 10_000)).collect();
    let Read { events, error, .. } = log(&format!("{HEADER}{rows}5,1,1,a\n"));
    assert_eq!(events.len(), 40_000);
    assert_screen("log_csv_steps_back", &error.unwrap());
}

fn a_line_without_an_end_is_refused_before_it_fills_memory() {
    for start in ["1,1,1,", "1,", "1,1,1,\"", ""] {
        let rows = Cursor::new(format!("{HEADER}{start}")).chain(std::io::repeat(b'y').take(1 << 30));
        let stream = LogCsv::open(Box::new(rows), Table::default(), None).unwrap();
        let error = drain(EventStream::new(stream)).error.unwrap();
        assert_screen("log_csv_without_an_end", &error);
    }
}

proptest! {
    fn any_text_is_a_log_or_is_refused(text in "[0-9,\"\r\na-c ]{0,300}") {
        log(&format!("{HEADER}{text}"));
    }
}
