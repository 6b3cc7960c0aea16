//! The rows of the table and of the graph.

use super::windows::{LiveWindow, LiveWindows};
use crate::events::{Cpu, Rung, Tpid, WindowHits};
use crate::tracefs::Table;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The time before a window, with whose mean rate the window's rate is compared.
pub const MINUTE: Duration = Duration::from_secs(60);

/// The column by which rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// The most hits first.
    #[default]
    Rate,
    /// The most surprising change against the previous minute first.
    Change,
    /// By name.
    Name,
}

impl SortBy {
    /// All of them, in the order of the columns.
    pub const ALL: [SortBy; 3] = [SortBy::Name, SortBy::Rate, SortBy::Change];
}

/// What a row is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowName {
    /// A group.
    Group(String),
    /// A tracepoint, `group:name`.
    Tracepoint(String),
}

impl RowName {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            RowName::Group(name) | RowName::Tracepoint(name) => name,
        }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveRow {
    /// What it is about.
    pub name: RowName,
    /// Whether it is a tracepoint below its open group.
    pub is_below_group: bool,
    /// For a group: whether it is open.
    pub is_open: bool,
    /// Its tracepoints that were not detached, with their rates, the highest first.
    pub tracepoints: Vec<(Tpid, f64)>,
    /// Its hits per second in the window.
    pub rate: f64,
    /// The part of all hits of the window, from 0 to 1.
    pub share: f64,
    /// Its hits per second in the minute before the window, as far as they are known; `None` if nothing is known.
    pub usual: Option<f64>,
    /// How surprising the change is: the difference in hits, in standard deviations of the windows of the minute before, or of a Poisson
    /// process if those differ less.
    pub surprise: f64,
    /// How it was watched in the window; for a group, the rung of the tracepoint that was watched least.
    pub rung: Rung,
    /// Whether some of its hits are estimated.
    pub is_estimate: bool,
    /// Its hits per second on each CPU, if they are known.
    pub cpus: Option<BTreeMap<Cpu, f64>>,
    /// All its tracepoints.
    tpids: Vec<Tpid>,
}

impl LiveRow {
    /// Whether hits are missing, because a tracepoint was detached.
    pub fn is_incomplete(&self) -> bool {
        self.rung == Rung::Detached
    }
}

/// The rows to make.
#[derive(Debug, Clone)]
pub(super) struct RowsWanted<'a> {
    /// The number of the window.
    pub at: u64,
    /// Lowercase words that names must contain.
    pub words: &'a [String],
    /// The order.
    pub sort: SortBy,
    /// The order, reversed.
    pub is_reversed: bool,
    /// Whether rows are groups, with the tracepoints of those that are open.
    pub open: Option<&'a BTreeSet<String>>,
    /// Whether rows have the rates of each CPU.
    pub per_cpu: bool,
}

/// The rows of a window.
pub(super) fn rows(windows: &LiveWindows, table: &Table, wanted: &RowsWanted<'_>) -> Vec<LiveRow> {
    let Some(window) = windows.get(wanted.at) else { return Vec::new() };
    let all = Span::of(windows, table, wanted, window);
    let mut shown: Vec<(Tpid, String)> = all
        .tpids
        .iter()
        .map(|tpid| (*tpid, table.get(*tpid).full_name()))
        .filter(|(_, name)| is_wanted(name, wanted.words))
        .collect();
    shown.sort_by(|one, other| one.1.cmp(&other.1));
    let of_tracepoints = |shown: &[(Tpid, String)], is_below_group| {
        let rows = shown.iter().map(|(tpid, name)| {
            let row = all.row(RowName::Tracepoint(name.clone()), &[*tpid], window, wanted);
            LiveRow { is_below_group, ..row }
        });
        sorted(rows.collect(), wanted)
    };
    let Some(open) = wanted.open else { return of_tracepoints(&shown, false) };
    let group_of = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
    let mut groups = Vec::new();
    let mut members = BTreeMap::new();
    for of_group in shown.chunk_by(|one, other| group_of(&one.1) == group_of(&other.1)) {
        let name = group_of(&of_group[0].1);
        let tpids: Vec<Tpid> = of_group.iter().map(|(tpid, _)| *tpid).collect();
        let is_open = open.contains(&name);
        groups.push(LiveRow { is_open, ..all.row(RowName::Group(name.clone()), &tpids, window, wanted) });
        if is_open {
            members.insert(name, of_tracepoints(of_group, true));
        }
    }
    let with_members = |group: LiveRow| {
        let members = members.remove(group.name.name()).unwrap_or_default();
        [group].into_iter().chain(members)
    };
    sorted(groups, wanted).into_iter().flat_map(with_members).collect()
}

