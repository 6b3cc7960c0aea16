//! Finds a few tracepoints that suffice for a library. Watching them costs less than watching all.
//!
//! A tracepoint is worth as much as it tells states apart: the mean of z² over all pairs of states, each time for a block
//! of five windows. Frequent ones count for less, because each hit costs time. In turn, the best of
//! each group come first: a state that nobody has learned may differ in any part of the kernel. The smallest of some sets
//! is taken with which the library is about as good as with all tracepoints, by leaving out sessions and states.

use super::Error;
use super::evaluate::{Evaluation, Told};
use super::known::{Known, sessions};
use super::logs::TOTAL;
use super::model::LEAST_WINDOWS;
use serde::Serialize;
use std::collections::BTreeMap;

/// The sizes of the sets that are tried.
const SIZES: [usize; 4] = [32, 64, 128, 256];
/// A tracepoint with so many hits in a window counts half.
const FREQUENT: f64 = 10_000.0;
/// A set suffices if its parts of right and of wrong answers are at most this much worse.
const TOLERATED: f64 = 0.02;

/// Some tracepoints that suffice for a library.
#[derive(Debug, Clone, Serialize)]
pub struct Suggestion {
    /// The tracepoints, as `group:name`, the most useful first.
    pub tracepoints: Vec<String>,
    /// All tracepoints of the library that were hit.
    pub of: usize,
    /// The part of all events that are theirs.
    pub share: f64,
    /// What tp-perf says with these tracepoints.
    pub these: Quality,
    /// What it says with all.
    pub all: Quality,
    /// Whether they are about as good as all.
    pub suffice: bool,
}

/// What tp-perf says of a library's own sessions, each left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quality {
    /// Of the sessions.
    pub known: Told,
    /// Of their blocks of five windows.
    pub known_blocks: Told,
    /// Of the sessions, as if their state had never been learned.
    pub never_learned: Told,
}

impl Quality {
    fn of(known: &Known, alpha: f64) -> Self {
        let states = Evaluation::of(known, alpha).states;
        let sum = |told: fn(&super::evaluate::StateEvaluation) -> &Told| {
            states.iter().fold(Told::default(), |sum, state| sum.and(told(state)))
        };
        Quality {
            known: sum(|state| &state.known),
            known_blocks: sum(|state| &state.known_blocks),
            never_learned: sum(|state| &state.never_learned),
        }
    }

    fn is_as_good_as(&self, all: &Quality) -> bool {
        let part = |number: usize, told: &Told| number as f64 / told.of.max(1) as f64;
        let right = |told: &Told| part(told.right + told.in_set, told);
        let wrong = |told: &Told| part(told.wrong_number(), told);
        right(&self.known) >= right(&all.known) - TOLERATED
            && right(&self.known_blocks) >= right(&all.known_blocks) - TOLERATED
            && wrong(&self.known_blocks) <= wrong(&all.known_blocks) + TOLERATED
            && wrong(&self.never_learned) <= wrong(&all.never_learned) + TOLERATED
    }
}

/// Finds tracepoints that suffice at this level.
///
/// # Errors
/// If the library has a single state, or if it takes too much memory.
pub fn suggest(known: &Known, alpha: f64) -> Result<Suggestion, Error> {
    if known.states.states.iter().filter(|state| state.profile().is_some()).count() < 2 {
        return Err(Error::OneState);
    }
    let all = Quality::of(known, alpha);
    let ranked = ranked(known);
    let of = ranked.len();
    for size in SIZES.into_iter().filter(|size| *size < of) {
        let tracepoints = &ranked[..size];
        let these = Quality::of(&known.clone().only(tracepoints)?, alpha);
        if these.is_as_good_as(&all) {
            let share = share(known, tracepoints);
            return Ok(Suggestion { tracepoints: tracepoints.to_vec(), of, share, these, all, suffice: true });
        }
    }
    Ok(Suggestion { tracepoints: ranked, of, share: 1.0, these: all.clone(), all, suffice: false })
}

