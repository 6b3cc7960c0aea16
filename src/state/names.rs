//! The names that sessions have in common, and the windows of a session restricted to them.

use super::composition::{Composition, Name};
use super::session::{CapturedNames, Session};
use super::windows::{Length, MOST_LOST};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The least part of a side's events that must be under common names for a comparison.
pub const LEAST_COVERAGE: f64 = 0.8;

/// The common names of sessions: those that fired in at least one session and were captured in every session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    numbers: BTreeMap<String, Name>,
    /// The names by number.
    names: Vec<String>,
    /// Why only some of the common names are compared. Then they need not have most of the events.
    chosen: Option<ChosenNames>,
}

/// Why only some names are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChosenNames {
    /// These names suffice to tell the states apart.
    Suffice,
    /// The others are too hot for the budget. New tracepoints are compared too.
    Affordable,
}

impl Names {
    /// The names that these sessions have in common.
    pub fn common<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Self {
        let sessions: Vec<&Session> = sessions.into_iter().collect();
        let hit: BTreeSet<&String> = sessions.iter().flat_map(|session| session.counts.keys()).collect();
        let captured: Vec<CapturedNames<'_>> = sessions.iter().map(|session| session.captured()).collect();
        let common = hit.into_iter().filter(|name| captured.iter().all(|captured| captured.has(name)));
        let names: Vec<String> = common.cloned().collect();
        Names { numbers: names.iter().cloned().zip(0..).collect(), names, chosen: None }
    }

    /// Adds those of these names that were captured in all of `captured_by`.
    pub fn extend(&mut self, names: impl IntoIterator<Item = String>, captured_by: &[&Session]) {
        if self.are_chosen() {
            return;
        }
        let captured: Vec<CapturedNames<'_>> = captured_by.iter().map(|session| session.captured()).collect();
        for name in names {
            if !self.numbers.contains_key(&name) && captured.iter().all(|captured| captured.has(&name)) {
                self.numbers.insert(name.clone(), self.names.len() as Name);
                self.names.push(name);
            }
        }
    }

    /// Whether a session captured all of these names.
    pub fn are_captured_by(&self, session: &Session) -> bool {
        let captured = session.captured();
        self.names.iter().all(|name| captured.has(name))
    }

    /// The names that a selection has, with numbers of their own.
    pub fn selected(&self, is_selected: impl Fn(&str) -> bool) -> Names {
        let names: Vec<String> = self.names.iter().filter(|name| is_selected(name)).cloned().collect();
        Names { numbers: names.iter().cloned().zip(0..).collect(), names, chosen: self.chosen }
    }

    /// The names that suffice for a comparison, with numbers of their own.
    pub fn chosen(&self, is_chosen: impl Fn(&str) -> bool) -> Names {
        Names { chosen: Some(ChosenNames::Suffice), ..self.selected(is_chosen) }
    }

    /// The names that a budget allows to count, with numbers of their own.
    pub fn affordable(&self, is_affordable: impl Fn(&str) -> bool) -> Names {
        Names { chosen: self.chosen.or(Some(ChosenNames::Affordable)), ..self.selected(is_affordable) }
    }

    /// Whether these names were chosen because they suffice.
    pub fn are_chosen(&self) -> bool {
        self.chosen == Some(ChosenNames::Suffice)
    }

    /// Whether other names are too hot for the budget.
    pub fn are_affordable(&self) -> bool {
        self.chosen == Some(ChosenNames::Affordable)
    }

    /// All names, by number.
    pub fn all(&self) -> &[String] {
        &self.names
    }

    /// Checks that these names have enough of a session's events for a comparison.
    ///
    /// # Errors
    /// The part of the events that they have, if that is too little.
    pub fn require_coverage(&self, session: &Session) -> Result<(), f64> {
        match self.coverage(session) {
            coverage if coverage < LEAST_COVERAGE && self.chosen.is_none() => Err(coverage),
            _ => Ok(()),
        }
    }

    /// The number of a name, if it is one of these.
    pub fn number(&self, name: &str) -> Option<Name> {
        self.numbers.get(name).copied()
    }

    /// The name that has this number.
    pub fn name(&self, number: Name) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The part of a session's events that are under these names; 1 if the session has no events.
    pub fn coverage(&self, session: &Session) -> f64 {
        let sum = |counts: &Vec<u64>| counts.iter().sum::<u64>() as f64;
        let all: f64 = session.counts.values().map(sum).sum();
        let known: f64 = session
            .counts
            .iter()
            .filter(|(name, _)| self.numbers.contains_key(*name))
            .map(|(_, counts)| sum(counts))
            .sum();
        if all > 0.0 { known / all } else { 1.0 }
    }