/// Whether a name contains all words.
fn is_wanted(name: &str, words: &[String]) -> bool {
    let name = name.to_lowercase();
    words.iter().all(|word| name.contains(word.as_str()))
}

fn sorted(mut rows: Vec<LiveRow>, wanted: &RowsWanted<'_>) -> Vec<LiveRow> {
    // The sort is stable, and rows come in the order of their names.
    rows.sort_by(|one, other| match wanted.sort {
        SortBy::Rate => other.rate.total_cmp(&one.rate),
        SortBy::Change => other.surprise.abs().total_cmp(&one.surprise.abs()),
        SortBy::Name => Ordering::Equal,
    });
    if wanted.is_reversed {
        rows.reverse();
    }
    rows
}

/// The windows that rows are about, added up.
struct Span {
    /// By tpid: what the windows of the minute before have.
    before: Vec<Before>,
    /// The hits of all tracepoints in the window.
    total: f64,
    /// The tracepoints that were hit in one of these windows, or were not counted all the time.
    tpids: Vec<Tpid>,
    /// The windows of the minute before, and their length in seconds.
    windows: f64,
    seconds: f64,
}

/// The windows of the minute before in which the hits of a tracepoint are known.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    is_there: bool,
    /// The windows in which it was detached, and their length in seconds.
    unknown: f64,
    unknown_seconds: f64,
    hits: f64,
    /// The sum of the squares of the rates.
    squares: f64,
}

impl Span {
    fn of(windows: &LiveWindows, table: &Table, wanted: &RowsWanted<'_>, window: &LiveWindow) -> Self {
        let mut before = vec![Before::default(); table.tracepoints().len() + 1];
        let mut span =
            Span { before: Vec::new(), total: window.total(), tpids: Vec::new(), windows: 0.0, seconds: 0.0 };
        window.hits.iter().for_each(|hits| before[hits.tpid.get() as usize].is_there = true);
        for window in windows.back_from(wanted.at).skip(1) {
            if span.seconds >= MINUTE.as_secs_f64() {
                break;
            }
            let seconds = window.seconds();
            (span.seconds, span.windows) = (span.seconds + seconds, span.windows + 1.0);
            for hits in &window.hits {
                let before = &mut before[hits.tpid.get() as usize];
                before.is_there = true;
                match hits.hits {
                    Some(hits) => {
                        before.hits += hits;
                        before.squares += (hits / seconds) * (hits / seconds);
                    }
                    None => {
                        before.unknown += 1.0;
                        before.unknown_seconds += seconds;
                    }
                }
            }
        }
        let there = table.tracepoints().iter().map(|tracepoint| tracepoint.tpid);
        span.tpids = there.filter(|tpid| before[tpid.get() as usize].is_there).collect();
        Span { before, ..span }
    }

