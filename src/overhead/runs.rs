//! Runs COMMAND in pairs, with and without capturing.

use super::figures::{CapturedEvents, MeasuredRun};
use super::order::captured_first;
use super::{CommandOutput, Error, MeasureOptions};
use crate::capture::{self, StopRules};
use crate::control::{CommandLine, Launch, Progress, Running, Signals};
use crate::engine::{self, Sampling};
use crate::events::Counted;
use crate::os::machine::busy_time;
use crate::os::memory::available_memory;
use crate::recording::StopReason;
use crate::spool::{Arena, DEFAULT_MEMORY, Keeping, Spool};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::io;
use std::time::Duration;

/// All runs finished, or the user stopped the measurement.
pub(super) struct AllRuns;

/// The state of a measurement while COMMAND runs.
pub(super) struct Runs<'a, E> {
    pub options: &'a MeasureOptions,
    /// The events are attached and disabled.
    pub engine: &'a mut E,
    /// The size of all rings together in bytes.
    pub rings: usize,
    pub nofile_limit: (u64, u64),
    pub output: CommandOutput,
    pub running: &'a mut Option<Running>,
    pub signals: &'a mut Signals,
    pub progress: &'a mut dyn Progress,
    /// The number of finished runs, including the warm-up.
    pub done: usize,
}

/// How a run of a program ended.
enum RunEnd {
    Code(i32),
    /// The user stopped the measurement. The program may still be running.
    Stopped,
}

/// The kind of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunKind {
    WarmUp,
    Without,
    With,
}

