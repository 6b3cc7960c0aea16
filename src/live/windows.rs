//! The last windows of a count, in a fixed amount of memory.

use crate::events::{Cpu, Ns, Slot, Tick, Tpid, WindowHits};
use std::collections::VecDeque;

/// The most cells of all windows: a tracepoint that was hit in a window, or a CPU on which it was.
const MOST_CELLS: usize = 1 << 19;
/// The newest windows that keep the hits of each CPU.
const WITH_CPUS: usize = 16;

/// A window.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveWindow {
    /// Its begin.
    pub from: Ns,
    /// Its end.
    pub to: Ns,
    /// The tracepoints that were hit or that were not counted all the time, by tpid.
    pub hits: Vec<WindowHits>,
    /// The hits on each CPU by tpid and CPU, of the newest windows.
    pub cpus: Vec<(Tpid, Cpu, u64)>,
    /// Its cost as a part of the time of all CPUs, if it is known.
    pub cost: Option<f64>,
}

impl LiveWindow {
    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.to.since(self.from).max(1) as f64 / 1e9
    }

    /// The hits of a tracepoint, if it was hit or was not counted all the time.
    pub fn of(&self, tpid: Tpid) -> Option<WindowHits> {
        self.hits.binary_search_by_key(&tpid, |hits| hits.tpid).ok().map(|place| self.hits[place])
    }

    /// The sum of the known hits.
    pub fn total(&self) -> f64 {
        self.hits.iter().filter_map(|hits| hits.hits).sum()
    }
}

/// The cells that a window takes. One without hits takes memory too.
fn cells_of(window: &LiveWindow) -> usize {
    1 + window.hits.len() + window.cpus.len()
}

/// The last windows. A window has a number, which it keeps.
#[derive(Debug, Default)]
pub struct LiveWindows {
    kept: VecDeque<LiveWindow>,
    cells: usize,
    /// The number of the oldest window that is kept.
    first: u64,
    begin: Option<Ns>,
}

impl LiveWindows {
    /// Adds a window. Forgets the oldest ones if there are too many.
    pub fn add(&mut self, tick: &Tick<'_>) {
        let of_cpu = |(slot, hits): (Slot, u64)| Some((slot.tpid, slot.cpu?, hits));
        let mut cpus: Vec<_> = tick.hit().filter_map(of_cpu).collect();
        cpus.sort_unstable();
        let hits = tick.window_hits();
        self.push(LiveWindow { from: tick.from, to: tick.to, hits, cpus, cost: tick.cost });
    }

    /// Adds a window, like [`add`](Self::add).
    pub fn push(&mut self, window: LiveWindow) {
        self.begin.get_or_insert(window.from);
        self.cells += cells_of(&window);
        self.kept.push_back(window);
        if let Some(old) = self.kept.len().checked_sub(WITH_CPUS + 1) {
            self.cells -= std::mem::take(&mut self.kept[old].cpus).len();
        }
        while self.cells > MOST_CELLS && self.kept.len() > 1 {
            self.cells -= self.kept.pop_front().map_or(0, |window| cells_of(&window));
            self.first += 1;
        }
    }

    /// The begin of the first window of all.
    pub fn begin(&self) -> Option<Ns> {
        self.begin
    }

    /// The numbers of the windows that are kept.
    pub fn numbers(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.kept.len() as u64
    }

    /// A window by its number, if it is kept.
    pub fn get(&self, number: u64) -> Option<&LiveWindow> {
        self.kept.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The newest windows up to a number, the newest first.
    pub fn back_from(&self, number: u64) -> impl Iterator<Item = &LiveWindow> {
        let end = usize::try_from((number + 1).saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.kept.len());
        self.kept.range(..end).rev()
    }

    /// All windows that are kept, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &LiveWindow> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Estimated, Partly, Rung};

    fn slot(tpid: u32, cpu: u32) -> Slot {
        Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) }
    }

    #[test]
    fn a_window_has_what_was_counted_and_what_was_estimated() {
        let slots = [slot(1, 0), slot(1, 1), slot(2, 0), slot(3, 0)];
        let partly = Partly {
            tpid: Tpid::new(3),
            rung: Rung::Visited,
            watched: 0.1,
            estimated: Some(Estimated { hits: 70.0, variance: 1.0 }),
        };
        let mut windows = LiveWindows::default();
        windows.add(&Tick {
            from: Ns(0),
            to: Ns(500_000_000),
            late_ns: 0,
            slots: &slots,
            hits: &[3, 4, 0, 5],
            partly: &[partly],
            cost: Some(0.01),
        });
        let window = windows.get(0).unwrap();
        assert_eq!((window.seconds(), window.total()), (0.5, 77.0));
        assert_eq!(window.of(Tpid::new(1)).unwrap().hits, Some(7.0));
        assert_eq!(window.of(Tpid::new(2)), None);
        let estimated = window.of(Tpid::new(3)).unwrap();
        assert_eq!((estimated.hits, estimated.rung), (Some(70.0), Rung::Visited));
        assert_eq!(window.cpus.len(), 3);
    }

    #[test]
    fn the_oldest_windows_go_and_numbers_stay() {
        let slots: Vec<Slot> = (1..=1_000).map(|tpid| slot(tpid, 0)).collect();
        let hits = vec![1; slots.len()];
        let mut windows = LiveWindows::default();
        for n in 0..1_000 {
            let (from, to) = (Ns(n * 10), Ns(n * 10 + 10));
            windows.add(&Tick { from, to, late_ns: 0, slots: &slots, hits: &hits, partly: &[], cost: None });
        }
        let numbers = windows.numbers();
        assert_eq!(
            (numbers.end, numbers.end - numbers.start),
            (1_000, ((MOST_CELLS - WITH_CPUS * 1_000) / 1_001) as u64)
        );
        assert_eq!(windows.get(numbers.start).unwrap().from, Ns(numbers.start * 10));
        assert!(windows.get(numbers.start - 1).is_none() && windows.get(1_000).is_none());
        assert_eq!(windows.back_from(998).next().unwrap().from, Ns(9_980));
        assert_eq!(windows.iter().filter(|window| !window.cpus.is_empty()).count(), WITH_CPUS);
        assert_eq!(windows.begin(), Some(Ns(0)));
    }
}
