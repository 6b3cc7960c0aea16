//! What the doctor found, for people.

use crate::doctor::{Diagnosis, Health};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// What a newcomer can do where nothing can be traced.
const WITHOUT_CAPTURE: &str = "What it would show: `tp-perf replay --example`";

/// Prints a line for each diagnosis, the fix below it, and what follows from all.
pub fn print_diagnoses(diagnoses: &[Diagnosis], out: &mut dyn Write) -> io::Result<()> {
    let style = |color: AnsiColor| Style::new().bold().fg_color(Some(color.into()));
    for Diagnosis { name, finding, health } in diagnoses {
        let (style, word, fix) = match health {
            Health::Ok => (style(AnsiColor::Green), "ok", None),
            Health::Warn(fix) => (style(AnsiColor::Yellow), "warn", Some(fix)),
            Health::Fail(fix) => (style(AnsiColor::Red), "fail", Some(fix)),
        };
        writeln!(out, "{style}{word:<4}{style:#}  {name:<15}  {finding}")?;
        if let Some(fix) = fix {
            writeln!(out, "{:23}→ {fix}", "")?;
        }
    }
    let bad = diagnoses.iter().filter(|diagnosis| diagnosis.is_fail()).count();
    match bad {
        0 => writeln!(out, "\nA capture works here: `sudo tp-perf --events 100000`"),
        1 => writeln!(out, "\nA capture does not work here until this is fixed. {WITHOUT_CAPTURE}"),
        _ => writeln!(out, "\nA capture does not work here until these {bad} problems are fixed. {WITHOUT_CAPTURE}"),
    }
}
