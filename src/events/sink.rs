//! Sinks: all that takes events or ticks.

use super::stream::Loss;
use super::{Event, Tick};
use crate::tracefs::Table;

/// Takes what a source or an engine gives. Any number of sinks can take the same; the log is one.
///
/// A sink that fails keeps its error for whoever made it, and takes no more.
pub trait Sink {
    /// Takes the next events, which are in the order of (time, cpu, arrival). `table` has their tracepoints; it is always
    /// the same, and may have grown.
    fn events(&mut self, _events: &[Event], _table: &Table) {}

    /// Takes losses, wherever in time. Those of each CPU come in the order of time.
    fn losses(&mut self, _losses: &[Loss]) {}

    /// Takes the hits of a window.
    fn tick(&mut self, _tick: &Tick<'_>) {}

    /// Shows all that was given before: nothing follows for a while.
    fn pause(&mut self) {}

    /// Nothing follows.
    fn end(&mut self) {}

    /// False once it has failed. A source that is read for its sinks alone ends when none takes more.
    fn takes_more(&self) -> bool {
        true
    }
}
