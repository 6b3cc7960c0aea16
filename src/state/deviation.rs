//! The tracepoints that deviate from a state, by group: the part that the reports of `identify` and `check`
//! have in common.

use super::reasons::Reason;
use crate::units::Factor;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// A tracepoint that adds less than this part of what the first one adds to the distance is not named.
const LEAST_PART: f64 = 0.05;
/// The same for one that is new or gone. It has no usual rate that it could exceed by chance.
const LEAST_PART_OF_NEW: f64 = 0.01;

/// How the activity of a tracepoint deviates from a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviationKind {
    /// It fires, and never fired in the sessions of the state.
    New,
    /// It no longer fires.
    Gone,
    /// It fires more often, or has a larger share of all events.
    More,
    /// It fires less often, or has a smaller share.
    Less,
}

/// A tracepoint that deviates from a state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deviation {
    /// `group:name`.
    pub tracepoint: String,
    /// The window in which it begins.
    pub from: usize,
    /// One past the window in which it ends.
    pub to: usize,
    /// Events per second, or the part of all events.
    pub here: f64,
    /// The same in the sessions of the state.
    pub learned: f64,
    /// How many times as often. `None` if it is new.
    pub times: Option<f64>,
    /// Whether `here` and `learned` are parts of all events, because the rate is as learned.
    pub is_share: bool,
    /// Its part of the squared distance D² from the state.
    pub part: f64,
}

/// The tracepoints of one group that deviate from a state in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupDeviation {
    /// The group.
    pub group: String,
    /// The way in which its tracepoints deviate.
    pub kind: DeviationKind,
    /// How many times as often the tracepoints fire, taken together. `None` if they are new.
    pub times: Option<f64>,
    /// Their events per second, or their part of all events.
    pub here: f64,
    /// The same in the sessions of the state.
    pub learned: f64,
    /// Whether `here` and `learned` are parts of all events, because the rates are as learned.
    pub is_share: bool,
    /// Their part of the squared distance D² from the state.
    pub part: f64,
    /// The tracepoints, those with the largest part first.
    pub tracepoints: Vec<Deviation>,
}

fn times(here: f64, learned: f64) -> Option<f64> {
    (learned > 0.0).then(|| here / learned)
}

/// A factor in words: `12×`, `0.081×`, `new`, or `gone`.
pub(super) fn factor_in_words(times: Option<f64>) -> String {
    match times {
        None => "new".to_owned(),
        Some(0.0) => "gone".to_owned(),
        Some(times) => Factor(times).to_string(),
    }
}

impl Deviation {
    /// A deviation in these windows, of a rate or of a share.
    pub(super) fn new(tracepoint: String, windows: &Range<usize>, [here, learned]: [f64; 2], part: f64) -> Self {
        let (from, to) = (windows.start, windows.end);
        Deviation { tracepoint, from, to, here, learned, times: times(here, learned), is_share: false, part }
    }

    /// The deviations that these reasons against a state show. The reasons come largest first.
    pub(super) fn of_reasons(reasons: &[Reason], windows: &Range<usize>) -> Vec<Deviation> {
        let first = reasons.first().map_or(0.0, |first| first.part);
        let is_named = |deviation: &Deviation| match deviation.kind() {
            DeviationKind::New | DeviationKind::Gone => deviation.part >= LEAST_PART_OF_NEW * first,
            DeviationKind::More | DeviationKind::Less => deviation.part >= LEAST_PART * first,
        };
        let of =
            |reason: &Reason| Deviation::new(reason.name.clone(), windows, [reason.here, reason.nearest], reason.part);
        reasons.iter().map(of).filter(is_named).collect()
    }

    /// The way in which it deviates.
    pub fn kind(&self) -> DeviationKind {
        match self.times {
            None => DeviationKind::New,
            Some(0.0) => DeviationKind::Gone,
            Some(times) if times >= 1.0 => DeviationKind::More,
            Some(_) => DeviationKind::Less,
        }
    }

    /// Its factor in words: `12×`, `0.081×`, `new`, or `gone`.
    pub fn factor(&self) -> String {
        factor_in_words(self.times)
    }
}

