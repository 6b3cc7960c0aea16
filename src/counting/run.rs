//! Runs a count while the events are on: windows until a stop rule applies.

use super::CountOptions;
use super::budget::RungChange;
use super::steering::{CountCost, Steering};
use crate::capture::{Error, Outside, SwitchedOn, Watched, clock_of};
use crate::control::{Launch, Progress, Running, Signals, wait_for_any};
use crate::engine::{Counting, HitCost, Kernel};
use crate::events::{Sink, Tick, Tpid};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::thread::cpu_time;
use crate::recording::{StopReason, Unwatched};
use crate::units::nanoseconds;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant, SystemTime};

/// What a run works with, beside the engine.
pub struct RunWith<'a, 's> {
    /// The COMMAND to start.
    pub command: Option<Launch<'a>>,
    /// The sinks of the ticks.
    pub sinks: &'a mut [&'s mut dyn Sink],
    /// Holds COMMAND once it is started, even if the run fails.
    pub running: &'a mut Option<Running>,
    /// The signals that end the run.
    pub signals: &'a mut Signals,
    /// The progress.
    pub progress: &'a mut dyn Progress,
    /// Work beside the run; [`NoBeside`] if there is none.
    pub beside: &'a mut dyn Beside,
}

/// Work in the thread of a run, between its ticks, such as a screen with keys. It stays in this thread, because tp-perf excludes only the hits
/// of this thread.
pub trait Beside: Sink {
    /// Descriptors that poll readable when there is something to do.
    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }
    /// When there is something to do, even if the descriptor is not readable.
    fn due(&self) -> Option<Instant> {
        None
    }
    /// Does what there is to do. Returns whether the run goes on.
    fn act(&mut self) -> bool {
        true
    }
}

/// What takes the ticks of a run.
struct Takers<'a, 's> {
    sinks: &'a mut [&'s mut dyn Sink],
    beside: &'a mut dyn Beside,
}

/// No work beside a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBeside;

impl Sink for NoBeside {}
impl Beside for NoBeside {}

/// The facts about a run whose events are off again.
#[derive(Debug)]
pub struct CountRun {
    /// Why it stopped.
    pub stop_reason: StopReason,
    /// When the events were switched on.
    pub started: SystemTime,
    /// The time from switching the first event on to switching the last one off.
    pub length: Duration,
    /// The number of windows. The last one may be shorter than the others.
    pub windows: u64,
    /// How late the latest tick began.
    pub most_late: Duration,
    /// The number of ticks that were left out, because the tick before them ended too late. Their hits are in the
    /// window of the next tick.
    pub skipped: u64,
    /// The cost of the run, if that of a hit is known.
    pub cost: Option<CountCost>,
    /// The CPU time of this thread in the run, without the time to start COMMAND.
    pub own_cpu: Duration,
    /// The stretches in which a CPU was not watched, by CLOCK_MONOTONIC.
    pub unwatched: Vec<Unwatched>,
    /// COMMAND's exit code, if it has ended.
    pub command_exit: Option<i32>,
    /// The error that ended the run, if there was one. The sinks have every tick before it.
    pub problem: Option<io::Error>,
}

/// Switches the events on, starts COMMAND, sends a tick per window to the sinks until a stop rule applies, and
/// switches the events off. A last tick ends the last window at that time. [`Counters::run`](super::Counters::run) has
/// the errors.
///
/// With the cost of a hit, the run computes its cost, and keeps its budget. Visits then leave out the tracepoints that are
/// `hit_by_visits`.
pub fn run<E: Counting>(
    engine: &mut E,
    kernel: &impl Kernel,
    options: &CountOptions,
    cost: Option<(HitCost, &[Tpid])>,
    with: RunWith<'_, '_>,
) -> Result<CountRun, Error> {
    let RunWith { command, sinks, running, signals, progress, beside } = with;
    let online = |engine: &E| kernel.online().unwrap_or_else(|_| engine.attached().cpus.clone());
    let before = online(engine);
    let time_on_before = engine.time_on().map_err(Error::Run)?;
    let mut begin = SwitchedOn::by(signals, || engine.enable())?;
    begin.start(command, running, engine)?;
    let SwitchedOn { mut outside, started, on, all_on, cpu_before, starting_cpu } = begin;
    let cpus = engine.attached().cpus.len();
    let steering = |(cost, hit_by_visits): (HitCost, &[Tpid])| {
        let mut steering = Steering::new(options.budget, cpus, cost)?;
        steering.never_visit(hit_by_visits.iter().copied());
        steering.adopt(engine);
        Ok(steering)
    };
    let steering = cost.map(steering).transpose().map_err(Error::Run)?;
    let mut windows =
        Ticking { on: all_on, due: all_on, done: 0, most_late: Duration::ZERO, skipped: 0, hits: 0, steering };
    let mut takers = Takers { sinks, beside };
    let result = windows.until_stop(engine, options, running.as_mut(), &mut takers, &mut outside, progress);
    let visits = windows.steering.as_mut().map_or(Ok(()), |steering| steering.end_visits(engine));
    engine.disable().map_err(Error::Run)?;
    let off = Instant::now();
    outside.changes.note();
    let last = visits.and_then(|()| windows.end(engine, 0, &mut takers)).map(drop);
    let own_cpu = cpu_time().map_err(Error::Run)?.saturating_sub(cpu_before);
    takers.sinks.iter_mut().for_each(|sink| sink.end());
    progress.phase_ends();

    let time_on = since(&time_on_before, engine.time_on().map_err(Error::Run)?);
    let after = online(engine);
    let changes = outside.changes.into_seen();
    let watched = Watched {
        on,
        off,
        time_on: &time_on,
        chosen: options.choice.cpus.as_ref(),
        before: &before,
        after: &after,
        changes: changes.as_deref(),
    };
    let now = Clock::Monotonic.now_ns().map_err(Error::Run)?;
    let unwatched = watched.unwatched(clock_of(now, Instant::now()));
    let command_exit = match running {
        Some(running) => running.exit_code().map_err(Error::Run)?,
        None => None,
    };
    let (stop_reason, problem) = match result {
        Ok(reason) => (reason, last.err()),
        Err(error) => (StopReason::Error, Some(error)),
    };
    Ok(CountRun {
        stop_reason,
        started,
        length: off - on,
        windows: windows.done,
        most_late: windows.most_late,
        skipped: windows.skipped,
        cost: windows.steering.as_ref().map(Steering::cost),
        own_cpu: own_cpu.saturating_sub(starting_cpu),
        unwatched,
        command_exit,
        problem,
    })
}

