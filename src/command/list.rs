//! `tp-perf list`: the tracepoint table, and what would become of each in a capture.

use crate::cli::{Format, ListRequest};
use crate::recording::{encode_tracepoints, tracepoint_fields};
use crate::tracefs::{self, Selection, Status, Table, Tracepoint};
use crate::units::Grouped;
use anstyle::Style;
use serde_json::json;
use std::io::{self, Write};

/// Prints the list.
pub fn list(request: &ListRequest, out: &mut dyn Write) -> anyhow::Result<()> {
    let (table, selection) = tracefs::choose(&request.selection)?;
    for pattern in &request.patterns {
        tracefs::check_matches(&table, pattern)?;
    }
    let shown: Vec<&Tracepoint> = table
        .tracepoints()
        .iter()
        .filter(|tracepoint| {
            request.patterns.is_empty() || request.patterns.iter().any(|pattern| pattern.matches(tracepoint))
        })
        .collect();
    match request.format {
        Format::Table => print_table(&shown, &table, &selection, out)?,
        Format::Csv => out.write_all(&encode_tracepoints(&shown, &selection)?)?,
        Format::Json => print_json(&shown, &selection, out)?,
    }
    Ok(())
}

fn print_table(shown: &[&Tracepoint], table: &Table, selection: &Selection, out: &mut dyn Write) -> io::Result<()> {
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

fn print_json(shown: &[&Tracepoint], selection: &Selection, out: &mut dyn Write) -> io::Result<()> {
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
