//! Counts on the terminal.

use super::layout::{Screen, TextCell, TextColumn, TextTable, columns, cut};
use super::summary::{SummaryOf, number_of_tracepoints, print_left_out};
use super::width::Width;
use crate::counting::{CostSummary, CountRow, CountSummary, CpuHits, EstimatedHits, Mean, MeanRow, RepeatedCount};
use crate::events::{Cpu, Rung, Tick, Tpid};
use crate::recording::TracepointsSummary;
use crate::report::{share_of_time, stopping, unwatched};
use crate::text::OneLine;
use crate::tracefs::Table;
use crate::units::{Grouped, Plural, Rate, Seconds};
use anstyle::{AnsiColor, Style};
use std::cmp::Reverse;
use std::io::{self, Write};
use std::time::Duration;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// A share of the hits: `12.3 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn seconds(ns: u64) -> Seconds {
    Seconds(Duration::from_nanos(ns))
}

/// Prints a count with the `top` tracepoints and groups on lines of `width` columns.
pub fn print_count(summary: &CountSummary, top: usize, width: impl Into<Width>, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let mark = if summary.estimated.is_some() { "~" } else { "" };
    let rate = summary.per_second.map(|rate| format!(" ({mark}{} per second)", Rate(rate))).unwrap_or_default();
    let hits = match &summary.estimated {
        Some(estimated) => format!("~{} hits", whole(estimated.hits)),
        None => Plural(summary.hits, "hit").to_string(),
    };
    let is_incomplete = summary.per_tracepoint.iter().any(|row| row.detached > 0.0);
    let hits = if is_incomplete { format!("at least {hits}") } else { hits };
    screen.prose(format_args!("{BOLD}{hits}{BOLD:#} in {}{rate}", seconds(summary.length_ns)))?;
    print_what(summary, screen)?;
    if summary.hits > 0 {
        screen.blank()?;
        screen.table(&top_table(summary, top))?;
    }
    screen.blank()?;
    let late = match summary.windows {
        0 | 1 => String::new(),
        _ => format!("; the most delayed tick began {} late", seconds(summary.most_late_ns)),
    };
    let (windows, every) = (Grouped(summary.windows), Duration::from_nanos(summary.window_ns));
    let every = humantime::format_duration(every);
    screen.fact("windows", format_args!("{windows} of {every}{late}"))?;
    print_facts(summary, screen)
}

/// Prints the means of several runs.
pub fn print_repeated(
    repeated: &RepeatedCount,
    top: usize,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let RepeatedCount { first_run: first, runs, run_hits, .. } = repeated;
    let (mean, within) = (Grouped(run_hits.mean.round() as u64), relative(run_hits));
    let within = if within.is_empty() { within } else { format!(" {within}") };
    let number = Plural(runs.len() as u64, "run");
    screen.prose(format_args!("{BOLD}{mean} hits{BOLD:#}{within} in a run of COMMAND, over {number}"))?;
    let took = seconds(repeated.run_ns.mean.round() as u64);
    screen.prose(format_args!("A run took {took} {}", relative(&repeated.run_ns)))?;
    print_what(first, screen)?;
    if runs.len() < repeated.runs_asked as usize {
        let asked = repeated.runs_asked;
        screen.prose(format_args!("{WARNING}tp-perf stopped after {} of {asked} runs.{WARNING:#}", runs.len()))?;
    }
    let failed = runs.iter().filter(|run| run.command_exit != Some(0)).count();
    if failed > 0 {
        screen.prose(format_args!("{WARNING}COMMAND failed in {} of them.{WARNING:#}", Grouped(failed as u64)))?;
    }
    if run_hits.mean > 0.0 {
        screen.blank()?;
        let mut table = TextTable::new([TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::NAME]);
        add_means(&mut table, "tracepoint", &repeated.mean_per_tracepoint, top);
        add_means(&mut table, "group", &repeated.mean_per_group, top);
        screen.table(&table)?;
        if runs.len() > 1 {
            screen.prose("± is the 95 % interval of the mean (Student's t over the runs), in percent of the mean.")?;
        }
    }
    Ok(())
}

