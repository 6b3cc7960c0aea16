//! The reasons for the state of a stretch: the contribution of each tracepoint to the distances.

use super::logs::TOTAL;
use super::names::Names;
use super::profile::{Means, Profile, Term};
use super::windows::Length;
use serde::Serialize;
use std::collections::BTreeMap;

/// The contribution of one tracepoint, or of one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// `group:name`, or the name of a group.
    #[serde(skip)]
    pub name: String,
    /// Its typical rate in this stretch, in events per second: the geometric mean over the windows. With windows of a number
    /// of events, it is the number in a window. A group has the sum of its tracepoints.
    #[serde(rename = "rate")]
    pub here: f64,
    /// The same in the nearest state.
    #[serde(rename = "in_state")]
    pub nearest: f64,
    /// The same in the second nearest state.
    #[serde(rename = "in_other")]
    pub other: f64,
    /// In a reason against the nearest state: its part of the squared distance D² from that state. In a reason in favour: its
    /// part of D² from the other state, minus its part of D² from the nearest state.
    pub part: f64,
}

/// What the reasons are computed from.
pub(super) struct Reasons<'a> {
    pub names: &'a Names,
    pub length: Length,
    pub here: &'a Means,
    pub nearest: &'a Profile,
    pub other: Option<&'a Profile>,
}

impl Reasons<'_> {
    fn reason(&self, Term { column, part }: Term) -> Reason {
        let seconds = match self.length {
            Length::Ns(ns) => ns as f64 / 1e9,
            Length::Events(_) => 1.0,
        };
        let rate = |logs: &[f64]| logs[column].exp_m1().max(0.0) / seconds;
        Reason {
            name: self.names.name((column - TOTAL - 1) as u32).unwrap_or_default().to_owned(),
            here: rate(&self.here.logs),
            nearest: rate(&self.nearest.mean),
            other: self.other.map_or(0.0, |other| rate(&other.mean)),
            part,
        }
    }

    fn largest_first(&self, terms: impl Iterator<Item = Term>) -> Vec<Reason> {
        let mut terms: Vec<Term> = terms.filter(|term| term.part > 0.0).collect();
        terms.sort_by(|a, b| b.part.total_cmp(&a.part));
        terms.into_iter().map(|term| self.reason(term)).collect()
    }

    pub fn against(&self) -> Vec<Reason> {
        self.largest_first(self.nearest.terms(self.here).into_iter())
    }

    pub fn in_favour(&self) -> Vec<Reason> {
        let Some(other) = self.other else { return Vec::new() };
        let both = other.terms(self.here).into_iter().zip(self.nearest.terms(self.here));
        self.largest_first(both.map(|(other, nearest)| Term { part: other.part - nearest.part, ..other }))
    }
}

/// The reasons summed by group, largest first.
pub(super) fn by_group(reasons: &[Reason]) -> Vec<Reason> {
    let mut groups = BTreeMap::<&str, Reason>::new();
    for reason in reasons {
        let group = reason.name.split(':').next().unwrap_or_default();
        let of_group = groups.entry(group).or_insert_with(|| Reason {
            name: group.to_owned(),
            here: 0.0,
            nearest: 0.0,
            other: 0.0,
            part: 0.0,
        });
        of_group.here += reason.here;
        of_group.nearest += reason.nearest;
        of_group.other += reason.other;
        of_group.part += reason.part;
    }
    let mut groups: Vec<Reason> = groups.into_values().collect();
    groups.sort_by(|a, b| b.part.total_cmp(&a.part));
    groups
}
