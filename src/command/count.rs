//! `tp-perf count`: counts until something stops it, and prints the counts.

use super::context::Context;
use super::count_by;
use super::destination::Destination;
use super::detach::finish_detach;
use super::stop::stopped;
use super::wait::wait_for_command;
use crate::capture::StopRules;
use crate::cli::{CountArgs, CountCommand, CountFormat};
use crate::control::{NoticesOnly, Progress, Running, Streams};
use crate::counting::{self, CountRun, CountSummary, Counters, EachWindow, NoBeside, RepeatedCount, RunWith, Totals};
use crate::drain::Problem;
use crate::engine::{Kernel, Live};
use crate::events::{Ns, Sink, Tick};
use crate::os::privileges::{self, Starts};
use crate::recording::{StopReason, missed_cpus};
use crate::terminal::{TerminalProgress, WindowLines, messages, print_count, print_repeated};
use crate::tracefs::Table;
use anyhow::Context as _;
use std::io;
use std::time::Duration;

/// Counts on this machine. With COMMAND, returns COMMAND's exit code.
pub fn run(args: CountArgs, context: &mut Context) -> anyhow::Result<u8> {
    count(&Live, args, context)
}

/// Counts on a kernel.
pub fn count<K: Kernel>(kernel: &K, args: CountArgs, context: &mut Context) -> anyhow::Result<u8> {
    let count = args.request()?;
    if let Some(by) = count.by {
        return count_by::run(kernel, by, count, context);
    }
    let rules = StopRules { events: None, duration: count.options.duration };
    context.begin(TerminalProgress::new(rules, count.manner.quiet), &count.manner)?;
    if count.options.command.is_none() && count.options.duration.is_none() {
        context.progress.note("counting until Ctrl-C; `-d 10s` would set an end");
    }
    let mut counters = Counters::attach(kernel, &count.options, &mut context.signals, &mut context.progress)?;
    // A count that cannot begin leaves an existing file alone.
    let mut to = match Destination::of(count.output.as_deref(), count.options.command.is_some()) {
        Ok(to) => to,
        Err(error) => {
            finish_detach(&mut counters.detach(), count.manner.wait_detach, context)?;
            return Err(error);
        }
    };
    let mut running = None;
    let counted = match count.repeat {
        Some(runs) => repeat(kernel, &mut counters, &count, runs, &mut to, &mut running, context),
        None => once(kernel, &mut counters, &count, &mut to, &mut running, context),
    };
    context.progress.phase_ends();
    // The rights to move tracepoints are not needed any more, nor are those to start COMMAND again.
    privileges::keep_opening(false);
    privileges::give_up(Starts::Nothing)?;
    let code = match running {
        None => counted,
        Some(command) => {
            if let Err(error) = &counted {
                // COMMAND may run for long. The user should see the failure before that.
                messages::say_failure(error.chain());
            }
            // If the user stops the waiting, COMMAND has no exit code yet.
            let exit = wait_for_command(command, context)?.unwrap_or(130);
            Ok(if counted.is_err() { 1 } else { u8::try_from(exit).unwrap_or(1) })
        }
    };
    finish_detach(&mut counters.detach(), count.manner.wait_detach, context)?;
    code
}

/// Counts once, and prints the windows if they were asked for, and the sums. Returns the exit code.
fn once<K: Kernel>(
    kernel: &K,
    counters: &mut Counters<K::Counting>,
    count: &CountCommand,
    to: &mut Destination,
    running: &mut Option<Running>,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let Context { signals, progress, out } = context;
    let CountCommand { options, each_window, per_cpu, format, top, .. } = count;
    let is_text = *format == CountFormat::Text;
    let width = to.width(out);
    let mut totals = Totals::default();
    let command = counters.launch(options, Streams::Own, true);
    let run = match each_window {
        // The lines of the windows show the progress too.
        true => {
            let printing = Printing {
                count,
                table: &counters.table.clone(),
                lines: WindowLines::new(width, *per_cpu, options.budget.is_some()),
            };
            let head = to.put(&printing.head()?, is_text, out);
            to.unless_closed(head)?;
            let mut begin = None;
            let mut windows = EachWindow::new(|number, tick| {
                let begin = *begin.get_or_insert(tick.from);
                to.put(&printing.window(number, tick, begin)?, is_text, out)
            });
            let sinks: &mut [&mut dyn Sink] = &mut [&mut totals, &mut windows];
            let run = counters.run(
                kernel,
                options,
                RunWith {
                    command,
                    sinks,
                    running,
                    signals,
                    progress: &mut NoticesOnly(progress),
                    beside: &mut NoBeside,
                },
            )?;
            let failed = windows.failed.take();
            to.unless_closed(failed.map_or(Ok(()), Err))?;
            run
        }
        false => {
            let sinks: &mut [&mut dyn Sink] = &mut [&mut totals];
            counters.run(
                kernel,
                options,
                RunWith { command, sinks, running, signals, progress, beside: &mut NoBeside },
            )?
        }
    };
    progress.phase_ends();
    let summary = CountSummary::of(options, counters, &run, &totals, *per_cpu);
    let bytes = match format {
        CountFormat::Text => {
            let mut text = if *each_window { b"\n".to_vec() } else { Vec::new() };
            print_count(&summary, *top, width, &mut text).map(|()| text)
        }
        // The rows of the windows have everything.
        CountFormat::Csv if *each_window => Ok(Vec::new()),
        CountFormat::Csv => counting::csv(&summary, *per_cpu),
        CountFormat::Json => Ok(counting::json(&summary, *each_window).into_bytes()),
    }
    .context("failed to encode the counts")?;
    let put = to.put(&bytes, is_text, out);
    to.unless_closed(put)?;
    end(run, running)
}

