//! `tp-perf identify`: which of the known states something is in.

use super::context::Context;
use super::observe::{Observed, unless_closed};
use crate::cli::{IdentifyArgs, IdentifyFormat, IdentifyRequest};
use crate::observation::Observation;
use crate::os::thread::Work;
use crate::source::Place;
use crate::state::{self, Identification, Known, Session};
use crate::terminal::print_identification;
use anyhow::Context as _;

/// Observes, and prints the states that it was in.
pub fn run(args: IdentifyArgs, context: &mut Context) -> anyhow::Result<u8> {
    let IdentifyRequest { observation, length: asked, library, alpha, format, manner } = args.request()?;
    library.has_states()?;
    // It is read while the source is; but before anything is captured it is known whether there is something to compare with, and
    // in windows of which length.
    let mut reading = Work::begin(move || Known::of(library.states()?, asked));
    let mut length = asked;
    if let Observation::Machine(_) = observation {
        let known = reading.result()?;
        length = Some(known.length());
        reading = Work::done(Ok(known));
    }
    let mut observed = match Observed::of(&observation, length, &manner, context)? {
        Ok(observed) => observed,
        Err(code) => return Ok(code),
    };
    let known = reading.result()?;
    // Few libraries have windows that no seconds can be made of; then what was counted by seconds is counted again.
    if let (Observation::Source { places, part }, None) = (&observation, asked)
        && known.length().of(observed.only().1.window).is_none()
        && places.iter().all(|place| matches!(place, Place::Path(_)))
        && let Err(code) = observed.read(places, part, Some(known.length()), context)?
    {
        return Ok(code);
    }
    let printed = print(observed.only(), known, alpha, format, context);
    observed.end(printed.map(|()| 0), context)
}

fn print(
    (place, session): &(String, Session),
    known: Known,
    alpha: f64,
    format: IdentifyFormat,
    context: &mut Context,
) -> anyhow::Result<()> {
    let identification = Identification::of(session, known, alpha).with_context(|| place.clone())?;
    let mut out = Vec::new();
    match format {
        IdentifyFormat::Text => print_identification(&identification, place, context.out.width(), &mut out),
        IdentifyFormat::Json => state::write_json(&identification, place, &mut out),
        IdentifyFormat::Csv => state::write_csv(&identification, &mut out),
    }
    .context("failed to encode the states")?;
    unless_closed(match format {
        IdentifyFormat::Text => context.out.print(&out),
        _ => context.out.print_data(&out),
    })
}
