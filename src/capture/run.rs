//! Runs a capture while the events are on: rounds until a stop rule applies.

use super::steering::{RecordSteering, note_steps};
use super::switch_on::SwitchedOn;
use super::unwatched::CpuChanges;
use super::{ChosenRounds, CpuChange, Error};
use crate::control::{Launch, Progress, Running, Signals, wait_for_any};
use crate::engine::Sampling;
use crate::events::{Counted, Reading, SampleId};
use crate::os::cpus::Cpu;
use crate::os::process::page_size;
use crate::os::thread::cpu_time;
use crate::perf_data::record::SAMPLE_SIZE;
use crate::recording::{CostOfRecording, OtherHits, StopReason, Trigger, is_full};
use crate::spool::Spool;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant, SystemTime};

/// The time between two rounds if no ring reaches its watermark. It applies only if somebody watches the
/// progress. Otherwise no round is needed, and each one would wake a CPU. On an idle machine, the interrupts of
/// such wake-ups are a notable part of the recording.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same time if the capture streams to the disk. If it is killed, the newest event that it keeps is half as
/// old in the median.
const STREAM_EVERY: Duration = Duration::from_millis(250);
/// The same time while the capture may reach its number of events without any ring reaching its watermark.
const LOOK_FOR_EVENTS_EVERY: Duration = Duration::from_millis(100);

/// When a capture stops by itself. In any case, it stops when COMMAND ends or the user asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopRules {
    /// Stop after this many events.
    pub events: Option<u64>,
    /// Stop after this time.
    pub duration: Option<Duration>,
}

/// The facts about a capture whose events are off again.
#[derive(Debug)]
pub struct Switched {
    /// Why the capture stopped.
    pub stop_reason: StopReason,
    /// When the events were switched on.
    pub started: SystemTime,
    /// The time from switching the first event on to switching the last one off.
    pub capture: Duration,
    /// When the events were switched off.
    pub stopped: Instant,
    /// The CPU time of this thread while all events were on, and while it took the remaining bytes from the
    /// rings.
    pub own_cpu: Duration,
    /// The part of `own_cpu` that starting COMMAND took, which is not a cost of the capture.
    pub starting_cpu: Duration,
    /// The kernel's counters.
    pub counted: Vec<Counted>,
    /// The kernel's counters of the events that record changes of threads.
    pub threads: Vec<(SampleId, Reading)>,
    /// When the first event was switched on.
    pub on: Instant,
    /// For each CPU, how long its events were on.
    pub time_on: Vec<(Cpu, Duration)>,
    /// The CPUs that came online or went offline while the events were on; `None` if tp-perf may not know all.
    pub cpu_changes: Option<Vec<CpuChange>>,
    /// The cost of the recording, if it has a budget.
    pub cost: Option<CostOfRecording>,
    /// The hits of other processes, if some were chosen.
    pub others: Option<OtherHits>,
    /// What made tp-perf write the recording, if it has only the last seconds.
    pub triggers: Vec<Trigger>,
    /// How often the user had asked to stop by then.
    pub asked: usize,
    /// The error that stopped the taking of chunks, if there was one. Everything taken before is in the
    /// spool.
    pub problem: Option<io::Error>,
}

/// What a run does.
pub struct RunTask<'a> {
    /// When it stops.
    pub rules: &'a StopRules,
    /// The COMMAND to start.
    pub command: Option<Launch<'a>>,
    /// Leaves out other processes, if some were chosen.
    pub chosen: Option<ChosenRounds>,
    /// Keeps the budget, if there is one.
    pub steering: Option<RecordSteering>,
}

