//! The memory for the rows of reports.

use crate::memory::{Held, MemoryOf, TooMuch};
use crate::ranking::Ranking;

/// The memory in bytes of a row in rankings, tables, and pages; and that of each byte of its name there.
const OF_ROW: u64 = 1_536;
const OF_NAME: u64 = 8;

/// Takes the memory for the rows of a ranking.
pub(super) fn hold(ranking: &Ranking) -> Result<Held, TooMuch> {
    let Ranking { tracepoints, groups, .. } = ranking;
    let names = tracepoints.iter().map(|hit| &hit.name).chain(groups.iter().map(|hit| &hit.name));
    Held::take(MemoryOf::Rows, names.map(|name| OF_ROW + OF_NAME * name.len() as u64).sum())
}
