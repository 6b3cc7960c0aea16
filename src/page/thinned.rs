//! The stretches of the page's graphs in which tracepoints were thinned or detached.

use crate::recording::ThinnedStretch;
use crate::tracefs::Tpid;
use serde::Serialize;
use std::collections::HashMap;

/// A stretch on the page: its row, its start, its end in nanoseconds, and the smallest and the largest number of hits that an
/// event of it stands for. They are 0 if the tracepoint was detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct ThinnedBand(usize, u64, u64, u64, u64);

/// The bands of the tracepoints that have a row. If there are more than `most`, those of a row that are close
/// together become one.
pub(super) fn bands(stretches: &[ThinnedStretch], tpids: &[Tpid], most: usize) -> Vec<ThinnedBand> {
    let rows: HashMap<Tpid, usize> = tpids.iter().enumerate().map(|(row, tpid)| (*tpid, row)).collect();
    let mut bands: Vec<ThinnedBand> = stretches
        .iter()
        .filter_map(|stretch| {
            let row = *rows.get(&stretch.tpid)?;
            Some(ThinnedBand(row, stretch.from_ns.0, stretch.to_ns.0, stretch.one_in, stretch.one_in))
        })
        .collect();
    bands.sort_by_key(|band| (band.0, band.1));
    let last = bands.iter().map(|band| band.2).max().unwrap_or(0);
    let mut apart = (last >> 16).max(1);
    while bands.len() > most && apart <= last {
        bands = joined(&bands, apart);
        apart = apart.saturating_mul(4);
    }
    bands
}

/// Joins bands of one row and one rung that are less than `apart` from each other.
fn joined(bands: &[ThinnedBand], apart: u64) -> Vec<ThinnedBand> {
    let mut joined = Vec::<ThinnedBand>::new();
    for band in bands {
        match joined.last_mut() {
            Some(last)
                if last.0 == band.0 && (last.3 == 0) == (band.3 == 0) && band.1.saturating_sub(last.2) < apart =>
            {
                (last.2, last.3, last.4) = (last.2.max(band.2), last.3.min(band.3), last.4.max(band.4));
            }
            _ => joined.push(*band),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ns;

    #[test]
    fn bands_are_joined_only_if_there_are_many_and_within_a_row_and_a_rung() {
        let stretch = |tpid, one_in, from: u64| ThinnedStretch {
            tpid: Tpid::new(tpid),
            name: "a:b".into(),
            one_in,
            from_ns: Ns(from),
            to_ns: Ns(from + 5),
        };
        let mut all: Vec<_> = (0..1_000).map(|n| stretch(7, if n % 2 == 0 { 17 } else { 257 }, n * 10)).collect();
        all.extend([stretch(7, 0, 10_000), stretch(4, 17, 3), stretch(9, 17, 3)]);
        let tpids = [4, 7].map(Tpid::new);
        assert_eq!(bands(&all, &tpids, 5_000).len(), 1_002, "a tracepoint without a row has no band");
        let few = bands(&all, &tpids, 10);
        assert_eq!(
            few,
            [ThinnedBand(0, 3, 8, 17, 17), ThinnedBand(1, 0, 9_995, 17, 257), ThinnedBand(1, 10_000, 10_005, 0, 0)]
        );
    }
}
