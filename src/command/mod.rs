//! From a request to an exit code: what the user sees of each command.

mod doctor;
mod list;
mod states;
mod watch;

use crate::capture::{self, StopRules, Written};
use crate::cli::{
    CaptureRequest, Cli, OverheadFormat, OverheadRequest, ReplayRequest, ReportFormat, ReportRequest, Request,
};
use crate::command::doctor::doctor;
use crate::command::list::list;
use crate::control::{Progress, Running, Signals};
use crate::drain::Results;
use crate::drain::replay::{self, Output};
use crate::engine::{self, Detaching, Live};
use crate::overhead::{self, Outcome};
use crate::page::Files;
use crate::recording::{self, FILES, RecordingDir};
use crate::report::{self, Report, formats};
use crate::state;
use crate::terminal::{TerminalProgress, print_overhead, print_report, print_summary};
use crate::tracefs;
use crate::units::{Count, Visible, nanoseconds};
use anyhow::Context;
use clap::CommandFactory;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Does what is asked for, and gives the exit code.
pub fn run(request: Request) -> anyhow::Result<u8> {
    let mut out = Vec::new();
    let code = match request {
        Request::Capture(request) => return capture(*request),
        Request::Replay(request) => return replay(*request),
        Request::Report(request) => return report(*request),
        Request::Overhead(request) => return overhead(*request),
        Request::Learn(request) => return states::learn(*request),
        Request::States(request) => states::states(&request, &mut out)?,
        Request::Identify(request) => return states::identify(*request),
        Request::Check(request) => return states::check(*request),
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

    let mut running = None;
    let result = capture::capture(&Live, &options, &mut running, &mut signals, &mut progress);
    progress.phase_ends();
    let capture::Outcome { mut written, directory, mut detaching } = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            let Some(running) = running else {
                return Err(with_advice(error));
            };
            // COMMAND was promised a wait, and deserves it now too; but nobody should wait to hear of the failure.
            let _ = writeln!(anstream::stderr(), "tp-perf: {}", Visible(&error));
            let _ = wait_for_command(running, &mut signals, &mut progress);
            return Ok(1);
        }
    };
    let files = (directory.path(), &FILES[..]);
    // What cannot be printed is no reason to leave anything below undone.
    let printed = match (quiet, &options.command) {
        (true, _) => Ok(()),
        // COMMAND may have a use for stdout.
        (_, Some(_)) => print_summary(&written.summary, Some(files), &mut anstream::stderr().lock()),
        (_, None) => print_summary(&written.summary, Some(files), &mut anstream::stdout().lock()),
    };

    let as_written = written.summary.clone();
    if let Some(running) = running
        && written.summary.command_exit.is_none()
    {
        written.summary.command_exit = wait_for_command(running, &mut signals, &mut progress)?;
    }
    if let Some(took) = let_go(&mut detaching, wait_detach, &mut signals, &mut progress)? {
        written.summary.timing_ns.detach = Some(nanoseconds(took));
    }
    if written.summary != as_written
        && let Err(error) = rewrite(&mut written, &directory)
    {
        progress.note(&format!("{error}; summary.json stays without what came after the capture"));
    }
    let command_code = match (&options.command, written.summary.command_exit) {
        (None, _) => 0,
        (Some(_), Some(code)) => u8::try_from(code).unwrap_or(1),
        // Nobody waited for it.
        (Some(_), None) => 130,
    };
    match (written.problem, printed) {
        (Some(problem), _) => Err(problem.into()),
        (None, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            let recording = directory.path().display().to_string();
            Err(anyhow::Error::new(error)
                .context(format!("failed to print the summary; the recording `{recording}` is whole")))
        }
        _ => Ok(command_code),
    }
}

/// Waits for the detach, if that is asked for, and gives how long it took; or says that it goes on.
fn let_go(
    detaching: &mut Detaching,
    wait: bool,
    signals: &mut Signals,
    progress: &mut TerminalProgress,
) -> anyhow::Result<Option<Duration>> {
    let tracepoints = detaching.tracepoints();
    let mut took = None;
    if wait {
        let step = &mut |done| progress.detaching(done, tracepoints);
        took = capture::wait_for_detach(detaching, signals, step).context("failed to wait for the detach")?;
        progress.phase_ends();
    }
    if let Some(pid) = detaching.pid() {
        let (count, seconds) = (Count(tracepoints as u64, "tracepoint"), detaching.expected().as_secs().max(1));
        progress.note(&format!("detaching {count} in the background: about {seconds} s (pid {pid})"));
    }
    Ok(took)
}

/// Brings the summary up to date, and in `events.perf` what it is made of.
fn rewrite(written: &mut Written, directory: &RecordingDir) -> Result<(), recording::Error> {
    let Written { summary, ending, problem } = written;
    ending.command_exit = summary.command_exit;
    ending.detach_ns = summary.timing_ns.detach;
    if problem.is_none() {
        directory.append_to_events(&capture::note(ending))?;
    }
    summary.write(directory.file(recording::SUMMARY)?)?;
    directory.commit()
}

