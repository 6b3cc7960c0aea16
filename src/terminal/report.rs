//! A report on the terminal.

use super::layout::{Screen, TextCell, TextColumn, TextTable};
use super::report_processes::print_processes;
use super::report_states::print_stretches;
use super::report_top::top_table;
use super::summary::{SummaryOf, print_accounting, print_budget, print_headline, print_triggers};
use super::width::Width;
use crate::report::{By, Compared, Differences, Presence, Report, SourceReport, mark};
use crate::text::{OneLine, shortened};
use crate::units::{Grouped, Plural, Rate, Share};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// Bars are drawn where there is room for this many columns.
const FEWEST_BARS: usize = 8;
/// Bars take at most this many columns.
const MOST_BARS: usize = 60;
/// The name of a source above its column takes at most this many columns. The name of a tracepoint below it takes at least as many.
const SOURCE: usize = 24;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Prints a report with the `top` tracepoints and groups on lines of `width` columns.
pub fn print_report(report: &Report, top: usize, width: impl Into<Width>, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    for (number, source) in report.sources.iter().enumerate() {
        if number > 0 {
            screen.blank()?;
        }
        print_source(source, top, screen)?;
    }
    match &report.differences {
        Some(differences) => print_differences(differences, top, screen),
        None => Ok(()),
    }
}

fn heading(screen: &mut Screen<'_>, text: &str) -> io::Result<()> {
    screen.prose(format_args!("{HEADING}{}{HEADING:#}", OneLine(text)))
}

fn print_source(source: &SourceReport, top: usize, screen: &mut Screen<'_>) -> io::Result<()> {
    let SourceReport { summary, ranking, .. } = source;
    heading(screen, &source.label)?;
    print_headline(summary, SummaryOf::Source, ranking, screen)?;
    if let (Some(kernel), Some(hostname)) = (&summary.kernel, &summary.hostname) {
        let (kernel, hostname) = (&shortened(kernel, 100), &shortened(hostname, 100));
        let started = summary.started.as_ref().map(|started| started.get(..19).unwrap_or(started));
        let started = started.map(|started| format!(", {}", OneLine(started))).unwrap_or_default();
        screen.prose(format_args!("Linux {} on {}{started}", OneLine(kernel), OneLine(hostname)))?;
    }
    if source.is_range {
        let chosen = summary.restricted.as_ref();
        let is_of_processes = chosen.is_some_and(|it| !it.pids.is_empty() || !it.comms.is_empty());
        let covered = match summary.budget {
            Some(_) => "Hits, shares, and rates come from the recorded events in the range",
            None if is_of_processes => "Counts, shares, and rates cover the recorded events of the chosen processes",
            None => "Counts, shares, and rates cover the recorded events in the range",
        };
        screen.prose(format_args!("{covered}. The accounting covers the whole source."))?;
    }
    if let Some(logged) = source.logged {
        let first = Grouped(logged);
        screen.prose(format_args!("log.csv has the first {first} of them; `-n {logged}` reports on those only."))?;
    }
    match &source.processes {
        Some(processes) if processes.is_known => {
            screen.blank()?;
            print_processes(source, processes, top, screen)?;
        }
        _ if ranking.events > 0 => {
            screen.blank()?;
            print_top(source, top, screen)?;
        }
        _ => {}
    }
    screen.blank()?;
    print_stretches(source, screen)?;
    print_triggers(summary, screen)?;
    print_accounting(summary, screen)?;
    print_budget(summary, screen)?;
    if let Some(problem) = &source.problem {
        let problem = format!("{problem:#}");
        screen.fact("problem", format_args!("{WARNING}{}{WARNING:#}", OneLine(&problem)))?;
    }
    Ok(())
}

/// The tracepoints and the groups with the most events. If there is room, bars show when they were active.
fn print_top(source: &SourceReport, top: usize, screen: &mut Screen<'_>) -> io::Result<()> {
    let without = top_table(source, top, 0);
    let bars = without.room(screen.width()).min(MOST_BARS);
    if bars < FEWEST_BARS {
        return screen.table(&without);
    }
    screen.table(&top_table(source, top, bars))?;
    match (source.summary.events.lost, source.thinned.is_empty()) {
        (0, true) => Ok(()),
        (0, false) => {
            screen.prose("The bars show recorded events. Where a tracepoint was thinned, its bars are too low.")
        }
        (_, true) => screen.prose("The bars show recorded events. Where events were lost, the bars are too low."),
        (_, false) => screen.prose(
            "The bars show recorded events. Where events were lost or a tracepoint was thinned, the bars are too low.",
        ),
    }
}

