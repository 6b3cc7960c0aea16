//! The processes of a report, and the processes of its tracepoints, as tables on the terminal.

use super::layout::{Screen, TextCell, TextColumn, TextTable};
use crate::processes::{CgroupEvents, NamedProcesses, ProcessRanking};
use crate::report::{SourceReport, mark};
use crate::text::OneLine;
use crate::units::{Grouped, Plural, Rate, Share};
use anstyle::Style;
use std::cmp::Reverse;
use std::io;

const BOLD: Style = Style::new().bold();

/// The tracepoints of a process, and the processes of a tracepoint, that a row names.
const NAMED: usize = 3;
/// Columns of a name and of the list behind it, if there is little room.
const NAME: usize = 24;
const LIST: usize = 18;

/// Prints the processes with the most events, and then the tracepoints with the most events and their processes.
pub(super) fn print_processes(
    source: &SourceReport,
    all: &ProcessRanking,
    top: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    if !all.is_known || all.processes.is_empty() {
        return Ok(());
    }
    let mark = mark(all.is_estimate);
    screen.prose(match all.is_estimate {
        true => "Processes are known for recorded events only. The hits below are estimated from them, because tracepoints were thinned.".to_owned(),
        false => format!("Processes are known for the {} recorded events only; the shares below are of these.", Grouped(all.events)),
    })?;
    screen.blank()?;
    let unit = if all.is_estimate { "hits" } else { "events" };
    let name = |tpid| source.table.get(tpid).full_name();
    let numbers = [TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::RIGHT.optional(), TextColumn::RIGHT];
    let texts = [TextColumn::LEFT.cut_to(NAME), TextColumn::LEFT.cut_to(LIST)];
    let mut table = TextTable::new(numbers.into_iter().chain(texts).collect::<Vec<_>>());
    table.row(BOLD, [unit, "share", "per second", "pid", "top processes", "mostly"].map(TextCell::from));
    let named = all.by_name();
    for NamedProcesses { process, number, events, tracepoints } in named.iter().take(top) {
        let mostly = parts(tracepoints.iter().map(|(tpid, hits)| (name(*tpid), *hits)), *events);
        let rate = source.ranking.per_second(*events).map(|rate| format!("{mark}{}", Rate(rate))).unwrap_or_default();
        let pid = match (number, process.pid) {
            (1, pid) => pid.map(|pid| pid.to_string()).unwrap_or_default(),
            (several, _) => Plural(*several as u64, "pid").to_string(),
        };
        let cells: [TextCell; 6] = [
            format!("{mark}{}", Grouped(*events)).into(),
            format!("{mark}{}", Share(all.share(*events))).into(),
            rate.into(),
            pid.into(),
            process.words().into(),
            mostly.into(),
        ];
        table.row(Style::new(), cells);
    }
    screen.table(&table)?;
    more(named.len(), top, screen)?;
    screen.blank()?;
    print_cgroups(all, top, screen)?;
    let tracepoints = all.tracepoints();
    let columns = [TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::LEFT.cut_to(NAME), TextColumn::LEFT.cut_to(LIST)];
    let mut table = TextTable::new(columns);
    table.row(BOLD, [unit, "share", "top tracepoints", "hit by"].map(TextCell::from));
    for (tpid, events) in tracepoints.iter().take(top) {
        let mut by: Vec<_> = named.iter().map(|named| (named, named.events_of(*tpid))).collect();
        by.sort_by_key(|(_, its)| Reverse(*its));
        let by = parts(by.into_iter().map(|(named, its)| (named.words(), its)), *events);
        let (count, share) = (format!("{mark}{}", Grouped(*events)), format!("{mark}{}", Share(all.share(*events))));
        let cells: [TextCell; 4] = [count.into(), share.into(), name(*tpid).into(), by.into()];
        table.row(Style::new(), cells);
    }
    screen.table(&table)?;
    more(tracepoints.len(), top, screen)?;
    screen.blank()?;
    let interrupts = match source.is_by_perf {
        true => "",
        false => {
            " `in interrupts` has the tracepoints that are only hit there. Other events in interrupts count for the program that was \
             interrupted, or for `idle`."
        }
    };
    screen.prose(format_args!("A thread with a name of its own has its own row.{interrupts}"))
}

/// Prints the cgroups with the most events, if the source has them.
fn print_cgroups(all: &ProcessRanking, top: usize, screen: &mut Screen<'_>) -> io::Result<()> {
    let cgroups = all.by_cgroup();
    if cgroups.is_empty() {
        return Ok(());
    }
    let (mark, unit) = (mark(all.is_estimate), if all.is_estimate { "hits" } else { "events" });
    let columns = [TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::LEFT.cut_to(NAME), TextColumn::LEFT.cut_to(LIST)];
    let mut table = TextTable::new(columns);
    table.row(BOLD, [unit, "share", "top cgroups", "mostly"].map(TextCell::from));
    for CgroupEvents { path, events, processes } in cgroups.iter().take(top) {
        let mostly = parts(processes.iter().cloned(), *events);
        let (count, share) = (format!("{mark}{}", Grouped(*events)), format!("{mark}{}", Share(all.share(*events))));
        table.row(Style::new(), [count.into(), share.into(), OneLine(path).into(), mostly.into()]);
    }
    screen.table(&table)?;
    more(cgroups.len(), top, screen)?;
    screen.blank()
}

/// The first parts of events in words: `gcc (812) 60 %, make (7) 30 %`. Those that round to 0 % are left out.
fn parts(of: impl Iterator<Item = (String, u64)>, events: u64) -> String {
    let percent = |its: u64| 100.0 * its as f64 / events.max(1) as f64;
    let parts = of.take(NAMED).filter(|(_, its)| percent(*its) >= 0.5);
    let parts: Vec<_> = parts.map(|(name, its)| format!("{name} {:.0} %", percent(its))).collect();
    if parts.is_empty() { "each below 0.5 %".to_owned() } else { parts.join(", ") }
}

fn more(all: usize, top: usize, screen: &mut Screen<'_>) -> io::Result<()> {
    match all.saturating_sub(top) {
        0 => Ok(()),
        more => screen.prose(format_args!("and {} more (--top {all} shows all)", Grouped(more as u64))),
    }
}
