//! Counts events per key and bin of time, as finely as memory allows.
//!
//! The length of a source is unknown before its end. So bins start with a width of one nanosecond. Whenever
//! there are more cells than allowed, the width of all bins doubles:
//!
//! ```text
//!   key 3   │ 1 │   │ 2 │ 1 │           key 3   │   1   │   3   │
//!   key 7   │   │ 5 │   │ 4 │    ──>    key 7   │   5   │   4   │
//! ```
//!
//! Only counts other than zero are kept. So a few events are kept to the nanosecond, and any number of events
//! fits in a fixed amount of memory.

use crate::events::Ns;

/// Two bins of `1 << 63` nanoseconds cover all times that fit in 64 bits.
const WIDEST: u32 = 63;

/// Counts per key and bin of time.
#[derive(Debug, Clone)]
pub struct Cells {
    origin: Ns,
    /// The width of a bin is `1 << shift` nanoseconds.
    shift: u32,
    /// The bins that have events, ascending, without the open one.
    bins: Vec<Bin>,
    cells: Vec<Cell>,
    most: usize,
    open: Open,
}

/// The bin that is being filled. Events come in time order, so there is only one, and it fits in a CPU's
/// cache.
#[derive(Debug, Clone, Default)]
struct Open {
    index: u64,
    /// The first time that is in a later bin.
    end: Ns,
    /// The time of its last event.
    last: Ns,
    /// Its counts by key.
    counts: Vec<u64>,
    /// The keys whose counts are not zero.
    keys: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Bin {
    index: u64,
    /// The index of its first cell.
    first: usize,
}

/// Events of one key in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The key.
    pub key: u32,
    /// The number of events, at least 1.
    pub count: u64,
}

impl Cells {
    /// No cells yet, and at most about `most` at the end.
    pub fn new(most: usize) -> Self {
        Cells { origin: Ns(0), shift: 0, bins: Vec::new(), cells: Vec::new(), most, open: Open::default() }
    }

    /// Counts an event. Its time must not be earlier than that of the event before.
    #[inline]
    pub fn add(&mut self, time: Ns, key: u32) {
        if time >= self.open.end {
            self.turn(time);
        }
        let key_index = key as usize;
        if key_index >= self.open.counts.len() {
            self.open.counts.resize(key_index + 1, 0);
        }
        let count = &mut self.open.counts[key_index];
        if *count == 0 {
            self.open.keys.push(key);
        }
        *count += 1;
        self.open.last = time;
    }

    /// The first time that is not in the bin of the last event.
    pub fn end(&self) -> Ns {
        self.open.end
    }

    /// Counts more events with the key and in the bin of the last event. `time` is the time of the last of
    /// them.
    pub fn add_more(&mut self, time: Ns, key: u32, events: u64) {
        let count = &mut self.open.counts[key as usize];
        *count = count.saturating_add(events);
        self.open.last = time;
    }

    /// Closes the open bin, and opens the bin of `time`.
    #[cold]
    fn turn(&mut self, time: Ns) {
        if self.is_empty() {
            self.origin = time;
        } else if !self.open.keys.is_empty() && (time - self.origin) >> self.shift == self.open.index {
            // The last bin of all has no end that fits in 64 bits.
            return;
        }
        self.close();
        while self.is_too_much() {
            // While hardly two events share a bin, doubling the width once would merge almost none.
            let sparse = self.cells.len() < 2 * self.bins.len();
            self.coarsen(if sparse { 4 } else { 1 });
        }
        self.open.index = (time - self.origin) >> self.shift;
        let end = u128::from(self.origin.0) + ((u128::from(self.open.index) + 1) << self.shift);
        self.open.end = u64::try_from(end).map_or(Ns::MAX, Ns);
    }

    /// Whether there are more cells than allowed, and wider bins can reduce them.
    fn is_too_much(&self) -> bool {
        self.cells.len() > self.most && self.bins.len() > 1 && self.shift < WIDEST
    }

    fn close(&mut self) {
        if self.open.keys.is_empty() {
            return;
        }
        match self.bins.last() {
            // Bins became wider before this bin was opened, so its first events are already stored.
            Some(last) if last.index == self.open.index => {
                let first = last.first;
                for cell in self.cells.drain(first..) {
                    self.open.add(cell);
                }
            }
            _ => self.bins.push(Bin { index: self.open.index, first: self.cells.len() }),
        }
        self.open.keys.sort_unstable();
        for key in self.open.keys.drain(..) {
            self.cells.push(Cell { key, count: std::mem::take(&mut self.open.counts[key as usize]) });
        }
    }

