//! The tracepoint table, and what would become of each tracepoint in a capture.

use crate::recording::tracepoint_fields;
use crate::tracefs::{Selection, Status, Table, Tracepoint};
use crate::units::Grouped;
use anstyle::Style;
use serde_json::json;
use std::io::{self, Write};

/// Prints the tracepoints of `table` that are to be shown, and how many a capture of `selection` would take.
pub fn print_list(shown: &[&Tracepoint], table: &Table, selection: &Selection, out: &mut dyn Write) -> io::Result<()> {
    let dim = Style::new().dimmed();
    let bold = Style::new().bold();
    let width = shown.iter().map(|tracepoint| tracepoint.full_name().len()).max().unwrap_or(0).max("tracepoint".len());
    writeln!(out, "{bold}{:>5} {:>4} {:>6}  {:<width$}  status{bold:#}", "tpid", "gid", "id", "tracepoint")?;
    for tracepoint in shown {
        let status = selection.status(tracepoint.tpid);
        let style = if *status == Status::Captured { Style::new() } else { dim };
        let Tracepoint { tpid, gid, tracefs_id, .. } = tracepoint;
        let name = tracepoint.full_name();
        writeln!(out, "{style}{tpid:>5} {gid:>4} {tracefs_id:>6}  {name:<width$}  {status}{style:#}")?;
    }
    let captured = shown.iter().filter(|tracepoint| *selection.status(tracepoint.tpid) == Status::Captured).count();
    let (of_all, groups) = (table.tracepoints().len(), table.groups().len());
    writeln!(
        out,
        "{bold}{} shown: {} would be captured, {} excluded{bold:#} (of {} tracepoints in {groups} groups)",
        Grouped(shown.len() as u64),
        Grouped(captured as u64),
        Grouped((shown.len() - captured) as u64),
        Grouped(of_all as u64),
    )
}

/// Writes the tracepoints that are to be shown as a JSON array of objects.
pub fn write_list_json(shown: &[&Tracepoint], selection: &Selection, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<_> = shown
        .iter()
        .map(|tracepoint| {
            let [_, _, name, group, _, status] = tracepoint_fields(tracepoint, selection);
            json!({
                "tpid": tracepoint.tpid, "gid": tracepoint.gid, "name": name, "group": group,
                "tracefs_id": tracepoint.tracefs_id, "status": status,
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)
}
