//! The input of `learn`, `identify` and `check`.

use crate::capture;
use crate::events::Filter;
use crate::source::Place;

/// The input whose events are counted per window.
#[derive(Debug)]
pub enum Observation {
    /// Existing sources.
    Source {
        /// The sources.
        places: Vec<Place>,
        /// The part of each source to use, by time.
        part: Box<Filter>,
    },
    /// This machine, now: a capture that keeps only counts.
    Machine(Box<capture::CaptureOptions>),
}