    fn row(&self, name: RowName, tpids: &[Tpid], window: &LiveWindow, wanted: &RowsWanted<'_>) -> LiveRow {
        let in_window: Vec<WindowHits> = tpids.iter().filter_map(|tpid| window.of(*tpid)).collect();
        // The sum of nothing is -0.
        let now = in_window.iter().filter_map(|hits| hits.hits).fold(0.0, |sum, hits| sum + hits);
        let rate = |tpid: &Tpid| match window.of(*tpid) {
            None => Some((*tpid, 0.0)),
            Some(WindowHits { hits, .. }) => Some((*tpid, hits? / window.seconds())),
        };
        let mut tracepoints: Vec<(Tpid, f64)> = tpids.iter().filter_map(rate).collect();
        tracepoints.sort_by(|one, other| other.1.total_cmp(&one.1));
        let mut usual = None;
        let mut variance = 0.0;
        // Only tracepoints that are known now and then can be compared.
        for tpid in tracepoints.iter().map(|(tpid, _)| tpid) {
            let before = &self.before[tpid.get() as usize];
            let (seconds, windows) = (self.seconds - before.unknown_seconds, self.windows - before.unknown);
            if seconds > 0.0 && windows > 0.5 {
                let mean = before.hits / seconds;
                *usual.get_or_insert(0.0) += mean;
                variance += (before.squares / windows - mean * mean).max(0.0);
            }
        }
        let expected = usual.unwrap_or(0.0) * window.seconds();
        let deviation = (variance * window.seconds() * window.seconds()).max(expected + 1.0).sqrt();
        LiveRow {
            name,
            is_below_group: false,
            is_open: false,
            tracepoints,
            rate: now / window.seconds(),
            share: now / self.total.max(1.0),
            usual,
            surprise: usual.map_or(0.0, |_| (now - expected) / deviation),
            rung: in_window.iter().map(|hits| hits.rung).max().unwrap_or(Rung::Counted),
            is_estimate: in_window.iter().any(|hits| hits.is_estimate),
            cpus: wanted.per_cpu.then(|| per_cpu(window, tpids)).flatten(),
            tpids: tpids.to_vec(),
        }
    }
}

/// The hits of these tracepoints in a window. `None` if one of them was detached.
fn known(window: &LiveWindow, tpids: &[Tpid]) -> Option<f64> {
    let hits = tpids.iter().filter_map(|tpid| window.of(*tpid));
    hits.map(|WindowHits { hits, .. }| hits).sum()
}

impl LiveRow {
    /// Its hits per second in the last windows up to a number, the newest last, at most so many. `None` where they are unknown.
    pub fn recent(&self, windows: &LiveWindows, at: u64, most: usize) -> Vec<Option<f64>> {
        let mut rates: Vec<_> = windows
            .back_from(at)
            .take(most)
            .map(|window| Some(known(window, &self.tpids)? / window.seconds()))
            .collect();
        rates.reverse();
        rates
    }
}

