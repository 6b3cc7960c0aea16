//! The states of a source in a report on the terminal.

use crate::report::{SourceReport, states};
use crate::units::OneLine;
use anstyle::Style;
use std::io::{self, Write};

/// Prints the states that a source was in over time, if they were identified: a line for each stretch.
pub fn print_stretches(source: &SourceReport, out: &mut dyn Write) -> io::Result<()> {
    let Some(identification) = &source.states else { return Ok(()) };
    let bold = Style::new().bold();
    let rows = states::rows(identification);
    for (number, row) in rows.iter().enumerate() {
        let label = if number == 0 { "states" } else { "" };
        let until =
            if number + 1 < rows.len() { format!("until {}", row.to) } else { format!("to the end, {}", row.to) };
        let state = OneLine(&row.state).to_string();
        writeln!(out, "{label:<12}{bold}{state}{bold:#} from {} {until}", row.from)?;
    }
    Ok(())
}
