//! A window of a history, and its making from a tick.

use crate::events::{Ns, Tick, Tpid};

/// The hits of a tracepoint in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryHits {
    /// The tracepoint.
    pub tpid: Tpid,
    /// Its hits in the whole window: counted, or estimated if it was not watched all the time. `None` if it was not watched,
    /// so its hits are unknown.
    pub hits: Option<u64>,
    /// The part of the window in which it was watched, from 0 to 1.
    pub watched: f32,
    /// The standard error of an estimate. `None` for hits that were counted, and for an estimate whose error is unknown.
    pub standard_error: Option<f64>,
}

impl HistoryHits {
    /// Whether each hit was counted.
    pub fn is_exact(&self) -> bool {
        self.watched >= 1.0 && self.hits.is_some() && self.standard_error.is_none()
    }
}

/// A window of a history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryWindow {
    /// Its begin by the wall clock, in nanoseconds since 1970 in UTC; a multiple of 1,000.
    pub start: Ns,
    /// The time that was counted, in nanoseconds. Steps of the wall clock do not change it.
    pub length_ns: u64,
    /// The tracepoints that were hit or that were not watched all the time, by tpid. All others that the history watches
    /// were not hit.
    pub hits: Vec<HistoryHits>,
}

impl HistoryWindow {
    /// The end of the time that was counted.
    pub fn end(&self) -> Ns {
        self.start.saturating_add(self.length_ns)
    }

    /// Makes a window of a tick. `numbers` has the tpids of the history for those of the tick.
    pub(super) fn of_tick(tick: &Tick<'_>, start: Ns, numbers: &[Option<Tpid>]) -> Self {
        let number = |tpid: Tpid| numbers.get(tpid.index()).copied().flatten();
        let mut sums = vec![0_u64; numbers.len()];
        for (slot, hits) in tick.hit() {
            if let Some(sum) = number(slot.tpid).and_then(|tpid| sums.get_mut(tpid.index())) {
                *sum = sum.saturating_add(hits);
            }
        }
        let mut hits = Vec::new();
        for partly in tick.partly {
            let Some(tpid) = number(partly.tpid) else { continue };
            let counted = std::mem::take(&mut sums[tpid.index()]);
            let estimate = partly.estimated.map(|estimated| (estimated.hits.round() as u64).max(counted));
            let error = partly.estimated.map(|estimated| estimated.variance.sqrt()).filter(|error| error.is_finite());
            let all = partly.watched >= 1.0;
            hits.push(HistoryHits {
                tpid,
                hits: if all { Some(counted) } else { estimate },
                watched: rounded_part(partly.watched),
                standard_error: error.filter(|_| !all).map(rounded),
            });
        }
        let counted = (0..).zip(&sums).skip(1).filter(|(_, sum)| **sum > 0);
        hits.extend(counted.map(|(number, sum)| HistoryHits {
            tpid: Tpid::new(number),
            hits: Some(*sum),
            watched: 1.0,
            standard_error: None,
        }));
        hits.retain(|hits| !(hits.is_exact() && hits.hits == Some(0)));
        hits.sort_unstable_by_key(|hits| hits.tpid);
        let start = Ns(start.0 / 1_000 * 1_000);
        HistoryWindow { start, length_ns: tick.to.since(tick.from), hits }
    }
}

/// A number with three significant digits. More digits would say nothing, and take a quarter of a file.
pub(super) fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let scale = 10_f64.powi(2 - number.abs().log10().floor() as i32);
    let rounded = (number * scale).round() / scale;
    if rounded.is_finite() { rounded } else { number }
}

/// A part with three significant digits. It is 1 only if it was.
pub(super) fn rounded_part(part: f64) -> f32 {
    match part {
        part if part >= 1.0 => 1.0,
        part if part > 0.0 => rounded(part).min(0.999) as f32,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Cpu, Estimated, Partly, Rung, Slot};

    #[test]
    fn a_tick_becomes_sums_estimates_and_unknown_hits() {
        let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
        let slots = [slot(1, 0), slot(1, 1), slot(2, 0), slot(3, 0), slot(4, 0), slot(5, 0), slot(6, 0)];
        let partly = |tpid, rung, watched, estimated| Partly { tpid: Tpid::new(tpid), rung, watched, estimated };
        let estimated = |hits, variance| Some(Estimated { hits, variance });
        let partly = [
            partly(5, Rung::Visited, 0.123_456, estimated(70.4, 2.0)),
            partly(4, Rung::Detached, 0.0, None),
            partly(6, Rung::Visited, 0.999_9, estimated(3.0, f64::INFINITY)),
        ];
        let tick = Tick {
            from: Ns(500),
            to: Ns(1_000_000_750),
            late_ns: 0,
            slots: &slots,
            hits: &[3, 4, 0, 5, 9, 2, 4],
            partly: &partly,
            cost: None,
        };
        // The history does not watch tracepoint 2, and has other numbers.
        let numbers = [0, 1, 0, 2, 3, 4, 5].map(|number| (number > 0).then(|| Tpid::new(number)));
        let window = HistoryWindow::of_tick(&tick, Ns(1_999), &numbers);
        assert_eq!((window.start, window.length_ns, window.end()), (Ns(1_000), 1_000_000_250, Ns(1_000_001_250)));
        let hits: Vec<_> =
            window.hits.iter().map(|its| (its.tpid.get(), its.hits, its.watched, its.standard_error)).collect();
        let expected = [
            (1, Some(7), 1.0, None),
            (2, Some(5), 1.0, None),
            (3, None, 0.0, None),
            (4, Some(70), 0.123, Some(1.41)),
            (5, Some(4), 0.999, None),
        ];
        assert_eq!(hits, expected);
    }

    #[test]
    fn rounding_keeps_three_digits_and_the_edges() {
        assert_eq!([0.0, 1.2345, 987_654.0, 0.000_123_456].map(rounded), [0.0, 1.23, 988_000.0, 0.000_123]);
        assert!(rounded(f64::MAX).is_finite() && rounded(f64::MIN_POSITIVE) > 0.0);
        assert_eq!([0.0, 1e-30, 0.9999, 1.0, 1.5].map(rounded_part), [0.0, 1e-30, 0.999, 1.0, 1.0]);
    }
}