fn per_cpu(window: &LiveWindow, tpids: &[Tpid]) -> Option<BTreeMap<Cpu, f64>> {
    let is_counted = |tpid: &Tpid| window.of(*tpid).is_none_or(|hits| hits.rung == Rung::Counted && !hits.is_estimate);
    if (window.cpus.is_empty() && !window.hits.is_empty()) || !tpids.iter().all(is_counted) {
        return None;
    }
    let mut rates = BTreeMap::new();
    for (_, cpu, hits) in window.cpus.iter().filter(|(tpid, ..)| tpids.contains(tpid)) {
        *rates.entry(*cpu).or_insert(0.0) += *hits as f64 / window.seconds();
    }
    Some(rates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::{table, windows};

    fn wanted(at: u64) -> RowsWanted<'static> {
        RowsWanted { at, words: &[], sort: SortBy::Rate, is_reversed: false, open: None, per_cpu: false }
    }

    fn names(rows: &[LiveRow]) -> Vec<&str> {
        rows.iter().map(|row| row.name.name()).collect()
    }

    #[test]
    fn rows_have_rates_shares_and_the_change_against_the_minute_before() {
        // Each window is two seconds long. `irq:entry` has 20 hits, then 80, and `sched:wakeup` has 20 in each window.
        let windows = windows(2, &[[20, 0, 20], [20, 0, 20], [80, 0, 20]]);
        let rows = rows(&windows, &table(), &wanted(2));
        assert_eq!(names(&rows), ["irq:entry", "sched:wakeup"]);
        assert_eq!((rows[0].rate, rows[0].share, rows[0].usual), (40.0, 0.8, Some(10.0)));
        assert_eq!(rows[0].surprise, 60.0 / 21.0_f64.sqrt());
        assert_eq!(rows[0].recent(&windows, 2, 4), [Some(10.0), Some(10.0), Some(40.0)]);
        assert_eq!(rows[0].recent(&windows, 1, 1), [Some(10.0)]);
        assert_eq!((rows[1].surprise, rows[1].rung), (0.0, Rung::Counted));
        let first = super::rows(&windows, &table(), &wanted(0));
        assert_eq!((first[0].usual, first[0].surprise), (None, 0.0));
        assert!(super::rows(&windows, &table(), &wanted(3)).is_empty());
    }

    #[test]
    fn a_change_is_against_the_last_minute_only() {
        let mut hits = vec![[1_000, 0, 0]; 10];
        hits.extend([[10, 0, 0]; 61]);
        let rows = rows(&windows(1, &hits), &table(), &wanted(70));
        assert_eq!(rows[0].usual, Some(10.0));
    }

    #[test]
    fn what_varies_a_lot_surprises_less() {
        let hits: Vec<_> = (0..40).map(|n| [if n % 2 == 0 { 10_000 } else { 20_000 }, 15_000, 0]).collect();
        let windows = windows(1, &[hits, vec![[20_500, 15_500, 0]]].concat());
        let rows = rows(&windows, &table(), &wanted(40));
        assert!((rows[0].surprise - 5_500.0 / 5_000.0).abs() < 1e-9, "{rows:?}");
        assert!(rows[1].surprise > 4.0, "{rows:?}");
    }

    #[test]
    fn time_in_which_a_tracepoint_was_detached_is_left_out_of_its_change() {
        use crate::events::{Ns, Partly, Slot, Tick};
        let mut windows = LiveWindows::default();
        let slots = [1, 2].map(|tpid| Slot { tpid: Tpid::new(tpid), cpu: None });
        for n in 0..10 {
            let detached = Partly { tpid: Tpid::new(1), rung: Rung::Detached, watched: 0.0, estimated: None };
            let partly: &[Partly] = if n < 8 { &[detached] } else { &[] };
            let (from, to) = (Ns(n * 1_000_000_000), Ns((n + 1) * 1_000_000_000));
            let hits = [if n < 8 { 0 } else { 300 }, 10];
            windows.add(&Tick { from, to, late_ns: 0, slots: &slots, hits: &hits, partly, cost: None });
        }
        let open = BTreeSet::from(["irq".to_owned()]);
        let rows = rows(&windows, &table(), &RowsWanted { open: Some(&open), ..wanted(9) });
        assert_eq!(rows.iter().map(|row| row.usual).collect::<Vec<_>>(), [Some(310.0), Some(300.0), Some(10.0)]);
        let rows = super::rows(&windows, &table(), &RowsWanted { open: Some(&open), ..wanted(7) });
        // Of the group, only the member that is known can be compared.
        assert_eq!(rows[0].usual, Some(10.0));
        assert!(rows[0].is_incomplete() && rows[0].surprise == 0.0);
    }

    #[test]
    fn rows_are_sorted_and_filtered_and_groups_open() {
        let windows = windows(1, &[[5, 9, 30], [5, 9, 3]]);
        let table = &table();
        let with = |wanted: RowsWanted<'_>| {
            rows(&windows, table, &wanted).iter().map(|row| row.name.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(with(wanted(1)), ["irq:exit", "irq:entry", "sched:wakeup"]);
        assert_eq!(with(RowsWanted { sort: SortBy::Change, ..wanted(1) })[0], "sched:wakeup");
        assert_eq!(with(RowsWanted { sort: SortBy::Name, is_reversed: true, ..wanted(1) })[0], "sched:wakeup");
        let words = ["irq".to_owned(), "ex".to_owned()];
        assert_eq!(with(RowsWanted { words: &words, ..wanted(1) }), ["irq:exit"]);
        let mut open = BTreeSet::new();
        assert_eq!(with(RowsWanted { open: Some(&open), ..wanted(1) }), ["irq", "sched"]);
        open.insert("irq".to_owned());
        assert_eq!(with(RowsWanted { open: Some(&open), ..wanted(1) }), ["irq", "irq:exit", "irq:entry", "sched"]);
        let groups = rows(&windows, table, &RowsWanted { open: Some(&open), ..wanted(1) });
        assert_eq!((groups[0].rate, groups[0].tracepoints.len(), groups[0].is_open), (14.0, 2, true));
        assert!(groups[1].is_below_group && !groups[3].is_open);
    }

    #[test]
    fn hits_per_cpu_are_known_only_of_counted_tracepoints() {
        let windows = windows(2, &[[6, 0, 4]]);
        let rows = rows(&windows, &table(), &RowsWanted { per_cpu: true, ..wanted(0) });
        assert_eq!(rows[0].cpus, Some(BTreeMap::from([(Cpu::new(0), 2.0), (Cpu::new(1), 1.0)])));
    }
}
