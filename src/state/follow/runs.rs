//! Answers in a row.

use crate::state::LEAST_WINDOWS;

/// Answers in a row that show the same thing. Windows that cannot be judged do not end them, unless there are more than five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct AnswerRun {
    /// How many answers.
    pub number: usize,
    /// The window of the first one.
    pub from: usize,
    not_judged: usize,
}

impl AnswerRun {
    /// Takes the answer for this window: whether it shows the thing. `None` if it could not be judged.
    pub fn take(&mut self, shows: Option<bool>, window: usize) {
        match shows {
            Some(true) if self.number == 0 => *self = AnswerRun { number: 1, from: window, not_judged: 0 },
            Some(true) => (self.number, self.not_judged) = (self.number + 1, 0),
            Some(false) => *self = AnswerRun::default(),
            None if self.not_judged == LEAST_WINDOWS => *self = AnswerRun::default(),
            None => self.not_judged += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_gap_does_not_end_a_run_and_a_long_one_does() {
        let of = |gap: usize| {
            let mut run = AnswerRun::default();
            let answers = [vec![Some(false), Some(true), Some(true)], vec![None; gap], vec![Some(true)]].concat();
            answers.iter().zip(7..).for_each(|(shows, window)| run.take(*shows, window));
            (run.number, run.from)
        };
        assert_eq!([of(0), of(5), of(6)], [(3, 8), (3, 8), (1, 16)]);
    }
}
