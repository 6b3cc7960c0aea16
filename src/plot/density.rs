//! How dense events are, in rows and columns of time.

use super::Plot;

/// Rows of columns: how many events are where.
pub(super) struct Density {
    /// Columns of a row.
    pub width: usize,
    /// Events of each place, row by row from the axis's first.
    pub events: Vec<f32>,
    /// The most in one place.
    pub most: f32,
}

impl Density {
    /// Of a plot, in so many columns.
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

    /// Colour numbers, the last row first as pictures are drawn: 0 where nothing is, up to 255 for the most, by the
    /// logarithm, so that one event can be seen beside thousands. What is rare is drawn a little wider than it is.
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

    /// The colour of a level: each can be seen on white and on black.
    pub fn colour(level: u8) -> [u8; 3] {
        const STOPS: [[f32; 3]; 5] = [
            [96.0, 142.0, 218.0],
            [38.0, 163.0, 155.0],
            [120.0, 170.0, 60.0],
            [226.0, 142.0, 26.0],
            [214.0, 45.0, 80.0],
        ];
        let place = f32::from(level.saturating_sub(1)) / 254.0 * (STOPS.len() - 1) as f32;
        let (below, part) = (place.floor(), place.fract());
        let (from, to) = (STOPS[below as usize], STOPS[(below as usize + 1).min(STOPS.len() - 1)]);
        std::array::from_fn(|n| (from[n] + (to[n] - from[n]) * part).round() as u8)
    }
}
