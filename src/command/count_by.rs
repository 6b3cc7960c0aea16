//! `tp-perf count --by`: estimates the hits of each process or cgroup.

use super::context::Context;
use super::destination::Destination;
use super::detach::finish_detach;
use super::wait::wait_for_command;
use crate::capture::{self, AttachOptions, CaptureOptions, DEFAULT_RING_SIZE, OnlyProcesses, StopRules};
use crate::cli::{CountCommand, CountFormat};
use crate::control::Progress;
use crate::drain::Results;
use crate::engine::{Kernel, ProcessFields};
use crate::os::clock::Clock;
use crate::processes::{CountBy, HitsByProcess, Processes};
use crate::terminal::{TerminalProgress, messages, print_count_by};
use anyhow::Context as _;

/// The budget if the user sets none, as a part of the time of all CPUs. With less, the hottest tracepoints of a busy machine would
/// have to be detached.
const USUAL_BUDGET: f64 = 0.05;

/// Counts on a kernel. With COMMAND, returns COMMAND's exit code.
pub fn run(kernel: &impl Kernel, by: CountBy, count: CountCommand, context: &mut Context) -> anyhow::Result<u8> {
    let CountCommand { options, top, format, output, manner, .. } = count;
    Destination::check(output.as_deref())?;
    let rules = StopRules { events: None, duration: options.duration };
    context.begin(TerminalProgress::new(rules, manner.quiet), &manner)?;
    let has_command = options.command.is_some();
    if !has_command && options.duration.is_none() {
        context.progress.note("counting until Ctrl-C; `-d 10s` would set an end");
    }
    let process = match by {
        CountBy::Process => ProcessFields::Thread,
        CountBy::Cgroup => ProcessFields::Cgroup,
    };
    let options = CaptureOptions {
        rules,
        output: None,
        force: false,
        attach: AttachOptions {
            choice: options.choice,
            clock: Clock::default(),
            ring_size: DEFAULT_RING_SIZE,
            process,
            sampled_cpu: false,
            budget: options.budget.or(Some(USUAL_BUDGET)),
        },
        compress: false,
        only: OnlyProcesses::default(),
        log_columns: Vec::new(),
        last: None,
        command: options.command,
        arguments: crate::cli::own_arguments(),
    };
    let mut running = None;
    let mut processes = Processes::default();
    let watched = capture::watch(
        kernel,
        &options,
        &mut [&mut processes],
        &mut running,
        &mut context.signals,
        &mut context.progress,
    );
    context.progress.phase_ends();
    let code = match running {
        None => 0,
        Some(command) => {
            if let Err(error) = &watched {
                // COMMAND may run for long. The user should see the failure before that.
                messages::say_error(error);
            }
            let code = wait_for_command(command, context)?.unwrap_or(130);
            if watched.is_err() {
                return Ok(1);
            }
            u8::try_from(code).unwrap_or(1)
        }
    };
    let (Results { summary, table, problem, .. }, mut detaching) = watched?;
    let printed = (|| {
        let ranking = processes.ranking(true)?;
        let hits = HitsByProcess::of(by, summary, &ranking, &table);
        let mut to = Destination::of(output.as_deref(), has_command)?;
        let is_text = format == CountFormat::Text;
        let bytes = match format {
            CountFormat::Text => {
                let mut text = Vec::new();
                print_count_by(&hits, top, to.width(&context.out), &mut text).map(|()| text)
            }
            CountFormat::Csv => hits.csv(),
            CountFormat::Json => Ok(hits.json().into_bytes()),
        }
        .context("failed to encode the counts")?;
        let put = to.put(&bytes, is_text, &mut context.out);
        to.unless_closed(put)
    })();
    finish_detach(&mut detaching, manner.wait_detach, context)?;
    printed?;
    match problem {
        Some(problem) => Err(problem.into()),
        None => Ok(code),
    }
}