    /// Makes all bins `1 << by` times as wide. No bin may be open.
    fn coarsen(&mut self, by: u32) {
        let by = by.min(WIDEST - self.shift);
        self.shift += by;
        let bins = std::mem::take(&mut self.bins);
        let (mut read, mut written) = (0, 0);
        while let Some(bin) = bins.get(read) {
            let index = bin.index >> by;
            let group = bins[read..].iter().take_while(|bin| bin.index >> by == index).count();
            let cells = bin.first..bins.get(read + group).map_or(self.cells.len(), |bin| bin.first);
            self.bins.push(Bin { index, first: written });
            if group == 1 {
                let length = cells.len();
                self.cells.copy_within(cells, written);
                written += length;
            } else {
                self.cells[cells].iter().for_each(|cell| self.open.add(*cell));
                self.open.keys.sort_unstable();
                for key in self.open.keys.drain(..) {
                    let count = std::mem::take(&mut self.open.counts[key as usize]);
                    self.cells[written] = Cell { key, count };
                    written += 1;
                }
            }
            read += group;
        }
        self.cells.truncate(written);
    }

    /// Closes the open bin. No events may follow.
    pub fn finish(&mut self) {
        self.close();
        while self.is_too_much() {
            self.coarsen(1);
        }
    }

    /// Makes the bins so wide that there are at most this many, including empty ones. `self` must be finished.
    pub fn widen(&mut self, most_bins: u64) {
        while self.bins() > u128::from(most_bins.max(1)) && self.shift < WIDEST {
            self.coarsen(1);
        }
    }

    /// A copy with at most about `most` cells, in wider bins if necessary. `self` must be finished.
    #[cfg(test)]
    fn at_most(&self, most: usize) -> Self {
        let mut coarser = Cells { most, ..self.clone() };
        coarser.finish();
        coarser
    }

    /// Whether no event was counted.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty() && self.open.keys.is_empty()
    }

    /// The times of the first and the last event; `None` if there were none.
    pub fn span(&self) -> Option<(Ns, Ns)> {
        (!self.is_empty()).then_some((self.origin, self.open.last))
    }

    /// The width of a bin in nanoseconds.
    pub fn width(&self) -> u64 {
        1 << self.shift
    }

    /// The number of bins from the first event to the last, including empty ones.
    pub fn bins(&self) -> u128 {
        self.span().map_or(0, |(first, last)| u128::from((last - first) >> self.shift) + 1)
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// The bins that have events. Each comes with its number, which counts from the bin of the first event,
    /// and with its cells by key. `self` must be finished.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[Cell])> {
        let ends = self.bins.iter().skip(1).map(|bin| bin.first).chain([self.cells.len()]);
        self.bins.iter().zip(ends).map(|(bin, end)| (bin.index, &self.cells[bin.first..end]))
    }

    /// Spreads the cells over this many columns of equal width, from the first event to the last. Calls
    /// `take` with a key, a column, and a number of events. The events of a bin that overlaps several columns
    /// are spread evenly over the bin. `self` must be finished.
    pub fn spread(&self, columns: usize, mut take: impl FnMut(u32, usize, f64)) {
        let Some((first, last)) = self.span() else { return };
        if first == last {
            // A span of zero length has only one column.
            return self.cells.iter().for_each(|cell| take(cell.key, 0, cell.count as f64));
        }
        // The span includes the last event, and the last bin counts as far as it lies within the span.
        let span = (last - first) as f64 + 1.0;
        let scale = columns as f64 / span;
        let width = self.width() as f64;
        for (index, cells) in self.iter() {
            let start = index as f64 * width * scale;
            let end = ((index as f64 + 1.0) * width).min(span) * scale;
            let within = |column: f64| (column as usize).min(columns - 1);
            let from = within(start);
            let to = within(end.ceil() - 1.0).max(from);
            for column in from..=to {
                let part = match from == to {
                    true => 1.0,
                    false => (end.min(column as f64 + 1.0) - start.max(column as f64)) / (end - start),
                };
                // A tiny part at the edge of a column is a rounding error.
                if part > 1e-9 {
                    cells.iter().for_each(|cell| take(cell.key, column, cell.count as f64 * part));
                }
            }
        }
    }

    /// The events in each of this many columns, for every key up to the highest one, by
    /// [`spread`](Self::spread).
    pub fn columns(&self, columns: usize) -> Vec<Vec<f64>> {
        let keys = self.cells.iter().map(|cell| cell.key as usize + 1).max().unwrap_or(0);
        let mut counts = vec![Vec::new(); keys];
        self.spread(columns, |key, column, events| {
            let of_key: &mut Vec<f64> = &mut counts[key as usize];
            if of_key.is_empty() {
                of_key.resize(columns, 0.0);
            }
            of_key[column] += events;
        });
        counts
    }

    /// The number of all events. `self` must be finished.
    pub fn events(&self) -> u64 {
        self.cells.iter().map(|cell| cell.count).sum()
    }

    /// Each key that has events, with their number. `self` must be finished.
    pub fn hit(&self) -> impl Iterator<Item = (u32, u64)> {
        (0u32..).zip(self.totals()).filter(|(_, events)| *events > 0)
    }

    /// The number of events of each key up to the highest one. `self` must be finished.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals = Vec::new();
        for cell in &self.cells {
            let key = cell.key as usize;
            if totals.len() <= key {
                totals.resize(key + 1, 0);
            }
            totals[key] += cell.count;
        }
        totals
    }
}

