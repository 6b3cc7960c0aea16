//! Counts on the terminal.

use super::layout::{Screen, TextCell, TextColumn, TextTable, columns, cut};
use super::summary::{SummaryOf, number_of_tracepoints, print_left_out};
use crate::counting::{CountRow, CountSummary, CpuHits, Mean, MeanRow, RepeatedCount};
use crate::events::{Cpu, Tick};
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

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn seconds(ns: u64) -> Seconds {
    Seconds(Duration::from_nanos(ns))
}

/// Prints a count with the `top` tracepoints and groups on lines of `width` columns.
pub fn print_count(summary: &CountSummary, top: usize, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let rate = summary.per_second.map(|rate| format!(" ({} per second)", Rate(rate))).unwrap_or_default();
    let hits = Plural(summary.hits, "hit");
    screen.prose(format_args!("{BOLD}{hits}{BOLD:#} in {}{rate}", seconds(summary.length_ns)))?;
    print_what(summary, screen)?;
    if summary.hits > 0 {
        screen.blank()?;
        screen.table(&top_table(summary, top))?;
    }
    screen.blank()?;
    let late = match summary.windows {
        0 | 1 => String::new(),
        _ => format!("; the latest tick began {} late", seconds(summary.most_late_ns)),
    };
    let (windows, every) = (Grouped(summary.windows), Duration::from_nanos(summary.window_ns));
    let every = humantime::format_duration(every);
    screen.fact("windows", format_args!("{windows} of {every}{late}"))?;
    print_facts(summary, screen)
}

/// Prints the means of several runs.
pub fn print_repeated(repeated: &RepeatedCount, top: usize, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let RepeatedCount { first, runs, run_hits, .. } = repeated;
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
    screen.blank()?;
    print_facts(first, screen)
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
        screen.fact(
            "too short",
            format_args!(
                "{WARNING}{skipped} ended too late and are a part of the next one{WARNING:#}: the machine was busy, or \
                 --every is too short. No hits are missing."
            ),
        )?;
    }
    for stretch in &summary.unwatched {
        screen.fact("unwatched", format_args!("{WARNING}{}{WARNING:#}", unwatched(&summary.cpus, stretch)))?;
    }
    let share = share_of_time(&summary.own, summary.length_ns);
    let hidden = if summary.own.excluded { "excluded" } else { "included" };
    screen.fact("self", format_args!("tp-perf itself ran {share:.2} % of the time; its hits are {hidden}"))
}

fn top_table(summary: &CountSummary, top: usize) -> TextTable {
    let right = TextColumn::RIGHT;
    let optional = right.optional();
    // The column of the CPU is left out if it is empty.
    let mut table = TextTable::new([right, right, optional, optional, optional, right, TextColumn::NAME]);
    let tracepoints = &summary.per_tracepoint;
    let by_cpu = tracepoints.iter().any(|row| row.per_cpu.is_some());
    match by_cpu {
        true => add_by_cpu(&mut table, tracepoints, top),
        false => add_top(&mut table, "tracepoint", tracepoints, top),
    }
    add_top(&mut table, "group", &summary.per_group, top);
    if by_cpu {
        add_cpus(&mut table, summary);
    }
    table
}

/// Adds hits, their share and rate, the begins of the first and the last window with a hit, the CPU, and the name.
fn add_row(
    table: &mut TextTable,
    (hits, share, rate): (u64, f64, Option<f64>),
    windows: Option<(u64, u64)>,
    cpu: Option<Cpu>,
    name: &str,
) {
    let begin = |ns| if ns == 0 { "0 s".to_owned() } else { seconds(ns).to_string() };
    let [first, last] = windows.map_or_else(Default::default, |(first, last)| [first, last].map(begin));
    let rate = rate.map(|rate| Rate(rate).to_string()).unwrap_or_default();
    let cpu = cpu.map(|cpu| cpu.to_string()).unwrap_or_default();
    let name = OneLine(name).to_string();
    let cells = [Grouped(hits).to_string(), percent(share), rate, first, last, cpu, name];
    table.row(Style::new(), cells.map(TextCell::from));
}