impl GroupDeviation {
    /// The deviations by group and kind, those with the largest part first.
    pub(super) fn of(deviations: Vec<Deviation>) -> Vec<Self> {
        let mut groups = BTreeMap::<(String, DeviationKind, bool), Vec<Deviation>>::new();
        for deviation in deviations {
            let group = deviation.tracepoint.split(':').next().unwrap_or_default().to_owned();
            groups.entry((group, deviation.kind(), deviation.is_share)).or_default().push(deviation);
        }
        let of_group = |((group, kind, is_share), mut tracepoints): ((String, _, _), Vec<Deviation>)| {
            tracepoints.sort_by(|a, b| b.part.total_cmp(&a.part));
            let sum = |of: fn(&Deviation) -> f64| tracepoints.iter().map(of).sum::<f64>();
            let [here, learned, part] = [sum(|its| its.here), sum(|its| its.learned), sum(|its| its.part)];
            GroupDeviation { group, kind, times: times(here, learned), here, learned, is_share, part, tracepoints }
        };
        let mut groups: Vec<GroupDeviation> = groups.into_iter().map(of_group).collect();
        groups.sort_by(|a, b| b.part.total_cmp(&a.part));
        groups
    }

    /// The group with the number of its tracepoints, or its only tracepoint.
    pub fn name(&self) -> String {
        match &self.tracepoints[..] {
            [only] => only.tracepoint.clone(),
            several => format!("{} ({} tracepoints)", self.group, several.len()),
        }
    }

    /// Its factor in words: `12×`, `0.081×`, `new`, or `gone`.
    pub fn factor(&self) -> String {
        factor_in_words(self.times)
    }
}

/// The first so many groups with their factors: `block (7 tracepoints) 12×, ext4:ext4_foo new`.
pub struct Factors<'a>(pub &'a [GroupDeviation], pub usize);

impl fmt::Display for Factors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.0.iter().take(self.1).map(|group| format!("{} {}", group.name(), group.factor()));
        f.write_str(&named.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(name: &str, [here, nearest]: [f64; 2], part: f64) -> Reason {
        Reason { name: name.to_owned(), here, nearest, other: 0.0, part }
    }

    #[test]
    fn what_changed_together_is_one_group() {
        let reasons = [
            reason("sched:wakeup", [300.0, 100.0], 5.0),
            reason("net:queue", [4.0, 1_000.0], 4.0),
            reason("sched:switch", [900.0, 300.0], 3.0),
            reason("sched:wait", [10.0, 100.0], 2.0),
            reason("qdisc:create", [8.0, 0.0], 0.3),
            reason("sched:exec", [9.0, 8.0], 0.2),
            reason("tcp:send", [0.0, 20.0], 0.06),
            reason("tcp:probe", [0.0, 20.0], 0.04),
        ];
        let groups = GroupDeviation::of(Deviation::of_reasons(&reasons, &(3..9)));
        let said: Vec<_> = groups.iter().map(|group| (group.name(), group.factor(), group.kind)).collect();
        let expected = [
            ("sched (2 tracepoints)", "3.00×", DeviationKind::More),
            ("net:queue", "0.0040×", DeviationKind::Less),
            ("sched:wait", "0.10×", DeviationKind::Less),
            ("qdisc:create", "new", DeviationKind::New),
            ("tcp:send", "gone", DeviationKind::Gone),
        ];
        assert_eq!(said, expected.map(|(name, factor, kind)| (name.to_owned(), factor.to_owned(), kind)));
        let sched = &groups[0];
        assert_eq!((sched.here, sched.learned, sched.part), (1_200.0, 400.0, 8.0));
        assert_eq!((sched.tracepoints[0].tracepoint.as_str(), sched.tracepoints[0].from), ("sched:wakeup", 3));
    }

    #[test]
    fn a_share_and_a_rate_are_not_added() {
        let mut share = Deviation::new("a:x".to_owned(), &(0..5), [0.2, 0.1], 1.0);
        share.is_share = true;
        let rate = Deviation::new("a:y".to_owned(), &(0..5), [200.0, 100.0], 2.0);
        let groups = GroupDeviation::of(vec![share, rate]);
        assert_eq!(groups.iter().map(GroupDeviation::name).collect::<Vec<_>>(), ["a:y", "a:x"]);
    }
}
