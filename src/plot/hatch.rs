//! The stretches in which tracepoints were thinned or detached, as areas of a plot: thinned ones are hatched, and detached ones
//! have a band.

use super::scene::{Area, spans};
use super::{Figure, Plot};
use crate::events::thinning::OPENED_WITH;
use crate::units::Grouped;
use std::collections::BTreeMap;

/// The first milliseconds of a recording are not drawn wider than they are. Narrower than this, they are not drawn.
const LEAST_OF_BEGIN: f64 = 0.5;

impl Plot<'_> {
    /// The areas of the stretches that are, or are not, those of detached tracepoints. `x` is the place of a time, and `rows` is the
    /// bottom of the rows and their height.
    pub(super) fn thinned_areas(
        &self,
        is_detached: bool,
        x: impl Fn(u64) -> f64,
        (bottom, row_height): (f64, f64),
    ) -> Vec<Area> {
        let mut by_row = BTreeMap::<usize, Vec<(f64, f64)>>::new();
        for (row, stretch) in self.stretches.iter().filter(|(_, stretch)| stretch.is_detached() == is_detached) {
            let (from, to) = (x(stretch.from_ns.0), x(stretch.to_ns.0));
            if stretch.one_in != OPENED_WITH || to - from >= LEAST_OF_BEGIN {
                by_row.entry(*row).or_default().push((from, to));
            }
        }
        let of_row = |(row, stretches): (usize, Vec<(f64, f64)>)| {
            let y = bottom - (row as f64 + 1.0) * row_height;
            spans(stretches.into_iter()).into_iter().map(move |run| Area {
                x: run.x,
                y,
                width: run.length,
                height: row_height,
            })
        };
        by_row.into_iter().flat_map(of_row).collect()
    }

    /// The words of the legend for thinned stretches, and for detached ones. `None` if there are none.
    pub(super) fn thinned_notes(&self) -> [Option<String>; 2] {
        let periods = || {
            let periods = self.stretches.iter().map(|(_, stretch)| stretch.one_in);
            periods.filter(|one_in| *one_in > OPENED_WITH)
        };
        let in_part = match self.figure {
            Figure::Tracepoints => "",
            Figure::Groups => " of some tracepoint",
        };
        let thinned = periods().min().zip(periods().max()).map(|(least, most)| match least == most {
            true => format!("one in {} hits{in_part} recorded", Grouped(least)),
            false => format!("one in {} to {} hits{in_part} recorded", Grouped(least), Grouped(most)),
        });
        let is_detached = self.stretches.iter().any(|(_, stretch)| stretch.is_detached());
        [thinned, is_detached.then(|| format!("detached: hits{in_part} not counted"))]
    }
}