/// The tracepoints, the most useful first: in turn the best of each group.
fn ranked(known: &Known) -> Vec<String> {
    let mut groups = BTreeMap::<&str, Vec<(f64, &String)>>::new();
    for (number, name) in known.names.all().iter().enumerate() {
        let group = name.split(':').next().unwrap_or_default();
        groups.entry(group).or_default().push((worth(known, TOTAL + 1 + number), name));
    }
    let mut ranked = Vec::new();
    for mut group in groups.into_values() {
        group.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.extend(group.into_iter().enumerate().map(|(place, (worth, name))| (place, worth, name)));
    }
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    ranked.into_iter().map(|(.., name)| name.clone()).collect()
}

/// How well a column tells states apart, for its cost.
fn worth(known: &Known, column: usize) -> f64 {
    let profiles: Vec<_> = known.states.states.iter().filter_map(|state| state.profile()).collect();
    let pairs = profiles.iter().enumerate().flat_map(|(number, one)| {
        profiles.iter().enumerate().filter(move |(other, _)| *other != number).map(move |(_, other)| (one, other))
    });
    let apart: f64 = pairs.map(|(one, other)| one.squared(column, other.mean[column], LEAST_WINDOWS as f64)).sum();
    let most = profiles.iter().map(|profile| profile.mean[column].exp_m1()).fold(0.0, f64::max);
    apart / (1.0 + most / FREQUENT)
}

/// The part of the library's events that are of these tracepoints.
fn share(known: &Known, tracepoints: &[String]) -> f64 {
    let (mut these, mut all) = (0.0, 0.0);
    for session in known.library.iter().flat_map(sessions) {
        all += session.events() as f64;
        let counts = tracepoints.iter().filter_map(|name| session.counts.get(name)).flatten();
        these += counts.map(|count| *count as f64).sum::<f64>();
    }
    if all > 0.0 { these / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::library::Learned;
    use crate::state::testing::{SECOND, drawn, learned};
    use crate::state::{Identification, Length};

    /// Two states that differ in one tracepoint of forty.
    fn library() -> Vec<Learned> {
        let mut random = fastrand::Rng::with_seed(61);
        let states = [("idle", [70, 20, 10, 0]), ("web", [70, 20, 60, 0])];
        let mut states = states.map(|(name, shares)| learned(&mut random, name, shares, 4)).to_vec();
        for (_, session) in states.iter_mut().flat_map(|state| &mut state.sessions) {
            for number in 0..40 {
                let counts = (0..session.windows).map(|_| 40 + random.u64(..20)).collect();
                session.counts.insert(format!("g{}:t{number}", number % 5), counts);
            }
        }
        states
    }

    #[test]
    fn the_tracepoints_that_tell_states_apart_suffice() {
        let known = Known::of(library(), Some(Length::Ns(SECOND))).unwrap();
        let suggestion = suggest(&known, 0.05).unwrap();
        let chosen = suggestion.tracepoints.len();
        assert!(suggestion.suffice && chosen == 32, "{suggestion:?}");
        assert!(suggestion.tracepoints[..3].contains(&"b:z".to_owned()), "{suggestion:?}");
        assert!(suggestion.share < 0.95 && suggestion.of > 40, "{suggestion:?}");
        // The library is then compared by these alone, also with a source that has more.
        let few = known.only(&suggestion.tracepoints).unwrap();
        let mut random = fastrand::Rng::with_seed(62);
        let mut source = drawn(&mut random, &[(20, [70, 20, 10, 0])], 500);
        for number in 0..40 {
            source.counts.insert(format!("g{}:t{number}", number % 5), vec![50; 20]);
        }
        let found = Identification::of(&source, few, 0.05).unwrap();
        assert_eq!((found.names.len(), found.said(&found.stretches[0]).as_str()), (chosen, "idle"));
    }

    #[test]
    fn one_state_needs_no_choice() {
        let known = Known::of(library()[..1].to_vec(), Some(Length::Ns(SECOND))).unwrap();
        let error = suggest(&known, 0.05).unwrap_err().to_string();
        assert!(error.contains("single state"), "{error}");
    }
}