fn relative(hits: &Mean) -> String {
    hits.relative().map(|part| format!("± {}", percent(part))).unwrap_or_default()
}

fn add_means(table: &mut TextTable, what: &str, rows: &[MeanRow], top: usize) {
    table.head(["mean hits", "±", "share", &format!("top {what}s")]);
    let hit = || rows.iter().filter(|row| row.hits.mean > 0.0);
    for row in hit().take(top) {
        let mean = match row.hits.mean {
            mean if mean >= 100.0 => Grouped(mean.round() as u64).to_string(),
            mean => format!("{mean:.1}"),
        };
        let relative = row.hits.relative().map(percent).unwrap_or_default();
        let cells = [mean.into(), relative.into(), percent(row.share).into(), OneLine(row.full_name()).into()];
        table.row(Style::new(), cells);
    }
    add_more(table, hit().count(), top, 4);
}

fn whole(hits: f64) -> Grouped {
    Grouped(hits.round().max(0.0) as u64)
}

/// The tracepoints and CPUs, and what stopped the count.
fn print_what(summary: &CountSummary, screen: &mut Screen<'_>) -> io::Result<()> {
    let tracepoints = TracepointsSummary {
        listed: summary.listed,
        excluded: 0,
        excluded_by_default: Some(summary.excluded_by_default),
        captured: summary.counted,
        refused: 0,
    };
    let cpus = crate::os::cpus::named(&summary.cpus);
    let stopped = stopping(summary.stop_reason, summary.command_exit);
    screen.prose(format_args!("{} on {cpus}, stopped by {stopped}", number_of_tracepoints(&tracepoints)))?;
    if summary.command.is_some() {
        screen.prose("These are the hits of the whole machine while COMMAND ran, not only those of COMMAND.")?;
    }
    print_left_out(&tracepoints, SummaryOf::Count, screen)?;
    if let [first, rest @ ..] = summary.not_counted.as_slice() {
        let name = format!("{}:{}", first.tracepoint_group, first.tracepoint);
        let (name, reason) = (OneLine(&name), OneLine(&first.reason));
        screen.prose(format_args!("{WARNING}not counted{WARNING:#}: {name} ({reason})"))?;
        if !rest.is_empty() {
            screen.prose(format_args!("and {} more; `--format json` has all", Grouped(rest.len() as u64)))?;
        }
    }
    Ok(())
}

fn print_facts(summary: &CountSummary, screen: &mut Screen<'_>) -> io::Result<()> {
    if summary.skipped_ticks > 0 {
        let skipped = Plural(summary.skipped_ticks, "window");
        let skipped = format!("{skipped} {}", skipped.were());
        screen.fact(
            "too short",
            format_args!(
                "{WARNING}{skipped} merged into the next one, because a tick came too late{WARNING:#}: the machine was busy, \
                 or --every is too short. No hits are missing."
            ),
        )?;
    }
    for stretch in &summary.unwatched {
        screen.fact("unwatched", format_args!("{WARNING}{}{WARNING:#}", unwatched(&summary.cpus, stretch)))?;
    }
    if let Some(cost) = &summary.cost {
        let own = summary.own.cpu_ns as f64 / summary.length_ns.max(1) as f64 / summary.cpus.len().max(1) as f64;
        print_cost(cost, summary.windows, own, screen)?;
    }
    let share = share_of_time(&summary.own, summary.length_ns);
    let hidden = if summary.own.excluded { "excluded" } else { "included" };
    screen.fact("self", format_args!("tp-perf itself ran {share:.2} % of the time; its hits are {hidden}"))
}

