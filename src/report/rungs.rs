//! The rungs of a recording with a budget: the part of the time in which each tracepoint was thinned or detached.

use super::SourceReport;
use crate::events::thinning::OPENED_WITH;
use crate::ranking::{Ranked, Ranking};
use crate::recording::{Summary, ThinnedStretch, Unwatched};
use crate::tracefs::Tpid;
use crate::units::{Grouped, Ns, Rate, Share};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The part of the time below which the first milliseconds of a recording are not worth a word.
const SHORT: f64 = 0.01;

/// The parts of the time in which a tracepoint was on each rung, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RungParts {
    /// Each hit was recorded.
    pub recorded: f64,
    /// All hits were counted, and one in N recorded.
    pub thinned: f64,
    /// Hits were not counted.
    pub detached: f64,
}

impl RungParts {
    /// Recorded all the time.
    pub const RECORDED: RungParts = RungParts { recorded: 1.0, thinned: 0.0, detached: 0.0 };

    /// In words: `recorded`, or `thinned 40 %, detached 12 %`.
    pub fn words(&self) -> String {
        let percent = |part: f64| match 100.0 * part {
            percent if percent < 0.5 => "<1 %".to_owned(),
            percent if percent < 99.5 => format!("{percent:.0} %"),
            _ if part < 1.0 => ">99 %".to_owned(),
            _ => "100 %".to_owned(),
        };
        let parts =
            [("thinned", self.thinned), ("detached", self.detached)].into_iter().filter(|(_, part)| *part > 0.0);
        let words: Vec<String> = parts.map(|(rung, part)| format!("{rung} {}", percent(part))).collect();
        if words.is_empty() { "recorded".to_owned() } else { words.join(", ") }
    }

    /// The lowest rung and its part of the time, in words: `detached 12 %`.
    pub fn lowest(&self) -> String {
        match self.detached > 0.0 {
            true => RungParts { thinned: 0.0, ..*self }.words(),
            false => self.words(),
        }
    }

    /// Whether hits were not counted for a part of the time.
    pub fn is_incomplete(&self) -> bool {
        self.detached > 0.0
    }
}

/// The rungs of the tracepoints of a source.
#[derive(Debug, Clone)]
pub struct SourceRungs {
    of: HashMap<Tpid, RungParts>,
    /// The rung of the others. `None` for a log, which does not show which tracepoints were detached.
    others: Option<RungParts>,
    incomplete_groups: HashSet<String>,
}

impl SourceRungs {
    /// The rung of a tracepoint, if that is known.
    pub fn of(&self, tpid: Tpid) -> Option<RungParts> {
        self.of.get(&tpid).copied().or(self.others)
    }

    /// Whether a tracepoint of this group was detached for a part of the time.
    pub fn is_incomplete(&self, group: &str) -> bool {
        self.incomplete_groups.contains(group)
    }
}

impl SourceReport {
    /// The rungs of its tracepoints. `None` if the recording had no budget.
    pub fn rungs(&self) -> Option<SourceRungs> {
        self.summary.budget.as_ref()?;
        let (first, last) = self.activity.span().unwrap_or_default();
        let whole = (last - first).max(1) as f64;
        let mut rungs = HashMap::<Tpid, RungParts>::new();
        for stretch in &self.thinned {
            let part = stretch.to_ns.since(stretch.from_ns) as f64 / whole;
            if stretch.one_in == OPENED_WITH && part < SHORT {
                continue;
            }
            let of = rungs.entry(stretch.tpid).or_insert(RungParts::RECORDED);
            if stretch.is_detached() {
                of.detached += part
            } else {
                of.thinned += part
            }
            of.recorded = (1.0 - of.thinned - of.detached).max(0.0);
        }
        let detached = rungs.iter().filter(|(_, parts)| parts.is_incomplete());
        let incomplete_groups = detached.map(|(tpid, _)| self.table.get(*tpid).group.clone()).collect();
        Some(SourceRungs { of: rungs, others: (!self.is_log).then_some(RungParts::RECORDED), incomplete_groups })
    }

    /// What the numbers of tracepoints count: `hit` in a recording with a budget, of which only some hits are events.
    pub fn unit(&self) -> &'static str {
        unit(self.summary.is_of_hits())
    }
}

/// What the numbers of tracepoints count: hits in a history and in a recording with a budget. In others, each hit is an event.
pub fn unit(is_of_hits: bool) -> &'static str {
    if is_of_hits { "hit" } else { "event" }
}

/// The mark before a number that is estimated.
pub fn mark(is_estimate: bool) -> &'static str {
    if is_estimate { "~" } else { "" }
}

