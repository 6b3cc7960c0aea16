//! `tp-perf states`: the contents of a library.

use super::context::Context;
use crate::cli::{StatesAct, StatesArgs, StatesRequest};
use crate::state::Usable;
use crate::terminal::{messages, print_removed, print_state, print_states};

/// Lists states, shows one, or removes sessions.
pub fn run(args: StatesArgs, context: &mut Context) -> anyhow::Result<u8> {
    let StatesRequest { act, library } = args.request()?;
    let (mut out, width) = (Vec::new(), context.out.width());
    let left_out = match act {
        StatesAct::List => {
            let Usable { usable, left_out } = library.states()?;
            print_states(&usable, library.path(), width, &mut out)?;
            left_out
        }
        StatesAct::Show(name) => {
            let Usable { usable, left_out } = library.usable_state(&name)?;
            print_state(&usable, width, &mut out)?;
            left_out
        }
        StatesAct::Remove(name, sessions) => {
            let removed = library.remove(&name, &sessions)?;
            print_removed(&name, removed, width, &mut out)?;
            Vec::new()
        }
    };
    context.out.print(&out)?;
    messages::say_left_out(&left_out);
    // The list lacks something that the library has.
    Ok(u8::from(!left_out.is_empty()))
}
