//! The files from which a history is read, and the part that is read.

use super::facts::HistoryFacts;
use super::layout::{FileKind, HistoryLevel, HourPart};
use crate::events::Ns;
use std::path::PathBuf;
use std::rc::Rc;

/// Which part of a history is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryChoice {
    /// The host, if the history has several.
    pub host: Option<String>,
    /// The level, if the path leads to both.
    pub level: HistoryLevel,
    /// Only windows that begin at this time or later, by the wall clock in nanoseconds since 1970 in UTC.
    pub from: Option<Ns>,
    /// Only windows that begin before this time.
    pub to: Option<Ns>,
}

impl HistoryChoice {
    /// Whether a time is in the range.
    pub(super) fn has(&self, time: Ns) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }

    /// Whether a part of an hour is in the range.
    pub(super) fn has_hour(&self, hour: HourPart) -> bool {
        self.from.is_none_or(|from| hour.end() > from) && self.to.is_none_or(|to| hour.begin() < to)
    }
}

/// A file of a history.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) kind: FileKind,
    pub(super) start: Ns,
    pub(super) end: Ns,
    pub(super) facts: Rc<HistoryFacts>,
    pub(super) journal: String,
}
