//! The tables of a report as LaTeX, for a paper. They need the package `booktabs` only.

use crate::ranking::Ranked;
use crate::report::{Basis, ChangeWords, Compared, Differences, RankedWords, Report, SourceReport};
use crate::text::OneLine;
use std::io::{self, Write};

/// Writes a table for each source, or with several sources, the table of their differences. Each has at most `top` rows.
pub fn write_latex(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "% tp-perf report. Needs \\usepackage{{booktabs}}, and LuaLaTeX, XeLaTeX, or pdfLaTeX with UTF-8.")?;
    match &report.differences {
        Some(differences) => {
            for remark in &differences.remarks {
                writeln!(out, "% note: {}", OneLine(remark))?;
            }
            for (what, all) in [("tracepoint", &differences.tracepoints), ("group", &differences.groups)] {
                print_differences(what, differences, all, top, out)?;
            }
            Ok(())
        }
        None => report.sources.iter().try_for_each(|source| print_source(source, top, out)),
    }
}

fn print_source(source: &SourceReport, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let rungs = source.rungs();
    let is_incomplete = |name: &str| rungs.as_ref().is_some_and(|rungs| rungs.is_incomplete(name));
    let heads = [source.unit().to_owned() + "s", "share".to_owned(), "per second".to_owned()];
    let of_tracepoint = |ranked: &Ranked<_>| {
        let rung = rungs.as_ref().and_then(|rungs| rungs.of(ranked.number));
        RankedWords::of(ranked, rung.is_some_and(|rung| rung.is_incomplete()))
    };
    let of_group = |ranked: &Ranked<_>| RankedWords::of(ranked, is_incomplete(&ranked.name));
    let row =
        |name: &str, RankedWords { hits, share, rate, .. }: RankedWords| (name.to_owned(), vec![hits, share, rate]);
    let tracepoints =
        source.ranking.tracepoints.iter().take(top).map(|ranked| row(&ranked.name, of_tracepoint(ranked)));
    table("tracepoint", &heads, &tracepoints.collect::<Vec<_>>(), &caption("tracepoint", &source.label), out)?;
    let groups = source.ranking.groups.iter().take(top).map(|ranked| row(&ranked.name, of_group(ranked)));
    table("group", &heads, &groups.collect::<Vec<_>>(), &caption("group", &source.label), out)
}

fn caption(what: &str, label: &str) -> String {
    format!("The {what}s with the most hits in {}.", OneLine(label))
}

fn print_differences(
    what: &'static str,
    differences: &Differences,
    all: &[Compared],
    top: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut heads = differences.sides.clone();
    let is_judged = differences.basis != Basis::Nothing;
    if is_judged {
        heads.extend(["×", "at least", "Δ"].map(str::to_owned));
        heads.extend((differences.sides.len() > 2).then(|| "from → to".to_owned()));
    }
    let row = |compared: &Compared| {
        let mut cells: Vec<String> = compared.sides.iter().map(Differences::rate).collect();
        if is_judged {
            let ChangeWords { between, difference, times, at_least } = differences.words(compared);
            cells.extend([times, at_least, difference]);
            cells.extend((differences.sides.len() > 2).then_some(between));
        }
        (compared.name.clone(), cells)
    };
    let rows: Vec<_> = match is_judged {
        true => Differences::sure(all).take(top).map(row).collect(),
        false => all.iter().take(top).map(row).collect(),
    };
    let caption = format!("{}. {}", differences.verdict(what, all), differences.basis.words());
    table(what, &heads, &rows, &caption, out)
}

fn table(
    what: &str,
    heads: &[String],
    rows: &[(String, Vec<String>)],
    caption: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "\\begin{{table}}\n  \\centering\n  \\caption{{{}}}", escaped(caption))?;
    writeln!(out, "  \\begin{{tabular}}{{l{}}}\n    \\toprule", "r".repeat(heads.len()))?;
    let line = |first: String, cells: &[String]| {
        let cells: Vec<String> = std::iter::once(first).chain(cells.iter().map(|cell| escaped(cell))).collect();
        format!("    {} \\\\", cells.join(" & "))
    };
    writeln!(out, "{}\n    \\midrule", line(what.to_owned(), heads))?;
    for (name, cells) in rows {
        writeln!(out, "{}", line(format!("\\texttt{{{}}}", escaped(name)), cells))?;
    }
    writeln!(out, "    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}")
}

/// Escapes a text, so that LaTeX sets it as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in OneLine(text).to_string().chars() {
        match c {
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '|' => escaped.push_str("\\textbar{}"),
            '`' => escaped.push_str("\\textasciigrave{}"),
            '#' | '$' | '%' | '&' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            // A bracket after a line's end would be an option of the line's end.
            '[' | ']' => escaped.extend(['{', c, '}']),
            // Two of them would become a dash or a quotation mark.
            '-' | '\'' | '"' | ',' => escaped.extend(['{', c, '}']),
            '×' => escaped.push_str("$\\times$"),
            '−' => escaped.push_str("$-$"),
            '→' => escaped.push_str("$\\rightarrow$"),
            '≥' => escaped.push_str("$\\geq$"),
            'Δ' => escaped.push_str("$\\Delta$"),
            '…' => escaped.push_str("\\dots{}"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_taken_for_latex() {
        assert_eq!(escaped("kmem:mm_page 5 % & \\input{x}"), "kmem:mm\\_page 5 \\% \\& \\textbackslash{}input\\{x\\}");
        assert_eq!(
            escaped("$~^<#>[*] 3×\n"),
            "\\$\\textasciitilde{}\\textasciicircum{}\\textless{}\\#\\textgreater{}{[}*{]} 3$\\times$\\textbackslash{}n"
        );
    }
}
