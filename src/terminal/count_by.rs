//! Hits by process or cgroup on the terminal.

use super::layout::{Screen, TextCell, TextColumn, TextTable};
use super::summary::{SummaryOf, print_budget, print_headline};
use super::width::Width;
use crate::processes::{ByRow, CountBy, HitsByProcess};
use crate::ranking::Ranking;
use crate::report::equation;
use crate::text::OneLine;
use crate::units::{Grouped, Plural, Rate, Share};
use anstyle::Style;
use std::io::{self, Write};

const BOLD: Style = Style::new().bold();
/// The tracepoints or names that a row has.
const NAMED: usize = 3;
/// Columns of a name and of the list behind it, if there is little room.
const NAME: usize = 24;
const LIST: usize = 18;

/// Prints the `top` rows on lines of `width` columns.
pub fn print_count_by(
    count: &HitsByProcess,
    top: usize,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let HitsByProcess { by, rows, unknown, summary, .. } = count;
    print_headline(summary, SummaryOf::Count, &Ranking::of(summary), screen)?;
    let seconds = summary.timing_ns.capture.map_or(0.0, |ns| ns as f64 / 1e9);
    let is_estimate = rows.iter().any(ByRow::is_estimate);
    if !rows.is_empty() {
        screen.blank()?;
        let what = match by {
            CountBy::Process => "top processes",
            CountBy::Cgroup => "top cgroups",
        };
        let numbers = [TextColumn::RIGHT, TextColumn::RIGHT.optional(), TextColumn::RIGHT, TextColumn::RIGHT];
        let texts = [TextColumn::LEFT.cut_to(NAME), TextColumn::LEFT.cut_to(LIST)];
        let mut table = TextTable::new(numbers.into_iter().chain(texts).collect::<Vec<_>>());
        table.row(BOLD, ["hits", "±", "share", "per second", what, "mostly"].map(TextCell::from));
        for row in rows.iter().take(top) {
            let mark = if row.is_estimate() { "~" } else { "" };
            let within = match row.is_estimate() && row.hits > 0.0 {
                true => Share((row.high - row.hits) / row.hits).to_string(),
                false => String::new(),
            };
            let rate = if seconds > 0.0 { format!("{mark}{}", Rate(row.hits / seconds)) } else { String::new() };
            let parts = if *by == CountBy::Cgroup { &row.names } else { &row.tracepoints };
            let cells: [TextCell; 6] = [
                format!("{mark}{}", Grouped(row.hits.round() as u64)).into(),
                within.into(),
                format!("{mark}{}", Share(row.share)).into(),
                rate.into(),
                OneLine(&row.words).into(),
                OneLine(mostly(parts, row.hits)).into(),
            ];
            table.row(Style::new(), cells);
        }
        screen.table(&table)?;
        if let more @ 1.. = rows.len().saturating_sub(top) {
            screen.prose(format_args!("and {} more (--top {} shows all)", Grouped(more as u64), rows.len()))?;
        }
    }
    screen.blank()?;
    if is_estimate {
        screen.prose(
            "`~` marks estimates: the kernel counted all hits, and recorded some of them with their process. ± is the 95 % interval, as a \
             part of the hits.",
        )?;
    }
    if *unknown > 0 {
        screen.prose(format_args!(
            "Nobody knows the process of {}, which were lost or unaccounted.",
            Plural(*unknown, "hit")
        ))?;
    }
    screen.fact("accounting", equation(&summary.events))?;
    print_budget(summary, screen)
}

/// The first parts of a row in words: `kmem:kfree 32 %, kmem:kmalloc 29 %`.
fn mostly(parts: &[(String, f64)], all: f64) -> String {
    let percent = |hits: f64| 100.0 * hits / all.max(1.0);
    let parts = parts.iter().take(NAMED).filter(|(_, hits)| percent(*hits) >= 0.5);
    parts.map(|(name, hits)| format!("{name} {:.0} %", percent(*hits))).collect::<Vec<_>>().join(", ")
}
