//! Carries out the steps of a measurement.

use super::attachments::Attachments;
use super::measurement::{MeasuredRun, WatchedHits};
use super::schedule::MeasureStep;
use super::{Arm, CommandOutput, Error, MeasureOptions, Way};
use crate::capture::{self, Chosen, wait_for_detach};
use crate::control::{CommandLine, Launch, Progress, Running, Signals};
use crate::engine::{self, Detaching, Kernel};
use crate::os::machine::machine_times;
use crate::os::memory::available_memory;
use crate::os::privileges;
use crate::os::thread::cpu_of_children;
use crate::recording::StopReason;
use crate::spool::{Arena, DEFAULT_MEMORY, Keeping, Spool};
use std::io;
use std::time::Duration;

/// The state of a measurement.
pub(super) struct Runs<'a, K: Kernel> {
    pub kernel: &'a K,
    pub options: &'a MeasureOptions,
    pub chosen: &'a mut Chosen,
    /// All ways, attached and off; `None` while nothing is attached.
    pub attachments: Option<Attachments<K>>,
    /// Detaches that continue in the background.
    pub detaching: Vec<Detaching>,
    /// How long each detach took for which this measurement waited.
    pub waits: Vec<Duration>,
    /// The size of all rings together in bytes; 0 if no way records.
    pub rings: usize,
    pub nofile_limit: (u64, u64),
    pub output: CommandOutput,
    pub running: &'a mut Option<Running>,
    pub signals: &'a mut Signals,
    pub progress: &'a mut dyn Progress,
    /// The number of finished runs, including the warm-up.
    pub done: usize,
    /// The number of all runs, including the warm-up.
    pub of: usize,
}

/// Whether the measurement goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    /// The user stopped it.
    Stopped,
}

/// How a run of a program ended.
enum RunEnd {
    Code(i32),
    /// The user stopped the measurement. The program may still be running.
    Stopped,
}

