//! The overhead of each way of watching, for people.

use super::layout::{Screen, TextCell, TextColumn, TextTable};
use super::width::Width;
use crate::overhead::{ArmComparison, Comparison, Overhead, RunTimes};
use crate::overhead::{confidence, findings, interval, percent, rows, what_was_run};
use crate::text::{OneLine, shortened};
use anstyle::Style;
use std::io::{self, Write};
use std::time::Duration;

/// At most this many letters of COMMAND are shown.
const COMMAND: usize = 60;

const BOLD: Style = Style::new().bold();

/// Prints a measurement on lines of `width` columns.
pub fn print_overhead(overhead: &Overhead, width: impl Into<Width>, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let figures = overhead.figures();
    screen.prose(format_args!("{BOLD}{}{BOLD:#}", OneLine(&shortened(&overhead.command.join(" "), COMMAND))))?;
    screen.prose(what_was_run(overhead, &figures))?;
    if figures.pairs > 0 {
        screen.blank()?;
        let interval = format!("{:.0} % interval", 100.0 * confidence(figures.pairs));
        let comparisons = figures.comparisons();
        let with_ranges = times_table(&comparisons, &interval, true);
        let table = match with_ranges.fits(screen.width()) {
            true => with_ranges,
            false => times_table(&comparisons, &interval, false),
        };
        screen.table(&table)?;
    }
    screen.blank()?;
    findings(overhead, &figures).into_iter().try_for_each(|(subject, sentence)| screen.fact(subject, sentence))
}

/// The compared times, with their ranges if there is room: a block of rows for each comparison.
fn times_table(comparisons: &[ArmComparison<'_>], interval_of: &str, has_ranges: bool) -> TextTable {
    let right = TextColumn::RIGHT;
    let mut table = TextTable::new([TextColumn::LEFT.at_least(8), right, right, right, TextColumn::LEFT]);
    for (number, ArmComparison { base, arm, times }) in comparisons.iter().enumerate() {
        if number > 0 {
            table.row(Style::new(), [""; 5].map(TextCell::from));
        }
        let [base, arm] = [base, arm].map(|arm| if has_ranges { format!("{arm} (range)") } else { arm.to_string() });
        table.head(["median", &base, &arm, "change", interval_of]);
        for (name, Comparison { without, with, change, .. }) in rows(times) {
            let [without, with] = [without, with].map(|times| {
                let [median, range] = spread(times);
                if has_ranges { format!("{median} {range}") } else { median }
            });
            let cells = [name.to_owned(), without, with, percent(change.value), interval(change)];
            table.row(Style::new(), cells.map(TextCell::from));
        }
    }
    table
}

/// `12.3 s` and `(12.2–12.5)`: the median, and the range in its unit.
fn spread(times: &RunTimes) -> [String; 2] {
    let (per_unit, unit) = match times.median {
        median if median >= Duration::from_secs(1) => (1.0, "s"),
        median if median >= Duration::from_millis(1) => (1e-3, "ms"),
        _ => (1e-6, "µs"),
    };
    let value = |time: Duration| time.as_secs_f64() / per_unit;
    let decimals = match value(times.median) {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let [median, min, max] = [times.median, times.min, times.max].map(|time| format!("{:.decimals$}", value(time)));
    [format!("{median} {unit}"), format!("({min}–{max})")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_the_unit_of_its_median() {
        let of = |[median, min, max]: [u64; 3]| {
            let [median, min, max] = [median, min, max].map(Duration::from_micros);
            spread(&RunTimes { median, min, max }).join(" ")
        };
        assert_eq!(of([12_345_000, 11_900_000, 120_000_000]), "12.3 s (11.9–120.0)");
        assert_eq!(of([9_740, 990, 1_200_000]), "9.74 ms (0.99–1200.00)");
        assert_eq!(of([100, 90, 110]), "100 µs (90–110)");
    }
}
