//! What capturing costs, for people.

use crate::overhead::{Comparison, Overhead, RunTimes, confidence, findings, interval, percent, rows, what_was_run};
use crate::units::{OneLine, shortened};
use anstyle::Style;
use std::io::{self, Write};
use std::time::Duration;

/// Letters of COMMAND that are shown.
const COMMAND: usize = 60;
/// Columns before the text.
const INDENT: usize = 10;

/// Prints it, on so many columns.
pub fn print_overhead(overhead: &Overhead, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let figures = overhead.figures();
    let bold = Style::new().bold();
    writeln!(out, "{bold}{}{bold:#}", OneLine(&shortened(&overhead.command.join(" "), COMMAND)))?;
    writeln!(out, "{}", what_was_run(overhead, &figures))?;
    let rows = rows(&figures);
    if !rows.is_empty() {
        let interval = format!("{:.0} % interval", 100.0 * confidence(figures.pairs));
        writeln!(out)?;
        writeln!(
            out,
            "{bold}{:<INDENT$}{:>22} {:>22} {:>8}  {interval}{bold:#}",
            "median", "without (range)", "capturing (range)", "change"
        )?;
    }
    for (name, Comparison { without, with, change, .. }) in rows {
        let (without, with, interval) = (spread(without), spread(with), interval(change));
        writeln!(out, "{name:<INDENT$}{without:>22} {with:>22} {:>8}  {interval}", percent(change.value))?;
    }
    writeln!(out)?;
    for (subject, sentence) in findings(overhead, &figures) {
        let (first, rest) = (format!("{subject:<INDENT$}"), " ".repeat(INDENT));
        let options = textwrap::Options::new(width.max(2 * INDENT)).initial_indent(&first).subsequent_indent(&rest);
        writeln!(out, "{}", textwrap::fill(&sentence, options))?;
    }
    Ok(())
}

/// `12.3 s (12.2–12.5)`: in the unit of the median.
fn spread(times: &RunTimes) -> String {
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
    format!("{median} {unit} ({min}–{max})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_the_unit_of_its_median() {
        let of = |[median, min, max]: [u64; 3]| {
            let [median, min, max] = [median, min, max].map(Duration::from_micros);
            spread(&RunTimes { median, min, max })
        };
        assert_eq!(of([12_345_000, 11_900_000, 120_000_000]), "12.3 s (11.9–120.0)");
        assert_eq!(of([9_740, 990, 1_200_000]), "9.74 ms (0.99–1200.00)");
        assert_eq!(of([100, 90, 110]), "100 µs (90–110)");
    }
}
