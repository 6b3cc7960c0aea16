//! `tp-perf states`: the contents of a library.

use super::context::Context;
use crate::cli::{StatesAct, StatesArgs, StatesRequest};
use crate::terminal::{print_removed, print_state, print_states};

/// Lists states, shows one, or removes sessions.
pub fn run(args: StatesArgs, context: &mut Context) -> anyhow::Result<u8> {
    let StatesRequest { act, library } = args.request()?;
    let (mut out, width) = (Vec::new(), context.out.width());
    match act {
        StatesAct::List => print_states(&library.states()?, library.path(), width, &mut out)?,
        StatesAct::Show(name) => print_state(&library.state(&name)?, width, &mut out)?,
        StatesAct::Remove(name, sessions) => {
            let removed = library.remove(&name, &sessions)?;
            print_removed(&name, removed, width, &mut out)?;
        }
    }
    context.out.print(&out)?;
    Ok(0)
}
