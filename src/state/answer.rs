//! The answer for one window.

use super::model::Opinion;

/// The answer for a window: the opinion of each state on it, and the states that are left.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// By state. `None` for a state that has no windows.
    pub opinions: Vec<Option<Opinion>>,
    /// The states that cannot be rejected, nearest first. If there are none, the state is unknown.
    pub not_rejected: Vec<usize>,
}

impl Answer {
    /// Makes an answer from the opinion of each state.
    pub(super) fn of(opinions: Vec<Option<Opinion>>, alpha: f64) -> Self {
        let order = nearest_first(opinions.iter().map(|opinion| opinion.as_ref().map(|opinion| opinion.distance)));
        let is_not_rejected =
            |state: &usize| opinions[*state].as_ref().is_some_and(|opinion| opinion.p.windows > alpha);
        let not_rejected = order.into_iter().filter(is_not_rejected).collect();
        Answer { opinions, not_rejected }
    }
}

/// The states in the order of their distances. States without a distance are omitted.
pub(super) fn nearest_first(distances: impl Iterator<Item = Option<f64>>) -> Vec<usize> {
    let mut order: Vec<(usize, f64)> =
        distances.enumerate().filter_map(|(state, distance)| Some((state, distance?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    order.into_iter().map(|(state, _)| state).collect()
}
