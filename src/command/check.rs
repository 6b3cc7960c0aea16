//! `tp-perf check`: whether a source or this machine is as learned.

use super::context::Context;
use super::observe::{Observed, may_compare, unless_closed};
use super::stop::compare;
use crate::cli::{CheckArgs, CheckFormat, CheckRequest};
use crate::memory::{HeldBytes, MemoryOf};
use crate::state::{self, Check, Error, Known, Session};
use crate::terminal::print_check;
use anyhow::Context as _;

/// The exit code of a check that found a difference.
const ALARM: u8 = 3;

/// Checks a source or this machine, and prints the differences.
pub fn run(args: CheckArgs, context: &mut Context) -> anyhow::Result<u8> {
    let CheckRequest { observation, length, against, library, per_day, format, manner } = args.request()?;
    let states = against.iter().map(|name| library.state(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(state) = states.iter().find(|state| state.sessions.len() < 2) {
        let (state, sessions) = (state.name.clone(), state.sessions.len());
        return Err(Error::TooFewSessions { state, sessions, block: state::BLOCK }.into());
    }
    let known = Known::of(states, length)?;
    may_compare(&observation, &known)?;
    let observed = match Observed::of(&observation, Some(known.length()), &manner, context)? {
        Ok(observed) => observed,
        Err(code) => return Ok(code),
    };
    let code = print(observed.only(), known, per_day, format, manner.quiet, context);
    observed.end(code, context)
}

/// Prints the findings, and returns the exit code.
fn print(
    (place, session): &(String, Session),
    known: Known,
    per_day: f64,
    format: CheckFormat,
    quiet: bool,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let check = compare(|| Check::of(session, known, state::ALPHA, per_day)).with_context(|| place.clone())?;
    let mut out = HeldBytes::nothing(MemoryOf::Rows);
    match format {
        CheckFormat::Text => print_check(&check, place, context.out.width(), &mut out),
        CheckFormat::Json => state::write_check_json(&check, place, &mut out),
        CheckFormat::Junit => state::write_junit(&check, place, &mut out),
    }
    .context("failed to encode the check")?;
    match format {
        // A quiet check reports its result by the exit code only.
        CheckFormat::Text if quiet => {}
        CheckFormat::Text => unless_closed(context.out.print(out.as_slice()))?,
        _ => unless_closed(context.out.print_data(out.as_slice()))?,
    }
    Ok(if check.findings.is_empty() { 0 } else { ALARM })
}
