//! A report as Markdown, for an issue, a wiki or a pull request.

use crate::ranking::Ranked;
use crate::report::{By, Presence, Report, SourceReport, facts};
use crate::text::OneLine;
use crate::units::{Grouped, Plural, Rate, Share};
use std::io::{self, Write};

/// Writes the report with the `top` tracepoints and groups.
pub fn write_markdown(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    for source in &report.sources {
        section(source, top, out)?;
    }
    let Some(differences) = &report.differences else { return Ok(()) };
    writeln!(out, "## Differences\n")?;
    for remark in &differences.remarks {
        writeln!(out, "- {}", escaped(remark))?;
    }
    let sources: Vec<String> = differences.sources.iter().map(|source| escaped(source)).collect();
    for (what, all) in [("tracepoint", &differences.tracepoints), ("group", &differences.groups)] {
        for by in By::ALL {
            writeln!(out, "\n| {what} whose {} differs most | {} |", by.name(), sources.join(" | "))?;
            writeln!(out, "|---|{}", "---:|".repeat(sources.len()))?;
            for compared in by.most(all).into_iter().take(top) {
                let cells: Vec<String> = compared.sources.iter().map(presence).collect();
                writeln!(out, "| {} | {} |", escaped(&compared.name), cells.join(" | "))?;
            }
        }
        writeln!(out)?;
        for (number, source) in sources.iter().enumerate() {
            let only = all.iter().filter(|compared| compared.is_only_in(number));
            let names: Vec<String> = only.map(|compared| escaped(&compared.name)).collect();
            let shown = names.iter().take(top).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > top { " …" } else { "" };
            let colon = if names.is_empty() { "" } else { ": " };
            writeln!(out, "- only in {source}: {}{colon}{shown}{more}", Plural(names.len() as u64, what))?;
        }
    }
    Ok(())
}

fn presence(presence: &Presence) -> String {
    match presence {
        Presence::Hit { share, rate: Some(rate), .. } => format!("{}, {}/s", Share(*share), Rate(*rate)),
        Presence::Hit { share, .. } => Share(*share).to_string(),
        other => other.word().to_owned(),
    }
}

fn section(source: &SourceReport, top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## {}\n", escaped(&source.label))?;
    for (name, fact) in facts(source) {
        writeln!(out, "- {name}: {}", escaped(&fact))?;
    }
    print_top("tracepoint", &source.ranking.tracepoints, top, out)?;
    print_top("group", &source.ranking.groups, top, out)?;
    writeln!(out)
}

fn print_top<N>(what: &str, ranked: &[Ranked<N>], top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n| {what} | events | share | per second |\n|---|---:|---:|---:|")?;
    for Ranked { name, events, share, rate, .. } in ranked.iter().take(top) {
        let rate = rate.map(|rate| Rate(rate).to_string()).unwrap_or_default();
        writeln!(out, "| {} | {} | {} | {rate} |", escaped(name), Grouped(*events), Share(*share))?;
    }
    Ok(())
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
