//! `tp-perf record`, and tp-perf without a subcommand: records until something stops the capture, and prints the summary.

use super::context::Context;
use super::detach::finish_detach;
use super::wait::wait_for_command;
use crate::capture::{self, Written};
use crate::cli::{RecordArgs, RecordRequest};
use crate::control::Progress;
use crate::drain::Problem;
use crate::engine::{Kernel, Live};
use crate::recording::{self, FILES, RecordingDir};
use crate::terminal::{SummaryOf, TerminalProgress, messages, print_on_stderr, print_summary, width_of_stderr};
use crate::units::{Seconds, nanoseconds};
use anyhow::Context as _;
use std::io;

/// Captures this machine. With COMMAND, returns COMMAND's exit code.
pub fn run(args: RecordArgs, context: &mut Context) -> anyhow::Result<u8> {
    record(&Live, args, context)
}

/// Captures a kernel.
pub fn record(kernel: &impl Kernel, args: RecordArgs, context: &mut Context) -> anyhow::Result<u8> {
    let RecordRequest { options, manner } = args.request()?;
    if options.last.is_some() {
        context.signals.trigger_on_user().context("failed to take over signals")?;
    }
    context.begin(TerminalProgress::new(options.rules, manner.quiet), &manner)?;

    if let Some(last) = options.last {
        context.progress.note(&format!(
            "keeping the last {} in memory; `kill -USR2 {}` writes them without stopping",
            Seconds(last.time),
            std::process::id()
        ));
    }
    if options.command.is_none() && options.rules.events.is_none() && options.rules.duration.is_none() {
        context.progress.note("recording until Ctrl-C; `-d 10s` or `-n 100k` would set an end");
    }
    let mut running = None;
    let result = capture::capture(kernel, &options, &mut running, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    let capture::Recorded { mut written, directory, mut detaching } = match (result, running.take()) {
        (Ok(outcome), command) => {
            running = command;
            outcome
        }
        (Err(error), None) => return Err(error.into()),
        (Err(error), Some(command)) => {
            // tp-perf waits for COMMAND even after a failure, but the user should see the failure before that.
            messages::say_error(&error);
            let _ = wait_for_command(command, context);
            return Ok(1);
        }
    };
    // If printing fails, the rest of the work must still be done.
    let printed = match manner.quiet {
        true => Ok(()),
        false => {
            let mut text = Vec::new();
            let files = (directory.path(), &FILES[..]);
            // stdout belongs to COMMAND.
            let is_on_stderr = options.command.is_some();
            let width = if is_on_stderr { width_of_stderr() } else { context.out.width() };
            print_summary(&written.summary, SummaryOf::Capture, Some(files), width, &mut text).and_then(|()| {
                match is_on_stderr {
                    true => print_on_stderr(&text),
                    false => context.out.print(&text),
                }
            })
        }
    };

    let as_written = written.summary.clone();
    if let Some(running) = running
        && written.summary.command_exit.is_none()
    {
        written.summary.command_exit = wait_for_command(running, context)?;
    }
    if let Some(took) = finish_detach(&mut detaching, manner.wait_detach, context)? {
        written.summary.timing_ns.detach = Some(nanoseconds(took));
    }
    let mut lacks_facts = false;
    if written.summary != as_written
        && let Err(error) = rewrite(&mut written, &directory)
    {
        let sentence = messages::sentence(&error);
        messages::say(format!("{sentence}; summary.json lacks the facts that came after the capture"));
        lacks_facts = true;
    }
    let command_code = match (&options.command, written.summary.command_exit) {
        (None, _) => 0,
        (Some(_), Some(code)) => u8::try_from(code).unwrap_or(1),
        // The user stopped the waiting.
        (Some(_), None) => 130,
    };
    match (written.problem, printed) {
        (Some(problem), _) => Err(problem.into()),
        (None, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            let recording = directory.path().display().to_string();
            Err(anyhow::Error::new(error)
                .context(format!("failed to print the summary; the recording `{recording}` is whole")))
        }
        _ if lacks_facts && command_code == 0 => Ok(1),
        _ => Ok(command_code),
    }
}

/// Updates the summary, and the facts in `events.perf` from which a replay makes it.
fn rewrite(written: &mut Written, directory: &RecordingDir) -> Result<(), recording::Error> {
    let Written { summary, ending, problem } = written;
    ending.command_exit = summary.command_exit;
    ending.detach_ns = summary.timing_ns.detach;
    // Any other problem concerns the file.
    if matches!(problem, None | Some(Problem::Unwatched { .. })) {
        directory.append_to_events(&capture::note(ending))?;
    }
    summary.write(directory.file(recording::SUMMARY)?)?;
    directory.commit()
}
