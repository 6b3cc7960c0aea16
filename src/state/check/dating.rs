//! Finds the windows at which a change begins and ends.
//!
//! The test finds blocks, because a single window varies too much. The change begins within the first of
//! these blocks, or late in the block before it. There, each window is either as learned or as in the blocks
//! of the finding, and the begin is where these two levels explain the windows best: the least sum of squares.
//! The end is found in the same way, backwards.

use super::spread::Measure;
use crate::state::stretch::inner;
use crate::state::{Name, Seen};
use crate::stats::mean;
use std::ops::Range;

/// The activity of a tracepoint in the windows of a source.
pub(in crate::state) struct Dating<'a> {
    pub windows: &'a [Seen],
    /// Windows in a block.
    pub block: usize,
    pub name: Name,
    pub measure: Measure,
}

impl Dating<'_> {
    /// The windows of a change that the blocks from `first` to `last` show. `learned` has the windows of each learned
    /// session.
    pub fn windows_of<'b>(&self, first: usize, last: usize, learned: impl Iterator<Item = &'b [Seen]>) -> Range<usize> {
        let (from, to) = (first * self.block, (last + 1) * self.block);
        // The first block and the last one may have windows from outside the change.
        let inside = if last - first > 1 { from + self.block..to - self.block } else { from..to };
        let learned: Vec<f64> = learned.flat_map(|windows| self.roots(windows)).flatten().collect();
        let changed: Vec<f64> = self.roots(&self.windows[inside]).flatten().collect();
        if learned.is_empty() || changed.is_empty() {
            return from..to;
        }
        let (learned, changed) = (mean(&learned), mean(&changed));
        let gain = |root: f64| (root - learned).powi(2) - (root - changed).powi(2);
        let gains = |range: Range<usize>| -> Vec<f64> {
            self.roots(&self.windows[range]).map(|root| root.map_or(0.0, gain)).collect()
        };
        let earliest = from.saturating_sub(self.block);
        let latest = (to + self.block).min(self.windows.len());
        let begin = earliest + before_rise(gains(earliest..from + self.block).into_iter());
        let end = latest - before_rise(gains(to - self.block..latest).into_iter().rev());
        if begin < end { begin..end } else { from..to }
    }

    /// The root of the measure in each window. `None` for a window that lost too much.
    fn roots<'b>(&self, windows: &'b [Seen]) -> impl Iterator<Item = Option<f64>> + use<'b> {
        let (name, measure) = (self.name, self.measure);
        windows.iter().map(move |seen| seen.is_usable().then(|| measure.over([seen], name).sqrt()))
    }

    /// The value of a measure in these windows. The change may begin within the first one and end within the last one, so
    /// they are left out if there are enough others. So are windows that lost too much.
    pub fn value(&self, windows: &Range<usize>, measure: Measure) -> f64 {
        let inner = &self.windows[inner(windows, self.windows.len())];
        let usable = || inner.iter().filter(|seen| seen.is_usable());
        match usable().next() {
            Some(_) => measure.over(usable(), self.name),
            None => measure.over(inner, self.name),
        }
    }
}

/// How many values come before the one from which on the sum is largest. A value of 0 belongs to those before.
pub(in crate::state) fn before_rise(gains: impl Iterator<Item = f64>) -> usize {
    let (mut sum, mut least, mut before) = (0.0, 0.0, 0);
    for (number, gain) in (1..).zip(gains) {
        sum += gain;
        if sum <= least {
            (least, before) = (sum, number);
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Composition;

    /// Windows of a second with these counts of one tracepoint, beside a thousand events of another.
    fn windows(counts: &[u64]) -> Vec<Seen> {
        let seen =
            |count: &u64| Seen { composition: Composition::of([(0, *count), (1, 1_000)]), ns: 1_000_000_000, lost: 0 };
        counts.iter().map(seen).collect()
    }

    fn dated(source: &[Seen], first: usize, last: usize) -> Range<usize> {
        let learned = windows(&[100, 110, 90, 100, 105, 95]);
        let dating = Dating { windows: source, block: 10, name: 0, measure: Measure::Rate };
        dating.windows_of(first, last, [&learned[..]].into_iter())
    }

    fn source(stretches: &[(usize, u64)]) -> Vec<Seen> {
        windows(&stretches.iter().flat_map(|(number, count)| vec![*count; *number]).collect::<Vec<_>>())
    }

    #[test]
    fn a_change_is_dated_to_its_windows() {
        // Within the first block, within the last one, late in the block before, early in the block behind.
        assert_eq!(dated(&source(&[(13, 100), (22, 300), (25, 100)]), 1, 3), 13..35);
        assert_eq!(dated(&source(&[(18, 100), (34, 300), (8, 100)]), 2, 4), 18..52);
        assert_eq!(dated(&source(&[(13, 100), (14, 0), (33, 100)]), 1, 2), 13..27);
        // The whole source, and the windows that do not fill a block.
        assert_eq!(dated(&source(&[(47, 300)]), 0, 3), 0..47);
        assert_eq!(dated(&source(&[(4, 100), (43, 300)]), 0, 3), 4..47);
    }

    #[test]
    fn a_window_that_lost_much_dates_nothing() {
        let mut source = source(&[(13, 100), (22, 300), (25, 100)]);
        source[11..15].iter_mut().for_each(|seen| seen.lost = 5_000);
        assert_eq!(dated(&source, 1, 3), 15..35);
        source.iter_mut().for_each(|seen| seen.lost = 5_000);
        assert_eq!(dated(&source, 1, 3), 10..40, "nothing but the blocks is known");
    }

    #[test]
    fn the_windows_at_the_edges_do_not_change_the_value() {
        let source = source(&[(10, 100), (1, 60), (20, 0), (1, 30), (10, 100)]);
        let dating = Dating { windows: &source, block: 10, name: 0, measure: Measure::Rate };
        assert_eq!((dating.value(&(10..32), Measure::Rate), dating.value(&(10..12), Measure::Rate)), (0.0, 30.0));
        assert!((dating.value(&(32..42), Measure::Share) - 100.0 / 1_100.0).abs() < 1e-12);
    }
}
