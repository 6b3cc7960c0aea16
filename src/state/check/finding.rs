//! The findings of a check.

use crate::state::Reason;
use serde::Serialize;

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// Windows that are unlike all learned sessions.
    Composition,
    /// A tracepoint that fires, but never fired in the learned sessions.
    New,
    /// A tracepoint that no longer fires.
    Vanished,
    /// A tracepoint whose rate is higher or lower than learned.
    Rate,
    /// A tracepoint whose share of all events is larger or smaller than learned.
    Share,
}

impl FindingKind {
    /// All kinds, in the order in which they are reported.
    pub const ALL: [FindingKind; 5] =
        [FindingKind::Composition, FindingKind::New, FindingKind::Vanished, FindingKind::Rate, FindingKind::Share];

    /// Names the kind in plain words.
    pub fn words(self) -> &'static str {
        match self {
            FindingKind::Composition => "windows unlike all learned sessions",
            FindingKind::New => "new tracepoints",
            FindingKind::Vanished => "vanished tracepoints",
            FindingKind::Rate => "rates outside their learned range",
            FindingKind::Share => "shares outside their learned range",
        }
    }
}

/// A difference from what was learned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// The tracepoint as `group:name`. A finding about a composition has none.
    pub tracepoint: Option<String>,
    /// The state that the windows were compared with.
    pub state: String,
    /// The state of the library that the windows look like. Only a finding about a composition has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<String>,
    /// The state of the whole library that is nearest to the windows, even if it is rejected. Only a finding about a
    /// composition has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// The tracepoints that differ most from the state. Only a finding about a composition has them. The JSON form has
    /// those that are named in the episode.
    #[serde(skip)]
    pub because: Vec<Reason>,
    /// The window in which it begins.
    pub from: usize,
    /// One past the window in which it ends.
    pub to: usize,
    /// In the windows of the finding: events per second, or for a share the part of all events. For a
    /// composition, the mean distance of its windows.
    pub here: f64,
    /// The lowest value, the mean and the highest value of the learned blocks. A finding about a composition
    /// has none.
    pub learned: Option<[f64; 3]>,
    /// The probability that chance alone produces such a value in one test.
    pub p: f64,
}
