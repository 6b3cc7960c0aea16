//! A measurement for programs, and for an issue or a wiki.

use super::words::{findings, interval, percent, rows, what_was_run};
use super::{Comparison, Figures, Overhead, confidence};
use crate::units::{OneLine, Seconds};
use serde::Serialize;
use std::io::{self, Write};

/// All there is, as one object.
pub fn write_json(overhead: &Overhead, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        #[serde(flatten)]
        overhead: &'a Overhead,
        #[serde(flatten)]
        figures: Figures,
    }
    serde_json::to_writer_pretty(&mut *out, &Document { overhead, figures: overhead.figures() })?;
    writeln!(out)
}

/// A table.
pub fn write_markdown(overhead: &Overhead, out: &mut dyn Write) -> io::Result<()> {
    let figures = overhead.figures();
    let command = OneLine(&overhead.command.join(" ")).to_string().replace('`', "'");
    writeln!(out, "What capturing costs `{command}`: {}.\n", what_was_run(overhead, &figures))?;
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
    use crate::overhead::figures::tests::overhead;

    fn text(write: impl Fn(&Overhead, &mut dyn Write) -> io::Result<()>, pairs: &[(u64, u64)]) -> String {
        let mut out = Vec::new();
        write(&overhead(pairs), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_json_form_has_figures_and_runs() {
        let json: serde_json::Value = serde_json::from_str(&text(write_json, &[(2_000, 3_000); 5])).unwrap();
        assert_eq!((&json["schema"], &json["pairs"], &json["events"]), (&1.into(), &5.into(), &5_000_000.into()));
        assert_eq!(json["wall"]["verdict"], "difference");
        assert_eq!(json["wall"]["without"]["median_ns"], 2_000_000_000_u64);
        assert_eq!(json["runs"].as_array().unwrap().len(), 10);
        assert_eq!(json["runs"][0]["events"], 1_000_000);
        assert_eq!(json["runs"][0]["own_cpu_ns"], 1_000_000);
        assert!(json["runs"][1]["events"].is_null() && json["detach_ns"].is_null());
    }

    #[test]
    fn markdown_is_a_table_and_what_is_to_be_said() {
        let markdown = text(write_markdown, &[(2_000, 3_000); 5]);
        assert!(markdown.contains("| wall | 2.00 s | 3.00 s | +50.0 % | +50.0 % to +50.0 % |"), "{markdown}");
        assert!(
            markdown.contains("`make a|b`: 5 pairs of runs, with and without capturing 1,568 tracepoints on CPUs 0-1")
        );
        assert!(markdown.contains("- **events**: 1,000,000 a run"), "{markdown}");
        let noisy =
            text(write_markdown, &[(2_000, 3_000), (4_000, 2_000), (3_000, 3_500), (2_000, 2_500), (3_000, 2_000)]);
        assert!(
            noisy.contains("wall and CPU and all CPUs: zero is in it, and the machine was too noisy to tell"),
            "{noisy}"
        );
        let same =
            text(write_markdown, &[(2_000, 2_001), (4_000, 3_999), (3_000, 3_000), (3_000, 3_002), (2_000, 1_999)]);
        assert!(same.contains("no cost can be told from noise"), "{same}");
        assert!(text(write_markdown, &[(2_000, 3_000)]).contains("it takes at least 5 pairs"));
    }
}