/// Switches the events on, starts COMMAND, moves chunks to the spool until a stop rule applies, and switches
/// the events off. Once started, COMMAND is in `running`, even if the capture then fails. It may still be
/// running afterwards.
///
/// With `rules.events = N`, the spool then has all events up to the N-th in time order. Rounds continue until
/// N samples are taken. Those samples, and all older events, were timestamped before the events went off, so
/// the last rounds take all of them.
///
/// # Errors
/// If the events could not be switched on or off, if their counters could not be read, or if COMMAND could
/// not be started. A failure to take chunks is not an error here: it ends the capture
/// ([`Switched::problem`]).
pub fn run<E: Sampling>(
    engine: &mut E,
    task: RunTask<'_>,
    running: &mut Option<Running>,
    spool: &mut Spool,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Switched, Error> {
    let RunTask { rules, command, chosen, mut steering } = task;
    let mut noted = Ok(());
    let mut begin = SwitchedOn::by(signals, || {
        engine.enable()?;
        // A full disk ends the capture in order.
        let steps = steering.as_mut().map(|steering| steering.start(engine, spool.samples())).transpose();
        noted = steps.and_then(|steps| note_steps(spool, steps.unwrap_or_default()));
        Ok(())
    })?;
    if noted.is_ok() {
        begin.start(command, running, engine)?;
    }
    let SwitchedOn { mut outside, started, on, all_on, cpu_before, starting_cpu } = begin;
    if let Some(steering) = &mut steering {
        steering.leave_out(starting_cpu);
    }
    let mut until = Rounds { rules, on: all_on, chosen, steering };
    if let (Some(chosen), Some(running)) = (&mut until.chosen, running.as_ref()) {
        chosen.command_started(running.pid());
    }
    let result = noted.and_then(|()| until.until_stop(engine, running.as_mut(), spool, &mut outside, progress));
    engine.disable().map_err(Error::Run)?;
    let stopped = Instant::now();
    outside.changes.note();
    let asked = outside.signals.asked();

    // A sample that was being written when its CPU was told to stop is published a moment later. So after the
    // counters are read, a second round takes such samples.
    let first = until.last_round(engine, spool);
    let own_cpu = cpu_time().map_err(Error::Run)?.saturating_sub(cpu_before);
    let counted = engine.counters().map_err(Error::Run)?;
    let threads = engine.thread_counters().map_err(Error::Run)?;
    let cost =
        until.steering.take().map(|steering| steering.end(engine, spool.samples())).transpose().map_err(Error::Run)?;
    let time_on = engine.time_on().map_err(Error::Run)?;
    let second = until.last_round(engine, spool);
    let others = until.chosen.map(|chosen| chosen.others(engine));
    progress.phase_ends();
    let (stop_reason, problem) = match result {
        // A full disk does not prevent the last rounds: the spool has room for them in memory.
        Ok(reason) => (reason, first.and(second).err().filter(|error| !is_full(error))),
        Err(error) if is_full(&error) => (StopReason::DiskFull, Some(error)),
        Err(error) => (StopReason::Error, Some(error)),
    };
    Ok(Switched {
        stop_reason,
        started,
        capture: stopped - on,
        stopped,
        own_cpu,
        starting_cpu,
        counted,
        threads,
        on,
        time_on,
        cpu_changes: outside.changes.into_seen(),
        cost,
        others,
        triggers: Vec::new(),
        asked,
        problem,
    })
}

/// Everything that wakes tp-perf, except the rings.
pub(crate) struct Outside<'a> {
    pub signals: &'a mut Signals,
    pub changes: CpuChanges,
}

impl Outside<'_> {
    /// The descriptors that poll readable at a signal, or when a CPU comes or goes.
    pub fn wake_descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.signals.wake_descriptors().chain(self.changes.wake_descriptor())
    }

    /// Whether a signal asked to stop, and of which kind it was.
    pub fn asked_to_stop(&mut self) -> Option<StopReason> {
        self.signals.check();
        match (self.signals.interrupts(), self.signals.terminates() + self.signals.others()) {
            (1.., _) => Some(StopReason::Interrupt),
            (0, 1..) => Some(StopReason::Terminate),
            (0, 0) => None,
        }
    }
}

/// The rounds of a capture.
struct Rounds<'a> {
    rules: &'a StopRules,
    /// When all events were on.
    on: Instant,
    chosen: Option<ChosenRounds>,
    steering: Option<RecordSteering>,
}

