//! What to read for a report, and how finely.

use super::Identifier;
use crate::activity::Activity;
use crate::events::Filter;
use crate::processes::Processes;
use crate::source::Place;

/// The sources to read, and how to read them.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// The sources.
    pub places: Vec<Place>,
    /// How many of the sources are on each side of the comparison, in their order. If it is empty, each source is a side.
    pub sides: Vec<usize>,
    /// The events to take.
    pub filter: Filter,
    /// The resolution of the activity over time.
    pub detail: Detail,
    /// The states to compare the sources with, if any.
    pub identifier: Option<Identifier>,
    /// Whether to count events by process.
    pub by_process: bool,
}

impl ReportOptions {
    /// Whole sources, for text and tables.
    pub fn of(places: Vec<Place>) -> Self {
        ReportOptions {
            places,
            sides: Vec::new(),
            filter: Filter::default(),
            detail: Detail::default(),
            identifier: None,
            by_process: false,
        }
    }
}

/// The resolution of the activity over time. It is as fine as the output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// For the terminal and for tables: a row of a few dozen columns.
    #[default]
    Text,
    /// For plots.
    Plots,
    /// For a page, which also shows CPUs.
    Page,
}

impl Detail {
    /// Cells that a report on the terminal needs.
    const CELLS_OF_TEXT: usize = 1 << 16;
    /// Cells that plots and pages need.
    const CELLS_OF_PICTURES: usize = 1 << 18;

    /// An empty activity for one of this many sources.
    pub(super) fn activity(self, sources: usize) -> Activity {
        // Many sources must not take much more room than few.
        let most_cells = Self::CELLS_OF_PICTURES * 2 / sources.max(2);
        match self {
            Detail::Page => Activity::new(most_cells).with_cpus(most_cells / 8),
            Detail::Plots => Activity::new(most_cells),
            Detail::Text => Activity::new(Self::CELLS_OF_TEXT * 8 / sources.max(8)),
        }
    }

    /// No processes yet, for one of this many sources. Only a page shows them over time.
    pub(super) fn processes(self, sources: usize) -> Processes {
        match self {
            Detail::Page => Processes::default().with_cells(Self::CELLS_OF_PICTURES / sources.max(2)),
            Detail::Plots | Detail::Text => Processes::default(),
        }
    }
}
