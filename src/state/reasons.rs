//! The reasons for the state of a stretch: the contribution of each tracepoint to the distances.

use super::composition::{Composition, Part};
use super::names::Names;
use serde::Serialize;
use std::collections::BTreeMap;

/// The contribution of one tracepoint, or of one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// `group:name`, or the name of a group.
    #[serde(skip)]
    pub name: String,
    /// Its share of the events in this stretch.
    #[serde(rename = "share")]
    pub here: f64,
    /// Its share in the windows of the nearest state that are most similar to the stretch.
    #[serde(rename = "in_state")]
    pub nearest: f64,
    /// Its share in the most similar windows of the second nearest state.
    #[serde(rename = "in_other")]
    pub other: f64,
    /// In a reason against the nearest state: its part of the squared distance from that state. In a reason
    /// in favour: its part of the squared distance from the other state, minus its part of the squared
    /// distance from the nearest state.
    pub part: f64,
}

/// The compositions that the reasons are computed from.
pub(super) struct Reasons<'a> {
    pub names: &'a Names,
    pub here: &'a Composition,
    pub nearest: &'a Composition,
    pub other: Option<&'a Composition>,
}

impl Reasons<'_> {
    fn name(&self, part: &Part) -> String {
        self.names.name(part.name).unwrap_or_default().to_owned()
    }

    pub fn against(&self) -> Vec<Reason> {
        let other = self.other.cloned().unwrap_or_default();
        let parts = self.here.parts(self.nearest).into_iter().filter(|part| part.squared > 0.0);
        parts
            .map(|part| Reason {
                name: self.name(&part),
                here: part.shares.0,
                nearest: part.shares.1,
                other: other.share(part.name),
                part: part.squared,
            })
            .collect()
    }

    pub fn in_favour(&self) -> Vec<Reason> {
        let Some(other) = self.other else { return Vec::new() };
        let of_nearest: BTreeMap<_, _> =
            self.here.parts(self.nearest).into_iter().map(|part| (part.name, part.squared)).collect();
        let mut reasons: Vec<Reason> = self
            .here
            .parts(other)
            .into_iter()
            .map(|part| Reason {
                name: self.name(&part),
                here: part.shares.0,
                nearest: self.nearest.share(part.name),
                other: part.shares.1,
                part: part.squared - of_nearest.get(&part.name).copied().unwrap_or(0.0),
            })
            .filter(|reason| reason.part > 0.0)
            .collect();
        reasons.sort_by(|a, b| b.part.total_cmp(&a.part));
        reasons
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
