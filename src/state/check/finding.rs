//! What a check finds.

use serde::Serialize;

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// Windows that are unlike all that was learned.
    Composition,
    /// A tracepoint that was never hit.
    New,
    /// A tracepoint that is hit no more.
    Vanished,
    /// A tracepoint with more or fewer events in a second.
    Rate,
    /// A tracepoint with a larger or smaller part of the events.
    Share,
}

impl FindingKind {
    /// All kinds, in the order in which they are told.
    pub const ALL: [FindingKind; 5] =
        [FindingKind::Composition, FindingKind::New, FindingKind::Vanished, FindingKind::Rate, FindingKind::Share];

    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            FindingKind::Composition => "windows unlike all that was learned",
            FindingKind::New => "new tracepoints",
            FindingKind::Vanished => "vanished tracepoints",
            FindingKind::Rate => "rates out of their spread",
            FindingKind::Share => "shares out of their spread",
        }
    }
}

/// Something that is not as it was learned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What kind it is of.
    pub kind: FindingKind,
    /// The tracepoint, `group:name`; none of a composition.
    pub tracepoint: Option<String>,
    /// The state that it is held against.
    pub state: String,
    /// The first window.
    pub from: usize,
    /// The window behind the last.
    pub to: usize,
    /// Events in a second in its first block; of a share the part of the events; of a composition the mean distance.
    pub here: f64,
    /// The lowest, the mean and the highest of the learned blocks; none of a composition.
    pub learned: Option<[f64; 3]>,
    /// How likely it is by chance, in one test.
    pub p: f64,
}
