//! A report as Markdown, for an issue, a wiki or a pull request.

use crate::processes::{CgroupEvents, NamedProcesses, ProcessRanking};
use crate::ranking::Ranked;
use crate::report::{
    Basis, By, ChangeWords, Compared, Differences, Presence, RankedWords, Report, SourceReport, facts, mark,
};
use crate::text::OneLine;
use crate::tracefs::Tpid;
use crate::units::{Grouped, Plural, Rate, Share};
use std::io::{self, Write};

/// Writes the report with the `top` tracepoints and groups.
pub fn write_markdown(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    if let Some(differences) = &report.differences {
        print_differences(differences, top, out)?;
    }
    report.sources.iter().try_for_each(|source| section(source, top, out))
}

fn print_differences(differences: &Differences, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let Differences { sides, basis, remarks, processes, tracepoints, groups, .. } = differences;
    writeln!(out, "## Differences\n")?;
    for remark in remarks.iter().chain([&basis.words()]) {
        writeln!(out, "- {}", escaped(remark))?;
    }
    if !processes.is_empty() {
        print_most("process", differences, processes, top, out)?;
    }
    for (what, all) in [("tracepoint", tracepoints), ("group", groups)] {
        match basis {
            Basis::Nothing => print_most(what, differences, all, top, out)?,
            _ => print_changes(what, differences, all, top, out)?,
        }
        writeln!(out)?;
        for (number, side) in sides.iter().enumerate() {
            let only = all.iter().filter(|compared| compared.is_only_in(number));
            let names: Vec<String> = only.map(|compared| escaped(&compared.name)).collect();
            let shown = names.iter().take(top).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > top { " …" } else { "" };
            let colon = if names.is_empty() { "" } else { ": " };
            writeln!(out, "- only in {}: {}{colon}{shown}{more}", escaped(side), Plural(names.len() as u64, what))?;
        }
    }
    writeln!(out)
}

/// The changes, the most surprising one first.
fn print_changes(
    what: &'static str,
    differences: &Differences,
    all: &[Compared],
    top: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sides: Vec<String> = differences.sides.iter().map(|side| escaped(side)).collect();
    writeln!(out, "\n{}\n", differences.verdict(what, all))?;
    let (head, line) = if sides.len() > 2 { (" from → to |", "---|") } else { ("", "") };
    writeln!(out, "| {what} | {} | × | at least | Δ |{head}", sides.join(" | "))?;
    writeln!(out, "|---|{}---:|---:|---:|{line}", "---:|".repeat(sides.len()))?;
    for compared in Differences::sure(all).take(top) {
        let rates = compared.sides.iter().map(|presence| unstruck(&Differences::rate(presence)));
        let rates: Vec<String> = rates.collect();
        let ChangeWords { between, difference, times, at_least } = differences.words(compared);
        let between = if between.is_empty() { String::new() } else { format!(" {} |", escaped(&between)) };
        let (name, times) = (escaped(&compared.name), escaped(&times));
        writeln!(out, "| {name} | {} | {times} | {} | {difference} |{between}", rates.join(" | "), escaped(&at_least))?;
    }
    more(Differences::sure(all).count(), top, out)
}

/// The tables of those that differ most, one for each measure.
fn print_most(
    what: &str,
    differences: &Differences,
    all: &[Compared],
    top: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sources: Vec<String> = differences.sources.iter().map(|source| escaped(source)).collect();
    for by in By::ALL {
        writeln!(out, "\n| {what} whose {} differs most | {} |", by.name(), sources.join(" | "))?;
        writeln!(out, "|---|{}", "---:|".repeat(sources.len()))?;
        for compared in by.most(all).into_iter().take(top) {
            let cells: Vec<String> = compared.sources.iter().map(presence).collect();
            writeln!(out, "| {} | {} |", escaped(&compared.name), cells.join(" | "))?;
        }
    }
    Ok(())
}

fn presence(presence: &Presence) -> String {
    unstruck(&match presence {
        Presence::Hit { share, rate: Some(rate), is_estimate, .. } => {
            let mark = mark(*is_estimate);
            format!("{mark}{}, {mark}{}/s", Share(*share), Rate(*rate))
        }
        Presence::Hit { share, is_estimate, .. } => format!("{}{}", mark(*is_estimate), Share(*share)),
        other => other.word().to_owned(),
    })
}

/// Escapes `~`, with which Markdown strikes through.
fn unstruck(numbers: &str) -> String {
    numbers.replace('~', "\\~")
}