impl<E: Sampling> Runs<'_, E> {
    /// Runs the warm-up, then the pairs.
    pub fn all(&mut self, runs: &mut Vec<MeasuredRun>) -> Result<AllRuns, Error> {
        for _ in 0..self.options.warmup {
            if self.one(0, RunKind::WarmUp)?.is_none() {
                return Ok(AllRuns);
            }
        }
        for (pair, with_first) in captured_first(self.options.pairs, &mut fastrand::Rng::new()).into_iter().enumerate()
        {
            let order = if with_first { [RunKind::With, RunKind::Without] } else { [RunKind::Without, RunKind::With] };
            for kind in order {
                let Some(run) = self.one(pair + 1, kind)? else { return Ok(AllRuns) };
                runs.push(run);
            }
        }
        Ok(AllRuns)
    }

    /// Runs COMMAND once, as a part of this pair (0 in the warm-up). `None` if the user stopped it.
    fn one(&mut self, pair: usize, kind: RunKind) -> Result<Option<MeasuredRun>, Error> {
        let Runs { options, .. } = *self;
        let of = options.runs();
        self.progress.measuring(self.done, of);
        if options.show_output {
            // COMMAND's output and the progress bar use the same terminal.
            self.progress.phase_ends();
        }
        if let Some(prepare) = &options.prepare {
            match self.run_alone(prepare)? {
                RunEnd::Stopped => return Ok(None),
                RunEnd::Code(0) => {}
                RunEnd::Code(code) => return Err(self.failed("--prepare", code, kind)?),
            }
        }
        // Both kinds of run allocate it, so the same amount of memory is free.
        let mut spool = self.spool()?;
        let counted_before = self.engine.counters().map_err(capture::Error::Run)?;
        let (machine_before, cpu_before) = (busy_time(), cpu_of_children()?);
        let (end, events) = match kind {
            RunKind::With => self.run_captured(&mut spool, &counted_before)?,
            RunKind::Without | RunKind::WarmUp => (self.run_alone(&options.command)?, None),
        };
        let (machine_after, cpu_after) = (busy_time(), cpu_of_children()?);
        let RunEnd::Code(exit) = end else { return Ok(None) };
        if exit != 0 && !options.ignore_failure {
            return Err(self.failed("COMMAND", exit, kind)?);
        }
        self.done += 1;
        let [cpu, system] = [0, 1].map(|index| cpu_after[index].saturating_sub(cpu_before[index]));
        let machine = machine_after.zip(machine_before).map(|(after, before)| after.saturating_sub(before));
        let wall = self.running.take().and_then(|running| running.took()).unwrap_or_default();
        Ok(Some(MeasuredRun { pair, captured: kind == RunKind::With, wall, cpu, system, machine, exit, events }))
    }

    /// Runs a program with the events disabled.
    fn run_alone(&mut self, line: &CommandLine) -> Result<RunEnd, Error> {
        if self.signals.asked() > 0 {
            return Ok(RunEnd::Stopped);
        }
        let streams = self.output.streams().map_err(capture::Error::Run)?;
        let launch = Launch { line, nofile_limit: self.nofile_limit, streams, is_last: false };
        let running = launch.start(self.running).map_err(capture::Error::from)?;
        loop {
            // Check signals first, then the program. If the program ends in between, the check finds it; if
            // it ends later, its signal ends the wait.
            if self.signals.asked() > 0 {
                return Ok(RunEnd::Stopped);
            }
            if let Some(code) = running.exit_code().map_err(capture::Error::Run)? {
                return Ok(RunEnd::Code(code));
            }
            self.signals.wait().map_err(capture::Error::Run)?;
        }
    }

    /// Runs COMMAND with the events enabled, as a capture does.
    fn run_captured(
        &mut self,
        spool: &mut Spool,
        counted_before: &[Counted],
    ) -> Result<(RunEnd, Option<CapturedEvents>), Error> {
        if self.signals.asked() > 0 {
            return Ok((RunEnd::Stopped, None));
        }
        let streams = self.output.streams().map_err(capture::Error::Run)?;
        let launch = Launch { line: &self.options.command, nofile_limit: self.nofile_limit, streams, is_last: false };
        // Drawing a progress bar would add to the measured time.
        let (rules, progress) = (StopRules::default(), &mut ());
        let run = match capture::run(self.engine, &rules, Some(launch), self.running, spool, self.signals, progress) {
            // The user interrupted it before the events were enabled.
            Err(capture::Error::Perf(engine::Error::Interrupted)) => return Ok((RunEnd::Stopped, None)),
            result => result?,
        };
        if let Some(cause) = run.problem {
            return Err(self.keeping(cause));
        }
        let running = self.running.as_mut().expect("a capture of COMMAND has started it");
        let code = match run.stop_reason {
            StopReason::Command => running.exit_code().map_err(capture::Error::Run)?,
            StopReason::DiskFull => return Err(self.keeping(io::Error::from(io::ErrorKind::StorageFull))),
            _ => None,
        };
        let Some(code) = code else { return Ok((RunEnd::Stopped, None)) };
        let lost = lost(counted_before, &run.counted);
        let events = spool.samples() + lost.unwrap_or(0);
        // Runs without capturing include the time to start COMMAND too, so it is not overhead.
        Ok((
            RunEnd::Code(code),
            Some(CapturedEvents { events, lost, own_cpu: run.own_cpu.saturating_sub(run.starting_cpu) }),
        ))
    }

    /// A spool like that of a capture with COMMAND, on an unnamed file.
    fn spool(&self) -> Result<Spool, Error> {
        let file = capture::scratch_file()?;
        let keeping = Keeping::within(available_memory(), self.rings, self.options.compress);
        let spool = || {
            let arena = Arena::new(&keeping, 0)?;
            arena.back(capture::sensible(DEFAULT_MEMORY));
            Spool::in_arena(arena, &[], keeping, move || file.try_clone())
        };
        Ok(spool().map_err(capture::Error::Memory)?)
    }

    fn failed(&mut self, what: &'static str, code: i32, kind: RunKind) -> Result<Error, Error> {
        Ok(Error::Failed {
            what,
            is_command: what == "COMMAND",
            code,
            run: self.done + 1,
            of: self.options.runs(),
            kind: match kind {
                RunKind::WarmUp => "warm-up",
                RunKind::Without => "not capturing",
                RunKind::With => "capturing",
            },
            output: self.output.said().map_err(capture::Error::Run)?,
        })
    }

    fn keeping(&self, cause: io::Error) -> Error {
        Error::Keeping { run: self.done + 1, of: self.options.runs(), cause }
    }
}

/// Events lost between two readings of the counters. `None` if the kernel does not report them.
fn lost(before: &[Counted], after: &[Counted]) -> Option<u64> {
    let lost = |counted: &[Counted]| {
        counted.iter().map(|counted| counted.lost_known.then_some(counted.count.lost)).sum::<Option<u64>>()
    };
    Some(lost(after)?.saturating_sub(lost(before)?))
}

/// The CPU time of all children that were waited for, and of their descendants: the total, and the system
/// part.
fn cpu_of_children() -> Result<[Duration; 2], Error> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|errno| capture::Error::Run(errno.into()))?;
    let microseconds = |time: nix::sys::time::TimeVal| Duration::from_micros(time.num_microseconds().unsigned_abs());
    let (user, system) = (microseconds(usage.user_time()), microseconds(usage.system_time()));
    Ok([user + system, system])
}
