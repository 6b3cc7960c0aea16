//! Watches this machine, and keeps nothing except counts by windows.

use crate::capture::{self, CaptureOptions};
use crate::control::{Progress, Running, Signals, Streams};
use crate::counting::{CountCost, CountOptions, Counters, NoBeside, RunWith};
use crate::drain::Problem;
use crate::engine::{Counting, Detaching, Kernel};
use crate::events::{Filter, Ns};
use crate::os::machine::{MachineTimes, hostname, kernel_release, machine_times};
use crate::os::thread::cpu_of_children;
use crate::recording::missed_cpus;
use crate::state::{self, Length, Session, SessionLoad, SessionOrigin, WINDOW, Windows};
use crate::units::{Percent, Share, nanoseconds};
use std::time::{Duration, SystemTime};

/// The name of the input.
pub(super) const PLACE: &str = "this machine";

/// The options of counting for those of a capture, with windows of this length. A budget has already decided which tracepoints
/// are counted.
pub(super) fn count_options(options: &CaptureOptions, every: Duration) -> CountOptions {
    CountOptions {
        duration: options.rules.duration,
        command: options.command.clone(),
        measure_cost: options.attach.budget.is_some(),
        ..CountOptions::of(options.attach.choice.clone(), every)
    }
}

/// The origin of windows that are counted here from this time on.
pub(super) fn machine_origin<E: Counting>(counters: &Counters<E>, started: SystemTime) -> SessionOrigin {
    SessionOrigin {
        kernel: Some(kernel_release()),
        hostname: Some(hostname()),
        cpus: counters.attached().cpus.as_slice().to_vec(),
        clock: Some("monotonic".to_owned()),
        started: Some(rfc3339(started)),
        begin_ns: Ns(0),
    }
}

/// A time as sessions have it.
pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_nanos(time).to_string()
}

/// Counts the hits in windows of this length, or of a second. Only windows of a number of events are recorded, because only
/// events show when that number is reached. The detach continues afterwards, even if there is no session.
///
/// # Errors
/// If attaching, counting or recording fails.
pub(super) fn watch_machine(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    length: Option<Length>,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(Result<Session, state::Error>, Detaching), capture::Error> {
    let length = length.unwrap_or(WINDOW);
    let mut windows = Windows::new(length);
    match length {
        Length::Events(_) => {
            let (results, detaching) =
                capture::watch(kernel, options, &mut [&mut windows], running, signals, progress)?;
            Ok((Session::of_whole_source(PLACE, results, &Filter::default(), windows), detaching))
        }
        Length::Ns(ns) => count_machine(kernel, options, Duration::from_nanos(ns), windows, running, signals, progress),
    }
}

fn count_machine(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    every: Duration,
    mut windows: Windows,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(Result<Session, state::Error>, Detaching), capture::Error> {
    let budget = options.attach.budget;
    let options = count_options(options, every);
    let mut counters = Counters::attach(kernel, &options, signals, progress)?;
    let sinks: &mut [&mut dyn crate::events::Sink] = &mut [&mut windows];
    let command = counters.launch(&options, Streams::Own, true);
    let before = WorkTimes::now();
    let run = counters.run(
        kernel,
        &options,
        RunWith { command, sinks, running, signals, progress, beside: &mut NoBeside },
    )?;
    if let Some(text) = over_budget(budget, run.cost) {
        progress.note(&text);
    }
    let load = before.zip(WorkTimes::now()).map(|(before, after)| {
        let cpus = counters.attached().cpus.len() as u32;
        after.load_since(&before, run.length * cpus, run.own_cpu, run.command_exit.is_some())
    });
    let origin = machine_origin(&counters, run.started);
    let cpus = missed_cpus(&run.unwatched);
    let problem = match run.problem {
        Some(cause) => return Err(capture::Error::Run(cause)),
        None if cpus.is_empty() => None,
        None => Some(Problem::Unwatched { cpus }),
    };
    let session = match problem {
        Some(cause) => Err(state::Error::Damaged { place: PLACE.to_owned(), cause }),
        None => Session::of_ticks(PLACE, origin, &counters.table, &counters.selection, windows)
            .map(|session| Session { load, ..session }),
    };
    Ok((session, counters.detach()))
}

/// A sentence about a budget that was not kept.
pub(super) fn over_budget(budget: Option<f64>, cost: Option<CountCost>) -> Option<String> {
    let (budget, cost) = (budget?, cost?);
    (cost.part > budget).then(|| {
        format!(
            "counting took ~{} of all CPUs' time, more than the budget of {}; this machine probably did more than in any learned state",
            Share(cost.part),
            Percent(budget)
        )
    })
}

/// The times of the machine and of the children of tp-perf: of COMMAND and all that it waited for.
struct WorkTimes {
    machine: MachineTimes,
    children: Duration,
}

impl WorkTimes {
    fn now() -> Option<Self> {
        Some(WorkTimes { machine: machine_times()?, children: cpu_of_children().ok()?[0] })
    }

    /// What the machine did since then, while all CPUs had this time and tp-perf took its own.
    fn load_since(&self, before: &WorkTimes, cpus: Duration, own: Duration, ran_command: bool) -> SessionLoad {
        let busy = self.machine.busy.saturating_sub(before.machine.busy);
        let others = busy.saturating_sub(self.children.saturating_sub(before.children)).saturating_sub(own);
        SessionLoad {
            cpus_ns: nanoseconds(cpus),
            stolen_ns: nanoseconds(self.machine.stolen.saturating_sub(before.machine.stolen)),
            others_ns: ran_command.then(|| nanoseconds(others)),
        }
    }
}
