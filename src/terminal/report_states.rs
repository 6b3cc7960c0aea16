//! The states of a source in a report on the terminal.

use super::layout::Screen;
use crate::report::{SourceReport, states};
use crate::text::OneLine;
use anstyle::Style;
use std::io;

/// Prints the states that a source was in over time, if they were identified: a line for each stretch.
pub(super) fn print_stretches(source: &SourceReport, screen: &mut Screen<'_>) -> io::Result<()> {
    let Some(identification) = &source.states else { return Ok(()) };
    let bold = Style::new().bold();
    let rows = states::rows(identification);
    for (number, row) in rows.iter().enumerate() {
        let label = if number == 0 { "states" } else { "" };
        let until = if number + 1 < rows.len() { "until" } else { "to the end," };
        let state = OneLine(&row.state);
        screen.fact(label, format_args!("{bold}{state}{bold:#} from {} {until} {}", row.from, row.to))?;
    }
    Ok(())
}
