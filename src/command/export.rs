//! `tp-perf export`: a source in the files of other tools.

use super::context::Context;
use super::stop::{end_at_second_signal, stopped};
use crate::cli::{ExportArgs, ExportRequest};
use crate::control::Progress;
use crate::drain::replay;
use crate::export::{self, Exported};
use crate::terminal::{TerminalProgress, exported, print_on_stderr, width_of_stderr};
use anyhow::Context as _;

/// Exports a source, and prints what was written.
pub fn run(args: ExportArgs, context: &mut Context) -> anyhow::Result<u8> {
    let ExportRequest { options, manner } = args.request()?;
    context.begin(TerminalProgress::of_replay(manner.quiet), &manner)?;
    end_at_second_signal()?;
    let result = export::export(&options, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    let done = match result {
        Err(error) if error.is_closed_pipe() => return Ok(0),
        Err(export::Error::Source(replay::Error::Interrupted)) => return Ok(stopped(context)),
        Err(error @ export::Error::Stopped(_)) => {
            context.progress.note(&error.to_string());
            return Ok(stopped(context));
        }
        done => done?,
    };
    if !manner.quiet {
        let is_on_stdout = options.output.as_os_str() == "-";
        let printed = match is_on_stdout {
            true => print_on_stderr(exported(&done, width_of_stderr()).as_bytes()),
            false => context.out.print(exported(&done, context.out.width()).as_bytes()),
        };
        printed.context("failed to print what was written")?;
    }
    let Exported { problem, .. } = done;
    match problem {
        Some(problem) => Err(anyhow::Error::new(problem).context(options.place.to_string())),
        None => Ok(0),
    }
}
