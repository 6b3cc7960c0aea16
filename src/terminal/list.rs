//! The tracepoints, and whether a capture would take them.

use super::layout::{Screen, TextColumn, TextTable};
use super::summary::counted;
use super::width::Width;
use crate::recording::tracepoint_fields;
use crate::text::write_json_pretty;
use crate::tracefs::{Exclusion, Selection, Status, Table, Tracepoint};
use crate::units::{Grouped, Plural};
use anstyle::Style;
use serde_json::json;
use std::io::{self, Write};

/// A status keeps at least this many columns. If there is no room for that, the numbers are left out.
const STATUS: usize = 30;

const BOLD: Style = Style::new().bold();

/// Prints these tracepoints of `table`, and how many of all tracepoints a capture with `selection` would take. Lines have `width`
/// columns.
pub fn print_list(
    shown: &[&Tracepoint],
    table: &Table,
    selection: &Selection,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    // A name is the first word of its line and is never cut, so grep and awk can use it.
    let numbers = TextColumn::RIGHT.optional();
    let mut rows = TextTable::new([TextColumn::LEFT, TextColumn::LEFT.cut_to(STATUS), numbers, numbers, numbers]);
    rows.head(["tracepoint", "status", "tpid", "gid", "id"]);
    for tracepoint in shown {
        let status = selection.status(tracepoint.tpid);
        let style = if status.is_captured() { Style::new() } else { Style::new().dimmed() };
        let Tracepoint { tpid, gid, tracefs_id, .. } = tracepoint;
        let name = tracepoint.full_name();
        rows.row(style, [name.into(), short(status).into(), tpid.into(), gid.into(), tracefs_id.into()]);
    }
    screen.table(&rows)?;
    screen.blank()?;
    print_total(shown, table, selection, screen)
}

/// A status. The last lines of the list show which exclusions belong to the default selection.
fn short(status: &Status) -> String {
    match status {
        Status::Excluded(Exclusion::Group { group }) => format!("excluded: group {group}"),
        Status::Excluded(Exclusion::TooOften) => "excluded: hit too often".to_owned(),
        other => other.to_string(),
    }
}

/// How many tracepoints a capture would take, and why it excludes the others.
fn print_total(shown: &[&Tracepoint], table: &Table, selection: &Selection, screen: &mut Screen<'_>) -> io::Result<()> {
    let (captured, excluded, refused) = selection.counts(table);
    let all = Plural(table.tracepoints().len() as u64, "tracepoint");
    let groups = Plural(table.groups().len() as u64, "group");
    let mut total = format!("{} of {all} in {groups} selected", Grouped(captured as u64));
    if excluded > 0 {
        let statuses = || table.tracepoints().iter().map(|tracepoint| selection.status(tracepoint.tpid));
        let by_group = statuses().filter(|status| matches!(status, Status::Excluded(Exclusion::Group { .. }))).count();
        let too_often = statuses().filter(|status| **status == Status::Excluded(Exclusion::TooOften)).count();
        let reasons = [
            (by_group, "in groups that are excluded by default"),
            (too_often, "because they are hit too often"),
            (excluded - by_group - too_often, "by PATTERN, -t or -x"),
        ];
        let reasons: Vec<_> = reasons.into_iter().filter(|(number, _)| *number > 0).collect();
        let excluded = Grouped(excluded as u64);
        total += &match reasons[..] {
            [(_, why)] => format!("; {excluded} excluded {why}"),
            _ => {
                let each = reasons.iter().map(|(number, why)| format!("{} {why}", Grouped(*number as u64)));
                format!("; {excluded} excluded: {}", each.collect::<Vec<_>>().join(", "))
            }
        };
    }
    if refused > 0 {
        total += &format!("; {} refused by the kernel", Grouped(refused as u64));
    }
    screen.prose(format_args!("{BOLD}{total}{BOLD:#}"))?;
    let of_these = shown.iter().filter(|tracepoint| selection.status(tracepoint.tpid).is_captured()).count();
    if shown.len() < table.tracepoints().len() && of_these < shown.len() {
        let (of_these, are) = counted(of_these);
        let shown = Plural(shown.len() as u64, "tracepoint");
        screen.prose(format_args!("{of_these} of the {shown} above {are} selected"))?;
    }
    let is_by_default = |tracepoint: &Tracepoint| selection.status(tracepoint.tpid).is_excluded_by_default();
    match table.tracepoints().iter().any(is_by_default) {
        true => screen.prose("`--all` takes all, `--also PATTERN` adds some, `-t PATTERN` takes only these"),
        false => Ok(()),
    }
}

/// Prints how many of the tracepoints that match a PATTERN the default selection excludes.
pub fn print_default_exclusions(
    shown: &[&Tracepoint],
    by_default: &Selection,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let excluded = shown.iter().filter(|tracepoint| !by_default.status(tracepoint.tpid).is_captured()).count();
    let (excluded, are) = counted(excluded);
    Screen::new(width, out).prose(format_args!(
        "{excluded} of these {} {are} excluded by default; `--also PATTERN` adds them to the default selection",
        Grouped(shown.len() as u64)
    ))
}

/// Writes these tracepoints as a JSON array of objects.
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
    write_json_pretty(&rows, out)
}
