//! When the state of a source changes.

use super::HOLD;
use super::newest::NewestWindows;
use super::runs::AnswerRun;
use crate::state::LEAST_WINDOWS;
use crate::state::answer::Answer;
use crate::state::deviation::{Deviation, GroupDeviation};
use crate::units::Ns;
use serde::Serialize;

/// The source is in another state than before, or in its first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateTurn {
    /// When tp-perf knew it, by the source's clock.
    pub at_ns: Ns,
    /// When it began.
    pub since_ns: Ns,
    /// The states that the source may be in, nearest first. Empty if the state is unknown.
    pub states: Vec<String>,
    /// The nearest state, even if it is rejected.
    pub nearest: Option<String>,
    /// The distance D from the nearest state.
    pub distance: Option<f64>,
    /// How the source deviates from the nearest state, by group. Empty if the state is known.
    pub groups: Vec<GroupDeviation>,
}

/// The state that was reported, and how many answers in a row differ from it.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// `None` before the first report; empty if the state is unknown.
    reported: Option<Vec<usize>>,
    run: AnswerRun,
}

impl Turns {
    /// Takes the answer for the newest of so many windows. Returns whether it is time to look at what has changed.
    pub fn take(&mut self, answer: &Answer, windows: usize) -> bool {
        let differs = answer.is_judged().then(|| !self.agrees(answer));
        self.run.take(differs, windows - 1);
        // The first answer is the one for five windows.
        let enough = if self.reported.is_none() { HOLD + 1 - LEAST_WINDOWS } else { HOLD };
        differs == Some(true) && self.run.number >= enough
    }

    fn agrees(&self, answer: &Answer) -> bool {
        match self.reported.as_deref() {
            None => false,
            Some([]) => answer.states.is_empty(),
            Some(states) => answer.states.iter().any(|state| states.contains(state)),
        }
    }

    /// The report of a change, with the answer for the windows that show it. `None` if they together are as reported.
    pub fn turn(&mut self, newest: &NewestWindows<'_>, answer: &Answer) -> Option<StateTurn> {
        if !answer.is_judged() || self.agrees(answer) {
            return None;
        }
        let since = match self.reported {
            None => (self.run.from + 1).saturating_sub(LEAST_WINDOWS),
            Some(_) => newest.change_in_block(self.run.from),
        };
        self.reported = Some(answer.states.clone());
        self.run = AnswerRun::default();
        let states = &newest.known().states().states;
        let nearest = answer.nearest();
        let groups = match (answer.states.is_empty(), nearest) {
            (true, Some(nearest)) => {
                let reasons = newest.against(nearest, since.max(newest.number() - HOLD.min(newest.number())));
                GroupDeviation::of(Deviation::of_reasons(&reasons, &(since..newest.number())))
            }
            _ => Vec::new(),
        };
        Some(StateTurn {
            at_ns: newest.end(),
            since_ns: newest.begin(since),
            states: answer.states.iter().map(|state| states[*state].name.clone()).collect(),
            nearest: nearest.map(|state| states[state].name.clone()),
            distance: nearest.and_then(|state| answer.opinions[state]).map(|opinion| opinion.distance),
            groups,
        })
    }
}
