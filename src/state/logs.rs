//! Windows as rows of logarithms, in which states are compared.
//!
//! For a tracepoint with c events in a window, the value is y = ln(c + 1). A difference of two values is a
//! factor: the same for `twice as often`, however often that is. So the intensity counts, and a tracepoint
//! that fires a million times does not hide one that fires a hundred times. Counts are scaled to the length
//! that a window should have, because ticks come a little early or late, and by the part that was lost.

use super::names::Seen;
use super::windows::Length;
use std::ops::Range;

/// The column of all events together. The column of a name is its number plus one.
pub(super) const TOTAL: usize = 0;

/// The usable windows of a session or of a source.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    width: usize,
    values: Vec<f32>,
    /// The index of each usable window among all windows, ascending.
    windows: Vec<usize>,
}

impl Logs {
    /// The rows of these windows, for this number of names.
    pub fn of(windows: &[Seen], length: Length, names: usize) -> Self {
        let width = names + 1;
        let usable = windows.iter().enumerate().filter(|(_, seen)| seen.is_usable());
        let mut logs = Logs { width, ..Logs::default() };
        for (index, seen) in usable {
            let start = logs.values.len();
            logs.values.resize(start + width, 0.0);
            let row = &mut logs.values[start..];
            let of_length = match length {
                Length::Ns(ns) if seen.ns > 0 => ns as f64 / seen.ns as f64,
                _ => 1.0,
            };
            let scale = of_length / seen.weight();
            let log = |count: f64| (count * scale).ln_1p() as f32;
            row[TOTAL] = log(seen.composition.events() as f64);
            for (name, root) in seen.composition.roots() {
                row[*name as usize + 1] = log(root * root * seen.composition.events() as f64);
            }
            logs.windows.push(index);
        }
        logs
    }

    /// How many windows are usable.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// The rows of the usable windows in this range of all windows.
    pub fn within(&self, windows: &Range<usize>) -> Range<usize> {
        let place = |window: usize| self.windows.partition_point(|index| *index < window);
        place(windows.start)..place(windows.end)
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// The mean of these rows. There is at least one.
    pub fn mean(&self, rows: Range<usize>) -> Vec<f64> {
        let number = rows.len() as f64;
        let mut mean = vec![0.0; self.width];
        for row in rows {
            mean.iter_mut().zip(self.row(row)).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        mean.iter_mut().for_each(|sum| *sum /= number);
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::composition::Composition;

    #[test]
    fn counts_are_those_of_a_whole_window_and_lossy_windows_are_dropped() {
        let seen = |ns, counts: [u64; 2], lost| Seen { composition: Composition::of((0..).zip(counts)), ns, lost };
        let windows = [
            seen(1_000, [9, 0], 0),
            seen(2_000, [18, 0], 0),
            seen(1_000, [9, 0], 1),
            seen(1_000, [9, 0], 2),
            seen(1_000, [0, 99], 0),
        ];
        let logs = Logs::of(&windows, Length::Ns(1_000), 2);
        assert_eq!((logs.len(), logs.within(&(0..5)), logs.within(&(3..5))), (4, 0..4, 3..4));
        let near = |row: usize, value: &[f64]| {
            logs.row(row).iter().zip(value).for_each(|(has, value)| assert!((f64::from(*has) - value).abs() < 1e-6));
        };
        near(0, &[10f64.ln(), 10f64.ln(), 0.0]);
        near(1, &[10f64.ln(), 10f64.ln(), 0.0]);
        near(2, &[11f64.ln(), 11f64.ln(), 0.0]);
        near(3, &[100f64.ln(), 0.0, 100f64.ln()]);
        let mean = logs.mean(0..4);
        assert!((mean[2] - 100f64.ln() / 4.0).abs() < 1e-6);
        // Windows of a number of events have lengths of their own.
        assert_eq!(Logs::of(&windows, Length::Events(9), 2).row(1)[1], 19f32.ln());
    }
}
