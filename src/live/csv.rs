//! Windows as CSV.

use super::LiveWindows;
use crate::text::CsvCell;
use crate::tracefs::Table;
use std::collections::BTreeSet;
use std::io;

/// All windows that are kept: a row for each tracepoint that was hit, or was not counted all the time, in a window. `marks` has
/// the numbers of the windows that the user has marked.
///
/// # Errors
/// None in practice: the rows go to memory.
pub fn csv(windows: &LiveWindows, table: &Table, marks: &BTreeSet<u64>) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "timestamp_ns",
        "window_ns",
        "tracepoint_group",
        "tracepoint",
        "hits",
        "estimated",
        "rung",
        "marked",
    ])?;
    for (number, window) in windows.numbers().zip(windows.iter()) {
        let (from, length) = (window.from.to_string(), window.to.since(window.from).to_string());
        let marked = u8::from(marks.contains(&number)).to_string();
        for hits in &window.hits {
            let tracepoint = table.get(hits.tpid);
            let [group, name] = [&tracepoint.group, &tracepoint.name].map(|name| CsvCell(name).to_string());
            let number = hits.hits.map(|hits| format!("{hits:.0}")).unwrap_or_default();
            let estimated = if hits.is_estimate { "1" } else { "0" };
            csv.write_record([&from, &length, &group, &name, &number, estimated, hits.rung.word(), &marked])?;
        }
    }
    csv.into_inner().map_err(|error| error.into_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::{table, windows};

    #[test]
    fn each_window_has_a_row_for_each_tracepoint_that_was_hit() {
        let bytes = csv(&windows(1, &[[5, 0, 30], [0, 9, 0]]), &table(), &BTreeSet::from([1])).unwrap();
        let expected = "timestamp_ns,window_ns,tracepoint_group,tracepoint,hits,estimated,rung,marked\n\
                        0,1000000000,irq,entry,5,0,counted,0\n\
                        0,1000000000,sched,wakeup,30,0,counted,0\n\
                        1000000000,1000000000,irq,exit,9,0,counted,1\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