/// The cost of the count, and how it kept its budget.
fn print_cost(cost: &CostSummary, windows: u64, own: f64, screen: &mut Screen<'_>) -> io::Result<()> {
    let CostSummary { budget, most, windows_over, visited, detached, at_end, .. } = *cost;
    let part = |part: f64| format!("{:.2} %", 100.0 * part);
    let of_hit = match at_end.measured {
        true => format!("a counted hit costs {:.0} ns here", at_end.counted_ns),
        false => format!("assumed: {:.0} ns for a hit, because it could not be measured", at_end.counted_ns),
    };
    screen.fact("cost", format_args!("about {} of all CPUs (estimated; {of_hit})", part(cost.part)))?;
    let Some(budget) = budget else { return Ok(()) };
    let budget = part(budget);
    match windows_over {
        0 => screen.fact(
            "budget",
            format_args!("{budget} of all CPUs; the most expensive window took about {}", part(most)),
        )?,
        over => screen.fact(
            "budget",
            format_args!(
                "{budget} of all CPUs, {WARNING}exceeded in {} of {}{WARNING:#}; the most expensive one took about {}",
                Grouped(over),
                Plural(windows, "window"),
                part(most)
            ),
        )?,
    }
    if own >= cost.budget.unwrap_or(1.0) {
        screen.more(format_args!(
            "{WARNING}tp-perf itself takes {} of all CPUs{WARNING:#}, so this budget cannot be kept. Use longer windows \
             (--every), fewer tracepoints (-t, -x), or a larger budget.",
            part(own)
        ))?;
    }
    if visited > 0 {
        screen.more(format_args!("{} visited now; `~` marks estimates", are(visited)))?;
    }
    if detached > 0 {
        screen.more(format_args!(
            "{WARNING}{} detached now{WARNING:#}, so the hits are unknown (`≥`): raise the budget, or exclude hot \
             tracepoints (-x)",
            are(detached)
        ))?;
    }
    Ok(())
}

fn are(number: usize) -> String {
    let tracepoints = Plural(number as u64, "tracepoint");
    format!("{tracepoints} {}", if number == 1 { "is" } else { "are" })
}

fn top_table(summary: &CountSummary, top: usize) -> TextTable {
    let right = TextColumn::RIGHT;
    let optional = right.optional();
    // Empty columns are left out: those of estimates, and that of the CPU.
    let mut table = TextTable::new([right, right, right, optional, optional, optional, right, right, TextColumn::NAME]);
    let tracepoints = &summary.per_tracepoint;
    let by_cpu = tracepoints.iter().any(|row| row.per_cpu.is_some());
    // With a single window, its begin says nothing.
    let has_windows = summary.windows > 1;
    match by_cpu {
        true => add_by_cpu(&mut table, tracepoints, top),
        false => add_top(&mut table, "tracepoint", tracepoints, top, has_windows),
    }
    add_top(&mut table, "group", &summary.per_group, top, has_windows);
    if by_cpu {
        add_cpus(&mut table, summary);
    }
    table
}

/// The cells of a row.
#[derive(Default)]
struct RowCells<'a> {
    hits: u64,
    estimated: Option<EstimatedHits>,
    share: f64,
    rate: Option<f64>,
    windows: Option<(u64, u64)>,
    cpu: Option<Cpu>,
    watched: String,
    /// Whether hits are missing, because a tracepoint was detached for a time.
    is_incomplete: bool,
    name: &'a str,
}

impl RowCells<'_> {
    fn add_to(self, table: &mut TextTable) {
        let begin = |ns| if ns == 0 { "0 s".to_owned() } else { seconds(ns).to_string() };
        let [first, last] = self.windows.map_or_else(Default::default, |(first, last)| [first, last].map(begin));
        let is_estimate = self.estimated.is_some() || !self.watched.is_empty();
        let mark = if is_estimate { "~" } else { "" };
        let rate = self.rate.map(|rate| format!("{mark}{}", Rate(rate))).unwrap_or_default();
        let cpu = self.cpu.map(|cpu| cpu.to_string()).unwrap_or_default();
        let (hits, within) = match self.estimated {
            Some(EstimatedHits { hits, high, .. }) => {
                let part = (high - hits) / hits.max(1.0);
                let within = if part.is_finite() { percent(part) } else { "?".to_owned() };
                (format!("~{}", whole(hits)), within)
            }
            None => (Grouped(self.hits).to_string(), String::new()),
        };
        let hits = if self.is_incomplete { format!("≥{hits}") } else { hits };
        let name = OneLine(self.name).to_string();
        let cells = [hits, within, percent(self.share), rate, first, last, cpu, self.watched, name];
        table.row(Style::new(), cells.map(TextCell::from));
    }
}

