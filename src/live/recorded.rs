//! The windows of a recording, and who caused the events of one.

use super::shares::{WhoAnswer, WhoRow, WhoSums};
use super::view::WhoBy;
use super::windows::{LiveWindow, LiveWindows};
use crate::activity::Activity;
use crate::events::{Ns, Rung, Tpid, WindowHits};
use crate::processes::ProcessRanking;
use crate::units::nanoseconds;
use std::collections::BTreeMap;
use std::time::Duration;

/// A recording is shown in about so many windows, unless the user sets their length.
pub const USUAL_WINDOWS: u64 = 120;
/// The most windows.
const MOST_WINDOWS: u64 = 5_000;

/// The windows of a recording. Their counts are exact: a window consists of whole bins of the activity, so its length is the
/// multiple of a bin that is nearest to the wanted length.
#[derive(Debug)]
pub struct RecordedWindows {
    /// The windows.
    pub windows: LiveWindows,
    /// The length of a window in nanoseconds.
    length: u64,
}

impl RecordedWindows {
    /// The windows of this activity. The events of `processes` can then be found in each of them.
    pub fn of(activity: &Activity, processes: Option<&ProcessRanking>, every: Option<Duration>) -> Self {
        let mut windows = LiveWindows::default();
        let Some((first, last)) = activity.span() else { return RecordedWindows { windows, length: 1 } };
        let over_time = processes.and_then(|all| all.over_time.as_ref());
        let of_pairs = over_time.map_or(1, |over_time| over_time.tracepoints.cells.width());
        // Both are powers of two, and both kinds of bins begin with the first event.
        let bin = activity.tracepoints.width().max(of_pairs);
        let span = (last - first).max(1);
        let wanted = every.map_or(span / USUAL_WINDOWS, nanoseconds).max(span / MOST_WINDOWS);
        let length = bin.saturating_mul((wanted.saturating_add(bin / 2) / bin).max(1));
        let mut of = BTreeMap::<u64, BTreeMap<Tpid, f64>>::new();
        for (index, cells) in activity.tracepoints.iter() {
            let number = index.saturating_mul(activity.tracepoints.width()) / length;
            let hits = of.entry(number).or_default();
            cells.iter().for_each(|cell| *hits.entry(Tpid::new(cell.key)).or_default() += cell.count as f64);
        }
        for number in 0..=span / length {
            let from = Ns(first.0.saturating_add(number.saturating_mul(length)));
            let hits = of.remove(&number).unwrap_or_default();
            let hits = hits.into_iter().map(|(tpid, hits)| WindowHits {
                tpid,
                hits: Some(hits),
                rung: Rung::Counted,
                is_estimate: false,
            });
            let to = Ns(from.0.saturating_add(length));
            windows.push(LiveWindow { from, to, hits: hits.collect(), cpus: Vec::new(), cost: None });
        }
        RecordedWindows { windows, length }
    }

    /// Who caused the `all` events of these tracepoints in a window. `None` if the recording does not have the processes of its
    /// events.
    pub fn who(
        &self,
        processes: &ProcessRanking,
        number: u64,
        tpids: &[Tpid],
        all: u64,
        by: WhoBy,
    ) -> Option<WhoAnswer> {
        let over_time = processes.over_time.as_ref().filter(|_| processes.is_known)?;
        let pairs = &over_time.tracepoints;
        let width = pairs.cells.width();
        let mut events = BTreeMap::<u32, u64>::new();
        let in_window = |index: u64| index.saturating_mul(width) / self.length == number;
        for cell in pairs.cells.iter().filter(|(index, _)| in_window(*index)).flat_map(|(_, cells)| cells) {
            let (process, tpid) = pairs.pairs[cell.key as usize];
            if tpids.contains(&Tpid::new(tpid)) {
                *events.entry(process).or_default() += cell.count;
            }
        }
        let mut sums = WhoSums::new(by);
        for ranked in &processes.processes {
            if let Some(events) = events.get(&ranked.number) {
                sums.add(&ranked.process, 0, *events);
            }
        }
        let share = |of: &BTreeMap<usize, u64>| (of.values().sum::<u64>() as f64 / all.max(1) as f64, None);
        let (time, mut rows) = (Duration::from_nanos(self.length), sums.rows(share));
        // With very many processes, those that came late are not known by window.
        let rest = all.saturating_sub(events.values().sum());
        if rest > 0 {
            let words = "others".to_owned();
            rows.push(WhoRow { words, processes: 1, mostly: None, share: rest as f64 / all as f64, interval: None });
        }
        Some(WhoAnswer { samples: all, lost: 0, time, rows, is_exact: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Sink, Tid};
    use crate::processes::Processes;
    use crate::tracefs::Table;

    /// Events of tracepoint 1 each millisecond for a second by thread 5, and of tracepoint 2 in the last tenth by thread 6.
    fn recorded(every: Option<Duration>) -> (RecordedWindows, ProcessRanking) {
        let of = |time: u64, tpid: u32, tid: u32| {
            Event::new(Ns(7_000 + time * 1_000_000), None, Tpid::new(tpid)).in_thread(Tid::new(tid).unwrap())
        };
        let late = |time| (time >= 900).then(|| of(time, 2, 6));
        let events: Vec<Event> = (0..1_000).flat_map(|time| [of(time, 1, 5)].into_iter().chain(late(time))).collect();
        let (mut activity, mut processes) = (Activity::new(700), Processes::default().with_cells(300));
        activity.events(&events, &Table::default());
        processes.events(&events, &Table::default());
        activity.finish();
        let ranking = processes.ranking(true).unwrap();
        (RecordedWindows::of(&activity, Some(&ranking), every), ranking)
    }

    #[test]
    fn windows_have_all_events_and_are_about_as_long_as_wanted() {
        let tenth = Some(Duration::from_millis(100));
        for (every, least, most) in [(None, 30, 140), (tenth, 8, 12), (Some(Duration::from_secs(9)), 1, 1)] {
            let (recorded, _) = recorded(every);
            let number = recorded.windows.iter().count();
            assert!((least..=most).contains(&number), "{every:?} gave {number}");
            let total: f64 = recorded.windows.iter().map(LiveWindow::total).sum();
            assert_eq!(total, 1_100.0);
        }
        let nothing = RecordedWindows::of(&Activity::new(8), None, None);
        assert_eq!(nothing.windows.numbers(), 0..0);
    }

    #[test]
    fn each_window_has_its_own_processes() {
        let (recorded, processes) = recorded(Some(Duration::from_millis(100)));
        let tpids = [1, 2].map(Tpid::new);
        let numbers = recorded.windows.numbers();
        let shares = |number| {
            let all = recorded.windows.get(number).unwrap().total() as u64;
            let answer = recorded.who(&processes, number, &tpids, all, WhoBy::Process).unwrap();
            assert!(answer.rows.iter().all(|row| row.words != "others"), "{answer:?}");
            answer.rows.iter().map(|row| (row.share, row.processes)).collect::<Vec<_>>()
        };
        assert_eq!(shares(numbers.start), [(1.0, 1)]);
        // Both threads have no name, so they share a row.
        assert!(numbers.map(shares).any(|shares| shares == [(1.0, 2)]));
        let last = recorded.windows.numbers().end - 1;
        let only = recorded.who(&processes, last, &[Tpid::new(2)], 1_000, WhoBy::Process).unwrap();
        assert_eq!(only.rows.last().unwrap().words, "others");
        assert_eq!(only.rows[0].processes, 1);
    }
}
