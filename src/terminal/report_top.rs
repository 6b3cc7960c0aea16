//! The tracepoints and groups of a report with the most hits, as a table on the terminal.

use super::layout::{TextCell, TextColumn, TextTable};
use crate::ranking::Ranked;
use crate::report::{RankedWords, SourceReport, mark, sparkline};
use crate::text::OneLine;
use crate::tracefs::Tpid;
use crate::units::Grouped;
use anstyle::Style;

const DIM: Style = Style::new().dimmed();

/// The table with the `top` tracepoints and groups, and with this many columns for bars, which show when they were active.
pub(super) fn top_table(source: &SourceReport, top: usize, bars: usize) -> TextTable {
    let (tracepoints, groups) = source.columns(bars.max(1));
    let drawn = |counts: Option<&Vec<f64>>| match bars {
        0 => String::new(),
        _ => counts.map(|counts| sparkline(counts).trim_end().to_owned()).unwrap_or_default(),
    };
    let rungs = source.rungs();
    let mut rows = TopRows::new(rungs.is_some());
    let unit = format!("{}s", source.unit());
    let over_time = if bars > 0 { "over time" } else { "" };
    let of_tracepoint = |ranked: &Ranked<Tpid>| {
        let rung = rungs.as_ref().and_then(|rungs| rungs.of(ranked.number));
        RestOfRow {
            is_incomplete: rung.is_some_and(|rung| rung.is_incomplete()),
            rung: rung.map(|rung| rung.lowest()).unwrap_or_default(),
            bars: drawn(tracepoints.get(&ranked.number)),
        }
    };
    rows.head([&unit, "share", "per second", "top tracepoints"], "rung", over_time);
    rows.add_top(&source.ranking.tracepoints, top, of_tracepoint);
    let of_group = |ranked: &Ranked<_>| RestOfRow {
        is_incomplete: rungs.as_ref().is_some_and(|rungs| rungs.is_incomplete(&ranked.name)),
        rung: String::new(),
        bars: drawn(groups.get(&ranked.name)),
    };
    rows.head([&unit, "share", "per second", "top groups"], "", over_time);
    rows.add_top(&source.ranking.groups, top, of_group);
    rows.table
}

/// The part of a row that is not in the ranking.
struct RestOfRow {
    /// Whether hits are missing, because a tracepoint was detached.
    is_incomplete: bool,
    rung: String,
    bars: String,
}

/// The rows of the table.
struct TopRows {
    table: TextTable,
    has_rungs: bool,
}

impl TopRows {
    fn new(has_rungs: bool) -> Self {
        let numbers = [TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::RIGHT.optional()];
        let rung = has_rungs.then_some(TextColumn::LEFT);
        let columns = numbers.into_iter().chain([TextColumn::NAME]).chain(rung).chain([TextColumn::LEFT]);
        TopRows { table: TextTable::new(columns.collect::<Vec<_>>()), has_rungs }
    }

    fn head(&mut self, names: [&str; 4], rung: &str, over_time: &str) {
        self.row(Style::new().bold(), names.map(TextCell::from), rung.into(), over_time.into());
    }

    fn row(&mut self, style: Style, cells: [TextCell; 4], rung: TextCell, bars: TextCell) {
        let rung = self.has_rungs.then_some(rung);
        self.table.row(style, cells.into_iter().chain(rung).chain([bars]).collect::<Vec<_>>());
    }

    /// Adds the rows with the most hits.
    fn add_top<N>(&mut self, ranked: &[Ranked<N>], top: usize, of: impl Fn(&Ranked<N>) -> RestOfRow) {
        for ranked in ranked.iter().take(top) {
            let RestOfRow { is_incomplete, rung, bars } = of(ranked);
            let RankedWords { hits, rate, .. } = RankedWords::of(ranked, is_incomplete);
            let share = format!("{}{:.1} %", mark(ranked.is_estimate), 100.0 * ranked.share);
            let cells = [hits.into(), share.into(), rate.into(), OneLine(&ranked.name).into()];
            self.row(Style::new(), cells, rung.into(), bars.into());
        }
        if let Some(more) = ranked.len().checked_sub(top).filter(|more| *more > 0) {
            let more = format!("and {} more (--top {} shows all)", Grouped(more as u64), ranked.len());
            let empty = TextCell::default;
            self.row(DIM, [empty(), empty(), empty(), more.into()], empty(), empty());
        }
    }
}
