//! The stretches of a source between changes of state: which state each is in, and why.

use super::answer::{Answer, nearest_first};
use super::changes::changes;
use super::composition::Composition;
use super::conformal::together;
use super::model::States;
use super::names::{Names, Seen};
use super::reasons::{Reason, Reasons, by_group};
use serde::Serialize;
use std::ops::Range;

/// A change of state has to last so many windows.
const SHORTEST_STRETCH: usize = 2;
/// A state that cannot be rejected, but is so many times as far away as another one, is not what a source is said to be. One whose own
/// windows differ much cannot be rejected for long.
const FAR: f64 = 2.0;

/// What is said of windows between two changes of the composition, without reasons.
#[derive(Debug, Clone)]
struct PhaseOpinion {
    windows: Range<usize>,
    opinions: Vec<Option<StretchOpinion>>,
    not_rejected: Vec<usize>,
    nearest: usize,
    other: Option<usize>,
}

/// What a state says of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct StretchOpinion {
    /// The mean distance of its windows.
    pub distance: f64,
    /// What the p-values of its windows say together.
    pub p: f64,
}

/// Windows between two changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The first window.
    pub from: usize,
    /// The window behind the last.
    pub to: usize,
    /// By state. `None` of a state without windows.
    pub opinions: Vec<Option<StretchOpinion>>,
    /// The states that cannot be rejected, the nearest first; none means that it is unknown.
    pub not_rejected: Vec<usize>,
    /// The nearest state of those that cannot be rejected; if all are, the nearest of all.
    pub nearest: usize,
    /// How many times as many events in a second as the nearest state usually has.
    pub intensity: f64,
    /// The state that comes after the nearest, if there is one.
    pub other: Option<usize>,
    /// What speaks for the nearest state and against the other, largest first.
    pub in_favour: Vec<Reason>,
    /// What speaks against the nearest state, largest first.
    pub against: Vec<Reason>,
    /// `in_favour`, summed by tracepoint group.
    pub groups_in_favour: Vec<Reason>,
    /// `against`, summed by tracepoint group.
    pub groups_against: Vec<Reason>,
}

impl Stretch {
    /// The state that it is said to be in.
    pub fn state(&self) -> Option<usize> {
        self.not_rejected.first().copied()
    }

    /// The states that cannot be rejected, as those that are about as near as the nearest and those that are far from that.
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

/// A source's windows with what is said of each.
pub(super) struct Judged<'a> {
    /// The names compared.
    pub names: &'a Names,
    /// The states.
    pub states: &'a States,
    /// The windows.
    pub windows: &'a [Seen],
    /// What is said of each of them.
    pub answers: &'a [Answer],
    /// The level at which a state is rejected.
    pub alpha: f64,
}

impl Judged<'_> {
    /// The stretches that these phases make up.
    pub fn stretches(&self, phases: Vec<Range<usize>>) -> Vec<Stretch> {
        let phases: Vec<PhaseOpinion> = phases.into_iter().map(|phase| self.opinion(phase)).collect();
        // The phases of one state are one stretch.
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
        // What is said to be the state is what the reasons are of.
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

/// The windows between two changes of the composition.
pub(super) fn phases(windows: &[Seen]) -> Vec<Range<usize>> {
    let compositions: Vec<Composition> = windows.iter().map(|seen| seen.composition.clone()).collect();
    let cuts = changes(&compositions, SHORTEST_STRETCH);
    let ends = cuts.iter().copied().chain([windows.len()]);
    std::iter::once(0).chain(cuts.iter().copied()).zip(ends).map(|(from, to)| from..to).collect()
}
