//! A report on the terminal.

use super::layout::{Screen, TextCell, TextColumn, TextTable};
use super::report_processes::print_processes;
use super::report_states::print_stretches;
use super::report_top::top_table;
use super::summary::{SummaryOf, print_accounting, print_budget, print_headline, print_triggers};
use super::width::Width;
use crate::report::{Basis, By, ChangeWords, Compared, Differences, Presence, Report, SourceReport, mark};
use crate::text::{OneLine, shortened};
use crate::units::{Grouped, Plural, Share};
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
    if let Some(differences) = &report.differences {
        print_differences(differences, top, screen)?;
    }
    for (number, source) in report.sources.iter().enumerate() {
        if number > 0 || report.differences.is_some() {
            screen.blank()?;
        }
        print_source(source, top, screen)?;
    }
    Ok(())
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

/// The differences, the most surprising ones first.
fn print_differences(differences: &Differences, top: usize, screen: &mut Screen<'_>) -> io::Result<()> {
    let Differences { sides, basis, remarks, tracepoints, groups, processes, .. } = differences;
    heading(screen, &format!("Differences between {}", sides.join(if sides.len() == 2 { " and " } else { ", " })))?;
    for remark in remarks {
        screen.fact("note", OneLine(remark))?;
    }
    screen.prose(basis.words())?;
    for by in By::ALL {
        print_most(differences, "processes", by, processes, top, screen)?;
    }
    for (what, whats, all) in [("tracepoint", "tracepoints", tracepoints), ("group", "groups", groups)] {
        match basis {
            Basis::Nothing => print_most(differences, whats, By::Share, all, top, screen)?,
            _ => {
                let sure: Vec<&Compared> = Differences::sure(all).take(top).collect();
                screen.blank()?;
                screen.prose(format_args!("{BOLD}{}{BOLD:#}", differences.verdict(what, all)))?;
                if !sure.is_empty() {
                    print_changes(differences, whats, &sure, screen)?;
                }
                print_more(Differences::sure(all).count(), top, screen)?;
            }
        }
    }
    for (what, all) in [("tracepoint", tracepoints), ("group", groups)] {
        screen.blank()?;
        for (number, side) in sides.iter().enumerate() {
            print_only(side, number, what, all, top, screen)?;
        }
    }
    Ok(())
}

/// A table of sources side by side, with those that differ most in one measure.
fn print_most(
    differences: &Differences,
    what: &str,
    by: By,
    all: &[Compared],
    top: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let mut rows = by.most(all);
    rows.truncate(top);
    if rows.is_empty() {
        return Ok(());
    }
    let cell = |presence: &Presence| match presence {
        Presence::Hit { share, is_estimate, .. } if by == By::Share => {
            format!("{}{}", mark(*is_estimate), Share(*share))
        }
        other => Differences::rate(other),
    };
    let columns = differences
        .sources
        .iter()
        .enumerate()
        .map(|(number, source)| (source.as_str(), rows.iter().map(|row| cell(&row.sources[number])).collect()));
    print_beside(columns.collect(), Vec::new(), &format!("{what}, by {}", by.name()), &rows, screen)
}

/// The changes: the rate on each side, the difference, the ratio, and the ratio that it is at least.
fn print_changes(differences: &Differences, what: &str, rows: &[&Compared], screen: &mut Screen<'_>) -> io::Result<()> {
    let sides =
        differences.sides.iter().enumerate().map(|(number, side)| {
            (side.as_str(), rows.iter().map(|row| Differences::rate(&row.sides[number])).collect())
        });
    let words: Vec<ChangeWords> = rows.iter().map(|row| differences.words(row)).collect();
    let of = |cell: fn(&ChangeWords) -> &String| words.iter().map(|words| cell(words).clone()).collect();
    let between = TextColumn::LEFT.cut_to(SOURCE).optional();
    let changes: Vec<(TextColumn, &str, Vec<String>)> = vec![
        (TextColumn::RIGHT, "×", of(|words| &words.times)),
        (TextColumn::RIGHT.optional(), "at least", of(|words| &words.at_least)),
        (TextColumn::RIGHT.optional(), "Δ", of(|words| &words.difference)),
        (between, if differences.sides.len() > 2 { "from → to" } else { "" }, of(|words| &words.between)),
    ];
    print_beside(sides.collect(), changes, what, rows, screen)
}

/// A table with a column for each source or side, and behind them these columns. If there is no room for all side by side, several tables;
/// the first one has the columns behind the sides.
fn print_beside(
    sides: Vec<(&str, Vec<String>)>,
    mut behind: Vec<(TextColumn, &str, Vec<String>)>,
    title: &str,
    rows: &[&Compared],
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let mut rest = &sides[..];
    while !rest.is_empty() {
        let fitting = (1..=rest.len()).rev();
        let tables = fitting.map(|number| (number, table_beside(&rest[..number], &behind, title, rows)));
        // If even one source does not fit, its names are cut.
        let mut fits = tables.filter(|(number, table)| *number == 1 || table.fits(screen.width()));
        let Some((number, table)) = fits.next() else { break };
        screen.blank()?;
        screen.table(&table)?;
        rest = &rest[number..];
        behind.clear();
    }
    Ok(())
}

fn table_beside(
    sides: &[(&str, Vec<String>)],
    behind: &[(TextColumn, &str, Vec<String>)],
    title: &str,
    rows: &[&Compared],
) -> TextTable {
    let mut columns = vec![TextColumn::RIGHT.at_least(10).cut_to(SOURCE); sides.len()];
    columns.extend(behind.iter().map(|(column, ..)| *column));
    // The sources are side by side as long as there is room for a part of each name.
    columns.push(TextColumn::NAME.cut_to(SOURCE));
    let mut table = TextTable::new(columns);
    let heads = sides.iter().map(|(side, _)| *side).chain(behind.iter().map(|(_, head, _)| *head)).chain([title]);
    table.row(BOLD, heads.map(|head| TextCell::from(OneLine(head))).collect::<Vec<_>>());
    for (number, row) in rows.iter().enumerate() {
        let cells = sides.iter().map(|(_, cells)| cells).chain(behind.iter().map(|(.., cells)| cells));
        let cells = cells.map(|cells| TextCell::from(&cells[number])).chain([OneLine(&row.name).into()]);
        table.row(Style::new(), cells.collect::<Vec<_>>());
    }
    table
}

fn print_more(all: usize, top: usize, screen: &mut Screen<'_>) -> io::Result<()> {
    match all.checked_sub(top) {
        Some(more) if more > 0 => screen.prose(format_args!("            and {} more", Grouped(more as u64))),
        _ => Ok(()),
    }
}

/// The tracepoints or groups that were hit on one side only.
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
    print_more(only.len(), top, screen)
}