/// The windows of a count, as text or data.
struct Printing<'a> {
    count: &'a CountCommand,
    table: &'a Table,
    lines: WindowLines,
}

impl Printing<'_> {
    /// The line above all windows.
    fn head(&self) -> io::Result<Vec<u8>> {
        match self.count.format {
            CountFormat::Text => Ok(self.lines.head().into_bytes()),
            CountFormat::Csv => counting::csv_windows_head(self.count.per_cpu),
            CountFormat::Json => Ok(Vec::new()),
        }
    }

    /// A window. `begin` is the begin of the first one.
    fn window(&self, number: u64, tick: &Tick<'_>, begin: Ns) -> io::Result<Vec<u8>> {
        let per_cpu = self.count.per_cpu;
        match self.count.format {
            CountFormat::Text => {
                let ended = Duration::from_nanos(tick.to.since(begin));
                Ok(self.lines.window(tick, ended, self.table).into_bytes())
            }
            CountFormat::Csv => counting::csv_window(tick, self.table, per_cpu),
            CountFormat::Json => Ok(counting::json_window(number, tick, self.table, per_cpu).into_bytes()),
        }
    }
}

/// Counts several runs of COMMAND, and prints the means. Returns the exit code.
fn repeat<K: Kernel>(
    kernel: &K,
    counters: &mut Counters<K::Counting>,
    count: &CountCommand,
    runs: u32,
    to: &mut Destination,
    running: &mut Option<Running>,
    context: &mut Context,
) -> anyhow::Result<u8> {
    let mut summaries = Vec::new();
    let mut code = Ok(0);
    for number in 1..=runs {
        let mut totals = Totals::default();
        let with = RunWith {
            command: counters.launch(&count.options, Streams::Own, number == runs),
            sinks: &mut [&mut totals],
            running,
            signals: &mut context.signals,
            progress: &mut NoticesOnly(&mut context.progress),
            beside: &mut NoBeside,
        };
        let run = counters.run(kernel, &count.options, with)?;
        let summary = CountSummary::of(&count.options, counters, &run, &totals, false);
        // An incomplete run is no part of the means.
        let is_complete = run.stop_reason == StopReason::Command;
        match (end(run, running), &mut code) {
            (Ok(exit), Ok(code)) if is_complete => {
                *code = exit.max(*code);
                summaries.push(summary);
            }
            (ended, _) => {
                code = ended;
                break;
            }
        }
    }
    if summaries.is_empty() {
        context.progress.note("no run of COMMAND was completed, so there are no means");
        return code.map(|_| stopped(context));
    }
    let repeated = RepeatedCount::of(summaries, runs);
    let bytes = match count.format {
        CountFormat::Text => {
            let mut text = Vec::new();
            print_repeated(&repeated, count.top, to.width(&context.out), &mut text).map(|()| text)
        }
        CountFormat::Csv => counting::csv_repeated(&repeated),
        CountFormat::Json => Ok(counting::json(&repeated, false).into_bytes()),
    }
    .context("failed to encode the counts")?;
    let put = to.put(&bytes, count.format == CountFormat::Text, &mut context.out);
    to.unless_closed(put)?;
    code
}

/// The exit code of a run: that of COMMAND, if it has ended.
///
/// # Errors
/// If hits are missing.
fn end(run: CountRun, running: &mut Option<Running>) -> anyhow::Result<u8> {
    let code = run.command_exit.map_or(0, |code| u8::try_from(code).unwrap_or(1));
    if run.command_exit.is_some() {
        *running = None;
    }
    if let Some(problem) = run.problem {
        return Err(anyhow::Error::new(problem).context("failed to read the counters; the counts end early"));
    }
    match missed_cpus(&run.unwatched) {
        cpus if cpus.is_empty() => Ok(code),
        cpus => Err(Problem::Unwatched { cpus }.into()),
    }
}
