//! `tp-perf report`: the contents of sources, and their differences.

use super::context::Context;
use super::open::open_page;
use super::stop::{compare, end_at_second_signal, stopped};
use crate::cli::{ReportArgs, ReportFormat, ReportRequest, StatesFrom};
use crate::control::Progress;
use crate::drain::replay;
use crate::memory::{HeldBytes, MemoryOf};
use crate::page::{Files, WrittenFile};
use crate::report::{self, Report, formats};
use crate::source::{self, Place};
use crate::state::{self, LibraryError, Usable};
use crate::terminal::{TerminalProgress, messages, print_on_stderr, print_report};
use crate::terminal::{how_to_open, newest_recording, no_states, written_files};
use anyhow::Context as _;
use std::io;
use std::path::Path;

/// Reads the sources, writes the files that were asked for, and prints the report.
pub fn run(args: ReportArgs, context: &mut Context) -> anyhow::Result<u8> {
    let ReportRequest { mut options, files, open, format, top, manner, states } = args.request()?;
    context.begin(TerminalProgress::of_replay(manner.quiet), &manner)?;
    end_at_second_signal()?;
    if options.places.is_empty() {
        options.places = vec![newest(context)?];
    }
    options.identifier = states.map(|states| identifier(states, context)).transpose()?.flatten();
    let labels = report::labels(&options.places);
    // A file that cannot be written should fail before minutes of reading.
    let to_write = Files::new(&files, &options.places, &labels)?;
    let read = report::read(&options, labels, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    let mut report = match read {
        Err(replay::Error::Interrupted) => return Ok(stopped(context)),
        read => read?,
    };
    for source in report.sources.iter().filter(|source| source.processes.as_ref().is_some_and(|all| !all.is_known)) {
        context.progress.note(&format!(
            "{} does not have the processes of its events; record with `--with pid,comm`, or with `perf record`",
            source.place
        ));
    }
    let mut written = match report.stopped {
        true => None,
        false => to_write.write(&report, &mut || context.signals.asked() > 0)?,
    };
    report.stopped |= written.is_none();
    if report.stopped && files.is_any() {
        context.progress.note("stopped: no page and no plots are written");
    }
    let written = written.take().unwrap_or_default();
    let page_on_stdout = files.html.as_deref().is_some_and(|path| path.as_os_str() == "-");
    if !manner.quiet && !page_on_stdout {
        print(&report, format, top, context).with_context(|| match written.is_empty() {
            true => "failed to print the report",
            false => "failed to print the report; its files are written",
        })?;
    }
    if !manner.quiet {
        print_written(&written, format, page_on_stdout, context).context("failed to print the names of the files")?;
    }
    if let (true, Some(page)) = (open, written.iter().find(|file| file.is_page))
        && let Err(unopened) = open_page(&page.path)
    {
        messages::say(how_to_open(&page.path, unopened));
    }
    end(report, context)
}

/// The newest recording in the current directory. Prints a note that names it.
fn newest(context: &mut Context) -> anyhow::Result<Place> {
    let newest = source::newest(Path::new(".")).context("failed to read the current directory")?;
    let newest = newest.ok_or(source::Error::NoneHere)?;
    context.progress.note(&newest_recording(&newest));
    Ok(Place::Path(newest.name))
}

/// The states to identify. `None` if the user's library has no states: the report then leaves them out.
fn identifier(states: StatesFrom, context: &mut Context) -> anyhow::Result<Option<report::Identifier>> {
    let is_asked = states != StatesFrom::Example;
    let known = match states {
        StatesFrom::Example => report::example_states(),
        StatesFrom::Library(library) => match compare(|| library.states()) {
            Err(LibraryError::Empty(_)) => {
                context.progress.note(&no_states(library.path()));
                return Ok(None);
            }
            states => {
                let Usable { usable, left_out } = states?;
                messages::say_left_out(&left_out);
                compare(|| state::Known::of(usable, None))?
            }
        },
    };
    Ok(Some(report::Identifier { known, alpha: state::ALPHA, is_asked }))
}

fn print(report: &Report, format: ReportFormat, top: usize, context: &mut Context) -> anyhow::Result<()> {
    let mut out = HeldBytes::nothing(MemoryOf::Rows);
    match format {
        ReportFormat::Text => print_report(report, top, context.out.width(), &mut out),
        ReportFormat::Json => formats::write_json(report, top, &mut out),
        ReportFormat::Csv if report.is_by_process() => formats::write_process_csv(report, top, &mut out),
        ReportFormat::Csv => formats::write_csv(report, top, &mut out),
        ReportFormat::Markdown => formats::write_markdown(report, top, &mut out),
        ReportFormat::Latex => formats::write_latex(report, top, &mut out),
    }
    .context("failed to encode the report")?;
    Ok(match format {
        ReportFormat::Text => context.out.print(out.as_slice()),
        _ => context.out.print_data(out.as_slice()),
    }?)
}

/// Prints the names of the files after the report. If stdout is for a program, the names go to stderr.
fn print_written(
    written: &[WrittenFile],
    format: ReportFormat,
    page_on_stdout: bool,
    context: &mut Context,
) -> io::Result<()> {
    let text = written_files(written);
    match format {
        ReportFormat::Text if !page_on_stdout => context.out.print(text.as_bytes()),
        _ => print_on_stderr(text.as_bytes()),
    }
}

/// The exit code. Prints the problems of the sources.
fn end(report: Report, context: &mut Context) -> anyhow::Result<u8> {
    let Report { sources, stopped: is_stopped, .. } = report;
    let mut code = stopped(context);
    for source in sources {
        let Some(problem) = source.problem else { continue };
        let problem = format!("{}: {}", source.place, messages::sentence(&problem));
        match is_stopped {
            true => context.progress.note(&problem),
            false => {
                messages::say(problem);
                code = 1;
            }
        }
    }
    Ok(code)
}