impl<K: Kernel> Runs<'_, K> {
    /// Carries out all steps, or those before the user stops the measurement.
    pub fn all(&mut self, steps: &[MeasureStep], runs: &mut Vec<MeasuredRun>) -> Result<(), Error> {
        // Attaching needs rights, so they are kept until the last time.
        let all_attached = steps.iter().rposition(|step| *step == MeasureStep::Attach).map_or(0, |last| last + 1);
        for (number, step) in steps.iter().enumerate() {
            if number == all_attached {
                // A budget visits hot tracepoints, which takes new events.
                privileges::keep_opening(self.options.ways.contains(&Way::Budget));
                privileges::give_up(self.options.command.rights()).map_err(capture::Error::from)?;
            }
            let goes = match *step {
                MeasureStep::Attach => self.attach()?,
                MeasureStep::Detach => self.detach()?,
                MeasureStep::WarmUp => self.one(None)?.map_or(Goes::Stopped, |_| Goes::On),
                MeasureStep::Run { round, arm } => match self.one(Some((round, arm)))? {
                    Some(run) => {
                        runs.push(run);
                        Goes::On
                    }
                    None => Goes::Stopped,
                },
            };
            if goes == Goes::Stopped {
                break;
            }
        }
        Ok(())
    }

    fn attach(&mut self) -> Result<Goes, Error> {
        match Attachments::attach(self.kernel, self.chosen, self.options, self.signals, self.progress) {
            Err(capture::Error::Perf(engine::Error::Interrupted)) => Ok(Goes::Stopped),
            attachments => {
                self.attachments = Some(attachments?);
                Ok(Goes::On)
            }
        }
    }

    /// Detaches, and waits until the kernel has detached everything.
    fn detach(&mut self) -> Result<Goes, Error> {
        self.progress.phase_ends();
        self.detaching = self.attachments.take().map(Attachments::detach).unwrap_or_default();
        let mut took = Duration::ZERO;
        // All children began at the same time, so the longest detach is the wait.
        for detaching in &mut self.detaching {
            let tracepoints = detaching.tracepoints();
            let step = &mut |done| self.progress.detaching(done, tracepoints);
            let detached = wait_for_detach(detaching, self.signals, step).map_err(capture::Error::Run)?;
            self.progress.phase_ends();
            let Some(detached) = detached else { return Ok(Goes::Stopped) };
            took = took.max(detached);
        }
        self.waits.push(took);
        Ok(Goes::On)
    }

    /// Runs COMMAND once, in this round and under this arm, or as a warm-up. `None` if the user stopped it.
    fn one(&mut self, place: Option<(usize, Arm)>) -> Result<Option<MeasuredRun>, Error> {
        let Runs { options, .. } = *self;
        let (round, arm) = place.unwrap_or((0, Arm::Off));
        let kind = place.map_or("warm-up", |(_, arm)| arm.name());
        self.progress.measuring(self.done, self.of);
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
        // All kinds of run allocate it, so the same amount of memory is free. It lives until the times are read.
        let mut spool = if self.rings > 0 { Some(self.spool()?) } else { None };
        let (machine_before, cpu_before) =
            (machine_times().map(|times| times.busy), cpu_of_children().map_err(capture::Error::Run)?);
        let (end, hits) = match arm {
            Arm::On(way) => self.run_watched(way, spool.as_mut())?,
            Arm::Off | Arm::Nothing => (self.run_alone(&options.command)?, None),
        };
        let (machine_after, cpu_after) =
            (machine_times().map(|times| times.busy), cpu_of_children().map_err(capture::Error::Run)?);
        let RunEnd::Code(exit) = end else { return Ok(None) };
        if exit != 0 && !options.ignore_failure {
            return Err(self.failed("COMMAND", exit, kind)?);
        }
        self.done += 1;
        let [cpu, system] = [0, 1].map(|index| cpu_after[index].saturating_sub(cpu_before[index]));
        let machine = machine_after.zip(machine_before).map(|(after, before)| after.saturating_sub(before));
        let wall = self.running.take().and_then(|running| running.took()).unwrap_or_default();
        Ok(Some(MeasuredRun { round, arm, wall, cpu, system, machine, exit, hits }))
    }

    /// Runs a program with all events off.
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

    /// Runs COMMAND with the events of this way on.
    fn run_watched(&mut self, way: Way, spool: Option<&mut Spool>) -> Result<(RunEnd, Option<WatchedHits>), Error> {
        let attachments = self.attachments.as_mut().expect("the schedule attaches before it watches");
        let streams = self.output.streams().map_err(capture::Error::Run)?;
        let launch = Launch { line: &self.options.command, nofile_limit: self.nofile_limit, streams, is_last: false };
        let run = match attachments.run(way, self.kernel, launch, spool, self.running, self.signals) {
            // The user interrupted it before the events were switched on.
            Err(capture::Error::Perf(engine::Error::Interrupted)) => return Ok((RunEnd::Stopped, None)),
            run => run?,
        };
        if let Some(cause) = run.problem {
            return Err(self.watching(way, cause));
        }
        let running = self.running.as_mut().expect("a run of COMMAND has started it");
        let code = match run.stop_reason {
            StopReason::Command => running.exit_code().map_err(capture::Error::Run)?,
            _ => None,
        };
        Ok(code.map_or((RunEnd::Stopped, None), |code| (RunEnd::Code(code), Some(run.hits))))
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

    fn failed(&mut self, what: &'static str, code: i32, kind: &'static str) -> Result<Error, Error> {
        Ok(Error::Failed {
            what,
            is_command: what == "COMMAND",
            code,
            run: self.done + 1,
            of: self.of,
            kind,
            output: self.output.said().map_err(capture::Error::Run)?,
        })
    }

    fn watching(&self, way: Way, cause: io::Error) -> Error {
        let (run, of) = (self.done + 1, self.of);
        match way {
            Way::Record | Way::RecordBudget => Error::Keeping { run, of, cause },
            Way::Count | Way::Budget => Error::Reading { run, of, cause },
        }
    }
}
