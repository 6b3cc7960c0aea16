//! The answer for some windows.

use super::logs::Logs;
use super::model::{Judge, NEAR, Opinion};
use std::cmp::Ordering;
use std::ops::Range;

/// The answer for some windows: the opinion of each state on them, and the states that they may be in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// By state. `None` for a state that has no usable session. All are `None` if too few windows are usable.
    pub opinions: Vec<Option<Opinion>>,
    /// The states of the answer, nearest first: the nearest state that is not rejected, and those that cannot
    /// be told apart from it. If there are none, the state is unknown.
    pub states: Vec<usize>,
    /// All states by distance, nearest first.
    pub order: Vec<usize>,
}

/// States further away than this are ordered by their unlimited distance: D is at most ten, so all of them are as far.
const FAR: f64 = 9.9;

/// The order of a state by distance.
fn how_far(opinion: Option<Opinion>) -> (f64, f64) {
    match opinion {
        Some(opinion) if opinion.distance > FAR => (FAR, opinion.unlimited),
        Some(opinion) => (opinion.distance, 0.0),
        None => (f64::INFINITY, 0.0),
    }
}

impl Answer {
    /// The answer for a range of windows, whose rows are in `logs`. A state is rejected if its p-value is at most `alpha`, or if
    /// the windows are further from it than every learned session from its own state.
    ///
    /// The answer is the nearest state that is not rejected. Each other state that is not rejected belongs to
    /// it if it is about as near, or if left-out sessions show that the two cannot be told apart. If it is not
    /// known how sessions differ, no state is an answer.
    pub(super) fn of(judge: &mut Judge<'_>, logs: &Logs, range: &Range<usize>, alpha: f64) -> Self {
        let opinions = judge.opinions(logs, range);
        let distance = |state: usize| opinions[state].map_or(f64::INFINITY, |opinion| opinion.distance);
        let mut order: Vec<usize> = (0..opinions.len()).filter(|state| opinions[*state].is_some()).collect();
        order.sort_by(|a, b| how_far(opinions[*a]).partial_cmp(&how_far(opinions[*b])).unwrap_or(Ordering::Equal));
        let is_possible =
            |state: &usize| opinions[*state].is_some_and(|opinion| opinion.p.is_some() && !opinion.is_rejected(alpha));
        let mut states: Vec<usize> = order.iter().copied().filter(is_possible).collect();
        if let Some(nearest) = states.first().copied() {
            let windows = logs.within(range).len();
            states.retain(|state| {
                distance(*state).ln() - distance(nearest).ln() <= NEAR || judge.are_twins(nearest, *state, windows)
            });
        }
        Answer { opinions, states, order }
    }

    /// Whether enough windows were usable.
    pub fn is_judged(&self) -> bool {
        !self.order.is_empty()
    }

    /// The nearest state of the answer. If there is none, the nearest of all.
    pub fn nearest(&self) -> Option<usize> {
        self.states.first().or(self.order.first()).copied()
    }
}
