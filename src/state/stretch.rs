//! Divides a source into stretches between changes of state. For each stretch it finds the state and the
//! reasons.

use super::answer::Answer;
use super::changes::changes;
use super::composition::Composition;
use super::deviation::{Deviation, GroupDeviation};
use super::logs::Logs;
use super::model::{Judge, LEAST_WINDOWS, States, mean_of};
use super::names::{Names, Seen};
use super::reasons::{Reason, Reasons, by_group};
use super::windows::Length;
use std::ops::Range;

/// Windows that disagree with their stretch cut it if they are so many in a row. The windows around one that differs by chance
/// share its block, so there are up to five of them.
const DISAGREE: usize = 8;

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
    /// If the windows together look like a state, but most of them alone do not: how many do, and of how many. The stretch is
    /// then unknown.
    pub few_agree: Option<[usize; 2]>,
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

    /// Makes the stretch unknown if fewer than half of its windows alone may be in its state.
    fn require_agreement(&mut self, windows: &[Answer]) {
        let Some(state) = self.state() else { return };
        let judged = windows.iter().filter(|answer| answer.is_judged());
        let agree = judged.clone().filter(|answer| answer.states.contains(&state)).count();
        let judged = judged.count();
        if 2 * agree < judged {
            self.few_agree = Some([agree, judged]);
            self.answer.states.clear();
        }
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

/// Windows of one composition, and what tp-perf says of them.
#[derive(Default)]
struct JudgedPart {
    windows: Range<usize>,
    /// The answer for all of them.
    answer: Answer,
    /// The answer for each.
    answers: Vec<Answer>,
}

impl JudgedPart {
    /// The long runs of windows that cannot be in the state that most of the windows may be in. None if there is no such state.
    fn disagreeing(&self, states: usize) -> Vec<Range<usize>> {
        let agree = |state: &usize| self.answers.iter().filter(|answer| answer.states.contains(state)).count();
        let most = (0..states).max_by_key(agree).filter(|state| 2 * agree(state) > self.answers.len());
        let Some(state) = most else { return Vec::new() };
        let disagrees = |answer: &Answer| answer.is_judged() && !answer.states.contains(&state);
        let disagrees: Vec<bool> = self.answers.iter().map(disagrees).collect();
        let long = runs(&disagrees).filter(|run| run.len() >= DISAGREE);
        long.map(|run| self.windows.start + run.start..self.windows.start + run.end).collect()
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
    /// The same as rows of logarithms.
    pub logs: &'a Logs,
    /// The level at which a state is rejected.
    pub alpha: f64,
}

impl Judged<'_> {
    /// The stretches, and the answer for each window. The answer for a window is that for the block of windows around
    /// it, within its stretch.
    pub fn stretches(&self, judge: &mut Judge<'_>) -> (Vec<Stretch>, Vec<Answer>) {
        let mut parts: Vec<JudgedPart> =
            phases(self.windows).into_iter().flat_map(|phase| self.consistent(judge, phase)).collect();
        // Neighbouring parts of one state form one stretch.
        let key = |part: &JudgedPart| (part.answer.states.first().copied(), part.answer.nearest());
        let (mut stretches, mut answers) = (Vec::new(), Vec::new());
        for same in parts.chunk_by_mut(|a, b| key(a) == key(b)) {
            let whole = match same {
                [only] => std::mem::take(only),
                several => self.part(judge, several[0].windows.start..several[several.len() - 1].windows.end),
            };
            let mut stretch = self.stretch(whole.windows, whole.answer);
            stretch.require_agreement(&whole.answers);
            stretches.push(stretch);
            answers.extend(whole.answers);
        }
        (stretches, answers)
    }

    fn part(&self, judge: &mut Judge<'_>, windows: Range<usize>) -> JudgedPart {
        let answers = self.answers_within(judge, &windows);
        JudgedPart { answer: self.answer(judge, &windows), windows, answers }
    }

    /// The answer for each window of a range: that for the block of windows around it.
    fn answers_within(&self, judge: &mut Judge<'_>, range: &Range<usize>) -> Vec<Answer> {
        let mut answers = Vec::<Answer>::new();
        let mut last = 0..0;
        for window in range.clone() {
            let block = around(window, range);
            // The first windows share a block, and so do the last ones.
            let answer = match answers.last() {
                Some(answer) if block == last => answer.clone(),
                _ => Answer::of(judge, self.logs, &block, self.alpha),
            };
            answers.push(answer);
            last = block;
        }
        answers
    }

    /// Cuts a phase of one composition where its windows disagree for some time with the state that most of them may be in. So
    /// the mean over the phase does not hide a change of the rate, and a short storm does not make the whole phase unknown.
    fn consistent(&self, judge: &mut Judge<'_>, phase: Range<usize>) -> Vec<JudgedPart> {
        let whole = self.part(judge, phase);
        let Range { start: mut from, end } = whole.windows;
        let mut parts = Vec::new();
        for run in whole.disagreeing(self.states.states.len()) {
            for cut in [run.start, run.end] {
                if cut - from >= LEAST_WINDOWS && end - cut >= LEAST_WINDOWS {
                    parts.push(self.part(judge, from..cut));
                    from = cut;
                }
            }
        }
        if parts.is_empty() {
            return vec![whole];
        }
        parts.push(self.part(judge, from..end));
        parts
    }

    fn answer(&self, judge: &mut Judge<'_>, windows: &Range<usize>) -> Answer {
        Answer::of(judge, self.logs, &inner(windows, self.windows.len()), self.alpha)
    }

    fn stretch(&self, windows: Range<usize>, answer: Answer) -> Stretch {
        let inner = inner(&windows, self.windows.len());
        let nearest = answer.nearest();
        let other = answer.order.iter().copied().find(|state| Some(*state) != nearest);
        let mean = mean_of(self.logs, &inner);
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
            usable: self.logs.within(&windows).len(),
            intensity: opinion.map_or(1.0, |opinion| opinion.intensity),
            other,
            groups_in_favour: by_group(&in_favour),
            groups_against: by_group(&against),
            in_favour,
            against,
            answer,
            few_agree: None,
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

/// The ranges of `true`.
fn runs(of: &[bool]) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + of[end..].iter().position(|is| *is)?;
        end = start + of[start..].iter().position(|is| !is).unwrap_or(of.len() - start);
        Some(start..end)
    })
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
    fn runs_are_the_ranges_of_true() {
        assert_eq!(runs(&[]).count(), 0);
        let of = [true, false, false, true, true, false, true];
        assert_eq!(runs(&of).collect::<Vec<_>>(), [0..1, 3..5, 6..7]);
    }

    #[test]
    fn the_block_around_a_window_stays_within_its_stretch() {
        let of = |window| around(window, &(10..17));
        assert_eq!([10, 12, 13, 14, 16].map(of), [10..15, 10..15, 11..16, 12..17, 12..17]);
        assert_eq!(around(11, &(10..13)), 10..13);
    }
}
