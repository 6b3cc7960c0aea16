//! The density of events, by row and column of time.

use super::Plot;
use super::colours::viridis;

/// The part of the colours that is used. Lighter ones are hard to see on white.
const LIGHTEST: f64 = 0.92;

/// The number of events in each row and column.
pub(super) struct Density {
    /// The number of columns.
    pub width: usize,
    /// The events of each place, row by row, starting with the first row of the axis.
    pub events: Vec<f32>,
    /// The most events in one place.
    pub most: f32,
}

impl Density {
    /// The density of a plot, in this many columns.
    pub fn new(plot: &Plot<'_>, width: usize) -> Self {
        let mut events = vec![0.0f32; width * plot.rows.len()];
        plot.subject.activity.tracepoints.spread(width, |tpid, column, count| {
            events[plot.row_of[tpid as usize] as usize * width + column] += count as f32;
        });
        let most = events.iter().copied().fold(0.0, f32::max);
        Density { width, events, most }
    }

    /// The places of a row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.events[row * self.width..(row + 1) * self.width]
    }

    /// The level of each place, from 0 for no events to 255 for the most. Levels are logarithmic, so one event is visible
    /// next to thousands. In rows with few events, each place is widened a little. The last row comes first, because
    /// pictures are drawn from the top.
    pub fn levels(&self) -> Vec<u8> {
        const WIDER: usize = 1;
        let rows = self.events.len() / self.width.max(1);
        let scale = 254.0 / (1.0 + self.most).ln().max(f32::MIN_POSITIVE);
        let mut levels = Vec::with_capacity(self.events.len());
        for row in (0..rows).rev() {
            let row = self.row(row);
            let start = levels.len();
            levels.extend(row.iter().map(|events| match *events {
                0.0 => 0,
                events => 1 + ((1.0 + events).ln() * scale) as u8,
            }));
            let occupied = row.iter().filter(|events| **events > 0.0).count();
            if occupied * 8 < self.width {
                let narrow = levels[start..].to_vec();
                for (column, level) in narrow.iter().enumerate().filter(|(_, level)| **level > 0) {
                    let around = start + column.saturating_sub(WIDER)..start + (column + WIDER + 1).min(self.width);
                    levels[around].iter_mut().for_each(|place| *place = (*place).max(*level));
                }
            }
        }
        levels
    }

    /// The colour of a level: the more events, the darker.
    pub fn colour(level: u8) -> [u8; 3] {
        viridis((1.0 - f64::from(level.saturating_sub(1)) / 254.0) * LIGHTEST)
    }
}
