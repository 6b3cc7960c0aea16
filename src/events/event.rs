//! An event: one recorded hit.

use crate::events::{Cpu, Ns, Tpid};
use std::fmt;

/// The number of a thread: what ps(1) calls SPID or LWP. 0 is the idle task of a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(u32);

impl Tid {
    /// The idle task of a CPU.
    pub const IDLE: Tid = Tid(0);
    /// No kernel has a thread with this number or a higher one (`PID_MAX_LIMIT`).
    const END: u32 = 1 << 22;

    /// Wraps the number of a thread. `None` if no thread can have it: -1, for example, stands for a thread that has ended.
    pub const fn new(number: u32) -> Option<Self> {
        if number < Self::END { Some(Tid(number)) } else { None }
    }

    /// The bare number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hit recorded with its time, CPU, tracepoint, and thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The time of the hit, by the capture's clock.
    pub time: Ns,
    /// The tracepoint, the CPU, the thread, and whether an interrupt caused the hit.
    fields: u64,
}

// Memory holds millions of events during a capture.
const _: () = assert!(size_of::<Event>() == 16);

/// The bits of each field, from the lowest: the tracepoint, the CPU, the thread. A field of ones means that it is not known.
const TPID_BITS: u32 = 24;
const CPU_BITS: u32 = 14;
const TID_BITS: u32 = 23;
const IN_INTERRUPT: u64 = 1 << (TPID_BITS + CPU_BITS + TID_BITS);
const NO_CPU: u64 = (1 << CPU_BITS) - 1;
const NO_TID: u64 = (1 << TID_BITS) - 1;
const _: () = assert!((Tid::END as u64) < NO_TID && TPID_BITS + CPU_BITS + TID_BITS < u64::BITS);

impl Event {
    /// The most tracepoints that a source can have.
    pub const MOST_TRACEPOINTS: usize = (1 << TPID_BITS) - 1;
    /// The most CPUs that a source can have.
    pub const MOST_CPUS: u32 = NO_CPU as u32;

    /// A hit of a tracepoint. The CPU is `None` if the source does not record it.
    ///
    /// # Panics
    /// If the number of the tracepoint or of the CPU exceeds [`MOST_TRACEPOINTS`](Self::MOST_TRACEPOINTS) or reaches
    /// [`MOST_CPUS`](Self::MOST_CPUS).
    #[inline]
    pub fn new(time: Ns, cpu: Option<Cpu>, tpid: Tpid) -> Self {
        let cpu = match cpu {
            Some(cpu) => {
                assert!(u64::from(cpu.get()) < NO_CPU, "no machine has so many CPUs");
                u64::from(cpu.get())
            }
            None => NO_CPU,
        };
        assert!(tpid.index() <= Self::MOST_TRACEPOINTS, "no source has so many tracepoints");
        Event { time, fields: u64::from(tpid.get()) | cpu << TPID_BITS | NO_TID << (TPID_BITS + CPU_BITS) }
    }

    /// The same hit in a thread.
    #[inline]
    #[must_use]
    pub fn in_thread(self, tid: Tid) -> Self {
        let place = TPID_BITS + CPU_BITS;
        Event { fields: self.fields & !(NO_TID << place) | u64::from(tid.get()) << place, ..self }
    }

    /// The same hit, caused by an interrupt.
    #[inline]
    #[must_use]
    pub fn in_interrupt(self) -> Self {
        Event { fields: self.fields | IN_INTERRUPT, ..self }
    }

    /// Whether the source records that an interrupt caused the hit, and not the thread that ran on the CPU.
    #[inline]
    pub fn is_in_interrupt(self) -> bool {
        self.fields & IN_INTERRUPT != 0
    }

    /// The tracepoint.
    #[inline]
    pub fn tpid(self) -> Tpid {
        Tpid::new((self.fields & ((1 << TPID_BITS) - 1)) as u32)
    }

    /// The CPU of the hit; `None` if the source does not record it.
    #[inline]
    pub fn cpu(self) -> Option<Cpu> {
        match self.fields >> TPID_BITS & NO_CPU {
            NO_CPU => None,
            cpu => Some(Cpu::new(cpu as u32)),
        }
    }

    /// The thread that ran on the CPU; `None` if the source does not record it, or if the thread had ended.
    #[inline]
    pub fn tid(self) -> Option<Tid> {
        match self.fields >> (TPID_BITS + CPU_BITS) & NO_TID {
            NO_TID => None,
            tid => Some(Tid(tid as u32)),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut event = f.debug_struct("Event");
        event.field("time", &self.time).field("cpu", &self.cpu()).field("tpid", &self.tpid()).field("tid", &self.tid());
        event.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_event_keeps_its_fields(
            time: u64,
            cpu in proptest::option::of(0..Event::MOST_CPUS),
            tpid in 1..=Event::MOST_TRACEPOINTS as u32,
            tid in proptest::option::of(0..Tid::END),
        ) {
            let (cpu, tpid, tid) = (cpu.map(Cpu::new), Tpid::new(tpid), tid.and_then(Tid::new));
            let event = Event::new(Ns(time), cpu, tpid);
            prop_assert_eq!((event.tid(), event.is_in_interrupt()), (None, false));
            let event = tid.map_or(event, |tid| event.in_thread(Tid::IDLE).in_thread(tid));
            let event = if time % 2 == 0 { event.in_interrupt() } else { event };
            prop_assert_eq!((event.time, event.cpu(), event.tpid(), event.tid()), (Ns(time), cpu, tpid, tid));
            prop_assert_eq!(event.is_in_interrupt(), time % 2 == 0);
        }
    }

    #[test]
    fn what_is_no_thread_has_no_number() {
        assert_eq!(Tid::new(u32::MAX), None);
        assert_eq!(Tid::new(Tid::END), None);
        assert_eq!(Tid::new(Tid::END - 1).map(Tid::get), Some((1 << 22) - 1));
    }
}
