//! The blocks of a source.

use super::LEAST_IN_A_ROW;
use super::spread::Block;
use crate::state::Error;
use crate::state::identify::Identification;
use std::ops::Range;

/// The blocks of a source, each of which is held against the state that it is nearest to.
pub(super) struct Blocks {
    /// Windows of a block.
    pub size: usize,
    /// All of them.
    pub all: Vec<Block>,
    /// Those that say something, with the state that each is nearest to.
    pub held: Vec<(usize, usize)>,
}

impl Blocks {
    /// Of a source's windows, so many a block; what is left at the end is none.
    ///
    /// # Errors
    /// If too many lost so much that they say nothing.
    pub fn of(identification: &Identification, size: usize) -> Result<Self, Error> {
        let all: Vec<Block> = identification.windows.chunks_exact(size).map(Block::of).collect();
        let telling = (0..all.len()).filter(|index| !all[*index].is_lossy());
        let nearest_to = |index: usize| nearest(identification, index * size..(index + 1) * size);
        let held = telling.map(|index| (index, nearest_to(index))).collect();
        let blocks = Blocks { size, all, held };
        // What says nothing is no reason to say that all is well.
        match blocks.held.len() < LEAST_IN_A_ROW {
            true => Err(Error::TooLossy { lossy: blocks.lossy(), blocks: blocks.all.len() }),
            false => Ok(blocks),
        }
    }

    /// How many say nothing.
    pub fn lossy(&self) -> usize {
        self.all.len() - self.held.len()
    }

    /// How many there would be in a day.
    pub fn in_a_day(&self, identification: &Identification) -> f64 {
        let seconds = identification.windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9;
        86_400.0 * self.all.len() as f64 / seconds.max(1e-9)
    }
}

/// The state that windows are nearest to.
pub(super) fn nearest(identification: &Identification, windows: Range<usize>) -> usize {
    let answers = &identification.answers[windows];
    let distance = |state: usize| -> f64 {
        answers.iter().map(|answer| answer.opinions[state].as_ref().map_or(1.0, |opinion| opinion.distance)).sum()
    };
    let states = 0..identification.states.states.len();
    states.min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or(0)
}
