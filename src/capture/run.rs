//! The time while the events are on: rounds until one of the stop rules holds.

use super::command::{CommandLine, Running};
use super::progress::Progress;
use super::signals::{Signals, wait_for_any};
use crate::perf::{Counted, Engine};
use crate::recording::is_full;
use crate::spool::Spool;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::io;
use std::time::{Duration, Instant, SystemTime};

/// Rings are looked at this often even if none has filled up to its watermark.
const ROUND_AT_LEAST_EVERY: Duration = Duration::from_millis(100);

/// When a capture stops by itself; without any rule, when COMMAND ends or the user says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopRules {
    /// After this many events.
    pub events: Option<u64>,
    /// After this long.
    pub duration: Option<Duration>,
}

/// What stopped a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// `--events` were there.
    Events,
    /// `--duration` was over.
    Duration,
    /// COMMAND ended.
    Command,
    /// SIGINT.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
    /// The chunks found no room on disk.
    DiskFull,
}

impl StopReason {
    /// The word for it in the summary.
    pub fn as_str(self) -> &'static str {
        match self {
            StopReason::Events => "events",
            StopReason::Duration => "duration",
            StopReason::Command => "command",
            StopReason::Interrupt => "interrupt",
            StopReason::Terminate => "terminate",
            StopReason::DiskFull => "disk-full",
        }
    }
}

/// What is known when the events are off again.
#[derive(Debug)]
pub struct Run {
    /// Why they are.
    pub stop_reason: StopReason,
    /// When they were switched on.
    pub started: SystemTime,
    /// How long they were on.
    pub capture: Duration,
    /// When they were switched off.
    pub stopped: Instant,
    /// CPU time of this thread while they were on.
    pub own_cpu: Duration,
    /// The kernel's counters.
    pub counted: Vec<Counted>,
    /// COMMAND, if there is one; it may go on.
    pub command: Option<Running>,
}

/// Switches the events on, starts COMMAND, moves chunks to the spool until a rule holds, and switches the events off.
///
/// With `rules.events = N` the spool then holds all events up to the N-th in time order: rounds go on until N samples
/// are taken, and each of them was stamped before the events went off, as was everything older, which the last rounds
/// take.
pub fn run<E: Engine>(
    engine: &mut E,
    rules: &StopRules,
    command: Option<(&CommandLine, (u64, u64))>,
    spool: &mut Spool,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> io::Result<Run> {
    let cpu_before = own_cpu_time()?;
    let (started, on) = (SystemTime::now(), Instant::now());
    engine.enable()?;
    let command = command.map(|(line, nofile_limit)| line.start(nofile_limit)).transpose();
    let result = command.and_then(|mut command| {
        let reason = rounds_until_stop(engine, rules, command.as_mut(), spool, signals, progress, on)?;
        Ok((reason, command))
    });
    engine.disable()?;
    let (stopped, own_cpu) = (Instant::now(), own_cpu_time()?.saturating_sub(cpu_before));
    let (mut stop_reason, command) = result?;

    // A sample that was being written when its CPU was told to stop is published a moment later; the counters are read
    // in between, and then the rings are looked at once more.
    let mut counted = Vec::new();
    let last = engine.round(spool).and_then(|()| {
        counted = engine.account()?;
        engine.round(spool)
    });
    match last {
        Err(error) if is_full(&error) => stop_reason = StopReason::DiskFull,
        other => other?,
    }
    if counted.is_empty() {
        counted = engine.account()?;
    }
    progress.phase_ends();
    Ok(Run { stop_reason, started, capture: stopped - on, stopped, own_cpu, counted, command })
}

fn rounds_until_stop<E: Engine>(
    engine: &mut E,
    rules: &StopRules,
    mut command: Option<&mut Running>,
    spool: &mut Spool,
    signals: &mut Signals,
    progress: &mut dyn Progress,
    on: Instant,
) -> io::Result<StopReason> {
    loop {
        let left = rules.duration.map(|duration| duration.saturating_sub(on.elapsed()));
        let patience = left.map_or(ROUND_AT_LEAST_EVERY, |left| left.min(ROUND_AT_LEAST_EVERY));
        wait(engine, signals, patience)?;
        match engine.round(spool) {
            Err(error) if is_full(&error) => return Ok(StopReason::DiskFull),
            other => other?,
        }
        progress.capturing(spool.samples(), on.elapsed());

        signals.check();
        if signals.interrupts() > 0 {
            return Ok(StopReason::Interrupt);
        }
        if signals.terminates() > 0 {
            return Ok(StopReason::Terminate);
        }
        if rules.events.is_some_and(|events| spool.samples() >= events) {
            return Ok(StopReason::Events);
        }
        if rules.duration.is_some_and(|duration| on.elapsed() >= duration) {
            return Ok(StopReason::Duration);
        }
        if let Some(command) = &mut command
            && command.exit_code()?.is_some()
        {
            return Ok(StopReason::Command);
        }
    }
}

/// Sleeps until a ring has filled up to its watermark, a signal has arrived, or patience is at an end.
fn wait(engine: &impl Engine, signals: &Signals, patience: Duration) -> io::Result<()> {
    let descriptors = signals.wake_descriptors().into_iter().chain(engine.wake_descriptors());
    wait_for_any(descriptors, Some(patience)).map(drop)
}

fn own_cpu_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(microseconds.unsigned_abs()))
}
