//! `tp-perf top SOURCE`: moves through a recording.

use super::context::Context;
use super::stop::stopped;
use super::top_screen::ShownScreen;
use crate::control::{Progress, wait_for_any};
use crate::drain::replay;
use crate::live::{RecordedWindows, USUAL_WINDOWS, WhoBy};
use crate::os::cpus::CpuList;
use crate::report::{self, Detail, ReportOptions, SourceReport};
use crate::source::Place;
use crate::terminal::{TerminalProgress, TopFacts, TopTerminal, WhoShown};
use anyhow::Context as _;
use std::time::Duration;

/// Shows a recording until the user quits.
pub(super) fn show_source(place: Place, every: Option<Duration>, context: &mut Context) -> anyhow::Result<u8> {
    context.signals.take_over().context("failed to take over signals")?;
    context.progress = TerminalProgress::of_replay(false);
    let options = ReportOptions { detail: Detail::Page, by_process: true, ..ReportOptions::of(vec![place]) };
    let labels = report::labels(&options.places);
    let read = report::read(&options, labels, &mut context.signals, &mut context.progress);
    context.progress.phase_ends();
    let mut report = match read {
        Err(replay::Error::Interrupted) => return Ok(stopped(context)),
        read => read?,
    };
    let Some(source) = report.sources.pop() else { return Ok(1) };
    // Shorter windows than those of a history would show what it does not know.
    let stored = source.summary.history.as_ref().and_then(|history| history.counted_ns.checked_div(history.windows));
    let every = stored.map_or(every, |stored| {
        let stored = Duration::from_nanos(stored);
        let span = source.activity.span().map_or(0, |(first, last)| last.since(first));
        Some(every.unwrap_or(Duration::from_nanos(span / USUAL_WINDOWS)).max(stored))
    });
    let recorded = RecordedWindows::of(&source.activity, source.processes.as_ref(), every);
    let failed = show(&source, recorded, context)?;
    if let Some(error) = failed {
        return Err(anyhow::Error::new(error).context("failed to use the terminal"));
    }
    match source.problem {
        Some(problem) => Err(problem.into()),
        None => Ok(0),
    }
}

/// Shows the screen until the user quits. Returns the error that ended it, if there was one.
fn show(
    source: &SourceReport,
    mut recorded: RecordedWindows,
    context: &mut Context,
) -> anyhow::Result<Option<std::io::Error>> {
    let summary = &source.summary;
    let cpus: CpuList = match &summary.history {
        Some(_) => summary.cpus.iter().copied().collect(),
        None => summary.per_cpu.iter().filter_map(|cpu| cpu.cpu).collect(),
    };
    let facts = TopFacts {
        hostname: source.label.clone(),
        kernel: summary.kernel.clone().unwrap_or_else(|| "of an unknown version".to_owned()),
        tracepoints: (summary.tracepoints.captured, summary.tracepoints.listed),
        cpus,
        budget: None,
        has_colours: TopTerminal::has_colours(),
        is_live: false,
    };
    let terminal = TopTerminal::enter().context("failed to take over the terminal")?;
    let windows = std::mem::take(&mut recorded.windows);
    let mut screen = ShownScreen::new(facts, source.table.clone(), windows, terminal);
    screen.view.frozen_at = Some(0);
    if !source.thinned.is_empty() {
        screen
            .notes
            .note("some tracepoints were thinned: the numbers are those of recorded events, and not of all hits");
    }
    while !screen.quits {
        screen.who = who(&screen, &recorded, source);
        screen.draw();
        let wakers = context.signals.wake_descriptors();
        wait_for_any(wakers.chain([screen.terminal.wake_descriptor()]), None).context("failed to wait for keys")?;
        if context.signals.asked() > 0 {
            break;
        }
        screen.take_keys();
    }
    Ok(screen.failed.take())
}

/// Who caused the events of the chosen row in the window that is shown.
fn who(screen: &ShownScreen, recorded: &RecordedWindows, source: &SourceReport) -> WhoShown {
    let view = &screen.view;
    let Some(chosen) = view.chosen().filter(|_| view.who != WhoBy::Nobody) else { return WhoShown::Nothing };
    let row = screen.rows().0.into_iter().find(|row| row.name == *chosen);
    let rate = row.as_ref().map(|row| row.rate);
    let window = view.at(&screen.windows).and_then(|at| screen.windows.get(at));
    let all = window.zip(rate).map_or(0.0, |(window, rate)| rate * window.seconds()).round() as u64;
    let tpids: Vec<_> = row.into_iter().flat_map(|row| row.tracepoints).map(|(tpid, _)| tpid).collect();
    let answer = source
        .processes
        .as_ref()
        .zip(view.at(&screen.windows))
        .and_then(|(processes, at)| recorded.who(processes, at, &tpids, all, view.who));
    match answer {
        Some(answer) => WhoShown::Answer(answer, tpids.len(), rate),
        None => {
            WhoShown::Failed("it does not have the processes of its events; record with `--with pid,comm`".to_owned())
        }
    }
}