/// What a newcomer can do where nothing can be traced.
const WITHOUT_TRACING: &str = "`tp-perf doctor` tells all that a capture needs; without any of it, `tp-perf replay --example` \
                               shows on a recording that is built in what tp-perf does";

/// The error, with what a newcomer can do where nothing can be traced.
fn with_advice(error: capture::Error) -> anyhow::Error {
    match cannot_trace(&error) {
        true => anyhow::anyhow!("{error}\ntp-perf: {WITHOUT_TRACING}"),
        false => error.into(),
    }
}

/// Whether a capture failed because this machine, or this user's rights on it, allow none.
fn cannot_trace(error: &capture::Error) -> bool {
    matches!(
        error,
        capture::Error::Tracefs(
            tracefs::Error::Read { .. } | tracefs::Error::Mount { .. } | tracefs::Error::NoTracepoints(_)
        ) | capture::Error::Perf(
            engine::Error::NotPermitted | engine::Error::AllRefused { .. } | engine::Error::Leader { .. }
        )
    )
}

fn replay(request: ReplayRequest) -> anyhow::Result<u8> {
    let ReplayRequest { options, quiet } = request;
    let mut signals = Signals::install().context("failed to take over signals")?;
    end_at_second_signal().context("failed to take over signals")?;
    let mut progress = TerminalProgress::of_replay(quiet);
    let result = replay::replay(&options, &mut signals, &mut progress);
    progress.phase_ends();
    let Results { summary, problem, .. } = match result {
        Err(replay::Error::Recording(error)) if error.is_closed_pipe() => return Ok(0),
        Err(replay::Error::Interrupted) => return Ok(stopped(&mut signals)),
        result => result?,
    };
    let files = [recording::LOG, recording::TRACEPOINTS, recording::GROUPS, recording::SUMMARY];
    let written = match &options.output {
        Output::Directory(path) => Some((path.as_path(), &files[..])),
        _ => None,
    };
    let printed = match (quiet, &options.output) {
        (true, _) => Ok(()),
        (_, Output::Stdout) => print_summary(&summary, written, &mut anstream::stderr().lock()),
        _ => print_summary(&summary, written, &mut anstream::stdout().lock()),
    };
    if let Some(problem) = problem {
        let place = options.place.to_string();
        return if problem.is_closed_pipe() { Ok(0) } else { Err(anyhow::Error::new(problem).context(place)) };
    }
    printed.context("failed to print the summary")?;
    Ok(stopped(&mut signals))
}

fn report(request: ReportRequest) -> anyhow::Result<u8> {
    let ReportRequest { mut options, files, format, top, quiet, library } = request;
    if let Some(library) = library {
        options.identifier =
            Some(report::Identifier { known: state::Known::of(library.states()?, None)?, alpha: state::ALPHA });
    }
    let mut signals = Signals::install().context("failed to take over signals")?;
    end_at_second_signal().context("failed to take over signals")?;
    let mut progress = TerminalProgress::of_replay(quiet);
    let labels = report::labels(&options.places);
    // What cannot be written is found out before minutes of reading.
    let to_write = Files::new(&files, &options.places, &labels)?;
    let read = report::read(&options, labels, &mut signals, &mut progress);
    progress.phase_ends();
    let mut report = match read {
        Err(replay::Error::Interrupted) => return Ok(stopped(&mut signals)),
        read => read?,
    };
    match report.stopped {
        true => drop(to_write),
        false => report.stopped = !to_write.write(&report, &mut || signals.asked() > 0)?,
    }
    if report.stopped && files.is_any() {
        progress.note("stopped: no page and no plots are written");
    }
    let has_files = files.is_any();
    let page_on_stdout = files.html.as_deref().is_some_and(|path| path.as_os_str() == "-");
    if !quiet && !page_on_stdout {
        let mut out = Vec::new();
        match format {
            ReportFormat::Text => print_report(&report, top, terminal_width(), &mut out),
            ReportFormat::Json => formats::write_json(&report, top, &mut out),
            ReportFormat::Csv => formats::write_csv(&report, top, &mut out),
            ReportFormat::Markdown => formats::write_markdown(&report, top, &mut out),
        }
        .context("failed to encode the report")?;
        print(format == ReportFormat::Text, out).with_context(|| match has_files && !report.stopped {
            true => "failed to print the report; its files are written",
            false => "failed to print the report",
        })?;
    }
    let Report { sources, stopped: is_stopped, .. } = report;
    let problems: Vec<_> = sources
        .into_iter()
        .filter_map(|source| source.problem.map(|problem| format!("{}: {problem:#}", source.place)))
        .collect();
    match (problems.as_slice(), is_stopped) {
        ([], _) => Ok(stopped(&mut signals)),
        (problems, true) => {
            progress.note(&problems.join("\ntp-perf: "));
            Ok(stopped(&mut signals))
        }
        (problems, false) => Err(anyhow::anyhow!("{}", problems.join("\ntp-perf: "))),
    }
}

