//! Joins the findings of a check to episodes: what deviates at the same time has one cause.

use super::{Finding, FindingKind};
use crate::state::Reason;
use crate::state::deviation::{Deviation, GroupDeviation};
use crate::state::identify::Identification;
use crate::units::Ns;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

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
    windows: Range<usize>,
    /// Windows in a block.
    block: usize,
    composition: Option<&'a Finding>,
    /// Findings that begin and end with it.
    tracepoints: Vec<&'a Finding>,
    /// Findings of which only a part is in it.
    others: Vec<&'a Finding>,
}

/// The findings joined to episodes, in order of time. Findings belong to one episode if they begin and end within a block of
/// each other. A tracepoint may also deviate through several episodes in which the windows as a whole are unlike the state: then
/// they explain it.
pub(super) fn episodes(identification: &Identification, findings: &[Finding], block: usize) -> Vec<Episode> {
    let (compositions, mut tracepoints): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.kind == FindingKind::Composition);
    tracepoints.sort_by_key(|finding| (finding.from, finding.to));
    let mut all: Vec<Joined<'_>> = compositions.into_iter().map(|finding| Joined::of(finding, block)).collect();
    for finding in tracepoints {
        if let Some(joined) = all.iter_mut().find(|joined| joined.has_dates_of(finding)) {
            joined.tracepoints.push(finding);
        } else if let Some(joined) = explaining(&mut all, finding) {
            joined.others.push(finding);
        } else {
            all.push(Joined::of(finding, block));
        }
    }
    all.sort_by_key(|joined| (joined.windows.start, joined.windows.end));
    all.iter().enumerate().map(|(number, joined)| joined.episode(identification, number < MOST_RANKED)).collect()
}

/// The largest part of a finding among the episodes of unlike windows, if they have half of it.
fn explaining<'a, 'b>(all: &'b mut [Joined<'a>], finding: &Finding) -> Option<&'b mut Joined<'a>> {
    let unlike = || all.iter().filter(|joined| joined.composition.is_some());
    let explained: usize = unlike().map(|joined| joined.common(finding)).sum();
    match 2 * explained >= finding.to - finding.from {
        true => {
            let unlike = all.iter_mut().filter(|joined| joined.composition.is_some());
            unlike.max_by_key(|joined| joined.common(finding))
        }
        false => None,
    }
}

impl<'a> Joined<'a> {
    fn of(finding: &'a Finding, block: usize) -> Self {
        let is_composition = finding.kind == FindingKind::Composition;
        Joined {
            state: &finding.state,
            windows: finding.from..finding.to,
            block,
            composition: is_composition.then_some(finding),
            tracepoints: if is_composition { Vec::new() } else { vec![finding] },
            others: Vec::new(),
        }
    }

    fn has_dates_of(&self, finding: &Finding) -> bool {
        let Range { start, end } = self.windows;
        let is_near = |window: usize, date: usize| window.abs_diff(date) < self.block;
        self.state == finding.state && is_near(start, finding.from) && is_near(end, finding.to)
    }

    /// How many windows it has in common with a finding.
    fn common(&self, finding: &Finding) -> usize {
        self.windows.end.min(finding.to).saturating_sub(self.windows.start.max(finding.from))
    }

    /// When it begins and ends. The findings about tracepoints show this best: the shares of all tracepoints together vary
    /// more than those that change. Their middle is taken, because one of them may vary much too.
    fn dates(&self) -> Range<usize> {
        let middle = |window: usize, of: fn(&Finding) -> usize| {
            let dates = self.tracepoints.iter().chain(&self.others).map(|finding| of(finding));
            let mut dates: Vec<usize> = dates.filter(|date| date.abs_diff(window) < self.block).collect();
            dates.sort_unstable();
            dates.get(dates.len() / 2).copied().unwrap_or(window)
        };
        let Range { start, end } = self.windows;
        let dates = middle(start, |finding| finding.from)..middle(end, |finding| finding.to);
        if dates.is_empty() { start..end } else { dates }
    }

