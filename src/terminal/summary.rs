//! The short summary of a capture.

use super::layout::{LABEL, Screen, TextColumn, TextTable};
use super::width::Width;
use crate::os::cpus::one_named;
use crate::ranking::{Ranked, Ranking};
use crate::recording::{BudgetSummary, EventsSummary, Summary, TracepointsSummary, UnaccountedSummary, only_words};
use crate::report::{
    BudgetFact, budget_facts, equation, lost_unassigned, mark, mark_of_all, marks, own_share, stopped_by, threads_lost,
    unit, unwatched,
};
use crate::text::OneLine;
use crate::units::{Grouped, Plural, Rate, Seconds, Signed};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

/// This many tracepoints and groups are shown, as in the thesis.
const TOP: usize = 5;
/// At most this many differences of the accounting are shown.
const LARGEST: usize = 3;

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Where a summary comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryOf {
    /// A capture of this machine that just ended. `tp-perf list` shows the same tracepoints.
    Capture,
    /// A count of this machine that just ended.
    Count,
    /// A source, perhaps of another machine.
    Source,
}

/// Prints a summary, and the places of its files, on lines of `width` columns. `origin` is where the summary comes from.
pub fn print_summary(
    summary: &Summary,
    origin: SummaryOf,
    files: Option<(&Path, &[&'static str])>,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let ranking = Ranking::of(summary);
    print_headline(summary, origin, &ranking, screen)?;
    if ranking.events > 0 {
        screen.blank()?;
        print_top(&ranking, summary, screen)?;
    }
    screen.blank()?;
    if let Some(only) = &summary.only {
        screen.fact("only", OneLine(only_words(only, summary.others)))?;
    }
    print_triggers(summary, screen)?;
    print_accounting(summary, screen)?;
    print_budget(summary, screen)?;
    print_log(summary, screen)?;
    if let Some(own) = own_share(summary) {
        screen.fact("self", own)?;
    }
    if let Some((directory, names)) = files {
        let directory = OneLine(directory.join("").display()).to_string();
        screen.fact("files", format_args!("{BOLD}{directory}{BOLD:#}"))?;
        screen.more(names.join(", "))?;
        screen.more(format_args!("`tp-perf report {directory}` shows the contents, `--html FILE` as a page"))?;
    }
    Ok(())
}

/// The events of a source, their time, their tracepoints, and what stopped the capture.
pub(super) fn print_headline(
    summary: &Summary,
    origin: SummaryOf,
    ranking: &Ranking,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let mark = mark_of_all(summary, ranking);
    let hits = Plural(ranking.events, unit(summary.is_of_hits()));
    let rate =
        ranking.rate().map(|rate| format!(" in {} ({mark}{} per second)", Seconds(ranking.duration), Rate(rate)));
    screen.prose(format_args!("{BOLD}{mark}{hits}{BOLD:#}{}", rate.unwrap_or_default()))?;
    let mut line = number_of_tracepoints(&summary.tracepoints);
    if !summary.cpus.is_empty() {
        line += &format!(" on {}", crate::os::cpus::named(&summary.cpus));
    }
    if let Some(reason) = stopped_by(summary) {
        line += &format!(", stopped by {reason}");
    }
    screen.prose(line)?;
    print_left_out(&summary.tracepoints, origin, screen)
}

/// `1,568 of 2,307 tracepoints`. Only a capture knows how many tracepoints the kernel has.
pub(super) fn number_of_tracepoints(tracepoints: &TracepointsSummary) -> String {
    let TracepointsSummary { listed, captured, excluded_by_default, .. } = *tracepoints;
    let all = Plural(listed as u64, "tracepoint");
    match excluded_by_default {
        Some(_) if captured == listed => format!("all {all}"),
        Some(_) => format!("{} of {all}", Grouped(captured as u64)),
        None => Plural(captured as u64, "tracepoint").to_string(),
    }
}

/// Why some tracepoints are missing: the default exclusions, and those that the kernel refused.
pub(super) fn print_left_out(
    tracepoints: &TracepointsSummary,
    origin: SummaryOf,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    if let Some(number) = tracepoints.excluded_by_default.filter(|excluded| *excluded > 0) {
        let (excluded, are) = counted(number);
        let were = Plural(number as u64, "tracepoint").were();
        match origin {
            SummaryOf::Capture => screen.prose(format_args!(
                "{excluded} {are} excluded by default: `tp-perf list` shows them, `--all` records them"
            )),
            SummaryOf::Count => screen.prose(format_args!(
                "{excluded} {are} excluded by default: `tp-perf list` shows them, `--all` counts them"
            )),
            SummaryOf::Source => screen
                .prose(format_args!("{excluded} {were} excluded by default; `tp-perf record --all` records them too")),
        }?;
    }
    if tracepoints.refused > 0 {
        let refused = Plural(tracepoints.refused as u64, "tracepoint");
        let place = if origin == SummaryOf::Count { "`--format json` has" } else { "tracepoints.csv has" };
        screen.prose(format_args!("The kernel refused {refused}: {place} the reasons"))?;
    }
    Ok(())
}

/// A number of things, and the verb after it.
pub(super) fn counted(number: usize) -> (Grouped, &'static str) {
    (Grouped(number as u64), if number == 1 { "is" } else { "are" })
}

fn print_top(ranking: &Ranking, summary: &Summary, screen: &mut Screen<'_>) -> io::Result<()> {
    let detached = summary.budget.as_ref().map(BudgetSummary::detached).unwrap_or_default();
    let names = summary.per_tracepoint.iter().filter(|of| detached.contains(&of.tpid)).map(|of| of.name.as_str());
    let groups: BTreeSet<&str> = names.map(|name| name.split_once(':').map_or(name, |(group, _)| group)).collect();
    let mut table = TextTable::new([TextColumn::RIGHT.at_least(LABEL - 2), TextColumn::RIGHT, TextColumn::NAME]);
    let unit = format!("{}s", unit(summary.is_of_hits()));
    table.head([unit.as_str(), "share", "top tracepoints"]);
    add_top(&ranking.tracepoints, |ranked| detached.contains(&ranked.number), &mut table);
    table.head([unit.as_str(), "share", "top groups"]);
    add_top(&ranking.groups, |ranked| groups.contains(ranked.name.as_str()), &mut table);
    screen.table(&table)
}

fn add_top<N>(ranked: &[Ranked<N>], is_incomplete: impl Fn(&Ranked<N>) -> bool, table: &mut TextTable) {
    for ranked in ranked.iter().take(TOP) {
        let hits = format!("{}{}", marks(is_incomplete(ranked), ranked.is_estimate), Grouped(ranked.events));
        let share = format!("{}{:.1} %", mark(ranked.is_estimate), 100.0 * ranked.share);
        table.row(Style::new(), [hits.into(), share.into(), OneLine(&ranked.name).into()]);
    }
}

/// What made tp-perf write a recording of the last seconds.
pub(super) fn print_triggers(summary: &Summary, screen: &mut Screen<'_>) -> io::Result<()> {
    summary.triggers.iter().try_for_each(|trigger| screen.fact("trigger", OneLine(trigger.words())))
}

pub(super) fn print_accounting(summary: &Summary, screen: &mut Screen<'_>) -> io::Result<()> {
    if let Some(history) = &summary.history {
        return screen.fact("counted", OneLine(history.words()));
    }
    let EventsSummary { recorded, lost, counted, unaccounted, .. } = summary.events;
    let equation = equation(&summary.events);
    let (Some(counted), Some(unaccounted)) = (counted, unaccounted) else {
        screen.fact("accounting", equation)?;
        return print_missing(summary, recorded.saturating_add(lost), screen);
    };
    match (unaccounted, summary.unaccounted.is_empty()) {
        (0, true) => screen.fact("accounting", format_args!("{GOOD}balance{GOOD:#}: {equation}"))?,
        _ => {
            screen.fact("accounting", format_args!("{WARNING}{equation}{WARNING:#}"))?;
            print_unaccounted(unaccounted, &summary.unaccounted, screen)?;
        }
    }
    print_missing(summary, counted, screen)
}

/// Why the accounting does not balance, and the places with the largest differences.
fn print_unaccounted(sum: i64, unaccounted: &[UnaccountedSummary], screen: &mut Screen<'_>) -> io::Result<()> {
    screen.more(match sum {
        ..0 => "There are more samples than hits that the kernel counted. Largest differences:",
        0 => "The differences cancel each other out. Largest differences:",
        1.. => {
            "The kernel counted these hits, but wrote no samples for them and reported no loss. The counts \
             above include them; log.csv does not. Largest differences:"
        }
    })?;
    let mut table = TextTable::new([TextColumn::RIGHT, TextColumn::NAME]).indented(LABEL + 2);
    for UnaccountedSummary { unaccounted, name, cpu, .. } in unaccounted.iter().take(LARGEST) {
        let place = format!("{} on {}", OneLine(name), one_named(*cpu));
        table.row(Style::new(), [Signed(*unaccounted).into(), place.into()]);
    }
    screen.table(&table)?;
    match unaccounted.len() > LARGEST {
        true => screen.more("summary.json lists all of them (`unaccounted`)."),
        false => Ok(()),
    }
}

/// The events that are not in the log, and why.
fn print_missing(summary: &Summary, counted: u64, screen: &mut Screen<'_>) -> io::Result<()> {
    let EventsSummary { lost, late, unknown, lost_unassigned: unassigned, threads_lost: threads, .. } = summary.events;
    for stretch in &summary.unwatched {
        screen.fact("unwatched", format_args!("{WARNING}{}{WARNING:#}", unwatched(&summary.cpus, stretch)))?;
    }
    let warned = |number: u64| format!("{WARNING}{}{WARNING:#}", Grouped(number));
    if lost > 0 {
        let share = 100.0 * lost as f64 / counted.max(1) as f64;
        let how = match summary.is_of_perf() {
            true => "make the rings larger (`perf record -m 16M`) or record fewer events",
            false => "make the rings larger (--ring-size) or select fewer tracepoints (-t, -x)",
        };
        screen.fact(
            "lost",
            format_args!(
                "{WARNING}{} ({share:.1} %){WARNING:#}: the rings were full. To lose fewer events, {how}.",
                Grouped(lost)
            ),
        )?;
    }
    if unassigned > 0 {
        screen.fact("unassigned", format_args!("{WARNING}{}{WARNING:#}", lost_unassigned(unassigned)))?;
    }
    if threads > 0 {
        screen.fact("threads", format_args!("{WARNING}{}{WARNING:#}", threads_lost(threads)))?;
    }
    if late > 0 {
        let late = warned(late);
        screen.fact(
            "late",
            format_args!("{late}: arrived after later events had already been written; not in log.csv"),
        )?;
    }
    if unknown > 0 {
        screen.fact("unknown", format_args!("{}: samples that belong to no event of this capture", warned(unknown)))?;
    }
    Ok(())
}

/// The cost of a recording with a budget, and what it left out.
pub(super) fn print_budget(summary: &Summary, screen: &mut Screen<'_>) -> io::Result<()> {
    for BudgetFact { name, text, is_warning } in summary.budget.iter().flat_map(budget_facts) {
        match is_warning {
            true => screen.fact(name, format_args!("{WARNING}{}{WARNING:#}", OneLine(&text)))?,
            false => screen.fact(name, OneLine(&text))?,
        }
    }
    Ok(())
}

fn is_of_processes(summary: &Summary) -> bool {
    summary.restricted.as_ref().is_some_and(|restricted| {
        !restricted.pids.is_empty() || !restricted.comms.is_empty() || !restricted.cgroups.is_empty()
    })
}

fn print_log(summary: &Summary, screen: &mut Screen<'_>) -> io::Result<()> {
    let EventsSummary { logged, recorded, late, .. } = summary.events;
    let which = match (summary.log_complete, logged + late == recorded) {
        (true, true) if late == 0 => "all that were recorded",
        (true, true) => "all that were recorded, except the late ones",
        (true, false) if is_of_processes(summary) => "those of the processes that you asked for",
        (true, false) if is_range(summary) => "those in the range that you asked for",
        (true, false) => "the first in time order, as many as you asked for",
        (false, _) => "incomplete",
    };
    let is_thinned = summary.budget.as_ref().is_some_and(|budget| budget.thinned_tracepoints() > 0);
    let hits = if is_thinned { "; its column `hits` shows how many hits a row stands for" } else { "" };
    screen.fact("log", format_args!("{}: {which}{hits}", Plural(logged, "event")))
}

fn is_range(summary: &Summary) -> bool {
    summary.restricted.as_ref().is_some_and(|restricted| restricted.from.is_some() || restricted.to.is_some())
}
