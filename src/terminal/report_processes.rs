//! The processes of a report, and the processes of its tracepoints, as tables on the terminal.

use super::layout::{Screen, TextCell, TextColumn, TextTable};
use crate::processes::ProcessRanking;
use crate::report::SourceReport;
use crate::text::OneLine;
use crate::units::{Grouped, Rate, Share};
use anstyle::Style;
use std::io;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The tracepoints of a process, and the processes of a tracepoint, that a row names.
const NAMED: usize = 3;
/// A pid takes at least so many columns.
const PID: usize = 7;

/// Prints the processes with the most events, and then the tracepoints with the most events and their processes.
pub(super) fn print_processes(
    source: &SourceReport,
    all: &ProcessRanking,
    top: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    if !all.is_known() {
        return screen.prose(
            "The source does not have the processes of its events. Record with `--with pid,comm`, or with `perf record`.",
        );
    }
    let name = |tpid| source.table.get(tpid).full_name();
    let numbers = [TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::RIGHT.optional()];
    let texts = [TextColumn::RIGHT.at_least(PID), TextColumn::NAME, TextColumn::LEFT];
    let mut table = TextTable::new(numbers.into_iter().chain(texts).collect::<Vec<_>>());
    table.row(BOLD, ["events", "share", "per second", "pid", "top processes", "mostly"].map(TextCell::from));
    for ranked in all.processes.iter().take(top) {
        let mostly =
            ranked.tracepoints.iter().take(NAMED).map(|(tpid, events)| part(&name(*tpid), *events, ranked.events));
        let rate = source.ranking.per_second(ranked.events).map(|rate| Rate(rate).to_string()).unwrap_or_default();
        let pid = ranked.process.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let mostly = mostly.collect::<Vec<_>>().join(", ");
        let cells: [TextCell; 6] = [
            Grouped(ranked.events).to_string().into(),
            Share(all.share(ranked.events)).to_string().into(),
            rate.into(),
            pid.into(),
            OneLine(&ranked.process.words()).into(),
            OneLine(&mostly).into(),
        ];
        table.row(Style::new(), cells);
    }
    let empty = TextCell::default;
    if let Some(more) = more(all.processes.len(), top) {
        table.row(DIM, [empty(), empty(), empty(), empty(), more.into(), empty()]);
    }
    screen.table(&table)?;
    screen.blank()?;
    let tracepoints = all.tracepoints();
    let columns = [TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::NAME, TextColumn::LEFT];
    let mut table = TextTable::new(columns);
    table.row(BOLD, ["events", "share", "top tracepoints", "hit by"].map(TextCell::from));
    for (tpid, events) in tracepoints.iter().take(top) {
        let by = all.of_tracepoint(*tpid);
        let by = by.iter().take(NAMED).map(|(process, its)| part(&process.words_with_pid(), *its, *events));
        let by = by.collect::<Vec<_>>().join(", ");
        let (count, share) = (Grouped(*events).to_string(), Share(all.share(*events)).to_string());
        let cells: [TextCell; 4] = [count.into(), share.into(), OneLine(&name(*tpid)).into(), OneLine(&by).into()];
        table.row(Style::new(), cells);
    }
    if let Some(more) = more(tracepoints.len(), top) {
        table.row(DIM, [empty(), empty(), more.into(), empty()]);
    }
    screen.table(&table)?;
    screen.prose("Events are the recorded ones. A thread that has a name of its own is a process here.")
}

/// A part of events in words: `gcc (812) 60 %`.
fn part(name: &str, events: u64, of: u64) -> String {
    format!("{name} {}", Share(events as f64 / of.max(1) as f64))
}

fn more(all: usize, top: usize) -> Option<String> {
    let more = all.checked_sub(top).filter(|more| *more > 0)?;
    Some(format!("and {} more (--top {all} shows all)", Grouped(more as u64)))
}
