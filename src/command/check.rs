//! `tp-perf check`: whether a source or this machine is as learned.

use super::context::Context;
use super::observe::{Observed, may_compare, unless_closed};
use super::stop::compare;
use crate::cli::{CheckArgs, CheckFormat, CheckRequest};
use crate::memory::{HeldBytes, MemoryOf};
use crate::state::{self, Check, Error, Known, Learned, Length, Library, Names, Session};
use crate::terminal::{Extent, print_check};
use anyhow::Context as _;

/// The exit code of a check that found a difference.
const ALARM: u8 = 3;

/// Checks a source or this machine, and prints the differences.
pub fn run(args: CheckArgs, context: &mut Context) -> anyhow::Result<u8> {
    let CheckRequest { observation, length, against, library, per_day, format, verbose, manner } = args.request()?;
    let states = against.iter().map(|name| library.state(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(state) = states.iter().find(|state| state.sessions.len() < 2) {
        let (state, sessions) = (state.name.clone(), state.sessions.len());
        return Err(Error::TooFewSessions { state, sessions, block: state::BLOCK }.into());
    }
    let extent = if verbose { Extent::Full } else { Extent::Brief };
    let known = with_others(&library, &against, states, length)?;
    may_compare(&observation, &known)?;
    let observed = match Observed::of(&observation, Some(known.length()), &manner, context)? {
        Ok(observed) => observed,
        Err(code) => return Ok(code),
    };
    let code = print(observed.only(), known, &against, per_day, format, extent, manner.quiet, context);
    observed.end(code, context)
}

/// The states of a check, with all other states of the library: they show how much sessions differ, and what the source looks like.
/// Others with sessions that captured less are left out, because only tracepoints of all sessions are compared.
fn with_others(
    library: &Library,
    against: &[String],
    states: Vec<Learned>,
    length: Option<Length>,
) -> Result<Known, Error> {
    let others = library.states().map(|read| read.usable).unwrap_or_default();
    let names = Names::common(states.iter().flat_map(|state| &state.sessions).map(|(_, session)| session));
    let captured_all = |state: &Learned| state.sessions.iter().all(|(_, session)| names.are_captured_by(session));
    let others = others.into_iter().filter(|state| !against.contains(&state.name) && captured_all(state));
    let mut all: Vec<Learned> = states.iter().cloned().chain(others).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Known::of(all, length).or_else(|_| Known::of(states, length))
}

/// Prints the findings, and returns the exit code.
fn print(
    (place, session): &(String, Session),
    known: Known,
    against: &[String],
    per_day: f64,
    format: CheckFormat,
    extent: Extent,
    quiet: bool,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let check = compare(|| Check::of(session, known, against, state::ALPHA, per_day)).with_context(|| place.clone())?;
    let mut out = HeldBytes::nothing(MemoryOf::Rows);
    match format {
        CheckFormat::Text => print_check(&check, place, extent, context.out.width(), &mut out),
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
