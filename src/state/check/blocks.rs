//! Divides a source into blocks.

use super::LEAST_IN_A_ROW;
use super::spread::Block;
use crate::state::identify::Identification;
use crate::state::{Answer, Error};
use std::ops::Range;

/// The blocks of a source. Each is compared with its nearest state.
pub(super) struct Blocks {
    /// Windows in a block.
    pub size: usize,
    /// All blocks, including those that lost too many events.
    pub all: Vec<Block>,
    /// The blocks that can be tested, each as its index in `all` and the place of its nearest state among the allowed ones.
    pub held: Vec<(usize, usize)>,
}

impl Blocks {
    /// Divides the windows of a source into blocks of this size. The windows left over at the end form no
    /// block.
    ///
    /// # Errors
    /// Fails if too many blocks lost too many events to be tested.
    pub fn of(identification: &Identification, allowed: &[usize], size: usize) -> Result<Self, Error> {
        let all: Vec<Block> = identification.windows.chunks_exact(size).map(Block::of).collect();
        let telling = (0..all.len()).filter(|index| !all[*index].is_lossy());
        let nearest_to = |index: usize| nearest(identification, allowed, index * size..(index + 1) * size);
        let held = telling.map(|index| (index, nearest_to(index))).collect();
        let blocks = Blocks { size, all, held };
        // Without enough tested blocks, an empty list of findings would wrongly look like a passed check.
        match blocks.held.len() < LEAST_IN_A_ROW {
            true => Err(Error::TooLossy { lossy: blocks.lossy(), blocks: blocks.all.len() }),
            false => Ok(blocks),
        }
    }

    /// How many blocks lost too many events to be tested.
    pub fn lossy(&self) -> usize {
        self.all.len() - self.held.len()
    }

    /// How many blocks of this length a day has.
    pub fn in_a_day(&self, identification: &Identification) -> f64 {
        let seconds = identification.windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9;
        86_400.0 * self.all.len() as f64 / seconds.max(1e-9)
    }
}

/// The place of the allowed state with the smallest distance from these windows.
pub(super) fn nearest(identification: &Identification, allowed: &[usize], windows: Range<usize>) -> usize {
    let answers = &identification.answers[windows];
    let of_window = |answer: &Answer, state: usize| answer.opinions[state].map_or(0.0, |opinion| opinion.distance.ln());
    let distance = |state: usize| match identification.states.states[state].sessions {
        0 => f64::INFINITY,
        _ => answers.iter().map(|answer| of_window(answer, state)).sum::<f64>(),
    };
    let places = 0..allowed.len();
    places.min_by(|a, b| distance(allowed[*a]).total_cmp(&distance(allowed[*b]))).unwrap_or(0)
}
