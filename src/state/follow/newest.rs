//! The newest windows of a source that has no end.

use crate::state::check::dating::before_rise;
use crate::state::known::Known;
use crate::state::logs::Logs;
use crate::state::model::mean_of;
use crate::state::profile::weight;
use crate::state::reasons::{Reason, Reasons};
use crate::state::{LEAST_WINDOWS, Seen};
use crate::units::Ns;
use std::ops::Range;

/// At least this many windows are kept, and at most twice as many. It is a multiple of a block, so that the first window
/// kept begins a block.
pub(super) const KEPT: usize = 600;
/// To find the begin of a change, this many windows before it show how it was.
const BEFORE: usize = 10;
/// The reasons for a report are taken from at most this many windows.
const OF_REASONS: usize = 60;

/// The newest windows. They are numbered from the start of the source.
pub(super) struct NewestWindows<'a> {
    known: &'a Known,
    windows: Vec<Seen>,
    begins: Vec<Ns>,
    /// The windows before those.
    forgotten: usize,
    /// The length of all windows so far, in nanoseconds.
    length_ns: u64,
}

impl<'a> NewestWindows<'a> {
    pub fn of(known: &'a Known) -> Self {
        NewestWindows { known, windows: Vec::new(), begins: Vec::new(), forgotten: 0, length_ns: 0 }
    }

    pub fn push(&mut self, begin: Ns, seen: Seen) {
        if self.windows.len() == 2 * KEPT {
            self.windows.drain(..KEPT);
            self.begins.drain(..KEPT);
            self.forgotten += KEPT;
        }
        self.length_ns = self.length_ns.saturating_add(seen.ns);
        self.windows.push(seen);
        self.begins.push(begin);
    }

    /// How many windows there were.
    pub fn number(&self) -> usize {
        self.forgotten + self.windows.len()
    }

    /// The length of all windows so far, in nanoseconds.
    pub fn length_ns(&self) -> u64 {
        self.length_ns
    }

    /// The length of so many windows like the newest one, in nanoseconds.
    pub fn length_of(&self, windows: usize) -> u64 {
        self.windows.last().map_or(0, |seen| seen.ns.saturating_mul(windows as u64))
    }

    /// The number of the first window that is kept.
    pub fn first(&self) -> usize {
        self.forgotten
    }

    /// The known states.
    pub fn known(&self) -> &'a Known {
        self.known
    }

    /// All windows that are kept.
    pub fn kept(&self) -> &[Seen] {
        &self.windows
    }

    /// These windows, as far as they are kept.
    pub fn seen(&self, range: &Range<usize>) -> &[Seen] {
        &self.windows[range.start.saturating_sub(self.forgotten)..range.end.saturating_sub(self.forgotten)]
    }

    /// The rows of these windows.
    pub fn logs(&self, range: &Range<usize>) -> Logs {
        Logs::of(self.seen(range), self.known.length(), self.known.names().len())
    }

    /// The begin of a window that is kept, or of the first one that is.
    pub fn begin(&self, window: usize) -> Ns {
        let last = self.begins.len().saturating_sub(1);
        self.begins.get(window.saturating_sub(self.forgotten).min(last)).copied().unwrap_or(Ns(0))
    }

    /// The end of the newest window.
    pub fn end(&self) -> Ns {
        let last = self.begins.last().zip(self.windows.last());
        last.map_or(Ns(0), |(begin, seen)| begin.saturating_add(seen.ns))
    }

    /// The reasons against a state in the windows from this one on, largest first. Empty if too few of them are usable.
    pub fn against(&self, state: usize, from: usize) -> Vec<Reason> {
        let range = from.max(self.number().saturating_sub(OF_REASONS)).min(self.number())..self.number();
        let here = mean_of(&self.logs(&range), &(0..range.len()));
        let Some((here, nearest)) = here.as_ref().zip(self.known.states().states[state].profile()) else {
            return Vec::new();
        };
        Reasons { names: self.known.names(), length: self.known.length(), here, nearest, other: None }.against()
    }

    /// The window with which a change begins, if the block of windows that ends with `shown` is the first to show it. The
    /// change lies within this block, where two levels explain the windows best.
    pub fn change_in_block(&self, shown: usize) -> usize {
        let (from, to) = ((shown + 1).saturating_sub(LEAST_WINDOWS), shown + 1);
        let first = from.saturating_sub(BEFORE).max(self.forgotten);
        if first >= from || to >= self.number() {
            return from.max(self.forgotten);
        }
        let mean = |range: Range<usize>| mean_of_usable(&self.logs(&range));
        let (Some(before), Some(after)) = (mean(first..from), mean(to..self.number())) else { return from };
        let weights: Vec<f64> = before.iter().zip(&after).map(|(a, b)| weight(a.max(*b))).collect();
        let gain = |row: &[f32]| {
            let levels = before.iter().zip(&after).zip(&weights);
            let of = |(value, ((before, after), weight)): (&f32, ((&f64, &f64), &f64))| {
                let value = f64::from(*value);
                weight * ((value - before).powi(2) - (value - after).powi(2))
            };
            row.iter().zip(levels).map(of).sum::<f64>()
        };
        let gains = (from..to).map(|window| {
            let logs = self.logs(&(window..window + 1));
            if logs.len() == 0 { 0.0 } else { gain(logs.row(0)) }
        });
        from + before_rise(gains)
    }
}

fn mean_of_usable(logs: &Logs) -> Option<Vec<f64>> {
    (logs.len() > 0).then(|| logs.mean(0..logs.len()))
}