/// How a tracepoint was watched, unless it was counted all the time.
fn watched(row: &CountRow) -> String {
    match row.rung {
        Some(Rung::Detached) => "detached".to_owned(),
        Some(_) if row.watched < 1.0 => percent(row.watched),
        _ => String::new(),
    }
}

/// The names of the columns.
fn head(table: &mut TextTable, rows: &[CountRow], windows: [&str; 2], cpu: &str, name: &str) {
    let has = |any: bool, head: &'static str| if any { head } else { "" };
    let within = has(rows.iter().any(|row| row.estimated.is_some()), "±");
    let watched = has(rows.iter().any(|row| !watched(row).is_empty()), "watched");
    table.head(["hits", within, "share", "per second", windows[0], windows[1], cpu, watched, name]);
}

/// Whether a row has or may have hits.
fn is_shown(row: &CountRow) -> bool {
    row.hits > 0 || row.rung.is_some_and(|rung| rung != Rung::Counted)
}

fn add_top(table: &mut TextTable, what: &str, rows: &[CountRow], top: usize, has_windows: bool) {
    let windows = if has_windows { ["first", "last"] } else { [""; 2] };
    head(table, rows, windows, "", &format!("top {what}s"));
    let shown = || rows.iter().filter(|row| is_shown(row));
    for row in shown().take(top) {
        let cells = RowCells {
            hits: row.hits,
            estimated: row.estimated,
            share: row.share,
            rate: row.per_second,
            windows: row.first_ns.zip(row.last_ns).filter(|_| has_windows),
            cpu: None,
            watched: watched(row),
            is_incomplete: row.detached > 0.0,
            name: &row.full_name(),
        };
        cells.add_to(table);
    }
    add_more(table, shown().count(), top, 9);
}

/// The tracepoints with the most hits on one CPU. A CPU has no estimate of its own.
fn add_by_cpu(table: &mut TextTable, rows: &[CountRow], top: usize) {
    head(table, rows, [""; 2], "CPU", "top tracepoints");
    let on_cpus = |row: &CountRow| row.per_cpu.clone().unwrap_or_default();
    let mut on_cpus: Vec<(&CountRow, CpuHits)> =
        rows.iter().flat_map(|row| on_cpus(row).into_iter().map(move |on| (row, on))).collect();
    on_cpus.retain(|(_, on)| on.hits > 0);
    on_cpus.sort_by_key(|(_, on)| Reverse(on.hits));
    for (row, on) in on_cpus.iter().take(top) {
        let part = on.hits as f64 / row.hits.max(1) as f64;
        let (share, rate) = (row.share * part, row.per_second.map(|rate| rate * part));
        let (cpu, name) = (Some(on.cpu), &row.full_name());
        RowCells { hits: on.hits, share, rate, cpu, watched: watched(row), name, ..RowCells::default() }.add_to(table);
    }
    add_more(table, on_cpus.len(), top, 9);
}

fn add_cpus(table: &mut TextTable, summary: &CountSummary) {
    head(table, &[], ["", ""], "CPU", "");
    for CpuHits { cpu, hits } in &summary.per_cpu {
        let share = *hits as f64 / summary.hits.max(1) as f64;
        let rate = summary.per_second.map(|rate| rate * share);
        RowCells { hits: *hits, share, rate, cpu: Some(*cpu), ..RowCells::default() }.add_to(table);
    }
}

/// How many more rows there are, in the last of the columns.
fn add_more(table: &mut TextTable, rows: usize, top: usize, columns: usize) {
    if let Some(more) = rows.checked_sub(top).filter(|more| *more > 0) {
        let more = format!("and {} more (--top {rows} shows all)", Grouped(more as u64));
        let cells = (1..columns).map(|_| TextCell::default()).chain([more.into()]);
        table.row(DIM, cells.collect::<Vec<_>>());
    }
}

/// Prints a line for each window, or for each window and CPU.
#[derive(Debug)]
pub struct WindowLines {
    width: Width,
    per_cpu: bool,
    has_budget: bool,
}

/// The columns of the time, the hits, the rate, the CPU, and the cost.
const TIME: usize = 10;
const HITS: usize = 12;
const CPU: usize = 5;
const COST: usize = 9;

