//! The tracepoints that suffice for a library, for people.

use super::layout::{Screen, TextColumn, TextTable};
use super::width::Width;
use crate::state::{Quality, Suggestion, Told};
use crate::text::OneLine;
use crate::units::{Plural, Share};
use anstyle::Style;
use std::io::{self, Write};

const BOLD: Style = Style::new().bold();

/// Prints a suggestion on lines of `width` columns.
pub fn print_suggestion(suggestion: &Suggestion, width: impl Into<Width>, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let Suggestion { tracepoints, of, share, these, all, suffice } = suggestion;
    if !suffice {
        return screen.prose(format_args!(
            "No small set of the {} is about as good as all of them. Watch all.",
            Plural(*of as u64, "tracepoint")
        ));
    }
    screen.prose(format_args!(
        "{BOLD}{} of {of} that were hit suffice{BOLD:#} to tell the states apart. They have {} of the events.",
        Plural(tracepoints.len() as u64, "tracepoint"),
        Share(*share)
    ))?;
    screen.blank()?;
    for name in tracepoints {
        screen.hanging("  ", "    ", OneLine(name))?;
    }
    screen.blank()?;
    let number = TextColumn::RIGHT;
    let mut table = TextTable::new([TextColumn::LEFT, number, number]);
    let these_head = format!("these {}", tracepoints.len());
    table.head(["each session left out", &these_head, &format!("all {of}")]);
    let mut row = |what: &str, number: fn(&Told) -> usize, told: fn(&Quality) -> &Told| {
        let cells = [these, all].map(|quality| {
            let told = told(quality);
            format!("{} of {}", number(told), told.of).into()
        });
        let [these, all] = cells;
        table.row(Style::new(), [what.into(), these, all]);
    };
    row("right, or in a set", |told| told.right + told.in_set, |quality| &quality.known);
    row("unknown", |told| told.unknown, |quality| &quality.known);
    row("wrong", Told::wrong_number, |quality| &quality.known);
    row("five windows: right, or in a set", |told| told.right + told.in_set, |quality| &quality.known_blocks);
    row("five windows: wrong", Told::wrong_number, |quality| &quality.known_blocks);
    row("never learned: unknown", |told| told.unknown, |quality| &quality.never_learned);
    screen.table(&table)?;
    screen.blank()?;
    screen.prose(
        "`tp-perf identify --few-tracepoints` and `tp-perf check --few-tracepoints` watch only these. Changes in \
         other tracepoints are not noticed, and no reason names them.",
    )
}
