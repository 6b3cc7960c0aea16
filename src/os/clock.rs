//! The clocks that can timestamp events.

use crate::units::Ns;
use nix::time::{ClockId, clock_gettime};
use std::fmt;
use std::io;

/// A clock that can timestamp events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns.
    #[default]
    Monotonic,
    /// CLOCK_MONOTONIC_RAW: monotonic without the adjustments of NTP.
    MonotonicRaw,
    /// CLOCK_BOOTTIME: monotonic, and keeps running while the machine sleeps.
    Boottime,
    /// CLOCK_REALTIME: the wall clock; it jumps when somebody sets it.
    Realtime,
    /// CLOCK_TAI: the wall clock without leap seconds.
    Tai,
}

impl Clock {
    /// The id for clock_gettime(2).
    fn id(self) -> ClockId {
        match self {
            Clock::Monotonic => ClockId::CLOCK_MONOTONIC,
            Clock::MonotonicRaw => ClockId::CLOCK_MONOTONIC_RAW,
            Clock::Boottime => ClockId::CLOCK_BOOTTIME,
            Clock::Realtime => ClockId::CLOCK_REALTIME,
            Clock::Tai => ClockId::CLOCK_TAI,
        }
    }

    /// The clock with which the kernel timestamps the samples. For tracepoints, the kernel refuses every
    /// clock that cannot be read in an NMI (`perf_event_set_clock`). Those clocks differ from CLOCK_MONOTONIC
    /// by a constant until the clock is set or the machine sleeps, so tp-perf samples with CLOCK_MONOTONIC
    /// and adds the offset.
    pub fn sampled(self) -> Clock {
        match self {
            Clock::Monotonic | Clock::Boottime | Clock::Realtime | Clock::Tai => Clock::Monotonic,
            Clock::MonotonicRaw => Clock::MonotonicRaw,
        }
    }

    /// The number of the clock in clock_gettime(2): `CLOCK_…`.
    pub fn number(self) -> i32 {
        self.id().as_raw()
    }

    /// The clock with this number; `None` if tp-perf does not know it.
    pub fn of_number(number: i32) -> Option<Clock> {
        [Clock::Monotonic, Clock::MonotonicRaw, Clock::Boottime, Clock::Realtime, Clock::Tai]
            .into_iter()
            .find(|clock| clock.number() == number)
    }

    /// The current time of this clock.
    pub fn now_ns(self) -> io::Result<Ns> {
        let time = clock_gettime(self.id())?;
        Ok(Ns(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64))
    }

    /// The current offset in nanoseconds from the sampled clock to this one; 0 if they are the same clock.
    pub fn offset_from_sampled(self) -> io::Result<i64> {
        if self == self.sampled() {
            return Ok(0);
        }
        let now = |clock: Clock| clock.now_ns().map(|time| time.0 as i64);
        let mut best = (i64::MAX, 0);
        // The reading that took the least time is the most accurate.
        for _ in 0..16 {
            let (before, there, after) = (now(self.sampled())?, now(self)?, now(self.sampled())?);
            best = best.min((after - before, there - (before + after) / 2));
        }
        Ok(best.1)
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Clock::Monotonic => "monotonic",
            Clock::MonotonicRaw => "monotonic-raw",
            Clock::Boottime => "boottime",
            Clock::Realtime => "realtime",
            Clock::Tai => "tai",
        })
    }
}
