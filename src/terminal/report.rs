//! A report on the terminal.

use super::columns::{columns, cut, right};
use super::report_states::print_stretches;
use super::summary::{print_accounting, print_headline};
use crate::ranking::Ranked;
use crate::report::{By, Compared, Differences, Presence, Report, SourceReport, sparkline};
use crate::tracefs::Tpid;
use crate::units::{Grouped, OneLine, Plural, Rate, Share, shortened};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// Columns of a line but for the name and the bars.
const NUMBERS: usize = 12 + 1 + 7 + 1 + 11 + 2 + 2;

/// Prints it, with the `top` tracepoints and groups, on lines of `width` columns.
pub fn print_report(report: &Report, top: usize, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for (number, source) in report.sources.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        print_source(source, top, width, out)?;
    }
    match &report.differences {
        Some(differences) => print_differences(differences, top, width, out),
        None => Ok(()),
    }
}

fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    writeln!(out, "{style}{}{style:#}", OneLine(text))
}

fn print_source(source: &SourceReport, top: usize, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let SourceReport { summary, ranking, .. } = source;
    heading(out, &source.label)?;
    print_headline(summary, ranking, out)?;
    if let (Some(kernel), Some(hostname)) = (&summary.kernel, &summary.hostname) {
        let (kernel, hostname) = (&shortened(kernel, 100), &shortened(hostname, 100));
        write!(out, "Linux {} on {}", OneLine(kernel), OneLine(hostname))?;
        match &summary.started {
            Some(started) => writeln!(out, ", {}", OneLine(started.get(..19).unwrap_or(started)))?,
            None => writeln!(out)?,
        }
    }
    if source.is_range {
        writeln!(out, "Counts, shares and rates are those of the samples in the range; the accounting holds all.")?;
    }
    if let Some(logged) = source.logged {
        writeln!(out, "log.csv holds the first {} of them; `-n {logged}` reports on those.", Grouped(logged))?;
    }
    if ranking.events > 0 {
        writeln!(out)?;
        let longest = ranking.tracepoints.iter().take(top).map(|ranked| columns(&ranked.name)).max().unwrap_or(0);
        // A terminal that is very narrow has none.
        let bars = if width < 50 { 0 } else { width.saturating_sub(NUMBERS + longest).clamp(16, 60) };
        let (tracepoints, groups) = source.columns(bars.max(1));
        let of_tracepoint = |ranked: &Ranked<Tpid>| Some(sparkline(tracepoints.get(&ranked.number)?));
        let of_group = |ranked: &Ranked<_>| Some(sparkline(groups.get(&ranked.name)?));
        print_top(out, "tracepoint", &ranking.tracepoints, of_tracepoint, top, bars)?;
        print_top(out, "group", &ranking.groups, of_group, top, bars)?;
    }
    if summary.events.lost > 0 {
        writeln!(out, "Bars show samples: where some were lost, they are too low.")?;
    }
    writeln!(out)?;
    print_stretches(source, out)?;
    print_accounting(summary, out)?;
    if let Some(problem) = &source.problem {
        let warning = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        writeln!(out, "problem   {warning}{}{warning:#}", OneLine(&format!("{problem:#}")))?;
    }
    Ok(())
}

fn print_top<N>(
    out: &mut dyn Write,
    what: &str,
    ranked: &[Ranked<N>],
    bars_of: impl Fn(&Ranked<N>) -> Option<String>,
    top: usize,
    bars: usize,
) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(
        out,
        "{bold}{:>12} {:>7} {:>11}  {:<bars$}  top {what}s{bold:#}",
        "events", "share", "a second", "active"
    )?;
    for ranked in ranked.iter().take(top) {
        let Ranked { name, events, share, rate, .. } = ranked;
        let line = bars_of(ranked).filter(|_| bars > 0).unwrap_or_default();
        let rate = rate.map(|rate| Rate(rate).to_string()).unwrap_or_default();
        writeln!(
            out,
            "{:>12} {:>5.1} % {rate:>11}  {line:<bars$}  {}",
            Grouped(*events),
            100.0 * share,
            OneLine(name)
        )?;
    }
    if let Some(more) = ranked.len().checked_sub(top).filter(|more| *more > 0) {
        let dim = Style::new().dimmed();
        writeln!(out, "{dim}{:>12}  more (--top N shows N){dim:#}", Grouped(more as u64))?;
    }
    Ok(())
}

fn print_differences(differences: &Differences, top: usize, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let Differences { sources, remarks, tracepoints, groups } = differences;
    writeln!(out)?;
    heading(out, "What differs")?;
    for remark in remarks {
        writeln!(out, "note      {}", OneLine(remark))?;
    }
    for (what, all) in [("tracepoints", tracepoints), ("groups", groups)] {
        for by in By::ALL {
            let mut changed = by.most(all);
            changed.truncate(top);
            if !changed.is_empty() {
                writeln!(out)?;
                print_changes(sources, what, by, &changed, width, out)?;
            }
        }
    }
    for (what, all) in [("tracepoint", tracepoints), ("group", groups)] {
        writeln!(out)?;
        for (number, source) in sources.iter().enumerate() {
            print_only(source, number, what, all, top, out)?;
        }
    }
    Ok(())
}

fn cell(presence: &Presence, by: By) -> String {
    match presence {
        Presence::Hit { share, .. } if by == By::Share => Share(*share).to_string(),
        Presence::Hit { rate, .. } => rate.map(|rate| format!("{}/s", Rate(rate))).unwrap_or_default(),
        other => other.word().to_owned(),
    }
}

/// A table with a column for each source.
fn print_changes(
    sources: &[String],
    what: &str,
    by: By,
    changed: &[&Compared],
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let bold = Style::new().bold();
    let labels: Vec<String> = sources.iter().map(|source| OneLine(source).to_string()).collect();
    let longest = changed.iter().map(|compared| columns(&compared.name)).max().unwrap_or(0);
    // As wide as their names, as far as these have room.
    let room = width.saturating_sub(longest + 2) / sources.len().max(1);
    let widest = labels.iter().map(|label| columns(label) + 2).max().unwrap_or(0).min(room);
    let cells = changed.iter().flat_map(|compared| &compared.sources).map(|presence| cell(presence, by));
    let column = cells.map(|cell| columns(&cell) + 2).max().unwrap_or(0).max(widest).max(14);
    write!(out, "{bold}")?;
    for label in labels {
        write!(out, "{}", right(&cut(&label, column - 2), column))?;
    }
    writeln!(out, "  {what} whose {} differs most{bold:#}", by.name())?;
    for compared in changed {
        for presence in &compared.sources {
            write!(out, "{:>column$}", cell(presence, by))?;
        }
        writeln!(out, "  {}", OneLine(&compared.name))?;
    }
    Ok(())
}

/// What was hit in one source and in no other.
fn print_only(
    source: &str,
    number: usize,
    what: &'static str,
    all: &[Compared],
    top: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut only: Vec<&Compared> = all.iter().filter(|compared| compared.is_only_in(number)).collect();
    only.sort_by_key(|compared| (std::cmp::Reverse(compared.events(number)), &compared.name));
    let bold = Style::new().bold();
    writeln!(out, "{bold}only in {}{bold:#}: {}", OneLine(source), Plural(only.len() as u64, what))?;
    for compared in only.iter().take(top) {
        let why = compared.why_only_in(number);
        let (dim, why) = (Style::new().dimmed(), if why.is_empty() { String::new() } else { format!("  ({why})") });
        writeln!(out, "{:>12}  {}{dim}{why}{dim:#}", Grouped(compared.events(number)), OneLine(&compared.name))?;
    }
    Ok(())
}
