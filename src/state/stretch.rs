//! Divides a source into stretches between changes of state. For each stretch it finds the state and the
//! reasons.

use super::answer::Answer;
use super::changes::changes;
use super::composition::Composition;
use super::deviation::{Deviation, GroupDeviation};
use super::model::{Judge, LEAST_WINDOWS, States};
use super::names::{Names, Seen};
use super::reasons::{Reason, Reasons, by_group};
use super::windows::Length;
use std::ops::Range;

/// The windows between two changes of state.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The first window.
    pub from: usize,
    /// One past the last window.
    pub to: usize,
    /// The windows that were usable.
    pub usable: usize,
    /// The answer.
    pub answer: Answer,
    /// How many times as many events as usual in the nearest state.
    pub intensity: f64,
    /// The nearest state after that of the answer, if the library has more than one.
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
    /// The state that the stretch is reported to be in. If there are several, the nearest.
    pub fn state(&self) -> Option<usize> {
        self.answer.states.first().copied()
    }

    /// The nearest state. `None` if too few windows were usable.
    pub fn nearest(&self) -> Option<usize> {
        self.answer.nearest()
    }

    /// How it deviates from the nearest state, by group.
    pub fn deviations(&self) -> Vec<GroupDeviation> {
        GroupDeviation::of(Deviation::of_reasons(&self.against, &(self.from..self.to)))
    }

    /// How many windows.
    pub fn windows(&self) -> usize {
        self.to - self.from
    }
}

/// The windows of a source, ready to be judged.
pub(super) struct Judged<'a> {
    /// The names compared.
    pub names: &'a Names,
    /// The states.
    pub states: &'a States,
    /// The length of a window.
    pub length: Length,
    /// The windows.
    pub windows: &'a [Seen],
    /// The level at which a state is rejected.
    pub alpha: f64,
}

impl Judged<'_> {
    /// The stretches, and the answer for each window. The answer for a window is that for the block of windows around
    /// it, within its stretch.
    pub fn stretches(&self, judge: &mut Judge<'_>) -> (Vec<Stretch>, Vec<Answer>) {
        let phases: Vec<(Range<usize>, Answer)> =
            phases(self.windows).into_iter().map(|phase| (phase.clone(), self.answer(judge, &phase))).collect();
        // Neighbouring phases of one state form one stretch.
        let key = |answer: &Answer| (answer.states.first().copied(), answer.nearest());
        let stretches: Vec<Stretch> = phases
            .chunk_by(|a, b| key(&a.1) == key(&b.1))
            .map(|same| match same {
                [(phase, answer)] => self.stretch(judge, phase.clone(), answer.clone()),
                several => {
                    let whole = several[0].0.start..several[several.len() - 1].0.end;
                    let answer = self.answer(judge, &whole);
                    self.stretch(judge, whole, answer)
                }
            })
            .collect();
        let of_window = |window: usize, stretch: &Stretch| around(window, &(stretch.from..stretch.to));
        let blocks = stretches
            .iter()
            .flat_map(|stretch| (stretch.from..stretch.to).map(move |window| of_window(window, stretch)));
        let answers = blocks.map(|block| Answer::of(judge, &block, self.alpha)).collect();
        (stretches, answers)
    }

    fn answer(&self, judge: &mut Judge<'_>, windows: &Range<usize>) -> Answer {
        Answer::of(judge, &inner(windows, self.windows.len()), self.alpha)
    }

    fn stretch(&self, judge: &Judge<'_>, windows: Range<usize>, answer: Answer) -> Stretch {
        let inner = inner(&windows, self.windows.len());
        let nearest = answer.nearest();
        let other = answer.order.iter().copied().find(|state| Some(*state) != nearest);
        let mean = judge.mean(&inner);
        let profile = |state: usize| self.states.states[state].profile();
        let reasons = mean.as_ref().zip(nearest.and_then(profile)).map(|(here, nearest)| Reasons {
            names: self.names,
            length: self.length,
            here,
            nearest,
            other: other.and_then(profile),
        });
        let (in_favour, against) =
            reasons.map_or_else(Default::default, |reasons| (reasons.in_favour(), reasons.against()));
        let opinion = nearest.and_then(|state| answer.opinions[state]);
        Stretch {
            from: windows.start,
            to: windows.end,
            usable: judge.usable(&windows),
            intensity: opinion.map_or(1.0, |opinion| opinion.intensity),
            other,
            groups_in_favour: by_group(&in_favour),
            groups_against: by_group(&against),
            in_favour,
            against,
            answer,
        }
    }
}

/// A stretch without the windows in which the state changes: they belong to both states. A short stretch keeps them. `all` is the
/// number of windows of the source.
pub(super) fn inner(windows: &Range<usize>, all: usize) -> Range<usize> {
    let Range { mut start, mut end } = windows.clone();
    if start > 0 && end - start > LEAST_WINDOWS {
        start += 1;
    }
    if end < all && end - start > LEAST_WINDOWS {
        end -= 1;
    }
    start..end
}

/// The block of windows around one, within a stretch.
fn around(window: usize, stretch: &Range<usize>) -> Range<usize> {
    let block = LEAST_WINDOWS;
    let last = stretch.end.saturating_sub(block).max(stretch.start);
    let start = window.saturating_sub(block / 2).clamp(stretch.start, last);
    start..(start + block).min(stretch.end)
}

/// The ranges of windows between changes of the composition. None is shorter than a block.
fn phases(windows: &[Seen]) -> Vec<Range<usize>> {
    let compositions: Vec<Composition> = windows.iter().map(|seen| seen.composition.clone()).collect();
    let cuts = changes(&compositions, LEAST_WINDOWS);
    let ends = cuts.iter().copied().chain([windows.len()]);
    std::iter::once(0).chain(cuts.iter().copied()).zip(ends).map(|(from, to)| from..to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_around_a_window_stays_within_its_stretch() {
        let of = |window| around(window, &(10..17));
        assert_eq!([10, 12, 13, 14, 16].map(of), [10..15, 10..15, 11..16, 12..17, 12..17]);
        assert_eq!(around(11, &(10..13)), 10..13);
    }
}
