//! A receiver of events that are just being recorded.

use super::{CgroupId, Event, Ns, RungStep, ThreadChange};

/// Takes events while they are recorded. They come CPU by CPU in each round, so they are not in time order.
pub trait EventTap {
    /// Takes the steps of tracepoints to other rungs. They come before the events that follow them.
    fn steps(&mut self, steps: &[RungStep]);
    /// Takes what happened to threads and cgroups. It comes before the events that follow it.
    fn changes(&mut self, changes: &[ThreadChange]);
    /// Takes an event with its thread, and the cgroup of the thread.
    fn event(&mut self, event: Event, cgroup: Option<CgroupId>);
    /// A round has ended. All events until this time, when it began, were passed on.
    fn end_round(&mut self, began: Ns);
}
