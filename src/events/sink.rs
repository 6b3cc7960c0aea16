//! Sinks: the consumers of events and ticks.

use super::stream::Loss;
use super::{Event, Ns, RowRun, RungStep, ThreadChange, Tick};
use crate::tracefs::Table;

/// A consumer of the events of a source, or of the ticks of an engine. Several sinks can share one source.
///
/// A sink that fails keeps its error for its owner, and takes nothing more.
pub trait Sink {
    /// Takes the next events, ordered by (time, cpu, arrival). `table` has their tracepoints. It is the same
    /// table in every call, but it may have grown.
    fn events(&mut self, _events: &[Event], _table: &Table) {}

    /// Takes losses. They are in time order per CPU, but not in order with the events or with other CPUs.
    fn losses(&mut self, _losses: &[Loss]) {}

    /// Only the events of some processes will come. So samples of others may be missing between them.
    fn only_some(&mut self) {}

    /// Takes the steps of tracepoints to other rungs. They come before the events that follow them.
    fn steps(&mut self, _steps: &[RungStep]) {}

    /// Takes runs of rows of a log that stand for several hits each. They come before their events.
    fn row_runs(&mut self, _runs: &[RowRun]) {}

    /// Takes what happened to threads. It comes before the events that follow it, and is in no order.
    fn threads(&mut self, _changes: &[ThreadChange]) {}

    /// All events up to this time have passed, also those that the sink does not get.
    fn passed(&mut self, _time: Ns) {}

    /// Takes the hits of a window.
    fn tick(&mut self, _tick: &Tick<'_>) {}

    /// Flushes everything taken so far, because nothing follows for a while.
    fn pause(&mut self) {}

    /// Ends the sink. Nothing follows.
    fn end(&mut self) {}

    /// False once the sink has failed. A source that is read only for its sinks ends when no sink takes more.
    fn takes_more(&self) -> bool {
        true
    }
}
