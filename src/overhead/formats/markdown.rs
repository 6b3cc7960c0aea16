//! A measurement as Markdown, for an issue or a wiki.

use crate::overhead::words::{findings, interval, percent, rows, what_was_run};
use crate::overhead::{Comparison, Overhead, confidence};
use crate::text::OneLine;
use crate::units::Seconds;
use std::io::{self, Write};

/// Writes a table, with remarks below it.
pub fn write_markdown(overhead: &Overhead, out: &mut dyn Write) -> io::Result<()> {
    let figures = overhead.figures();
    let command = OneLine(&overhead.command.join(" ")).to_string().replace('`', "'");
    writeln!(out, "The overhead of capturing on `{command}`: {}.\n", what_was_run(overhead, &figures))?;
    writeln!(out, "| median | without | capturing | change | {:.0} % interval |", 100.0 * confidence(figures.pairs))?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: |")?;
    for (name, comparison) in rows(&figures) {
        let Comparison { without, with, change, .. } = comparison;
        let (without, with) = (Seconds(without.median), Seconds(with.median));
        writeln!(out, "| {name} | {without} | {with} | {} | {} |", percent(change.value), interval(change))?;
    }
    writeln!(out)?;
    for (subject, sentence) in findings(overhead, &figures) {
        writeln!(out, "- **{subject}**: {sentence}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::formats::tests::text;

    #[test]
    fn markdown_is_a_table_and_what_is_to_be_said() {
        let markdown = text(write_markdown, &[(2_000, 3_000); 5]);
        assert!(markdown.contains("| wall | 2.00 s | 3.00 s | +50.0 % | +50.0 % to +50.0 % |"), "{markdown}");
        assert!(
            markdown.contains("`make a|b`: 5 pairs of runs, with and without capturing 1,568 tracepoints on CPUs 0-1")
        );
        assert!(markdown.contains("- **events**: 1,000,000 per run"), "{markdown}");
        let noisy =
            text(write_markdown, &[(2_000, 3_000), (4_000, 2_000), (3_000, 3_500), (2_000, 2_500), (3_000, 2_000)]);
        assert!(
            noisy.contains("wall, CPU and all CPUs: the machine was too noisy; the interval includes zero"),
            "{noisy}"
        );
        let same =
            text(write_markdown, &[(2_000, 2_001), (4_000, 3_999), (3_000, 3_000), (3_000, 3_002), (2_000, 1_999)]);
        assert!(same.contains("wall, CPU and all CPUs: no measurable cost; the interval includes zero"), "{same}");
        assert!(text(write_markdown, &[(2_000, 3_000)]).contains("an interval needs at least 5 pairs"));
    }
}
