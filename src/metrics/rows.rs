//! The hits by process or by cgroup.

use super::exposition::{Exposition, Family, Labels, MetricValue};
use super::families;
use crate::processes::{CountBy, HitTotals, MOST_GROUPS, MOST_ROWS, TotalRow};
use std::sync::Arc;

/// The most series of these families: the rows and that of all others, each with its groups, with those of all other groups, and with
/// its variance.
pub(super) const MOST_SERIES: usize = (MOST_ROWS + 1) * (MOST_GROUPS + 2);

/// The hits by process or by cgroup, as they were set last.
#[derive(Debug)]
pub(super) struct RowSeries {
    by: CountBy,
    hits: Vec<(Labels, u64)>,
    variances: Vec<(Labels, f64)>,
}

impl RowSeries {
    pub fn of(totals: &HitTotals) -> Self {
        let name = totals.by().word();
        let of_groups = totals.rows().flat_map(|row| {
            let of_group =
                |(group, hits): &(Arc<str>, u64)| (Labels::new([(name, &*row.name), ("group", &**group)]), *hits);
            row.groups.iter().map(of_group)
        });
        let variance = |row: &TotalRow| (Labels::new([(name, &*row.name)]), row.variance);
        RowSeries { by: totals.by(), hits: of_groups.collect(), variances: totals.rows().map(variance).collect() }
    }

    /// Writes the counters.
    pub fn write(&self, text: &mut Exposition) {
        let (hits, variance): (&Family, &Family) = match self.by {
            CountBy::Process => (&families::PROCESS_HITS, &families::PROCESS_VARIANCE),
            CountBy::Cgroup => (&families::CGROUP_HITS, &families::CGROUP_VARIANCE),
        };
        for (labels, figure) in &self.hits {
            text.labelled(hits, labels, MetricValue::Whole(*figure));
        }
        for (labels, figure) in &self.variances {
            text.labelled(variance, labels, MetricValue::Real(*figure));
        }
    }
}