fn section(source: &SourceReport, top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## {}\n", escaped(&source.label))?;
    for (name, fact) in facts(source) {
        writeln!(out, "- {name}: {}", escaped(&fact))?;
    }
    let rungs = source.rungs();
    let rungs = rungs.as_ref();
    let of_tracepoint = |ranked: &Ranked<Tpid>| {
        let rung = rungs.and_then(|rungs| rungs.of(ranked.number));
        (
            rung.is_some_and(|rung| rung.is_incomplete()),
            rungs.map(|_| rung.map(|rung| rung.words()).unwrap_or_default()),
        )
    };
    if let Some(processes) = source.processes.as_ref().filter(|all| all.is_known) {
        print_processes(source, processes, top, out)?;
    }
    print_top(source, "tracepoint", &source.ranking.tracepoints, top, of_tracepoint, out)?;
    let of_group = |ranked: &Ranked<_>| (rungs.is_some_and(|rungs| rungs.is_incomplete(&ranked.name)), None);
    print_top(source, "group", &source.ranking.groups, top, of_group, out)?;
    writeln!(out)
}

/// Prints rows. `of` is whether hits of a row are missing, and its rung in words, if rows have one.
fn print_top<N>(
    source: &SourceReport,
    what: &str,
    ranked: &[Ranked<N>],
    top: usize,
    of: impl Fn(&Ranked<N>) -> (bool, Option<String>),
    out: &mut dyn Write,
) -> io::Result<()> {
    let (head, line) =
        if ranked.first().is_some_and(|ranked| of(ranked).1.is_some()) { (" rung |", "---|") } else { ("", "") };
    writeln!(out, "\n| {what} | {}s | share | per second |{head}\n|---|---:|---:|---:|{line}", source.unit())?;
    for ranked in ranked.iter().take(top) {
        let (is_incomplete, rung) = of(ranked);
        let row = RankedWords::of(ranked, is_incomplete);
        let numbers = unstruck(&[row.hits, row.share, row.rate].join(" | "));
        let rung = rung.map(|rung| format!(" {} |", escaped(&rung))).unwrap_or_default();
        writeln!(out, "| {} | {numbers} |{rung}", escaped(&ranked.name))?;
    }
    Ok(())
}

fn print_processes(source: &SourceReport, all: &ProcessRanking, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let named = all.by_name();
    writeln!(out, "\n| process | pids | recorded events | share of these | per second |\n|---|---:|---:|---:|---:|")?;
    for NamedProcesses { process, number, events, .. } in named.iter().take(top) {
        let (events, share) = (*events, Share(all.share(*events)));
        let rate = source.ranking.per_second(events).map(|rate| Rate(rate).to_string()).unwrap_or_default();
        let mark = if all.is_estimate { "\\~" } else { "" };
        let (name, events) = (escaped(&process.words()), Grouped(events));
        writeln!(out, "| {name} | {number} | {mark}{events} | {mark}{share} | {mark}{rate} |")?;
    }
    more(named.len(), top, out)?;
    let cgroups = all.by_cgroup();
    if cgroups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| cgroup | recorded events | share of these | per second |\n|---|---:|---:|---:|")?;
    for CgroupEvents { path, events, .. } in cgroups.iter().take(top) {
        let rate = source.ranking.per_second(*events).map(|rate| Rate(rate).to_string()).unwrap_or_default();
        let mark = if all.is_estimate { "\\~" } else { "" };
        let (events, share) = (Grouped(*events), Share(all.share(*events)));
        writeln!(out, "| {} | {mark}{events} | {mark}{share} | {mark}{rate} |", escaped(path))?;
    }
    more(cgroups.len(), top, out)
}

fn more(all: usize, top: usize, out: &mut dyn Write) -> io::Result<()> {
    match all.saturating_sub(top) {
        0 => Ok(()),
        more => writeln!(out, "\nand {} more", Grouped(more as u64)),
    }
}

/// Escapes a text, so that Markdown shows it as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in OneLine(text).to_string().chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '#' | '~' | '!' | '$' => escaped.extend(['\\', c]),
            '@' => escaped.push_str("&#64;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_taken_for_markdown() {
        assert_eq!(escaped("a|b`c`\n<script>[x](y) _z_"), "a\\|b\\`c\\`\\\\n&lt;script&gt;\\[x\\](y) \\_z\\_");
    }
}