fn overhead(request: OverheadRequest) -> anyhow::Result<u8> {
    let OverheadRequest { options, format, wait_detach, quiet, notes } = request;
    let mut signals = Signals::install().context("failed to take over signals")?;
    let mut progress = TerminalProgress::new(StopRules::default(), quiet);
    notes.iter().for_each(|note| progress.note(note));

    let mut running = None;
    let outcome = overhead::measure(&options, &mut running, &mut signals, &mut progress);
    progress.phase_ends();
    let Outcome { result, mut detaching } = outcome.map_err(|error| match error {
        overhead::Error::Capture(error) => with_advice(error),
        error => error.into(),
    })?;
    if let Err(error) = &result {
        // At once: what is still running may need long to end. Where stderr cannot be written there is nobody left to tell.
        if let overhead::Error::Failed { output, .. } = error {
            let _ = io::stderr().write_all(output);
        }
        let _ = writeln!(anstream::stderr(), "tp-perf: {error}");
    }
    if let Some(mut running) = running
        && running.exit_code().context("failed to wait for COMMAND")?.is_none()
    {
        // Nobody wants what it does any more. Ctrl-C it has got from the terminal itself.
        // A SIGTERM is passed on below.
        if signals.asked() == 0 {
            running.terminate();
        }
        wait_for_command(running, &mut signals, &mut progress)?;
    }
    // What comes later stops the waiting only.
    let code = match &result {
        Ok(_) => stopped(&mut signals),
        Err(overhead::Error::Failed { is_command: true, code, .. }) => u8::try_from(*code).unwrap_or(1),
        Err(_) => 1,
    };
    let detach = let_go(&mut detaching, wait_detach, &mut signals, &mut progress)?;
    let Ok(mut measured) = result else { return Ok(code) };
    measured.detach = detach;
    let mut out = Vec::new();
    match format {
        OverheadFormat::Text => print_overhead(&measured, terminal_width(), &mut out),
        OverheadFormat::Json => overhead::write_json(&measured, &mut out),
        OverheadFormat::Markdown => overhead::write_markdown(&measured, &mut out),
    }
    .context("failed to encode the measurement")?;
    print(format == OverheadFormat::Text, out).context("failed to print the measurement")?;
    Ok(code)
}

/// Prints results. What is for programs goes out as it is, but for a terminal, which obeys no name.
fn print(is_for_people: bool, out: Vec<u8>) -> io::Result<()> {
    if is_for_people {
        let mut stdout = anstream::stdout().lock();
        return stdout.write_all(&out).and_then(|()| stdout.flush());
    }
    let mut stdout = io::stdout().lock();
    let out = match stdout.is_terminal() {
        true => Visible(String::from_utf8_lossy(&out)).to_string().into_bytes(),
        false => out,
    };
    stdout.write_all(&out).and_then(|()| stdout.flush())
}

/// Columns of the terminal on stdout; 80 where there is none.
fn terminal_width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(80, |(terminal_size::Width(width), _)| usize::from(width))
}

/// The exit code of a replay that came to its end, or that a signal stopped.
fn stopped(signals: &mut Signals) -> u8 {
    match (signals.asked(), signals.interrupts()) {
        (0, _) => 0,
        (_, 0) => 128 + SIGTERM as u8,
        _ => 128 + SIGINT as u8,
    }
}

/// One Ctrl-C or SIGTERM ends a replay with what there is. Whatever it hangs in, a second one ends it.
fn end_at_second_signal() -> io::Result<()> {
    let first = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&first))?;
        flag::register(signal, Arc::clone(&first))?;
    }
    Ok(())
}

/// Waits for a COMMAND that outlives the capture, and gives its exit code. SIGTERM is passed on to it; Ctrl-C, which it
/// gets from the terminal itself, ends the waiting, and then there is no code.
fn wait_for_command(
    mut command: Running,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> anyhow::Result<Option<i32>> {
    let interrupts_before = signals.interrupts();
    let mut terminates_passed_on = 0;
    let mut told = false;
    loop {
        // First the signals, then COMMAND: one that ends in between is seen now, one that ends later wakes us.
        signals.check();
        if let Some(code) = command.exit_code().context("failed to wait for COMMAND")? {
            return Ok(Some(code));
        }
        if signals.terminates() > terminates_passed_on {
            terminates_passed_on = signals.terminates();
            command.terminate();
        }
        if signals.interrupts() > interrupts_before {
            progress.note(&format!("COMMAND goes on without tp-perf (pid {})", command.pid()));
            return Ok(None);
        }
        if !told {
            progress.note("waiting for COMMAND to end (Ctrl-C stops waiting)");
            told = true;
        }
        signals.wait()?;
    }
}