impl Open {
    fn add(&mut self, cell: Cell) {
        let count = &mut self.counts[cell.key as usize];
        if *count == 0 {
            self.keys.push(cell.key);
        }
        *count += cell.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn cells(most: usize, events: &[(u64, u32)]) -> Cells {
        let mut cells = Cells::new(most);
        events.iter().for_each(|(time, key)| cells.add(Ns(*time), *key));
        cells.finish();
        cells
    }

    /// The expected cells: each event is in the bin of its time.
    fn expected(cells: &Cells, events: &[(u64, u32)]) -> BTreeMap<(u64, u32), u64> {
        let mut counts = BTreeMap::new();
        for (time, key) in events {
            *counts.entry(((time - events[0].0) / cells.width(), *key)).or_default() += 1;
        }
        counts
    }

    fn found(cells: &Cells) -> BTreeMap<(u64, u32), u64> {
        cells.iter().flat_map(|(bin, cells)| cells.iter().map(move |cell| ((bin, cell.key), cell.count))).collect()
    }

    #[test]
    fn few_events_are_kept_to_the_nanosecond() {
        let events = [(1_000, 3), (1_000, 3), (1_001, 3), (9_000_000_000, 7)];
        let cells = cells(100, &events);
        assert_eq!(
            (cells.width(), cells.bins(), cells.span()),
            (1, 8_999_999_001, Some((Ns(1_000), Ns(9_000_000_000))))
        );
        assert_eq!(found(&cells), BTreeMap::from([((0, 3), 2), ((1, 3), 1), ((8_999_999_000, 7), 1)]));
    }

    #[test]
    fn many_events_are_kept_in_few_cells_and_none_gets_lost() {
        let events: Vec<_> = (0..100_000u64).map(|n| (n * 1_000, (n % 7) as u32)).collect();
        let cells = cells(500, &events);
        assert!(cells.len() <= 500 && cells.len() > 100, "{}", cells.len());
        assert_eq!(found(&cells), expected(&cells, &events));
        assert_eq!(cells.totals().iter().sum::<u64>(), 100_000);
    }

    #[test]
    fn the_ends_of_time_are_times_like_others() {
        let events = [(0, 1), (u64::MAX - 1, 1), (u64::MAX, 2), (u64::MAX, 1), (u64::MAX, 1)];
        let kept = cells(100, &events);
        assert_eq!(found(&kept), expected(&kept, &events));
        assert_eq!((kept.bins(), kept.columns(10)[1].iter().sum::<f64>()), (1 << 64, 4.0));
        let few = cells(1, &events);
        assert_eq!(few.totals(), [0, 4, 1]);
        assert_eq!(few.columns(10)[1].iter().sum::<f64>(), 4.0);
    }

    #[test]
    fn all_events_at_one_instant_are_one_bin() {
        let cells = cells(100, &[(5, 0), (5, 1), (5, 0)]);
        assert_eq!((cells.bins(), cells.len()), (1, 2));
        assert_eq!(cells.columns(4), [[2.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]);
        assert!(Cells::new(5).columns(3).is_empty() && Cells::new(5).span().is_none());
    }

    #[test]
    fn what_comes_evenly_is_even_in_columns_however_few_bins_there_are() {
        let events: Vec<_> = (0..100_000u64).map(|n| (n * 1_000, 0)).collect();
        for most in [7, 70, 100, 700] {
            let columns = &cells(most, &events).columns(60)[0];
            let even = 100_000.0 / 60.0;
            assert!(columns.iter().all(|events| (events - even).abs() < 0.05 * even), "{most}: {columns:?}");
        }
    }

    proptest! {
        #[test]
        fn every_event_is_in_the_bin_of_its_time(
            steps in proptest::collection::vec((prop_oneof![0..3u64, 0..5_000u64, 0..1u64 << 40], 0..20u32), 1..400),
            most in 1..200usize,
            fewer in 1..200usize,
        ) {
            let mut now = 77;
            let events: Vec<_> = steps.into_iter().map(|(step, key)| { now += step; (now, key) }).collect();
            let cells = cells(most, &events);
            prop_assert_eq!(found(&cells), expected(&cells, &events));
            prop_assert!(cells.len() <= most || cells.bins() <= 2);
            let coarser = cells.at_most(fewer);
            prop_assert_eq!(found(&coarser), expected(&coarser, &events));
            let columns: f64 = cells.columns(13).iter().flatten().sum();
            prop_assert!((columns - events.len() as f64).abs() < 1e-6);
        }
    }
}
