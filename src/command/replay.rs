//! `tp-perf replay`: reproduces the results of a source.

use super::context::Context;
use super::stop::{end_at_second_signal, stopped};
use crate::cli::{ReplayArgs, ReplayRequest};
use crate::control::Progress;
use crate::drain::Results;
use crate::drain::replay::{self, ReplayOutput};
use crate::recording;
use crate::terminal::{SummaryOf, TerminalProgress, print_on_stderr, print_summary, width_of_stderr};
use anyhow::Context as _;

/// Replays a source, and prints its summary.
pub fn run(args: ReplayArgs, context: &mut Context) -> anyhow::Result<u8> {
    let ReplayRequest { options, manner } = args.request()?;
    context.begin(TerminalProgress::of_replay(manner.quiet), &manner)?;
    end_at_second_signal()?;
    let result = replay::replay(&options, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    let Results { summary, problem, .. } = match result {
        Err(replay::Error::Recording(error)) if error.is_closed_pipe() => return Ok(0),
        Err(replay::Error::Interrupted) => return Ok(stopped(context)),
        result => result?,
    };
    let files = [recording::LOG, recording::TRACEPOINTS, recording::GROUPS, recording::SUMMARY];
    let written = match &options.output {
        ReplayOutput::Directory(path) => Some((path.as_path(), &files[..])),
        _ => None,
    };
    let printed = match manner.quiet {
        true => Ok(()),
        false => {
            let mut text = Vec::new();
            let is_on_stderr = matches!(options.output, ReplayOutput::Stdout);
            let width = if is_on_stderr { width_of_stderr() } else { context.out.width() };
            print_summary(&summary, SummaryOf::Source, written, width, &mut text).and_then(|()| match is_on_stderr {
                true => print_on_stderr(&text),
                false => context.out.print(&text),
            })
        }
    };
    if let Some(problem) = problem {
        let place = options.place.to_string();
        return if problem.is_closed_pipe() { Ok(0) } else { Err(anyhow::Error::new(problem).context(place)) };
    }
    printed.context("failed to print the summary")?;
    Ok(stopped(context))
}