fn add_top(table: &mut TextTable, what: &str, rows: &[CountRow], top: usize) {
    table.head(["hits", "share", "per second", "first", "last", "", &format!("top {what}s")]);
    let hit = || rows.iter().filter(|row| row.hits > 0);
    for row in hit().take(top) {
        let windows = row.first_ns.zip(row.last_ns);
        add_row(table, (row.hits, row.share, row.per_second), windows, None, &row.full_name());
    }
    add_more(table, hit().count(), top, 7);
}

/// The tracepoints with the most hits on one CPU.
fn add_by_cpu(table: &mut TextTable, rows: &[CountRow], top: usize) {
    table.head(["hits", "share", "per second", "first", "last", "CPU", "top tracepoints"]);
    let on_cpus = |row: &CountRow| row.per_cpu.clone().unwrap_or_default();
    let mut on_cpus: Vec<(&CountRow, CpuHits)> =
        rows.iter().flat_map(|row| on_cpus(row).into_iter().map(move |on| (row, on))).collect();
    on_cpus.retain(|(_, on)| on.hits > 0);
    on_cpus.sort_by_key(|(_, on)| Reverse(on.hits));
    for (row, on) in on_cpus.iter().take(top) {
        let part = on.hits as f64 / row.hits.max(1) as f64;
        let figures = (on.hits, row.share * part, row.per_second.map(|rate| rate * part));
        add_row(table, figures, None, Some(on.cpu), &row.full_name());
    }
    add_more(table, on_cpus.len(), top, 7);
}

fn add_cpus(table: &mut TextTable, summary: &CountSummary) {
    table.head(["hits", "share", "per second", "", "", "CPU", ""]);
    for CpuHits { cpu, hits } in &summary.per_cpu {
        let share = *hits as f64 / summary.hits.max(1) as f64;
        add_row(table, (*hits, share, summary.per_second.map(|rate| rate * share)), None, Some(*cpu), "");
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
    width: usize,
    per_cpu: bool,
}

/// The columns of the time, the hits, the rate, and the CPU.
const TIME: usize = 10;
const HITS: usize = 12;
const CPU: usize = 5;

impl WindowLines {
    /// Lines of `width` columns.
    pub fn new(width: usize, per_cpu: bool) -> Self {
        WindowLines { width, per_cpu }
    }

    /// The line above all windows.
    pub fn head(&self) -> String {
        let cpu = if self.per_cpu { format!("{:>CPU$}", "CPU") } else { String::new() };
        format!("{BOLD}{:>TIME$}{cpu}{:>HITS$}{:>HITS$}  {}{BOLD:#}\n", "time", "hits", "per second", "most hits")
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
        let hits = match cpu {
            None => tick.by_tracepoint(),
            Some(_) => {
                let on_cpu = tick.hit().filter(|(slot, _)| slot.cpu == cpu);
                let mut hits: Vec<_> = on_cpu.map(|(slot, hits)| (slot.tpid, hits)).collect();
                hits.sort_by_key(|(_, hits)| Reverse(*hits));
                hits
            }
        };
        let all: u64 = hits.iter().map(|(_, hits)| hits).sum();
        let rate = all as f64 * 1e9 / (tick.to.since(tick.from)).max(1) as f64;
        let cpu = if self.per_cpu {
            format!("{:>CPU$}", cpu.map_or_else(String::new, |cpu| cpu.to_string()))
        } else {
            String::new()
        };
        let mut line =
            format!("{:>TIME$}{cpu}{:>HITS$}{:>HITS$}", Seconds(ended).to_string(), Grouped(all), Rate(rate));
        for (number, (tpid, hits)) in hits.iter().enumerate() {
            let name = table.get(*tpid).full_name();
            let share = 100.0 * *hits as f64 / all.max(1) as f64;
            let gap = if number == 0 { "  " } else { ", " };
            let part = format!("{gap}{} {share:.0} %", OneLine(name));
            let room = self.width.saturating_sub(columns(&line));
            match (columns(&part) <= room, number) {
                (true, _) => line += &part,
                // At least one name.
                (false, 0) => line += &cut(&part, room),
                (false, _) => break,
            }
        }
        line + "\n"
    }
}
