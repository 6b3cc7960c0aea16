//! Joins the findings of a check to episodes: what deviates at the same time has one cause.

use super::{Finding, FindingKind};
use crate::state::Reason;
use crate::state::deviation::{Deviation, GroupDeviation};
use crate::state::identify::Identification;
use crate::units::Ns;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Of so many episodes, the tracepoints are ranked. More of them take too long, and nobody reads them.
const MOST_RANKED: usize = 100;

/// Some time in which a source deviates from a state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Episode {
    /// The window in which it begins.
    pub from: usize,
    /// One past the window in which it ends.
    pub to: usize,
    /// When it begins, by the source's clock.
    pub begin_ns: Ns,
    /// When it ends.
    pub end_ns: Ns,
    /// The state that it deviates from.
    pub state: String,
    /// How many times as far from this state as its sessions usually are. `None` if only single tracepoints deviate.
    pub distance: Option<f64>,
    /// The states of the whole library that the source looks like. Empty if all are rejected.
    pub looks_like: Vec<String>,
    /// The nearest state of the whole library. `None` if too few windows were usable.
    pub nearest: Option<String>,
    /// The tracepoints that deviate, by group.
    pub groups: Vec<GroupDeviation>,
}

/// The findings of an episode, while they are joined.
struct Joined<'a> {
    state: &'a str,
    from: usize,
    to: usize,
    composition: Option<&'a Finding>,
    tracepoints: Vec<&'a Finding>,
}

/// The findings joined to episodes, in order of time. Findings belong to one episode if they begin and end within a block of
/// each other.
pub(super) fn episodes(identification: &Identification, findings: &[Finding], block: usize) -> Vec<Episode> {
    let mut findings: Vec<&Finding> = findings.iter().collect();
    // The findings about whole windows come first, because those about tracepoints join them.
    findings.sort_by_key(|finding| (finding.kind != FindingKind::Composition, finding.from, finding.to));
    let mut all: Vec<Joined<'_>> = Vec::new();
    for finding in findings {
        let is_composition = finding.kind == FindingKind::Composition;
        let joins = |joined: &&mut Joined<'_>| {
            joined.state == finding.state
                && joined.from.abs_diff(finding.from) < block
                && joined.to.abs_diff(finding.to) < block
        };
        match all.iter_mut().find(joins).filter(|_| !is_composition) {
            Some(joined) => joined.tracepoints.push(finding),
            None => all.push(Joined {
                state: &finding.state,
                from: finding.from,
                to: finding.to,
                composition: is_composition.then_some(finding),
                tracepoints: if is_composition { Vec::new() } else { vec![finding] },
            }),
        }
    }
    all.sort_by_key(|joined| (joined.from, joined.to));
    all.iter().enumerate().map(|(number, joined)| joined.episode(identification, number < MOST_RANKED)).collect()
}

impl Joined<'_> {
    fn episode(&self, identification: &Identification, is_ranked: bool) -> Episode {
        let windows = self.from..self.to;
        let reasons: Vec<Reason> = match self.composition {
            Some(composition) => composition.because.clone(),
            None if is_ranked => identification.against(self.state_number(identification), windows.clone()),
            None => Vec::new(),
        };
        let parts: BTreeMap<&str, f64> = reasons.iter().map(|reason| (reason.name.as_str(), reason.part)).collect();
        let of_finding = |finding: &&Finding| {
            let name = finding.tracepoint.clone().unwrap_or_default();
            let learned = finding.learned.map_or(0.0, |[_, mean, _]| mean);
            let part = parts.get(name.as_str()).copied().unwrap_or(0.0);
            let deviation = Deviation::new(name, &(finding.from..finding.to), [finding.here, learned], part);
            Deviation { is_share: finding.kind == FindingKind::Share, ..deviation }
        };
        let mut deviations: Vec<Deviation> = self.tracepoints.iter().map(of_finding).collect();
        if self.composition.is_some() {
            let found: BTreeSet<String> = deviations.iter().map(|deviation| deviation.tracepoint.clone()).collect();
            let others = Deviation::of_reasons(&reasons, &windows);
            deviations.extend(others.into_iter().filter(|deviation| !found.contains(&deviation.tracepoint)));
        }
        let looks = identification.looks(windows.clone());
        let name = |state: &usize| identification.states.states[*state].name.clone();
        Episode {
            from: self.from,
            to: self.to,
            begin_ns: identification.begins[self.from],
            end_ns: identification.begins[self.to],
            state: self.state.to_owned(),
            distance: self.composition.map(|composition| composition.here),
            looks_like: looks.states.iter().map(name).collect(),
            nearest: looks.nearest.as_ref().map(name),
            groups: GroupDeviation::of(deviations),
        }
    }

    fn state_number(&self, identification: &Identification) -> usize {
        let states = &identification.states.states;
        states.iter().position(|state| state.name == self.state).expect("a finding names a state of the library")
    }
}
