//! `tp-perf overhead`: the cost that each way of watching adds to COMMAND.

use super::context::Context;
use super::detach::finish_detaches;
use super::stop::stopped;
use super::wait::{terminate, wait_for_command};
use crate::capture::StopRules;
use crate::cli::{OverheadArgs, OverheadFormat, OverheadRequest};
use crate::control::Progress;
use crate::engine::Live;
use crate::overhead::{self, Measured};
use crate::terminal::{TerminalProgress, messages, print_overhead};
use anyhow::Context as _;

/// Measures, and prints the measurement. Returns COMMAND's exit code if COMMAND failed.
pub fn run(args: OverheadArgs, context: &mut Context) -> anyhow::Result<u8> {
    let OverheadRequest { options, format, manner } = args.request()?;
    context.begin(TerminalProgress::new(StopRules::default(), manner.quiet), &manner)?;

    let mut running = None;
    let outcome = overhead::measure(&Live, &options, &mut running, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    let Measured { result, mut detaching } = outcome?;
    if let Err(error) = &result {
        // The user should see the error at once: COMMAND may run for long.
        if let overhead::Error::Failed { output, .. } = error {
            messages::pass_on(output);
        }
        messages::say_error(error);
    }
    if let Some(mut running) = running
        && running.exit_code().context("failed to wait for COMMAND")?.is_none()
    {
        // Nobody needs COMMAND's work any more. COMMAND got Ctrl-C from the terminal itself, and SIGTERM is passed on below.
        if context.signals.asked() == 0 {
            terminate(&running, &mut context.progress);
        }
        wait_for_command(running, context)?;
    }
    // A later signal only stops the waiting.
    let code = match &result {
        Ok(_) => stopped(context),
        Err(overhead::Error::Failed { is_command: true, code, .. }) => u8::try_from(*code).unwrap_or(1),
        Err(_) => 1,
    };
    let detach = finish_detaches(&mut detaching, manner.wait_detach, context)?;
    let Ok(mut measured) = result else { return Ok(code) };
    measured.detach = detach.or(measured.detach);
    let mut out = Vec::new();
    match format {
        OverheadFormat::Text => print_overhead(&measured, context.out.width(), &mut out),
        OverheadFormat::Json => overhead::write_json(&measured, &mut out),
        OverheadFormat::Markdown => overhead::write_markdown(&measured, &mut out),
    }
    .context("failed to encode the measurement")?;
    match format {
        OverheadFormat::Text => context.out.print(&out),
        _ => context.out.print_data(&out),
    }
    .context("failed to print the measurement")?;
    Ok(code)
}
