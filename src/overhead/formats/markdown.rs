//! A measurement as Markdown, for an issue or a wiki.

use crate::overhead::words::{findings, interval, percent, rows, what_was_run};
use crate::overhead::{ArmComparison, Comparison, Overhead, confidence};
use crate::text::OneLine;
use crate::units::Seconds;
use std::io::{self, Write};

/// Writes a table for each comparison, with remarks below them.
pub fn write_markdown(overhead: &Overhead, out: &mut dyn Write) -> io::Result<()> {
    let figures = overhead.figures();
    let command = OneLine(&overhead.command.join(" ")).to_string().replace('`', "'");
    writeln!(out, "The overhead of watching `{command}`: {}.\n", what_was_run(overhead, &figures))?;
    let confidence = 100.0 * confidence(figures.pairs);
    for ArmComparison { base, arm, times } in figures.comparisons() {
        writeln!(out, "| median | {base} | {arm} | change | {confidence:.0} % interval |")?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: |")?;
        for (name, comparison) in rows(times) {
            let Comparison { without, with, change, .. } = comparison;
            let (without, with) = (Seconds(without.median), Seconds(with.median));
            writeln!(out, "| {name} | {without} | {with} | {} | {} |", percent(change.value), interval(change))?;
        }
        writeln!(out)?;
    }
    for (subject, sentence) in findings(overhead, &figures) {
        writeln!(out, "- **{subject}**: {sentence}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overhead::figures::tests::{overhead, recorded};
    use crate::overhead::formats::tests::text;
    use crate::overhead::{Arm, Way};

    #[test]
    fn markdown_is_a_table_and_what_is_to_be_said() {
        let markdown = |pairs: &[(u64, u64)]| text(write_markdown, &recorded(pairs));
        let clear = markdown(&[(2_000, 3_000); 5]);
        assert!(clear.contains("| median | off | record | change | 90 % interval |"), "{clear}");
        assert!(clear.contains("| wall | 2.00 s | 3.00 s | +50.0 % | +50.0 % to +50.0 % |"), "{clear}");
        assert!(clear.contains("`make a|b`: 5 rounds of 2 runs, with 1,568 tracepoints on CPUs 0-1"), "{clear}");
        assert!(clear.contains("- **record**: 1,000,000 events per run"), "{clear}");
        let noisy = markdown(&[(2_000, 3_000), (4_000, 2_000), (3_000, 3_500), (2_000, 2_500), (3_000, 2_000)]);
        assert!(
            noisy.contains("wall, CPU, system and all CPUs: the machine was too noisy; the interval includes zero"),
            "{noisy}"
        );
        let same = markdown(&[(2_000, 2_001), (4_000, 3_999), (3_000, 3_000), (3_000, 3_002), (2_000, 1_999)]);
        assert!(same.contains("system and all CPUs: no measurable cost; the interval includes zero"), "{same}");
        assert!(markdown(&[(2_000, 3_000)]).contains("an interval needs at least 5 rounds"));
    }

    #[test]
    fn each_comparison_names_its_arms() {
        let arms = [Arm::Nothing, Arm::Off, Arm::On(Way::Record), Arm::On(Way::Count)];
        let measured = overhead(arms, &[[2_000, 2_000, 3_000, 2_200]; 5]);
        let markdown = text(write_markdown, &measured);
        for head in ["| median | off | record |", "| median | off | count |", "| median | nothing | off |"] {
            assert!(markdown.contains(head), "{markdown}");
        }
        assert!(
            markdown.contains("system and all CPUs of off, compared with nothing: no measurable cost"),
            "{markdown}"
        );
        let total = "nothing attached: record +50.0 % (+50.0 % to +50.0 %) and count +10.0 % (+10.0 % to +10.0 %)";
        assert!(markdown.contains(total), "{markdown}");
    }
}
