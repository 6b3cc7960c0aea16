//! `tp-perf identify`: identifies the states that a source or this machine is in.

use super::context::Context;
use super::observe::{Observed, may_compare, unless_closed};
use super::stop::compare;
use crate::cli::{IdentifyArgs, IdentifyFormat, IdentifyRequest};
use crate::memory::{Held, HeldBytes, MemoryOf};
use crate::observation::Observation;
use crate::os::thread::Work;
use crate::source::Place;
use crate::state::{self, Identification, Known, Session, Usable};
use crate::terminal::{Extent, messages, print_identification};
use anyhow::Context as _;

/// The exit code for an unknown stretch, with --fail-unknown.
const UNKNOWN: u8 = 3;

/// Observes a source or this machine, and prints the states that it was in.
pub fn run(args: IdentifyArgs, context: &mut Context) -> anyhow::Result<u8> {
    let IdentifyRequest { observation, length: asked, library, alpha, fail_unknown, format, verbose, manner } =
        args.request()?;
    let extent = if verbose { Extent::Full } else { Extent::Brief };
    library.has_states()?;
    // tp-perf reads the library while it reads a source. A capture begins only after the library is read, because the library
    // decides whether a comparison is possible, and how long the windows are.
    let read = move || -> Result<_, state::Error> {
        let Usable { usable, left_out } = library.states()?;
        Ok((Known::of(usable, asked)?, left_out))
    };
    let mut reading = Work::begin(read);
    let mut length = asked;
    if let Observation::Machine(_) = observation {
        let (known, left_out) = reading.result()?;
        may_compare(&observation, &known)?;
        length = Some(known.length());
        reading = Work::done(Ok((known, left_out)));
    }
    let mut observed = match Observed::of(&observation, length, &manner, context)? {
        Ok(observed) => observed,
        Err(code) => return Ok(code),
    };
    let (known, left_out) = compare(|| reading.result())?;
    messages::say_left_out(&left_out);
    // The first reading counts windows of a second. A few libraries have other windows, which take a second reading.
    if let (Observation::Source { places, part }, None) = (&observation, asked)
        && known.length().of(observed.only().1.window).is_none()
        && places.iter().all(|place| matches!(place, Place::Path(_)))
        && let Err(code) = observed.read(places, part, Some(known.length()), context)?
    {
        return Ok(code);
    }
    let printed = print(observed.only(), known, alpha, format, extent, context);
    let code = printed.map(|is_unknown| if is_unknown && fail_unknown { UNKNOWN } else { 0 });
    observed.end(code, context)
}

/// Prints the answer. Returns whether a stretch is unknown, or could not be judged.
fn print(
    (place, session): &(String, Session),
    known: Known,
    alpha: f64,
    format: IdentifyFormat,
    extent: Extent,
    context: &mut Context,
) -> anyhow::Result<bool> {
    let identification = compare(|| Identification::of(session, known, alpha)).with_context(|| place.clone())?;
    // What a state's opinion on a window takes before it is text.
    const OF_FORM: u64 = 128;
    let rows = identification.windows.len() as u64 * (1 + identification.states.states.len() as u64);
    let bytes = if matches!(format, IdentifyFormat::Text) { 0 } else { rows.saturating_mul(OF_FORM) };
    let _held = Held::take(MemoryOf::Rows, bytes).map_err(state::Error::from)?;
    let mut out = HeldBytes::nothing(MemoryOf::Rows);
    match format {
        IdentifyFormat::Text => print_identification(&identification, place, extent, context.out.width(), &mut out),
        IdentifyFormat::Json => state::write_json(&identification, place, &mut out),
        IdentifyFormat::Csv => state::write_csv(&identification, &mut out),
    }
    .context("failed to encode the states")?;
    unless_closed(match format {
        IdentifyFormat::Text => context.out.print(out.as_slice()),
        _ => context.out.print_data(out.as_slice()),
    })?;
    Ok(identification.stretches.iter().any(|stretch| stretch.state().is_none()))
}
