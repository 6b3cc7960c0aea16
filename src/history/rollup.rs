//! Windows of a minute, made from shorter ones.
//!
//! | in the minute | hits | watched | standard error |
//! |---|---|---|---|
//! | always counted | the sum | 1 | none |
//! | counted, or estimated by visits | the sum | the mean, weighed by length | the root of the sum of the squares |
//! | unknown for a part | as if the part had the rate of the rest | the same mean | as above, and the hits that were added |
//! | always unknown | unknown | the same mean | none |
//!
//! So hits always mean the whole window, however they came about.

use super::window::{HistoryHits, HistoryWindow, rounded, rounded_part};
use crate::events::{Ns, Tpid};

const MINUTE_NS: u64 = 60_000_000_000;

/// The sums of the current minute.
#[derive(Debug)]
pub(super) struct MinuteRollup {
    /// The minutes since 1970, and the begin of the first window.
    minute: Option<(u64, Ns)>,
    length_ns: u64,
    /// By tpid. Index 0 is unused.
    sums: Vec<MinuteSum>,
}

#[derive(Debug, Clone, Copy, Default)]
struct MinuteSum {
    hits: u64,
    unknown_ns: u64,
    unwatched_ns: f64,
    variance: f64,
    is_estimate: bool,
    is_error_unknown: bool,
}

impl MinuteRollup {
    /// Nothing yet. There are this many tracepoints.
    pub(super) fn new(tracepoints: usize) -> Self {
        MinuteRollup { minute: None, length_ns: 0, sums: vec![MinuteSum::default(); tracepoints + 1] }
    }

    /// Adds a window. Returns the minute before it, if this window begins a new one.
    pub(super) fn add(&mut self, window: &HistoryWindow) -> Option<HistoryWindow> {
        let minute = window.start.0 / MINUTE_NS;
        let ended = if self.minute.is_some_and(|(current, _)| current != minute) { self.end() } else { None };
        self.minute.get_or_insert((minute, window.start));
        self.length_ns = self.length_ns.saturating_add(window.length_ns);
        for row in &window.hits {
            if let Some(sum) = self.sums.get_mut(row.tpid.index()) {
                sum.add(row, window.length_ns);
            }
        }
        ended
    }

    /// Ends the minute.
    pub(super) fn end(&mut self) -> Option<HistoryWindow> {
        let (_, start) = self.minute.take()?;
        let length_ns = std::mem::take(&mut self.length_ns);
        let sums = (0..).zip(&mut self.sums).skip(1).map(|(tpid, sum)| (tpid, std::mem::take(sum)));
        let hits = sums.filter_map(|(tpid, sum)| sum.hits_of(Tpid::new(tpid), length_ns)).collect();
        Some(HistoryWindow { start, length_ns, hits })
    }
}

impl MinuteSum {
    fn add(&mut self, row: &HistoryHits, length_ns: u64) {
        self.hits = self.hits.saturating_add(row.hits.unwrap_or(0));
        if row.is_exact() {
            return;
        }
        self.is_estimate = true;
        self.unwatched_ns += (1.0 - f64::from(row.watched)) * length_ns as f64;
        match (row.hits, row.standard_error) {
            (None, _) => self.unknown_ns = self.unknown_ns.saturating_add(length_ns),
            (Some(_), Some(error)) => self.variance += error * error,
            (Some(_), None) => self.is_error_unknown = true,
        }
    }

    /// The hits in a minute of this length. `None` if there are none, and each would have been counted.
    fn hits_of(self, tpid: Tpid, length_ns: u64) -> Option<HistoryHits> {
        if !self.is_estimate {
            let hits = HistoryHits { tpid, hits: Some(self.hits), watched: 1.0, standard_error: None };
            return (self.hits > 0).then_some(hits);
        }
        let length = length_ns.max(1) as f64;
        let watched = match rounded_part(1.0 - self.unwatched_ns / length) {
            watched if self.unwatched_ns > 0.0 => watched.min(0.999),
            watched => watched,
        };
        let known = length_ns.saturating_sub(self.unknown_ns) as f64;
        if known <= 0.0 {
            return Some(HistoryHits { tpid, hits: None, watched, standard_error: None });
        }
        let factor = length / known;
        let added = self.hits as f64 * (factor - 1.0);
        let variance = self.variance * factor * factor + added * added;
        let hits = if self.unknown_ns == 0 { self.hits } else { self.hits.saturating_add(added.round() as u64) };
        // No hit in the known part says little about the other one.
        let is_known = !self.is_error_unknown && (self.unknown_ns == 0 || self.hits > 0);
        let standard_error = Some(rounded(variance.sqrt())).filter(|error| is_known && error.is_finite());
        Some(HistoryHits { tpid, hits: Some(hits), watched, standard_error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{S, window};

    fn partly(tpid: u32, hits: Option<u64>, watched: f32, standard_error: Option<f64>) -> HistoryHits {
        HistoryHits { tpid: Tpid::new(tpid), hits, watched, standard_error }
    }

    #[test]
    fn sums_and_estimates_weigh_by_length() {
        let mut rollup = MinuteRollup::new(6);
        let mut first = window(57, &[(1, 10), (2, 5)]);
        first.hits.extend([
            partly(3, Some(30), 0.5, Some(3.0)),
            partly(4, None, 0.0, None),
            partly(5, None, 0.0, None),
        ]);
        let mut second = window(58, &[(1, 1)]);
        second.length_ns = 3 * S;
        second.hits.extend([partly(3, Some(10), 0.1, Some(4.0)), partly(4, Some(600), 0.2, Some(8.0))]);
        second.hits.extend([partly(5, None, 0.0, None), partly(6, Some(2), 0.3, None)]);
        assert_eq!(rollup.add(&first), None);
        assert_eq!(rollup.add(&second), None);
        let minute = rollup.add(&window(60, &[(2, 7)])).unwrap();
        assert_eq!((minute.start, minute.length_ns), (first.start, 4 * S));
        let extrapolated = (8.0_f64 * 4.0 / 3.0).hypot(200.0);
        let expected = [
            partly(1, Some(11), 1.0, None),
            partly(2, Some(5), 1.0, None),
            // Half of a second, and a tenth of three seconds.
            partly(3, Some(40), 0.2, Some(5.0)),
            partly(4, Some(800), 0.15, Some(rounded(extrapolated))),
            partly(5, None, 0.0, None),
            // A quarter was counted.
            partly(6, Some(2), 0.475, None),
        ];
        assert_eq!(minute.hits, expected);
        let next = rollup.end().unwrap();
        assert_eq!((next.hits, rollup.end()), (vec![partly(2, Some(7), 1.0, None)], None));
    }

    #[test]
    fn what_was_not_watched_all_the_time_is_never_called_counted() {
        let mut rollup = MinuteRollup::new(1);
        (0..59).for_each(|n| assert_eq!(rollup.add(&window(n, &[])), None));
        let mut last = window(59, &[]);
        last.hits.push(partly(1, Some(0), 0.999, Some(0.0)));
        rollup.add(&last);
        let [hits] = rollup.end().unwrap().hits[..] else { panic!("there is one tracepoint") };
        assert!(hits.watched < 1.0 && !hits.is_exact(), "{hits:?}");
    }
}
