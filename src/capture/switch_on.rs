//! The begin of a capture or a count: the events go on, and COMMAND starts.

use super::{CpuChanges, Error, Outside};
use crate::control::{Launch, Running, Signals};
use crate::engine::{self, Engine};
use crate::os::thread::cpu_time;
use std::io;
use std::time::{Duration, Instant, SystemTime};

/// A capture or a count whose events are on.
pub(crate) struct SwitchedOn<'a> {
    /// Everything that wakes tp-perf, except the rings.
    pub outside: Outside<'a>,
    /// When the first event was switched on, by the calendar.
    pub started: SystemTime,
    /// When the first event was switched on.
    pub on: Instant,
    /// When all events were on. The duration and the cost of a run start here.
    pub all_on: Instant,
    /// The CPU time of this thread when all events were on.
    pub cpu_before: Duration,
    /// The CPU time that starting COMMAND took, which is not a cost of the run.
    pub starting_cpu: Duration,
}

impl<'a> SwitchedOn<'a> {
    /// Calls `switch_on`, which switches all events on.
    ///
    /// # Errors
    /// If the user has asked to stop before, or if the events could not be switched on.
    pub fn by(signals: &'a mut Signals, switch_on: impl FnOnce() -> io::Result<()>) -> Result<Self, Error> {
        if signals.asked() > 0 {
            return Err(engine::Error::Interrupted.into());
        }
        let outside = Outside { signals, changes: CpuChanges::watch() };
        let (started, on) = (SystemTime::now(), Instant::now());
        switch_on().map_err(Error::Run)?;
        let (all_on, cpu_before) = (Instant::now(), cpu_time().map_err(Error::Run)?);
        Ok(SwitchedOn { outside, started, on, all_on, cpu_before, starting_cpu: Duration::ZERO })
    }

    /// Starts COMMAND, if there is one. Once started, it is in `running`.
    ///
    /// # Errors
    /// If COMMAND could not be started. The events are then off again.
    pub fn start<E: Engine>(
        &mut self,
        command: Option<Launch<'_>>,
        running: &mut Option<Running>,
        engine: &mut E,
    ) -> Result<(), Error> {
        let Some(command) = command else { return Ok(()) };
        let before = cpu_time().map_err(Error::Run)?;
        if let Err(error) = command.start(running) {
            engine.disable().map_err(Error::Run)?;
            return Err(error.into());
        }
        self.starting_cpu = cpu_time().map_err(Error::Run)?.saturating_sub(before);
        Ok(())
    }
}