impl WindowLines {
    /// Lines of `width` columns. With a budget, they have the cost.
    pub fn new(width: impl Into<Width>, per_cpu: bool, has_budget: bool) -> Self {
        WindowLines { width: width.into(), per_cpu, has_budget }
    }

    /// The line above all windows.
    pub fn head(&self) -> String {
        let cpu = if self.per_cpu { format!("{:>CPU$}", "CPU") } else { String::new() };
        let cost = if self.has_budget { format!("{:>COST$}", "cost") } else { String::new() };
        format!("{BOLD}{:>TIME$}{cpu}{:>HITS$}{:>HITS$}{cost}  {}{BOLD:#}\n", "time", "hits", "per second", "most hits")
    }

    /// The lines of a window that ends `ended` after the begin.
    pub fn window(&self, tick: &Tick<'_>, ended: Duration, table: &Table) -> String {
        let cpus: Vec<Option<Cpu>> = match self.per_cpu {
            true => {
                let mut cpus: Vec<_> = tick.slots.iter().map(|slot| slot.cpu).collect();
                cpus.sort_unstable();
                cpus.dedup();
                cpus
            }
            false => vec![None],
        };
        cpus.into_iter().map(|cpu| self.line(tick, cpu, ended, table)).collect()
    }

    fn line(&self, tick: &Tick<'_>, cpu: Option<Cpu>, ended: Duration, table: &Table) -> String {
        let hits = hits_of(tick, cpu);
        let all: f64 = hits.iter().map(|(_, hits, _)| hits).sum();
        let rate = Rate(all * 1e9 / (tick.to.since(tick.from)).max(1) as f64);
        let mark = |is_estimate: bool| if is_estimate { "~" } else { "" };
        let sum = format!("{}{}", mark(cpu.is_none() && !tick.partly.is_empty()), whole(all));
        let cpu = match (self.per_cpu, cpu) {
            (true, Some(cpu)) => format!("{cpu:>CPU$}"),
            _ => String::new(),
        };
        let cost = match tick.cost.filter(|_| self.has_budget) {
            Some(cost) => format!("{:>COST$}", format!("{:.2} %", 100.0 * cost)),
            None => String::new(),
        };
        let mut line = format!("{:>TIME$}{cpu}{sum:>HITS$}{rate:>HITS$}{cost}", Seconds(ended).to_string());
        for (number, (tpid, hits, is_estimate)) in hits.iter().enumerate() {
            let name = table.get(*tpid).full_name();
            let share = 100.0 * hits / all.max(1.0);
            let gap = if number == 0 { "  " } else { ", " };
            let part = format!("{gap}{}{} {share:.0} %", mark(*is_estimate), OneLine(name));
            let room = |width: usize| width.saturating_sub(columns(&line));
            match (columns(&part) <= room(self.width.columns()), number) {
                (true, _) => line += &part,
                // At least one name.
                (false, 0) => line += &cut(&part, room(self.width.of_tables())),
                (false, _) => break,
            }
        }
        line + "\n"
    }
}

/// The hits of a window, the most hits first, and whether they are estimates. On one CPU, they are those that were counted.
fn hits_of(tick: &Tick<'_>, cpu: Option<Cpu>) -> Vec<(Tpid, f64, bool)> {
    let mut hits: Vec<(Tpid, f64, bool)> = match cpu {
        None => {
            let exact = tick.by_tracepoint().into_iter();
            let exact = exact.filter(|(tpid, _)| tick.partly.iter().all(|partly| partly.tpid != *tpid));
            let estimated = tick.partly.iter().filter_map(|it| Some((it.tpid, it.estimated?.hits, true)));
            exact.map(|(tpid, hits)| (tpid, hits as f64, false)).chain(estimated).collect()
        }
        Some(_) => {
            let on_cpu = tick.hit().filter(|(slot, _)| slot.cpu == cpu);
            on_cpu.map(|(slot, hits)| (slot.tpid, hits as f64, false)).collect()
        }
    };
    hits.sort_by(|(_, one, _), (_, other, _)| other.total_cmp(one));
    hits
}
