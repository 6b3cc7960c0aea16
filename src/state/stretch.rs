//! Divides a source into stretches between changes of state. For each stretch it finds the state and the
//! reasons.

use super::answer::{Answer, nearest_first};
use super::changes::changes;
use super::composition::Composition;
use super::conformal::together;
use super::model::States;
use super::names::{Names, Seen};
use super::reasons::{Reason, Reasons, by_group};
use serde::Serialize;
use std::ops::Range;

/// A stretch has at least this many windows.
const SHORTEST_STRETCH: usize = 2;
/// A state is not reported if it is this many times as far away as the nearest state, even if it cannot be
/// rejected. A state whose own windows differ much is rejected too rarely.
const FAR: f64 = 2.0;

/// The opinions on the windows between two changes of the composition, without reasons.
#[derive(Debug, Clone)]
struct PhaseOpinion {
    windows: Range<usize>,
    opinions: Vec<Option<StretchOpinion>>,
    not_rejected: Vec<usize>,
    nearest: usize,
    other: Option<usize>,
}

/// The opinion of a state on a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct StretchOpinion {
    /// The mean distance of its windows.
    pub distance: f64,
    /// The combined p-value of its windows.
    pub p: f64,
}

/// The windows between two changes of state.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The first window.
    pub from: usize,
    /// One past the last window.
    pub to: usize,
    /// By state. `None` for a state that has no windows.
    pub opinions: Vec<Option<StretchOpinion>>,
    /// The states that cannot be rejected, nearest first. If there are none, the state is unknown.
    pub not_rejected: Vec<usize>,
    /// The nearest state that cannot be rejected. If all are rejected, the nearest of all states.
    pub nearest: usize,
    /// Events per second, divided by the usual rate of the nearest state.
    pub intensity: f64,
    /// The nearest state after `nearest`, if the library has more than one.
    pub other: Option<usize>,
    /// The reasons for the nearest state and against the other, largest first.
    pub in_favour: Vec<Reason>,
    /// The reasons against the nearest state, largest first.
    pub against: Vec<Reason>,
    /// `in_favour`, summed by tracepoint group.
    pub groups_in_favour: Vec<Reason>,
    /// `against`, summed by tracepoint group.
    pub groups_against: Vec<Reason>,
}

impl Stretch {
    /// The state that the stretch is reported to be in.
    pub fn state(&self) -> Option<usize> {
        self.not_rejected.first().copied()
    }

    /// Splits the states that cannot be rejected into those about as near as the nearest, and those much
    /// further away.
    pub fn near_and_far(&self) -> (&[usize], &[usize]) {
        let distance = |state: usize| self.opinions[state].map_or(f64::INFINITY, |opinion| opinion.distance);
        let far = FAR * self.state().map_or(f64::INFINITY, distance);
        self.not_rejected.split_at(self.not_rejected.partition_point(|state| distance(*state) <= far))
    }

    /// How many windows.
    pub fn windows(&self) -> usize {
        self.to - self.from
    }
}

/// The windows of a source, with the opinions on each.
pub(super) struct Judged<'a> {
    /// The names compared.
    pub names: &'a Names,
    /// The states.
    pub states: &'a States,
    /// The windows.
    pub windows: &'a [Seen],
    /// The opinions on each window.
    pub answers: &'a [Answer],
    /// The level at which a state is rejected.
    pub alpha: f64,
}

impl Judged<'_> {
    /// Joins neighbouring phases of one state, and judges each of the resulting stretches.
    pub fn stretches(&self, phases: Vec<Range<usize>>) -> Vec<Stretch> {
        let phases: Vec<PhaseOpinion> = phases.into_iter().map(|phase| self.opinion(phase)).collect();
        // Neighbouring phases of one state form one stretch.
        phases
            .chunk_by(|a, b| (a.not_rejected.first(), a.nearest) == (b.not_rejected.first(), b.nearest))
            .map(|same| match same {
                [only] => self.stretch(only.clone()),
                several => self.stretch(self.opinion(several[0].windows.start..several[several.len() - 1].windows.end)),
            })
            .collect()
    }

    fn opinion(&self, windows: Range<usize>) -> PhaseOpinion {
        let (seen, answers) = (&self.windows[windows.clone()], &self.answers[windows.clone()]);
        let of_state = |state: usize| {
            let opinions = answers.iter().map(|answer| answer.opinions[state].as_ref()).collect::<Option<Vec<_>>>()?;
            let distance = opinions.iter().map(|opinion| opinion.distance).sum::<f64>() / opinions.len() as f64;
            let weighted = opinions.iter().zip(seen).map(|(opinion, seen)| (opinion.p.windows, seen.weight()));
            Some(StretchOpinion { distance, p: together(weighted) })
        };
        let opinions: Vec<Option<StretchOpinion>> = (0..self.states.states.len()).map(of_state).collect();
        let order = nearest_first(opinions.iter().map(|opinion| opinion.map(|opinion| opinion.distance)));
        let is_not_rejected = |state: &usize| opinions[*state].is_some_and(|opinion| opinion.p > self.alpha);
        let not_rejected: Vec<usize> = order.iter().copied().filter(is_not_rejected).collect();
        // The reasons explain the reported state.
        let nearest = not_rejected.first().or(order.first()).copied().unwrap_or(0);
        let other = order.iter().copied().find(|state| *state != nearest);
        PhaseOpinion { windows, opinions, not_rejected, nearest, other }
    }

    fn stretch(&self, said: PhaseOpinion) -> Stretch {
        let PhaseOpinion { windows: Range { start: from, end: to }, opinions, not_rejected, nearest, other } = said;
        let (windows, answers) = (&self.windows[from..to], &self.answers[from..to]);
        let here = Composition::mean(windows.iter().map(|seen| &seen.composition));
        let alike = |state: usize| {
            let nearest = answers.iter().filter_map(|answer| Some(answer.opinions[state].as_ref()?.nearest));
            Composition::mean(nearest.map(|place| &self.states.states[state].window(place).composition))
        };
        let (of_nearest, of_other) = (alike(nearest), other.map(alike));
        let reasons = Reasons { names: self.names, here: &here, nearest: &of_nearest, other: of_other.as_ref() };
        let (in_favour, against) = (reasons.in_favour(), reasons.against());
        let seconds = windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9;
        let events = windows.iter().map(|seen| seen.composition.events() + seen.lost).sum::<u64>() as f64;
        let usual = self.states.states.get(nearest).map_or(0.0, |state| state.rate);
        Stretch {
            from,
            to,
            not_rejected,
            nearest,
            intensity: if usual > 0.0 { events / seconds.max(1e-9) / usual } else { 1.0 },
            other,
            groups_in_favour: by_group(&in_favour),
            groups_against: by_group(&against),
            in_favour,
            against,
            opinions,
        }
    }
}

/// The ranges of windows between changes of the composition.
pub(super) fn phases(windows: &[Seen]) -> Vec<Range<usize>> {
    let compositions: Vec<Composition> = windows.iter().map(|seen| seen.composition.clone()).collect();
    let cuts = changes(&compositions, SHORTEST_STRETCH);
    let ends = cuts.iter().copied().chain([windows.len()]);
    std::iter::once(0).chain(cuts.iter().copied()).zip(ends).map(|(from, to)| from..to).collect()
}
