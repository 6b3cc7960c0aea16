//! The windows since the start: their number, their lateness, and their cost.

use super::exposition::{Exposition, MetricValue};
use super::families;
use crate::events::{Ns, Tick};
use crate::units::nanoseconds;
use std::time::Duration;

/// What is known of the windows.
#[derive(Debug, Default)]
pub(super) struct WindowFigures {
    /// The chosen length in nanoseconds.
    every_ns: u64,
    number: u64,
    skipped: u64,
    late_ns: u64,
    most_late_ns: u64,
    /// The end of the last window, by CLOCK_MONOTONIC, and the time at which it should have ended.
    last: Option<(Ns, Ns)>,
    cost: Option<f64>,
    /// The sum of cost times length, in nanoseconds of the time of all CPUs.
    cost_ns: u64,
}

impl WindowFigures {
    /// Before the first window.
    pub fn new(every: Duration) -> Self {
        WindowFigures { every_ns: nanoseconds(every), ..WindowFigures::default() }
    }

    /// Adds a window.
    pub fn add(&mut self, tick: &Tick<'_>) {
        let due = tick.to.saturating_sub(tick.late_ns);
        if let Some((_, before)) = self.last {
            // The windows that were left out are a whole number, so the time for reading the counters does not matter.
            let every = self.every_ns.max(1);
            let windows = (due.since(before).saturating_add(every / 2)) / every;
            self.skipped = self.skipped.saturating_add(windows.saturating_sub(1));
        }
        self.last = Some((tick.to, due));
        self.number += 1;
        self.late_ns = tick.late_ns;
        self.most_late_ns = self.most_late_ns.max(tick.late_ns);
        self.cost = tick.cost.filter(|cost| cost.is_finite() && *cost >= 0.0);
        let cost = self.cost.unwrap_or(0.0) * tick.to.since(tick.from) as f64;
        self.cost_ns = self.cost_ns.saturating_add(cost.round() as u64);
    }

    /// Writes the figures of the windows. `to_unix_ns` is added to CLOCK_MONOTONIC for Unix time.
    pub fn write(&self, text: &mut Exposition, to_unix_ns: Option<i64>) {
        text.alone(&families::WINDOWS, MetricValue::Whole(self.number));
        text.alone(&families::WINDOWS_SKIPPED, MetricValue::Whole(self.skipped));
        text.alone(&families::WINDOW_LENGTH, MetricValue::Nanoseconds(self.every_ns));
        let Some((end, _)) = self.last else { return };
        text.alone(&families::LATENESS, MetricValue::Nanoseconds(self.late_ns));
        text.alone(&families::MOST_LATENESS, MetricValue::Nanoseconds(self.most_late_ns));
        let end = to_unix_ns.map(|offset| end.wrapping_add_signed(offset));
        text.known(&families::LAST_END, end.map(|end| MetricValue::Nanoseconds(end.0)));
    }

    /// Writes the cost.
    pub fn write_cost(&self, text: &mut Exposition) {
        text.known(&families::COST, self.cost.map(MetricValue::Real));
        // Without the cost of a hit, no window has a cost, and 0 would be wrong.
        let is_known = self.cost.is_some() || self.cost_ns > 0;
        text.known(&families::COST_TIME, is_known.then_some(MetricValue::Nanoseconds(self.cost_ns)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(from: u64, to: u64, late_ns: u64) -> Tick<'static> {
        Tick { from: Ns(from), to: Ns(to), late_ns, slots: &[], hits: &[], partly: &[], cost: Some(0.25) }
    }

    #[test]
    fn skipped_windows_are_seen_in_the_times_of_the_others() {
        let mut figures = WindowFigures::new(Duration::from_nanos(1_000));
        // Reading takes 20 to 200 ns, and the fourth tick is late by 2,700 ns: two windows are left out.
        let windows = [(0, 1_020, 0), (1_020, 2_200, 50), (2_200, 3_030, 0), (3_030, 6_750, 2_700), (6_750, 7_020, 0)];
        let skipped = windows.map(|(from, to, late)| {
            figures.add(&tick(from, to, late));
            figures.skipped
        });
        assert_eq!(skipped, [0, 0, 0, 0, 2]);
        // The last window of a run ends early.
        figures.add(&tick(7_020, 7_400, 0));
        assert_eq!((figures.skipped, figures.number, figures.late_ns, figures.most_late_ns), (2, 6, 0, 2_700));
        // A quarter of 7,400, with each window rounded.
        assert_eq!(figures.cost_ns, 1_851);
    }

    #[test]
    fn a_cost_that_is_no_number_is_unknown() {
        let mut figures = WindowFigures::new(Duration::from_secs(1));
        for cost in [f64::NAN, f64::INFINITY, -1.0] {
            figures.add(&Tick { cost: Some(cost), ..tick(0, 1_000, 0) });
            assert_eq!((figures.cost, figures.cost_ns), (None, 0));
        }
    }
}
