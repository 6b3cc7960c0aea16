//! The wall clock, which steps, and the windows, which do not.
//!
//! A tick has times of CLOCK_MONOTONIC. Their distance to the wall clock is kept. It is measured again at each tick, and
//! replaced if it differs by more than a millisecond, so most windows begin exactly where the last one ended.

use crate::events::Ns;
use crate::os::clock::Clock;
use std::io;

/// The times of three clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock: nanoseconds since 1970 in UTC.
    pub wall: Ns,
    /// CLOCK_MONOTONIC, the clock of the ticks.
    pub monotonic: Ns,
    /// CLOCK_BOOTTIME, which goes on while the machine sleeps.
    pub boot: Ns,
}

/// The clocks of a machine, or those of a test.
pub trait HistoryClock {
    /// The times of now.
    ///
    /// # Errors
    /// If the kernel refuses to read a clock.
    fn now(&mut self) -> io::Result<ClockReading>;
}

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineClock;

impl HistoryClock for MachineClock {
    fn now(&mut self) -> io::Result<ClockReading> {
        let mut best: Option<(u64, ClockReading)> = None;
        // The reading that took the least time is the most accurate.
        for _ in 0..4 {
            let before = Clock::Monotonic.now_ns()?;
            let (wall, boot) = (Clock::Realtime.now_ns()?, Clock::Boottime.now_ns()?);
            let took = Clock::Monotonic.now_ns()?.since(before);
            let reading = ClockReading { wall, monotonic: before + took / 2, boot };
            if best.is_none_or(|(least, _)| took < least) {
                best = Some((took, reading));
            }
        }
        Ok(best.expect("the loop has readings").1)
    }
}

/// Something that happened to the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockEvent {
    /// It was set: forward, or backward if negative.
    Stepped { by_ns: i64 },
    /// The machine slept.
    Slept { for_ns: u64 },
}

/// Smaller differences between the clocks are corrections by NTP, or noise.
const LEAST_STEP_NS: u64 = 100_000_000;
/// A correction may be as fast as this part of the time (chrony corrects a twelfth of the time at most).
const FASTEST_CORRECTION: u64 = 8;
/// The largest error of the begin of a window.
const MOST_OFF_NS: u64 = 1_000_000;

/// The distances between the clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct WallTimes {
    /// From CLOCK_MONOTONIC to the wall clock.
    offset: i64,
    last: ClockReading,
    /// How long the wall clock has gone without a step, in nanoseconds of CLOCK_BOOTTIME.
    steady_ns: u64,
}

fn distance(from: Ns, to: Ns) -> i64 {
    to.0.wrapping_sub(from.0).cast_signed()
}

impl WallTimes {
    pub(super) fn begin(now: ClockReading) -> Self {
        WallTimes { offset: distance(now.monotonic, now.wall), last: now, steady_ns: 0 }
    }

    /// The wall-clock time of a time of CLOCK_MONOTONIC.
    pub(super) fn of(&self, monotonic: Ns) -> Ns {
        Ns(u64::try_from(i128::from(monotonic.0) + i128::from(self.offset)).unwrap_or(0))
    }

    /// The wall-clock time of the last reading.
    pub(super) fn last(&self) -> Ns {
        self.last.wall
    }

    /// How long the wall clock has gone without a step, in nanoseconds.
    pub(super) fn steady_ns(&self) -> u64 {
        self.steady_ns
    }

    /// Takes a new reading. Windows that began before it keep the begin that they had.
    pub(super) fn update(&mut self, now: ClockReading) -> Vec<ClockEvent> {
        let passed = now.boot.since(self.last.boot);
        let by_ns = distance(now.boot, now.wall).wrapping_sub(distance(self.last.boot, self.last.wall));
        let for_ns = distance(now.monotonic, now.boot).wrapping_sub(distance(self.last.monotonic, self.last.boot));
        let mut events = Vec::new();
        if for_ns > LEAST_STEP_NS as i64 {
            events.push(ClockEvent::Slept { for_ns: for_ns.unsigned_abs() });
        }
        self.steady_ns = self.steady_ns.saturating_add(passed);
        if by_ns.unsigned_abs() > LEAST_STEP_NS.saturating_add(passed / FASTEST_CORRECTION) {
            events.push(ClockEvent::Stepped { by_ns });
            self.steady_ns = 0;
        }
        let offset = distance(now.monotonic, now.wall);
        if offset.wrapping_sub(self.offset).unsigned_abs() > MOST_OFF_NS {
            self.offset = offset;
        }
        self.last = now;
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn reading(wall: u64, monotonic: u64, boot: u64) -> ClockReading {
        ClockReading { wall: Ns(wall), monotonic: Ns(monotonic), boot: Ns(boot) }
    }

    #[test]
    fn steps_are_told_from_corrections_and_from_sleep() {
        let mut times = WallTimes::begin(reading(1_000 * S, 10 * S, 10 * S));
        assert_eq!(times.of(Ns(9 * S)), Ns(999 * S));
        // Noise does not move the begins.
        assert_eq!(times.update(reading(1_001 * S + 900_000, 11 * S, 11 * S)), []);
        assert_eq!(times.of(Ns(11 * S)), Ns(1_001 * S));
        // A correction does, and is no step.
        assert_eq!(times.update(reading(1_002 * S + 80_000_000, 12 * S, 12 * S)), []);
        assert_eq!(times.of(Ns(12 * S)), Ns(1_002 * S + 80_000_000));
        assert_eq!(times.steady_ns(), 2 * S);
        let back = times.update(reading(3 * S + 80_000_000, 13 * S, 13 * S));
        assert_eq!(back, [ClockEvent::Stepped { by_ns: -1_000 * S as i64 }]);
        assert_eq!((times.of(Ns(13 * S)), times.steady_ns()), (Ns(3 * S + 80_000_000), 0));
        // While it sleeps, CLOCK_MONOTONIC stands.
        let asleep = times.update(reading(104 * S + 80_000_000, 14 * S, 114 * S));
        assert_eq!(asleep, [ClockEvent::Slept { for_ns: 100 * S }]);
        assert_eq!(times.of(Ns(14 * S)), Ns(104 * S + 80_000_000));
        // Times before 1970 do not exist.
        assert_eq!(times.update(reading(S, 15 * S, 115 * S)).len(), 1);
        assert_eq!(times.of(Ns(13 * S)), Ns(0));
    }

    #[test]
    fn this_machine_has_the_clocks() {
        let now = MachineClock.now().unwrap();
        assert!(now.wall.0 > 1_700_000_000 * S && now.boot >= now.monotonic);
        let mut times = WallTimes::begin(now);
        assert!(times.update(MachineClock.now().unwrap()).is_empty() || cfg!(miri));
    }
}
