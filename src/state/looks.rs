//! What some windows of a source look like: the states of the library, and the reasons against one of them.

use super::identify::Identification;
use super::logs::Logs;
use super::model::are_enough;
use super::profile::Means;
use super::reasons::{Reason, Reasons};
use super::stretch::inner;
use std::collections::BTreeMap;
use std::ops::Range;

/// Windows that are read at once, so that a long source takes no more memory than a short one.
const AT_ONCE: usize = 1_000;

/// The states of the library that some windows look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looks {
    /// The states that are in the answers of most windows. Empty if most windows are like no state.
    pub states: Vec<usize>,
    /// The nearest state. `None` if no window was judged.
    pub nearest: Option<usize>,
}

impl Identification {
    /// The states that these windows look like.
    pub(super) fn looks(&self, windows: Range<usize>) -> Looks {
        let mut windows_by_state = BTreeMap::<usize, usize>::new();
        let mut distances = BTreeMap::<usize, f64>::new();
        let judged: Vec<_> = self.answers[windows].iter().filter(|answer| answer.is_judged()).collect();
        for answer in &judged {
            answer.states.iter().for_each(|state| *windows_by_state.entry(*state).or_default() += 1);
            for (state, opinion) in answer.opinions.iter().enumerate() {
                let distance = opinion.map(|opinion| opinion.distance.ln());
                distance.into_iter().for_each(|distance| *distances.entry(state).or_default() += distance);
            }
        }
        let distance = |state: &usize| distances[state];
        let mut states: Vec<usize> = windows_by_state
            .into_iter()
            .filter(|(_, number)| 2 * number > judged.len())
            .map(|(state, _)| state)
            .collect();
        states.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        let nearest = distances.iter().min_by(|a, b| a.1.total_cmp(b.1)).map(|(state, _)| *state);
        Looks { nearest: states.first().copied().or(nearest), states }
    }

    /// The reasons against a state in some windows, largest first. Empty if too few of them are usable. The windows in which
    /// the source changes are left out.
    pub(super) fn against(&self, state: usize, windows: Range<usize>) -> Vec<Reason> {
        let windows = inner(&windows, self.windows.len());
        let (mut sum, mut usable) = (vec![0.0; self.names.len() + 1], 0);
        for windows in self.windows[windows.clone()].chunks(AT_ONCE) {
            let logs = Logs::of(windows, self.length, self.names.len());
            if logs.len() > 0 {
                let mean = logs.mean(0..logs.len());
                sum.iter_mut().zip(mean).for_each(|(sum, mean)| *sum += mean * logs.len() as f64);
                usable += logs.len();
            }
        }
        let (Some(nearest), true) = (self.states.states[state].profile(), are_enough(usable, windows.len())) else {
            return Vec::new();
        };
        sum.iter_mut().for_each(|sum| *sum /= usable as f64);
        let here = &Means::of(sum, usable);
        Reasons { names: &self.names, length: self.length, here, nearest, other: None }.against()
    }
}
