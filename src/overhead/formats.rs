//! A measurement for programs, and for an issue or a wiki.

use super::words::{findings, percent, rows, what_was_run};
use super::{Comparison, Figures, Overhead};
use crate::units::Seconds;
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
    let command = overhead.command.join(" ").replace('`', "'");
    writeln!(out, "What capturing costs `{command}`: {}.\n", what_was_run(overhead, &figures))?;
    writeln!(out, "| | without | capturing | change | 95 % interval |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: |")?;
    for (name, comparison) in rows(&figures) {
        let Comparison { without, with, change, .. } = comparison;
        let interval = change
            .interval
            .map_or_else(|| "–".to_owned(), |(low, high)| format!("{} to {}", percent(low), percent(high)));
        let (without, with) = (Seconds(without.median), Seconds(with.median));
        writeln!(out, "| {name} | {without} | {with} | {} | {interval} |", percent(change.value))?;
    }
    writeln!(out)?;
    for (subject, sentence) in findings(overhead, &figures) {
        writeln!(out, "- **{subject}**: {sentence}")?;
    }
    Ok(())
}