    /// The windows of a session, restricted to these names. Each joins as many of the session's own windows
    /// as this length takes; those left over at the end are dropped. `None` if no whole number of windows has
    /// this length.
    pub fn windows(&self, session: &Session, length: Length) -> Option<Vec<Seen>> {
        let together = length.of(session.window)?;
        let mut known: Vec<(Name, &Vec<u64>)> =
            session.counts.iter().filter_map(|(name, counts)| Some((*self.numbers.get(name)?, counts))).collect();
        known.sort_unstable_by_key(|(name, _)| *name);
        let sum = |values: &[u64], range: &Range<usize>| values.get(range.clone()).map_or(0, |part| part.iter().sum());
        let seen = |index: usize| {
            let range = index * together..(index + 1) * together;
            let composition = Composition::of(known.iter().map(|(name, counts)| (*name, sum(counts, &range))));
            let ns = match length {
                Length::Ns(ns) if session.ns.is_empty() => ns,
                _ => sum(&session.ns, &range),
            };
            Seen { composition, ns, lost: sum(&session.lost, &range) }
        };
        Some((0..session.windows / together).map(seen).collect())
    }
}

/// A window that is compared. The JSON forms show its serialized fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Seen {
    /// Its length in nanoseconds.
    pub ns: u64,
    /// Its composition, under the compared names.
    #[serde(rename = "events", serialize_with = "as_events")]
    pub composition: Composition,
    /// Events lost in it.
    pub lost: u64,
}

fn as_events<S: Serializer>(composition: &Composition, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(composition.events())
}

impl Seen {
    /// Events per second, including lost ones.
    pub fn rate(&self) -> f64 {
        (self.composition.events() + self.lost) as f64 * 1e9 / self.ns.max(1) as f64
    }

    /// Whether it lost at most a tenth of its events.
    pub fn is_usable(&self) -> bool {
        self.weight() >= 1.0 - MOST_LOST
    }

    /// The part of its events that were not lost. It is the weight of the window.
    pub fn weight(&self) -> f64 {
        match self.composition.events() {
            0 if self.lost == 0 => 1.0,
            events => events as f64 / (events + self.lost) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::session;

    #[test]
    fn only_names_that_all_have_are_compared() {
        let here = session(&[("a:x", &[5, 5]), ("a:y", &[1, 0]), ("c:new", &[10, 9])], &["b:z"]);
        let there = session(&[("a:x", &[7, 7])], &["a:y", "d:old"]);
        let names = Names::common([&here, &there]);
        // A name is not common if one session did not capture it, or if no session hit it.
        assert_eq!((names.len(), names.name(0), names.name(1), names.name(2)), (2, Some("a:x"), Some("a:y"), None));
        assert!((names.coverage(&here) - 11.0 / 30.0).abs() < 1e-12 && names.coverage(&there) == 1.0);
        let compositions = |session: &Session, ns| {
            let windows = names.windows(session, Length::Ns(ns))?;
            Some(windows.into_iter().map(|seen| seen.composition).collect::<Vec<_>>())
        };
        let of = |counts: &[(Name, u64)]| Composition::of(counts.iter().copied());
        assert_eq!(compositions(&here, 1_000).unwrap(), [of(&[(0, 5), (1, 1)]), of(&[(0, 5)])]);
        assert_eq!(compositions(&here, 2_000).unwrap(), [of(&[(0, 10), (1, 1)])]);
        assert!(compositions(&here, 3_000).unwrap().is_empty());
        assert_eq!(compositions(&here, 1_500), None);
        assert!(Names::common([]).is_empty());
    }

    #[test]
    fn windows_of_a_counting_engine_have_their_true_lengths() {
        let mut counted = session(&[("a:x", &[5, 5, 6, 9])], &[]);
        counted.ns = vec![1_000, 1_250, 750, 1_000];
        let names = Names::common([&counted]);
        let lengths =
            |ns| names.windows(&counted, Length::Ns(ns)).unwrap().iter().map(|seen| seen.ns).collect::<Vec<_>>();
        assert_eq!((lengths(1_000), lengths(2_000)), (counted.ns.clone(), vec![2_250, 1_750]));
        assert_eq!(names.windows(&counted, Length::Ns(1_000)).unwrap()[1].rate(), 5.0 * 1e9 / 1_250.0);
    }

    #[test]
    fn what_was_lost_counts_for_the_rate_and_against_the_weight() {
        let mut lossy = session(&[("a:x", &[5, 5, 0, 0])], &[]);
        lossy.lost = vec![0, 10, 5, 0];
        let names = Names::common([&lossy]);
        let weights = |ns| names.windows(&lossy, Length::Ns(ns)).unwrap().iter().map(Seen::weight).collect::<Vec<_>>();
        assert_eq!(weights(1_000), [1.0, 1.0 / 3.0, 0.0, 1.0]);
        assert_eq!(weights(2_000), [0.5, 0.0]);
        assert_eq!(names.windows(&lossy, Length::Ns(2_000)).unwrap()[0].rate(), 20.0 / 2e-6);
    }
}
