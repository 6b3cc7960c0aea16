//! What `learn`, `identify` and `check` observe.

use crate::capture;
use crate::events::Filter;
use crate::source::Place;

/// What is observed, and counted by windows.
#[derive(Debug)]
pub enum Observation {
    /// Sources that were recorded before.
    Source {
        /// Which.
        places: Vec<Place>,
        /// Which part of each, by time.
        part: Filter,
    },
    /// This machine, now: a capture of which only counts are kept.
    Machine(Box<capture::CaptureOptions>),
}
