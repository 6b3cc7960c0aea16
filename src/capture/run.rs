//! The time while the events are on: rounds until one of the stop rules holds.

use super::Error;
use crate::control::{Launch, Progress, Running, Signals, wait_for_any};
use crate::engine::{self, Sampling};
use crate::events::Counted;
use crate::os::process::page_size;
use crate::perf_data::record::SAMPLE_SIZE;
use crate::recording::{StopReason, is_full};
use crate::spool::Spool;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::io;
use std::time::{Duration, Instant, SystemTime};

/// Rings are looked at this often even if none has filled up to its watermark, while somebody watches or what comes is to be
/// on the disk soon. Nobody else needs a look: it wakes a CPU, and the interrupts of that are recorded, which counts on a
/// machine that does nothing else.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same while a number of events may be reached that no ring tells of by itself.
const LOOK_FOR_EVENTS_EVERY: Duration = Duration::from_millis(100);

/// When a capture stops by itself; without any rule, when COMMAND ends or the user says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopRules {
    /// After this many events.
    pub events: Option<u64>,
    /// After this long.
    pub duration: Option<Duration>,
}

/// What is known when the events are off again.
#[derive(Debug)]
pub struct Switched {
    /// Why they are.
    pub stop_reason: StopReason,
    /// When they were switched on.
    pub started: SystemTime,
    /// How long they were on, from the first to the last of them.
    pub capture: Duration,
    /// When they were switched off.
    pub stopped: Instant,
    /// CPU time of this thread while all were on, and while it took what was in the rings then.
    pub own_cpu: Duration,
    /// The part of it in which COMMAND was started, which is work without a capture too.
    pub starting_cpu: Duration,
    /// The kernel's counters.
    pub counted: Vec<Counted>,
    /// How often the user had asked for the end by then.
    pub asked: usize,
    /// What kept chunks from being taken, if anything did. All that was taken before is there.
    pub problem: Option<io::Error>,
}

/// Switches the events on, starts COMMAND, moves chunks to the spool until a rule holds, and switches the events off.
/// COMMAND, once started, is in `running`, whatever happens then, and may go on.
///
/// With `rules.events = N` the spool then holds all events up to the N-th in time order: rounds go on until N samples
/// are taken, and each of them was stamped before the events went off, as was everything older, which the last rounds
/// take.
///
/// # Errors
/// If the events could not be switched on or off or counted, or COMMAND could not be started. That chunks could not be
/// taken any more is no error here but the end of the capture ([`Switched::problem`]).
pub fn run<E: Sampling>(
    engine: &mut E,
    rules: &StopRules,
    command: Option<Launch<'_>>,
    running: &mut Option<Running>,
    spool: &mut Spool,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Switched, Error> {
    if signals.asked() > 0 {
        return Err(engine::Error::Interrupted.into());
    }
    let (started, on) = (SystemTime::now(), Instant::now());
    engine.enable().map_err(Error::Run)?;
    // Only now are all of them on: `--duration` begins here, and so does what the capture costs.
    let (all_on, cpu_before) = (Instant::now(), own_cpu_time().map_err(Error::Run)?);
    let mut starting_cpu = Duration::ZERO;
    if let Some(command) = command {
        let cpu_before = own_cpu_time().map_err(Error::Run)?;
        *running = Some(command.start()?);
        starting_cpu = own_cpu_time().map_err(Error::Run)?.saturating_sub(cpu_before);
    }
    let result = rounds_until_stop(engine, rules, running.as_mut(), spool, signals, progress, all_on);
    engine.disable().map_err(Error::Run)?;
    let stopped = Instant::now();
    let asked = signals.asked();

    // A sample that was being written when its CPU was told to stop is published a moment later; the counters are read
    // in between, and then the rings are looked at once more.
    let first = engine.round(spool);
    let own_cpu = own_cpu_time().map_err(Error::Run)?.saturating_sub(cpu_before);
    let counted = engine.counters().map_err(Error::Run)?;
    let second = engine.round(spool);
    progress.phase_ends();
    let (stop_reason, problem) = match result {
        // A disk that is full by now keeps nothing from being taken: the spool has room for these rounds.
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
        asked,
        problem,
    })
}

fn rounds_until_stop<E: Sampling>(
    engine: &mut E,
    rules: &StopRules,
    mut command: Option<&mut Running>,
    spool: &mut Spool,
    signals: &mut Signals,
    progress: &mut dyn Progress,
    on: Instant,
) -> io::Result<StopReason> {
    let rings = engine.wake_descriptors().len();
    let mut look = longest_sleep(rules.events, rings, progress.is_shown() || spool.streams());
    loop {
        let left = rules.duration.map(|duration| duration.saturating_sub(on.elapsed()));
        let woken_by_a_ring = wait(engine, signals, left.into_iter().chain(look).min())?;
        if woken_by_a_ring && rules.events.is_some() {
            // From now on they may all be there before a ring tells again.
            look = Some(LOOK_FOR_EVENTS_EVERY);
        }
        // Before the round, which takes its time: when COMMAND ended should be known well.
        if let Some(command) = &mut command {
            command.exit_code()?;
        }
        engine.round(spool)?;
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

/// How long to sleep at most before the next look at the rings, by the events that the stop rule asks for, and whether
/// somebody waits for events. `None` if only a ring, a signal or the end of the duration ends the sleep.
fn longest_sleep(events: Option<u64>, rings: usize, is_waited_for: bool) -> Option<Duration> {
    // A watermark is no lower than a page, and the kernel tells of what is above it: with more events than this, some ring has
    // reached its watermark by the time when they are there.
    let untold = (page_size() as u64).saturating_mul(rings as u64);
    if events.is_some_and(|events| events.saturating_mul(SAMPLE_SIZE as u64) <= untold) {
        return Some(LOOK_FOR_EVENTS_EVERY);
    }
    is_waited_for.then_some(LOOK_EVERY)
}

/// Sleeps until a ring has filled up to its watermark, a signal has arrived, or patience is at an end. Gives whether it was a
/// ring.
fn wait(engine: &impl Sampling, signals: &Signals, patience: Option<Duration>) -> io::Result<bool> {
    let of_signals = signals.wake_descriptors();
    let descriptors = of_signals.into_iter().chain(engine.wake_descriptors());
    Ok(wait_for_any(descriptors, patience)?[of_signals.len()..].contains(&true))
}

fn own_cpu_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(microseconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_that_do_not_tell_are_looked_at_only_for_somebody() {
        assert_eq!(longest_sleep(None, 2, false), None);
        assert_eq!(longest_sleep(None, 2, true), Some(LOOK_EVERY));
        // Three pages hold a whole number of samples. With one more, a ring has told.
        let most_untold = (3 * page_size() / SAMPLE_SIZE) as u64;
        assert_eq!(longest_sleep(Some(most_untold + 1), 3, false), None);
        assert_eq!(longest_sleep(Some(most_untold + 1), 3, true), Some(LOOK_EVERY));
        assert_eq!(longest_sleep(Some(most_untold + 1), 4, false), Some(LOOK_FOR_EVENTS_EVERY));
        for is_waited_for in [false, true] {
            assert_eq!(longest_sleep(Some(most_untold), 3, is_waited_for), Some(LOOK_FOR_EVENTS_EVERY));
        }
    }
}
