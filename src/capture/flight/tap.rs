//! Passes on the events of a flight recorder, round by round, to the counter.

use super::FlightRecorder;
use crate::engine::Sampling;
use crate::events::{CgroupId, Event, EventTap, Ns, RungStep, SampleId, ThreadChange, Tid};
use byteorder::{ByteOrder, NativeEndian};
use perf_event_open_sys::bindings as abi;
use std::io;

/// What was not passed on yet.
#[derive(Debug, Default)]
pub(super) struct Untapped {
    pub steps: Vec<RungStep>,
    pub changes: Vec<ThreadChange>,
    /// The number of the first byte.
    pub at: u64,
    /// When the last round began.
    pub round_began: Ns,
    /// By slot: whether all its hits happen in interrupts.
    pub of_interrupts: Vec<bool>,
}

impl<E: Sampling> FlightRecorder<E> {
    /// Passes on what came since the last call.
    pub(super) fn pass_on(&mut self, tap: Option<&mut dyn EventTap>) -> io::Result<()> {
        let kept = self.rounds.kept();
        let untapped = &mut self.untapped;
        let (steps, changes) = (std::mem::take(&mut untapped.steps), std::mem::take(&mut untapped.changes));
        let from = std::mem::replace(&mut untapped.at, kept.end).max(kept.start);
        let Some(tap) = tap else { return Ok(()) };
        tap.steps(&steps);
        tap.changes(&changes);
        let (ids, layout) = (self.engine.sample_ids(), self.fields.layout);
        let passed = self.rounds.records(from..kept.end, |record| {
            let of_sample = (record.kind == abi::PERF_RECORD_SAMPLE).then(|| {
                let place = ids.find(SampleId(record.word(8)?))?;
                let (slot, time) = (ids.slots()[place], record.word(layout.time?)?);
                let cgroup_at = layout.cgroup_from_end.and_then(|from_end| record.bytes.len().checked_sub(from_end));
                let event = Event::new(Ns(time), slot.cpu, slot.tpid);
                let thread = layout.thread.and_then(|at| record.bytes.get(at + 4..at + 8));
                let event = match thread.map(NativeEndian::read_u32).and_then(Tid::new) {
                    Some(tid) => event.in_thread(tid),
                    None => event,
                };
                let is_in_interrupt = untapped.of_interrupts.get(place) == Some(&true);
                let event = if is_in_interrupt { event.in_interrupt() } else { event };
                Some((event, cgroup_at.and_then(|at| record.word(at)).map(CgroupId)))
            });
            if let Some((event, cgroup)) = of_sample.flatten() {
                tap.event(event, cgroup);
            }
        });
        tap.end_round(untapped.round_began);
        passed
    }
}
