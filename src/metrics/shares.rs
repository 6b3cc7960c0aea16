//! Divides the series of a scrape among the families, so that their number has a limit whatever the kernel, the rules, and the
//! number of CPUs are.

/// The most series of a scrape, unless the user sets another number.
pub const USUAL_SERIES: usize = 2_000;

/// With fewer series, there would be none left for tracepoints.
pub const LEAST_SERIES: usize = 100;

/// The series of the families without labels, and of those whose labels are few and known. A test counts them.
pub(super) const FIXED: usize = 46;

/// How many series each family may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeriesShares {
    /// Tracepoints that could not be opened.
    pub failures: usize,
    /// Rules of alarms; one more is for all other rules.
    pub rules: usize,
    /// Tracepoints that were once not counted.
    pub partly: usize,
    /// Groups; one more is for all other groups.
    pub groups: usize,
    /// Tracepoints with hits.
    pub tracepoints: usize,
}

impl SeriesShares {
    /// Divides this number of series, at least [`LEAST_SERIES`], for so many watched tracepoints in so many groups.
    pub fn new(series: usize, tracepoints: usize, groups: usize) -> Self {
        let series = series.max(LEAST_SERIES);
        let (failures, rules, partly) = (series / 40, series / 40, series / 20);
        // A rule has two series.
        let left = series - FIXED - failures - 2 * (rules + 1) - partly;
        // Half of the rest remains for tracepoints. A group may need a second series, for its other tracepoints.
        let groups = groups.min(left / 4);
        let all = left - groups - 1;
        let tracepoints = if tracepoints <= all { tracepoints } else { all - groups - 1 };
        SeriesShares { failures, rules, partly, groups, tracepoints }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn on_a_usual_machine_each_tracepoint_has_a_series() {
        let shares = SeriesShares::new(USUAL_SERIES, 1_568, 120);
        assert_eq!(shares, SeriesShares { failures: 50, rules: 50, partly: 100, groups: 120, tracepoints: 1_568 });
        let shares = SeriesShares::new(USUAL_SERIES, 2_307, 130);
        assert_eq!((shares.groups, shares.tracepoints), (130, 1_440));
    }

    proptest! {
        #[test]
        fn the_shares_are_not_more_than_the_whole(series in 0usize..5_000, tracepoints in 0usize..10_000, groups in 0usize..2_000) {
            let shares = SeriesShares::new(series, tracepoints, groups);
            let others = if shares.tracepoints < tracepoints { shares.groups + 1 } else { 0 };
            let all = FIXED + shares.failures + 2 * (shares.rules + 1) + shares.partly + shares.groups + 1 + shares.tracepoints + others;
            prop_assert!(all <= series.max(LEAST_SERIES), "{all} {shares:?}");
            prop_assert!(shares.tracepoints >= 1 || tracepoints == 0);
        }
    }
}
