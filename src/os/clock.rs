//! The clocks that can stamp events.

use crate::units::Ns;
use nix::time::{ClockId, clock_gettime};
use std::fmt;
use std::io;

/// The clock that stamps the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// CLOCK_MONOTONIC, the clock of the thesis's log (`bpf_ktime_get_ns`).
    #[default]
    Monotonic,
    /// CLOCK_MONOTONIC_RAW: monotonic without the adjustments of NTP.
    MonotonicRaw,
    /// CLOCK_BOOTTIME: monotonic that goes on while the machine sleeps.
    Boottime,
    /// CLOCK_REALTIME: the wall clock, which can be set and so can step.
    Realtime,
    /// CLOCK_TAI: the wall clock without leap seconds.
    Tai,
}

impl Clock {
    /// The clock's id, as clock_gettime(2) takes it.
    fn id(self) -> ClockId {
        match self {
            Clock::Monotonic => ClockId::CLOCK_MONOTONIC,
            Clock::MonotonicRaw => ClockId::CLOCK_MONOTONIC_RAW,
            Clock::Boottime => ClockId::CLOCK_BOOTTIME,
            Clock::Realtime => ClockId::CLOCK_REALTIME,
            Clock::Tai => ClockId::CLOCK_TAI,
        }
    }

    /// The clock that the kernel stamps the samples with. It refuses those for tracepoints that cannot be read in an NMI
    /// (`perf_event_set_clock`), and they differ from CLOCK_MONOTONIC by a constant, until the clock is set or the machine
    /// sleeps.
    pub fn sampled(self) -> Clock {
        match self {
            Clock::Monotonic | Clock::Boottime | Clock::Realtime | Clock::Tai => Clock::Monotonic,
            Clock::MonotonicRaw => Clock::MonotonicRaw,
        }
    }

    /// As in clock_gettime(2): `CLOCK_…`.
    pub fn number(self) -> i32 {
        self.id().as_raw()
    }

    /// The clock of this number.
    pub fn of_number(number: i32) -> Option<Clock> {
        [Clock::Monotonic, Clock::MonotonicRaw, Clock::Boottime, Clock::Realtime, Clock::Tai]
            .into_iter()
            .find(|clock| clock.number() == number)
    }

    /// Its time now.
    pub fn now_ns(self) -> io::Result<Ns> {
        let time = clock_gettime(self.id())?;
        Ok(Ns(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64))
    }

    /// Nanoseconds from the sampled clock to this one, now. 0 where they are the same.
    pub fn offset_from_sampled(self) -> io::Result<i64> {
        if self == self.sampled() {
            return Ok(0);
        }
        let now = |clock: Clock| clock.now_ns().map(|time| time.0 as i64);
        let mut best = (i64::MAX, 0);
        // Of several readings the one that took least is the most exact.
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
