//! `tp-perf learn`: adds sessions to a state.

use super::context::Context;
use super::observe::Observed;
use crate::cli::{LearnArgs, LearnRequest};
use crate::state::{self, ALPHA, Evaluation, Known, repeated};
use crate::terminal::{messages, print_learned, print_quality};

/// Reads sources or watches this machine, and adds the sessions to the state.
pub fn run(args: LearnArgs, context: &mut Context) -> anyhow::Result<u8> {
    let LearnRequest { state: name, observation, length, library, manner } = args.request()?;
    messages::say_left_out(&library.may_add(&name)?);
    let observed = match Observed::of(&observation, length, &manner, context)? {
        Ok(observed) => observed,
        Err(code) => return Ok(code),
    };
    let learned =
        state::learn(&name, &observed.sessions, length, &library).map_err(anyhow::Error::new).and_then(|paths| {
            if manner.quiet {
                return Ok(0);
            }
            let mut out = Vec::new();
            // The sessions are in the library. If it cannot be read now, only the number of sessions is missing.
            let now = library.usable_state(&name).ok().map(|read| read.usable);
            print_learned(&name, &paths, &observed.sessions, now.as_ref(), context.out.width(), &mut out)?;
            // Sessions of another kernel or selection may have too little in common. `identify` then reports that.
            let all = library.states().ok().and_then(|read| Known::of(read.usable, None).ok());
            if let (Some(now), Some(known)) = (&now, all)
                && let Some(quality) = Evaluation::of_state(&known, &name, ALPHA)
            {
                let files: Vec<_> = paths.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
                let mut repeated = repeated(&known);
                repeated.retain(|of| of.is_of(&name, &files));
                print_quality(&quality, &repeated, &observed.sessions, now, context.out.width(), &mut out)?;
            }
            context.out.print(&out)?;
            Ok(0)
        });
    observed.end(learned, context)
}