/// For each CPU, how much longer its events have been on.
fn since(before: &[(Cpu, Duration)], now: Vec<(Cpu, Duration)>) -> Vec<(Cpu, Duration)> {
    let earlier = |cpu| before.iter().find(|(earlier, _)| *earlier == cpu).map_or(Duration::ZERO, |(_, time)| *time);
    now.into_iter().map(|(cpu, time)| (cpu, time.saturating_sub(earlier(cpu)))).collect()
}

/// The windows of a run.
struct Ticking {
    /// When all events were on.
    on: Instant,
    /// When the last window should have ended.
    due: Instant,
    done: u64,
    most_late: Duration,
    skipped: u64,
    /// All hits so far.
    hits: u64,
    steering: Option<Steering>,
}

impl Ticking {
    /// The deadlines do not drift: each is a multiple of the length after the start. So if a tick is late, its window
    /// is longer and the next one shorter.
    fn until_stop<E: Counting>(
        &mut self,
        engine: &mut E,
        options: &CountOptions,
        mut command: Option<&mut Running>,
        takers: &mut Takers<'_, '_>,
        outside: &mut Outside<'_>,
        progress: &mut dyn Progress,
    ) -> io::Result<StopReason> {
        let on = self.on;
        let end = options.duration.map(|duration| on + duration);
        self.due = on + options.first.unwrap_or(options.every);
        self.begin_window(on)?;
        loop {
            let visit = self.steering.as_ref().and_then(Steering::next);
            let next = [end, visit, takers.beside.due()].into_iter().flatten().fold(self.due, Instant::min);
            let left = next.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                wait_for_any(outside.wake_descriptors().chain(takers.beside.wake_descriptors()), Some(left))?;
                outside.changes.note();
            }
            if let Some(command) = &mut command
                && command.exit_code()?.is_some()
            {
                return Ok(StopReason::Command);
            }
            if let Some(reason) = outside.asked_to_stop() {
                return Ok(reason);
            }
            if let Some(steering) = &mut self.steering {
                steering.visit(engine)?;
            }
            if !takers.beside.act() {
                return Ok(StopReason::Interrupt);
            }
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return Ok(StopReason::Duration);
            }
            if now < self.due {
                continue;
            }
            let late = now - self.due;
            self.most_late = self.most_late.max(late);
            if let Some(steering) = &mut self.steering {
                steering.end_visits(engine)?;
            }
            let changes = self.end(engine, nanoseconds(late), takers)?;
            if let Some(steering) = &mut self.steering {
                steering.carry_out(engine, &changes, progress)?;
            }
            progress.counting(self.hits, on.elapsed());
            if !takers.sinks.iter().all(|sink| sink.takes_more()) {
                // The reader of the results has gone, as `head` does.
                return Ok(StopReason::Terminate);
            }
            self.due += options.every;
            let behind = Instant::now().saturating_duration_since(self.due);
            let skipped = u32::try_from(behind.as_nanos().div_ceil(options.every.as_nanos())).unwrap_or(u32::MAX);
            self.skipped += u64::from(skipped);
            self.due += options.every * skipped;
            self.begin_window(Instant::now())?;
        }
    }

    /// Begins a window, which ends when the next tick is due.
    fn begin_window(&mut self, begin: Instant) -> io::Result<()> {
        let length = self.due.saturating_duration_since(begin);
        self.steering.as_mut().map_or(Ok(()), |steering| steering.begin_window(begin, length))
    }

    /// Ends a window. Returns the changes for the next one.
    fn end<E: Counting>(
        &mut self,
        engine: &mut E,
        late_ns: u64,
        takers: &mut Takers<'_, '_>,
    ) -> io::Result<Vec<RungChange>> {
        let can_move = self.steering.is_some() && !engine.is_detaching()?;
        let tick = engine.tick()?;
        let partly = self.steering.as_mut().map(|steering| steering.corrected(&tick, E::cpu_times));
        let tick = Tick { partly: partly.as_deref().unwrap_or(tick.partly), ..tick };
        let (cost, changes) = match &mut self.steering {
            Some(steering) => steering.window(&tick, can_move).map(|(cost, changes)| (Some(cost), changes))?,
            None => (None, Vec::new()),
        };
        let tick = Tick { late_ns, cost, ..tick };
        takers.sinks.iter_mut().for_each(|sink| sink.tick(&tick));
        takers.beside.tick(&tick);
        self.done += 1;
        self.hits = self.hits.saturating_add(tick.total());
        Ok(changes)
    }
}