fn print_differences(differences: &Differences, top: usize, screen: &mut Screen<'_>) -> io::Result<()> {
    let Differences { sources, remarks, tracepoints, groups, processes } = differences;
    screen.blank()?;
    heading(screen, "Largest differences")?;
    for remark in remarks {
        screen.fact("note", OneLine(remark))?;
    }
    for (what, all) in [("processes", processes), ("tracepoints", tracepoints), ("groups", groups)] {
        for by in By::ALL {
            let mut changed = by.most(all);
            changed.truncate(top);
            if !changed.is_empty() {
                print_changes(sources, what, by, &changed, screen)?;
            }
        }
    }
    for (what, all) in [("tracepoint", tracepoints), ("group", groups)] {
        screen.blank()?;
        for (number, source) in sources.iter().enumerate() {
            print_only(source, number, what, all, top, screen)?;
        }
    }
    Ok(())
}

fn cell(presence: &Presence, by: By) -> String {
    match presence {
        Presence::Hit { share, is_estimate, .. } if by == By::Share => {
            format!("{}{}", mark(*is_estimate), Share(*share))
        }
        Presence::Hit { rate, is_estimate, .. } => {
            rate.map(|rate| format!("{}{}/s", mark(*is_estimate), Rate(rate))).unwrap_or_default()
        }
        other => other.word().to_owned(),
    }
}

/// A table with a column for each source. If the sources have no room side by side, several tables.
fn print_changes(
    sources: &[String],
    what: &str,
    by: By,
    changed: &[&Compared],
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let title = format!("{what}, by {}", by.name());
    let mut from = 0;
    while from < sources.len() {
        let fitting = (from + 1..=sources.len()).rev();
        let tables = fitting.map(|to| (to, changes_table(&sources[from..to], from, &title, by, changed)));
        // If even one source does not fit, its names are cut.
        let mut fits = tables.filter(|(to, table)| *to == from + 1 || table.fits(screen.width()));
        let Some((to, table)) = fits.next() else { break };
        screen.blank()?;
        screen.table(&table)?;
        from = to;
    }
    Ok(())
}

/// The columns of these sources, of which the first has this number.
fn changes_table(sources: &[String], first: usize, title: &str, by: By, changed: &[&Compared]) -> TextTable {
    let mut columns = vec![TextColumn::RIGHT.at_least(10).cut_to(SOURCE); sources.len()];
    // The sources are side by side as long as there is room for a part of each name.
    columns.push(TextColumn::NAME.cut_to(SOURCE));
    let mut table = TextTable::new(columns);
    let heads = sources.iter().map(|source| TextCell::from(OneLine(source)));
    table.row(BOLD, heads.chain([title.into()]).collect::<Vec<_>>());
    for compared in changed {
        let cells = compared.sources.iter().skip(first).take(sources.len());
        let cells = cells.map(|presence| TextCell::from(cell(presence, by)));
        table.row(Style::new(), cells.chain([OneLine(&compared.name).into()]).collect::<Vec<_>>());
    }
    table
}

/// The tracepoints or groups that were hit in one source only.
fn print_only(
    source: &str,
    number: usize,
    what: &'static str,
    all: &[Compared],
    top: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let mut only: Vec<&Compared> = all.iter().filter(|compared| compared.is_only_in(number)).collect();
    only.sort_by_key(|compared| (std::cmp::Reverse(compared.events(number)), &compared.name));
    let count = Plural(only.len() as u64, what);
    screen.prose(format_args!("{BOLD}only in {}{BOLD:#}: {count}", OneLine(source)))?;
    let mut table = TextTable::new([TextColumn::RIGHT.at_least(10), TextColumn::NAME, TextColumn::LEFT.cut_to(SOURCE)]);
    for compared in only.iter().take(top) {
        let why = TextCell::styled(compared.why_only_in(number), DIM);
        table.row(Style::new(), [compared.hits(number).into(), OneLine(&compared.name).into(), why]);
    }
    screen.table(&table)?;
    match only.len().checked_sub(top) {
        Some(more) if more > 0 => screen.prose(format_args!("            and {} more", Grouped(more as u64))),
        _ => Ok(()),
    }
}