/// The mark before the number of all hits: `~` for an estimate, and `≥` if a tracepoint was detached for a part of the time.
pub fn mark_of_all(summary: &Summary, ranking: &Ranking) -> String {
    let is_incomplete = summary.budget.as_ref().is_some_and(|budget| !budget.detached().is_empty());
    marks(is_incomplete, ranking.is_estimate)
}

/// The marks before a number.
pub fn marks(is_incomplete: bool, is_estimate: bool) -> String {
    format!("{}{}", if is_incomplete { "≥" } else { "" }, mark(is_estimate))
}

/// The numbers of a tracepoint or group in words. `~` marks an estimate, and `≥` a number that lacks the hits of a tracepoint
/// while it was detached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedWords {
    /// Its hits.
    pub hits: String,
    /// Its part of all hits.
    pub share: String,
    /// Its hits per second. Empty if the source has no duration.
    pub rate: String,
}

impl RankedWords {
    /// The words for a row. `is_incomplete` is whether hits are missing.
    pub fn of<N>(ranked: &Ranked<N>, is_incomplete: bool) -> Self {
        let mark = marks(is_incomplete, ranked.is_estimate);
        RankedWords {
            hits: format!("{mark}{}", Grouped(ranked.events)),
            share: format!("{}{}", self::mark(ranked.is_estimate), Share(ranked.share)),
            rate: ranked.rate.map(|rate| format!("{mark}{}", Rate(rate))).unwrap_or_default(),
        }
    }
}

/// A stretch of time, in nanoseconds from the first event of its source.
pub(super) trait InTime: Clone {
    /// Its start and its end.
    fn times(&mut self) -> (&mut Ns, &mut Ns);
}

impl InTime for Unwatched {
    fn times(&mut self) -> (&mut Ns, &mut Ns) {
        (&mut self.from, &mut self.to)
    }
}

impl InTime for ThinnedStretch {
    fn times(&mut self) -> (&mut Ns, &mut Ns) {
        (&mut self.from_ns, &mut self.to_ns)
    }
}

/// The parts of stretches between two times. `origin` is the first event of the source, from which the stretches count; those
/// that this returns count from `first`.
pub(super) fn between<T: InTime>(stretches: &[T], origin: Ns, (first, last): (Ns, Ns)) -> Vec<T> {
    let within = |time: Ns| Ns(origin.saturating_add(time.0).clamp(first, last) - first);
    let part = |stretch: &T| {
        let mut part = stretch.clone();
        let (from, to) = part.times();
        (*from, *to) = (within(*from), within(*to));
        (*from < *to).then_some(part)
    };
    stretches.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_range_count_from_its_begin() {
        let stretch = |from, to| ThinnedStretch {
            tpid: Tpid::new(1),
            name: "a:b".into(),
            one_in: 17,
            from_ns: Ns(from),
            to_ns: Ns(to),
        };
        let all = [stretch(0, 10), stretch(5, 40), stretch(30, 100), stretch(90, 100)];
        let parts = between(&all, Ns(1_000), (Ns(1_020), Ns(1_080)));
        assert_eq!(parts, [stretch(0, 20), stretch(10, 60)]);
    }

    #[test]
    fn what_is_estimated_or_incomplete_has_a_mark() {
        let ranked = Ranked {
            name: "a:b".to_owned(),
            number: Tpid::new(1),
            events: 17_000,
            is_estimate: true,
            share: 0.5,
            rate: Some(1_700.0),
        };
        let words = |ranked: &Ranked<_>, is_incomplete| {
            let RankedWords { hits, share, rate } = RankedWords::of(ranked, is_incomplete);
            format!("{hits} {share} {rate}")
        };
        assert_eq!(words(&ranked, false), "~17,000 ~50.00 % ~1,700");
        assert_eq!(words(&ranked, true), "≥~17,000 ~50.00 % ≥~1,700");
        let exact = Ranked { is_estimate: false, rate: None, ..ranked };
        assert_eq!(words(&exact, false), "17,000 50.00 % ");
    }

    #[test]
    fn rungs_are_words_and_parts_of_the_time() {
        let parts = |thinned, detached| RungParts { recorded: 1.0 - thinned - detached, thinned, detached };
        assert_eq!(RungParts::RECORDED.words(), "recorded");
        assert_eq!(parts(0.4, 0.0).words(), "thinned 40 %");
        assert_eq!(parts(0.001, 0.9999).words(), "thinned <1 %, detached >99 %");
        assert_eq!(parts(1.0, 0.0).words(), "thinned 100 %");
        assert_eq!([parts(0.4, 0.1), parts(0.4, 0.0)].map(|parts| parts.lowest()), ["detached 10 %", "thinned 40 %"]);
    }
}
