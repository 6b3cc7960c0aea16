//! The states of a source as CSV: one row for each window and state.

use crate::state::Identification;
use crate::text::{CsvCell, of_csv_error};
use std::io::{self, Write};

/// Writes the header. Several sources have one.
pub fn write_csv_header(out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
        "window",
        "begin_ns",
        "ns",
        "events",
        "lost",
        "stretch",
        "state",
        "distance",
        "p",
        "p_sessions",
        "intensity",
        "possible",
        "source",
    ])
    .map_err(of_csv_error)?;
    csv.flush()
}

/// Writes the rows of a source.
pub fn write_csv(identification: &Identification, source: &str, out: &mut dyn Write) -> io::Result<()> {
    let Identification { begins, windows, answers, stretches, states, .. } = identification;
    let mut csv = csv::Writer::from_writer(out);
    let source = CsvCell(source).to_string();
    for (index, (seen, answer)) in windows.iter().zip(answers).enumerate() {
        let stretch = stretches.partition_point(|stretch| stretch.to <= index);
        for (state, opinion) in answer.opinions.iter().enumerate() {
            let Some(opinion) = opinion else { continue };
            csv.write_record([
                index.to_string(),
                begins[index].to_string(),
                seen.ns.to_string(),
                seen.composition.events().to_string(),
                seen.lost.to_string(),
                stretch.to_string(),
                CsvCell(&states.states[state].name).to_string(),
                format!("{:.6}", opinion.distance),
                opinion.p.map_or_else(String::new, |p| format!("{p:.6}")),
                opinion.p_sessions.map_or_else(String::new, |p| format!("{p:.6}")),
                format!("{:.4}", opinion.intensity),
                answer.states.contains(&state).to_string(),
                source.clone(),
            ])
            .map_err(of_csv_error)?;
        }
    }
    csv.flush()
}