    fn episode(&self, identification: &Identification, is_ranked: bool) -> Episode {
        let windows = self.dates();
        let reasons: Vec<Reason> = match self.composition {
            Some(composition) => composition.because.clone(),
            None if is_ranked => identification.against(self.state_number(identification), windows.clone()),
            None => Vec::new(),
        };
        let looks = identification.looks(windows.clone());
        let name = |state: &usize| identification.states.states[*state].name.clone();
        Episode {
            from: windows.start,
            to: windows.end,
            begin_ns: identification.begins[windows.start],
            end_ns: identification.begins[windows.end],
            state: self.state.to_owned(),
            distance: self.composition.map(|composition| composition.here),
            looks_like: looks.states.iter().map(name).collect(),
            nearest: looks.nearest.as_ref().map(name),
            groups: GroupDeviation::of(self.deviations(&reasons)),
        }
    }

    /// Each tracepoint once: as its finding shows it, otherwise as the reasons do.
    fn deviations(&self, reasons: &[Reason]) -> Vec<Deviation> {
        let parts: BTreeMap<&str, f64> = reasons.iter().map(|reason| (reason.name.as_str(), reason.part)).collect();
        let of_finding = |finding: &&Finding| {
            let name = finding.tracepoint.clone().unwrap_or_default();
            let learned = finding.learned.map_or(0.0, |[_, mean, _]| mean);
            let part = parts.get(name.as_str()).copied().unwrap_or(0.0);
            let deviation = Deviation::new(name, &(finding.from..finding.to), [finding.here, learned], part);
            Deviation { is_share: finding.kind == FindingKind::Share, ..deviation }
        };
        let found = self.tracepoints.iter().map(of_finding);
        let because = if self.composition.is_some() { reasons } else { &[] };
        let because = Deviation::of_reasons(because, &self.dates());
        let mut named = BTreeSet::new();
        let all = found.chain(because).chain(self.others.iter().map(of_finding));
        all.filter(|deviation| named.insert(deviation.tracepoint.clone())).collect()
    }

    fn state_number(&self, identification: &Identification) -> usize {
        let states = &identification.states.states;
        states.iter().position(|state| state.name == self.state).expect("a finding names a state of the library")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: FindingKind, windows: Range<usize>) -> Finding {
        Finding {
            kind,
            tracepoint: (kind != FindingKind::Composition).then(|| "a:x".to_owned()),
            state: "idle".to_owned(),
            looks_like: None,
            nearest: None,
            because: Vec::new(),
            from: windows.start,
            to: windows.end,
            here: 2.0,
            learned: Some([1.0; 3]),
            p: 0.0,
        }
    }

    #[test]
    fn an_episode_has_the_dates_of_its_tracepoints() {
        let unlike = finding(FindingKind::Composition, 13..101);
        let tracepoints = [11..100, 16..100, 11..118].map(|windows| finding(FindingKind::Rate, windows));
        let mut joined = Joined::of(&unlike, 10);
        assert_eq!(joined.dates(), 13..101);
        joined.tracepoints = tracepoints.iter().collect();
        assert_eq!(joined.dates(), 11..100);
        // Those of which only a part is in it have one of the dates.
        (joined.others, joined.tracepoints) = (tracepoints.iter().skip(2).collect(), Vec::new());
        assert_eq!(joined.dates(), 11..101);
    }

    #[test]
    fn a_tracepoint_joins_the_episodes_that_explain_it() {
        let unlike = [finding(FindingKind::Composition, 0..20), finding(FindingKind::Composition, 30..44)];
        let mut all: Vec<Joined<'_>> = unlike.iter().map(|finding| Joined::of(finding, 10)).collect();
        let mut explained = |windows: Range<usize>| {
            explaining(&mut all, &finding(FindingKind::Rate, windows)).map(|joined| joined.windows.start)
        };
        assert_eq!([explained(0..60), explained(28..50), explained(10..30)], [Some(0), Some(30), Some(0)]);
        assert_eq!([explained(0..90), explained(44..60)], [None, None], "most of it is outside");
        let [first, _] = unlike.each_ref().map(|finding| Joined::of(finding, 10));
        let has_dates = |windows: Range<usize>| first.has_dates_of(&finding(FindingKind::Rate, windows));
        assert_eq!([has_dates(9..20), has_dates(10..20), has_dates(0..30)], [true, false, false]);
    }
}
