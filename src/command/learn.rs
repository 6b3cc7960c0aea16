//! `tp-perf learn`: adds what is observed to a state.

use super::context::Context;
use super::observe::Observed;
use crate::cli::{LearnArgs, LearnRequest};
use crate::state::{Error, Length, Library, Session};
use crate::terminal::print_learned;
use std::path::PathBuf;

/// Observes, and adds it to the state.
pub fn run(args: LearnArgs, context: &mut Context) -> anyhow::Result<u8> {
    let LearnRequest { state, observation, length, library, manner } = args.request()?;
    library.may_add(&state)?;
    let observed = match Observed::of(&observation, length, &manner, context)? {
        Ok(observed) => observed,
        Err(code) => return Ok(code),
    };
    let learned = keep(&observed.sessions, &state, length, &library).and_then(|paths| {
        if manner.quiet {
            return Ok(0);
        }
        let mut out = Vec::new();
        // What was learned is learned, whatever became of the library since.
        print_learned(&state, &paths, &observed.sessions, library.state(&state).ok().as_ref(), &mut out)?;
        context.out.print(&out)?;
        Ok(0)
    });
    observed.end(learned, context)
}

/// Adds sessions to a state, all or none of them, and gives their files.
fn keep(
    sessions: &[(String, Session)],
    state: &str,
    length: Option<Length>,
    library: &Library,
) -> anyhow::Result<Vec<PathBuf>> {
    for (place, session) in sessions {
        let window = session.window;
        if length.is_some_and(|length| length != window) {
            return Err(Error::Counted { place: place.clone(), window }.into());
        }
        if session.windows == 0 {
            return Err(anyhow::Error::new(Error::Short { length: window }).context(place.clone()));
        }
    }
    Ok(library.add(state, sessions)?)
}
