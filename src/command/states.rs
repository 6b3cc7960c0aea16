//! `tp-perf states`: the contents of a library.

use super::context::Context;
use crate::cli::{EvaluationFormat, StatesAct, StatesArgs, StatesRequest};
use crate::state::{self, Evaluation, Known, Usable};
use crate::terminal::{messages, print_evaluation, print_removed, print_state, print_states, print_suggestion};

/// Lists states, evaluates them, shows one, or removes sessions.
pub fn run(args: StatesArgs, context: &mut Context) -> anyhow::Result<u8> {
    let StatesRequest { act, library } = args.request()?;
    let (mut out, width) = (Vec::new(), context.out.width());
    let left_out = match act {
        StatesAct::List => {
            let Usable { usable, left_out } = library.states()?;
            print_states(&usable, library.path(), width, &mut out)?;
            left_out
        }
        StatesAct::Evaluate(alpha, format) => {
            let Usable { usable, left_out } = library.states()?;
            let path = library.path().display().to_string();
            let evaluation = Evaluation::of(&Known::of(usable, None)?, alpha);
            match format {
                EvaluationFormat::Text => print_evaluation(&evaluation, &path, width, &mut out)?,
                EvaluationFormat::Json => state::write_evaluation_json(&evaluation, &path, &mut out)?,
            }
            left_out
        }
        StatesAct::Suggest(alpha, format) => {
            let Usable { usable, left_out } = library.states()?;
            let suggestion = state::suggest(&Known::of(usable, None)?, alpha)?;
            match format {
                EvaluationFormat::Text => print_suggestion(&suggestion, width, &mut out)?,
                EvaluationFormat::Json => {
                    state::write_suggestion_json(&suggestion, &library.path().display().to_string(), &mut out)?
                }
            }
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