impl Rounds<'_> {
    /// Takes the bytes of every ring once.
    fn round<E: Sampling>(&mut self, engine: &mut E, spool: &mut Spool) -> io::Result<()> {
        match &mut self.chosen {
            Some(chosen) => chosen.round(engine, spool),
            None => engine.round(spool),
        }
    }

    /// The same once the events are off.
    fn last_round<E: Sampling>(&mut self, engine: &mut E, spool: &mut Spool) -> io::Result<()> {
        match &mut self.chosen {
            Some(chosen) => chosen.last_round(engine, spool),
            None => engine.round(spool),
        }
    }

    fn until_stop<E: Sampling>(
        &mut self,
        engine: &mut E,
        mut command: Option<&mut Running>,
        spool: &mut Spool,
        outside: &mut Outside<'_>,
        progress: &mut dyn Progress,
    ) -> io::Result<StopReason> {
        let Rounds { rules, on, .. } = *self;
        let rings = engine.attached().cpus.as_slice().len();
        let mut look = longest_sleep(rules.events, rings, spool.streams(), progress.is_shown());
        if self.chosen.is_some() && rules.events.is_some() {
            // The rings say nothing about the number of chosen events.
            look = Some(LOOK_FOR_EVENTS_EVERY);
        }
        loop {
            let left = rules.duration.map(|duration| duration.saturating_sub(on.elapsed()));
            let reading = self.steering.as_ref().map(RecordSteering::left);
            let woken_by_a_ring =
                wait(engine, outside, self.chosen.as_ref(), left.into_iter().chain(look).chain(reading).min())?;
            if woken_by_a_ring && rules.events.is_some() {
                // From now on, the number of events may be reached before a ring reaches its watermark again.
                look = Some(LOOK_FOR_EVENTS_EVERY);
            }
            // This is checked before the round, which takes time, so the time at which COMMAND ended is accurate.
            if let Some(command) = &mut command {
                command.exit_code()?;
            }
            self.round(engine, spool)?;
            progress.capturing(spool.samples(), on.elapsed());

            if let Some(reason) = outside.asked_to_stop() {
                return Ok(reason);
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
            if let Some(chosen) = &mut self.chosen
                && chosen.have_all_ended()?
            {
                return Ok(StopReason::Processes);
            }
            if let Some(steering) = &mut self.steering {
                let mut steps = Vec::new();
                let kept = steering.window(engine, spool.samples(), &mut steps);
                note_steps(spool, steps).and(kept)?;
            }
        }
    }
}

/// The maximum time to sleep before the next round. It depends on the number of events in the stop rule, on
/// whether the capture streams to the disk, and on whether somebody watches. `None` if only a ring, a signal or the end of the duration ends the
/// sleep.
fn longest_sleep(events: Option<u64>, rings: usize, streams: bool, is_watched: bool) -> Option<Duration> {
    // A watermark is at least a page, and the kernel wakes the reader above it. With more bytes than a page
    // per ring, some ring has reached its watermark by the time all events are there.
    let unannounced = (page_size() as u64).saturating_mul(rings as u64);
    if events.is_some_and(|events| events.saturating_mul(SAMPLE_SIZE as u64) <= unannounced) {
        return Some(LOOK_FOR_EVENTS_EVERY);
    }
    if streams { Some(STREAM_EVERY) } else { is_watched.then_some(LOOK_EVERY) }
}

/// Sleeps until a ring reaches its watermark, a signal arrives, a CPU comes or goes, a chosen process ends, or `patience` has
/// passed.
/// Returns whether it was a ring.
fn wait(
    engine: &impl Sampling,
    outside: &mut Outside<'_>,
    chosen: Option<&ChosenRounds>,
    patience: Option<Duration>,
) -> io::Result<bool> {
    let rings = engine.wake_descriptors();
    let of_rings = rings.len();
    let ends = chosen.into_iter().flat_map(ChosenRounds::ends);
    let ready = wait_for_any(rings.into_iter().chain(ends).chain(outside.wake_descriptors()), patience)?;
    outside.changes.note();
    Ok(ready[..of_rings].contains(&true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_below_their_watermark_are_polled_only_if_somebody_waits() {
        assert_eq!(longest_sleep(None, 2, false, false), None);
        assert_eq!(longest_sleep(None, 2, false, true), Some(LOOK_EVERY));
        assert_eq!(longest_sleep(None, 2, true, true), Some(STREAM_EVERY));
        // Three pages hold a whole number of samples. With one more sample, a ring has reached its watermark.
        let most_unannounced = (3 * page_size() / SAMPLE_SIZE) as u64;
        assert_eq!(longest_sleep(Some(most_unannounced + 1), 3, false, false), None);
        assert_eq!(longest_sleep(Some(most_unannounced + 1), 3, false, true), Some(LOOK_EVERY));
        assert_eq!(longest_sleep(Some(most_unannounced + 1), 4, false, false), Some(LOOK_FOR_EVENTS_EVERY));
        for is_watched in [false, true] {
            assert_eq!(longest_sleep(Some(most_unannounced), 3, false, is_watched), Some(LOOK_FOR_EVENTS_EVERY));
        }
    }
}
