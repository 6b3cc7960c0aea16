//! The short summary of a capture.

use crate::os::cpus::one_named;
use crate::ranking::{Ranked, Ranking};
use crate::recording::{EventsSummary, Summary, UnaccountedSummary};
use crate::report::{equation, own_share, stopped_by};
use crate::units::{Grouped, OneLine, Plural, Rate, Seconds, Signed, Visible};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use std::path::Path;

/// How many tracepoints and groups are shown, as in the thesis.
const TOP: usize = 5;

/// Prints it, and where its files are.
pub fn print_summary(
    summary: &Summary,
    files: Option<(&Path, &[&'static str])>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let ranking = Ranking::of(summary);
    print_headline(summary, &ranking, out)?;
    if ranking.events > 0 {
        writeln!(out)?;
        print_top(out, "tracepoint", &ranking.tracepoints)?;
        print_top(out, "group", &ranking.groups)?;
    }
    writeln!(out)?;
    print_accounting(summary, out)?;
    print_log(summary, out)?;
    if let Some(own) = own_share(summary) {
        writeln!(out, "self        {own}")?;
    }
    let bold = Style::new().bold();
    if let Some((directory, names)) = files {
        writeln!(out, "files       {bold}{}{bold:#}", Visible(directory.join("").display()))?;
        writeln!(out, "            {}", names.join(", "))?;
        writeln!(out, "            tp-perf report shows what is in it, with --html FILE as a page")?;
    }
    Ok(())
}

/// How many events in which time, of what, and what ended it.
pub(super) fn print_headline(summary: &Summary, ranking: &Ranking, out: &mut dyn Write) -> io::Result<()> {
    let bold = Style::new().bold();
    write!(out, "{bold}{}{bold:#}", Plural(ranking.events, "event"))?;
    match ranking.rate() {
        None => writeln!(out)?,
        Some(rate) => writeln!(out, " in {} ({} a second)", Seconds(ranking.duration), Rate(rate))?,
    }
    write!(out, "{}", Plural(summary.tracepoints.captured as u64, "tracepoint"))?;
    if !summary.cpus.is_empty() {
        write!(out, " on {}", crate::os::cpus::named(&summary.cpus))?;
    }
    match stopped_by(summary) {
        Some(reason) => writeln!(out, ", stopped by {reason}"),
        None => writeln!(out),
    }
}

fn print_top<N>(out: &mut dyn Write, what: &str, ranked: &[Ranked<N>]) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "{bold}{:>12} {:>7}  top {what}s{bold:#}", "events", "share")?;
    for Ranked { name, events, share, .. } in ranked.iter().take(TOP) {
        writeln!(out, "{:>12} {:>5.1} %  {}", Grouped(*events), 100.0 * share, OneLine(name))?;
    }
    Ok(())
}

pub(super) fn print_accounting(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let EventsSummary { recorded, lost, counted, unaccounted, .. } = summary.events;
    let warning = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    let good = Style::new().fg_color(Some(AnsiColor::Green.into()));
    let equation = equation(&summary.events);
    let (Some(counted), Some(unaccounted)) = (counted, unaccounted) else {
        writeln!(out, "accounting  {equation}")?;
        return print_missing(summary, recorded.saturating_add(lost), out);
    };
    match (unaccounted, summary.unaccounted.is_empty()) {
        (0, true) => writeln!(out, "accounting  {good}balance{good:#}: {equation}")?,
        _ => {
            writeln!(out, "accounting  {warning}{equation}{warning:#}")?;
            if unaccounted < 0 {
                writeln!(out, "            More samples came than the kernel counted hits. Furthest off are")?;
            } else {
                writeln!(out, "            The kernel counted these hits, but wrote no samples for them and")?;
                writeln!(out, "            reported no loss: they are in the counts, not in log.csv. Most are")?;
            }
            for UnaccountedSummary { unaccounted, name, cpu, .. } in summary.unaccounted.iter().take(3) {
                writeln!(out, "            {:>12}  {} on {}", Signed(*unaccounted), OneLine(name), one_named(*cpu))?;
            }
            if summary.unaccounted.len() > 3 {
                writeln!(out, "            summary.json lists all (`unaccounted`).")?;
            }
        }
    }
    print_missing(summary, counted, out)
}

/// What is not in the log, and why.
fn print_missing(summary: &Summary, counted: u64, out: &mut dyn Write) -> io::Result<()> {
    let EventsSummary { lost, late, unknown, .. } = summary.events;
    let warning = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    if lost > 0 {
        let share = 100.0 * lost as f64 / counted.max(1) as f64;
        writeln!(
            out,
            "lost        {warning}{} ({share:.1} %){warning:#}: the rings were full. A larger --ring-size, or",
            Grouped(lost)
        )?;
        writeln!(out, "            fewer tracepoints (-t, -x), lose less.")?;
    }
    if late > 0 {
        writeln!(
            out,
            "late        {warning}{}{warning:#}: came after their place in time had gone; not in log.csv",
            Grouped(late)
        )?;
    }
    if unknown > 0 {
        writeln!(
            out,
            "unknown     {warning}{}{warning:#}: samples that belong to no event of this capture",
            Grouped(unknown)
        )?;
    }
    Ok(())
}

fn print_log(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let EventsSummary { logged, recorded, late, .. } = summary.events;
    let which = match (summary.log_complete, logged + late == recorded) {
        (true, true) if late == 0 => "all that were recorded",
        (true, true) => "all that were recorded but the late ones",
        (true, false) if is_range(summary) => "those of the range asked for",
        (true, false) => "the first ones in time order, as asked for",
        (false, _) => "cut short",
    };
    writeln!(out, "log         {}: {which}", Plural(logged, "event"))
}

fn is_range(summary: &Summary) -> bool {
    summary.restricted.as_ref().is_some_and(|restricted| restricted.from.is_some() || restricted.to.is_some())
}
