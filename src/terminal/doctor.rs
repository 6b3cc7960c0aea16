//! The doctor's diagnoses, for people.

use super::layout::Screen;
use super::width::Width;
use crate::doctor::{Diagnosis, Health};
use crate::text::OneLine;
use anstyle::AnsiColor;
use std::io::{self, Write};

/// Advice for newcomers on a machine that allows no capture.
const WITHOUT_CAPTURE: &str = "`tp-perf replay --example` shows what a capture looks like.";

/// Columns before a finding.
const INDENT: usize = 23;

/// Prints each diagnosis with its fix below it, and whether a capture works. Lines have `width` columns.
pub fn print_diagnoses(diagnoses: &[Diagnosis], width: impl Into<Width>, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let style = |color: AnsiColor| color.on_default().bold();
    for Diagnosis { name, finding, health } in diagnoses {
        let (style, word, fix) = match health {
            Health::Ok => (style(AnsiColor::Green), "ok", None),
            Health::Warn(fix) => (style(AnsiColor::Yellow), "warn", Some(fix)),
            Health::Fail(fix) => (style(AnsiColor::Red), "fail", Some(fix)),
        };
        let first = format!("{style}{word:<4}{style:#}  {name:<15}  ");
        screen.hanging(&first, &" ".repeat(INDENT), OneLine(finding))?;
        if let Some(fix) = fix {
            screen.hanging("      → ", "        ", OneLine(fix))?;
        }
    }
    screen.blank()?;
    let failed = diagnoses.iter().filter(|diagnosis| diagnosis.is_fail()).count();
    if failed == 0 {
        return screen.prose("A capture works here: `sudo tp-perf --events 100000`");
    }
    let problems = if failed == 1 { "problem".to_owned() } else { format!("{failed} problems") };
    screen.prose(format_args!("A capture does not work here yet: fix the {problems} above."))?;
    screen.prose(WITHOUT_CAPTURE)
}
