//! Passes on the events of a flight recorder, round by round, to the counter.

use super::FlightRecorder;
use crate::capture::sampled_event;
use crate::engine::Sampling;
use crate::events::{EventTap, Ns, RungStep, ThreadChange};
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
            if let Some((_, event, cgroup)) = sampled_event(&record, ids, &layout, &untapped.of_interrupts) {
                tap.event(event, cgroup);
            }
        });
        tap.end_round(untapped.round_began);
        passed
    }
}
