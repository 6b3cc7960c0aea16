//! `tp-perf report`: what sources hold, and what differs between them.

use super::context::Context;
use super::stop::{end_at_second_signal, stopped};
use crate::cli::{ReportArgs, ReportFormat, ReportRequest};
use crate::control::Progress;
use crate::drain::replay;
use crate::page::Files;
use crate::report::{self, Report, formats};
use crate::state;
use crate::terminal::{TerminalProgress, messages, print_report};
use anyhow::Context as _;

/// Reads the sources, writes the files that were asked for, and prints the report.
pub fn run(args: ReportArgs, context: &mut Context) -> anyhow::Result<u8> {
    let ReportRequest { mut options, files, format, top, manner, library } = args.request()?;
    if let Some(library) = library {
        options.identifier =
            Some(report::Identifier { known: state::Known::of(library.states()?, None)?, alpha: state::ALPHA });
    }
    context.begin(TerminalProgress::of_replay(manner.quiet), &manner)?;
    end_at_second_signal()?;
    let labels = report::labels(&options.places);
    // What cannot be written is found out before minutes of reading.
    let to_write = Files::new(&files, &options.places, &labels)?;
    let read = report::read(&options, labels, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    let mut report = match read {
        Err(replay::Error::Interrupted) => return Ok(stopped(context)),
        read => read?,
    };
    match report.stopped {
        true => drop(to_write),
        false => report.stopped = !to_write.write(&report, &mut || context.signals.asked() > 0)?,
    }
    if report.stopped && files.is_any() {
        context.progress.note("stopped: no page and no plots are written");
    }
    let has_files = files.is_any();
    let page_on_stdout = files.html.as_deref().is_some_and(|path| path.as_os_str() == "-");
    if !manner.quiet && !page_on_stdout {
        let mut out = Vec::new();
        match format {
            ReportFormat::Text => print_report(&report, top, context.out.width(), &mut out),
            ReportFormat::Json => formats::write_json(&report, top, &mut out),
            ReportFormat::Csv => formats::write_csv(&report, top, &mut out),
            ReportFormat::Markdown => formats::write_markdown(&report, top, &mut out),
        }
        .context("failed to encode the report")?;
        let printed = match format {
            ReportFormat::Text => context.out.print(&out),
            _ => context.out.print_data(&out),
        };
        printed.with_context(|| match has_files && !report.stopped {
            true => "failed to print the report; its files are written",
            false => "failed to print the report",
        })?;
    }
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
