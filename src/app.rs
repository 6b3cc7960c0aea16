//! From a request to an exit code: what the user sees of each command.

use crate::capture::{self, Outcome, Progress, Running, Signals};
use crate::cli::{CaptureRequest, Cli, Request};
use crate::doctor::doctor;
use crate::list::list;
use crate::recording;
use crate::terminal::{TerminalProgress, print_summary};
use crate::units::Count;
use anyhow::Context;
use clap::CommandFactory;
use std::io::{self, Write};
use std::time::Instant;

/// Does what is asked for, and gives the exit code.
pub fn run(request: Request) -> anyhow::Result<u8> {
    let mut out = Vec::new();
    let code = match request {
        Request::Capture(request) => return capture(*request),
        Request::List(request) => list(&request, &mut out).map(|()| 0)?,
        Request::Doctor(request) => u8::from(!doctor(&request, &mut out)?),
        Request::Completions(shell) => {
            clap_complete::generate(shell, &mut Cli::command(), "tp-perf", &mut out);
            0
        }
        Request::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut out)?;
            0
        }
    };
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(&out)?;
    stdout.flush()?;
    Ok(code)
}

fn capture(request: CaptureRequest) -> anyhow::Result<u8> {
    let CaptureRequest { options, wait_detach, quiet, notes } = request;
    let mut signals = Signals::install().context("failed to take over signals")?;
    let mut progress = TerminalProgress::new(options.rules, quiet);
    notes.iter().for_each(|note| progress.note(note));

    let result = capture::capture(&options, &mut signals, &mut progress);
    progress.phase_ends();
    let Outcome { mut written, directory, command, mut detaching } = result?;
    if !quiet {
        // COMMAND may have a use for stdout.
        let printed = match options.command {
            Some(_) => print_summary(&written.summary, directory.path(), &mut anstream::stderr().lock()),
            None => print_summary(&written.summary, directory.path(), &mut anstream::stdout().lock()),
        };
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }

    let mut command_code = written.summary.command_exit;
    if let Some(running) = command
        && command_code.is_none()
    {
        command_code = wait_for_command(running, &mut signals, &mut progress)?;
        written.summary.command_exit = command_code;
    }
    let tracepoints = detaching.tracepoints();
    if wait_detach {
        let begin = Instant::now();
        let step = &mut |done| progress.detaching(done, tracepoints);
        let done =
            capture::wait_for_detach(&mut detaching, &mut signals, step).context("failed to wait for the detach")?;
        progress.phase_ends();
        written.summary.timing_ns.detach = done.then(|| begin.elapsed().as_nanos() as u64);
    }
    if detaching.pid().is_some() {
        progress.note(&format!(
            "detaching {} in the background: about {} s (pid {})",
            Count(tracepoints as u64, "tracepoint"),
            detaching.expected().as_secs().max(1),
            detaching.pid().unwrap_or_default(),
        ));
    }
    if written.summary.timing_ns.detach.is_some() || written.summary.command_exit.is_some() {
        written.summary.write(directory.file(recording::SUMMARY)?)?;
    }
    match written.log_problem {
        Some(problem) => Err(anyhow::Error::new(problem).context(format!(
            "log.csv has only the first {} events; the other files are whole",
            written.summary.events.logged
        ))),
        None => Ok(command_code.map_or(0, |code| u8::try_from(code).unwrap_or(1))),
    }
}

/// Waits for a COMMAND that outlives the capture; `None` if the user would not.
fn wait_for_command(
    mut command: Running,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> anyhow::Result<Option<i32>> {
    let asked_before = signals.asked();
    let mut told = false;
    loop {
        if let Some(code) = command.exit_code().context("failed to wait for COMMAND")? {
            return Ok(Some(code));
        }
        if signals.terminates() > 0 {
            command.terminate();
        }
        if signals.asked() > asked_before {
            progress.note("COMMAND goes on without tp-perf");
            return Ok(None);
        }
        if !told {
            progress.note("waiting for COMMAND to end (Ctrl-C stops waiting)");
            told = true;
        }
        signals.wait()?;
    }
}
