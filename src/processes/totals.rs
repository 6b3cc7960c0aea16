//! The hits of processes or cgroups so far, counted window by window for weeks.
//!
//! The events of a flight recorder are the samples. Each stands for itself and for the hits before it that were thinned away. So the
//! rows lack only hits without an event: those of detached tracepoints, lost ones, and those since the last event. A
//! tracepoint that is recorded hit by hit is exact. The variance of the others is that of [`SampledHits`], window by window.

use super::hits::SampledHits;
use super::{CountBy, Process, ProcessKind};
use crate::events::thinning::rows::RowHits;
use crate::events::{CgroupId, Event, EventTap, GoneCgroups, KnownThreads, Ns, RungStep, ThreadChange, Tid, Tpid};
use crate::os::cgroups::cgroups;
use crate::tracefs::{Gid, Table};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many processes or cgroups have a row of their own. The others share one.
pub const MOST_ROWS: usize = 30;
/// So many groups of tracepoints have their own hits in a row. The others share theirs.
pub const MOST_GROUPS: usize = 10;
/// The name of what the others share.
const OTHER: &str = "(other)";
/// The hits of so many names are counted in a window. Further ones belong to the others.
const MOST_NAMES: usize = 1_000;
/// A name with this many hits in the last windows, and so many times as many as the least row has, takes its place.
const MANY_HITS: u64 = 1_000;
const FAR_MORE: u64 = 4;
/// No program may look like these rows.
const RESERVED: [&str; 5] = [OTHER, UNKNOWN, "idle", IN_INTERRUPTS, ENDED];
const IN_INTERRUPTS: &str = "in interrupts";
const ENDED: &str = "ended threads";
/// So many numbers of cgroups that nobody knows are remembered.
const MOST_UNLISTED: usize = 1_000;
/// The row of hits whose cgroup is not known.
const UNKNOWN: &str = "unknown";
/// The cgroups of this machine are listed at most this often.
const LIST_EVERY: Duration = Duration::from_secs(1);
/// A row without a hit for this time gives way to a new one.
const QUIET: Duration = Duration::from_secs(600);
/// The number of windows that [`HitTotals::recent_shares`] is about.
const RECENT: usize = 10;
/// It names so many rows.
const NAMED: usize = 5;

/// The hits of a process or a cgroup so far.
#[derive(Debug, Clone, PartialEq)]
pub struct TotalRow {
    /// The name of the processes, or the path of the cgroup.
    pub name: Arc<str>,
    /// The hits by group of tracepoints, whose name comes first.
    pub groups: Vec<(Arc<str>, u64)>,
    /// The variance of the sum of the hits; 0 if they are exact.
    pub variance: f64,
    last_hit: Instant,
}

/// The part of some hits that a process or a cgroup has.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct HitShare {
    /// The name of the processes, or the path of the cgroup.
    pub name: String,
    /// The part of the hits, from 0 to 1.
    pub share: f64,
}

/// The events of a row and a tracepoint in a window, and the hits that they stand for.
#[derive(Debug, Clone, Copy, Default)]
struct RowInWindow {
    events: u64,
    hits: u64,
}

type WindowCounts = HashMap<(Arc<str>, Tpid), RowInWindow>;

/// The hits of processes or cgroups so far.
#[derive(Debug)]
pub struct HitTotals {
    by: CountBy,
    threads: KnownThreads,
    row_hits: RowHits,
    /// The paths of cgroups whose records were lost.
    listed: HashMap<CgroupId, Arc<str>>,
    /// When they were listed, and those that were not in the list.
    listed_at: Option<Instant>,
    unlisted: HashSet<CgroupId>,
    gone: GoneCgroups,
    /// The names of threads, until something happens to a thread.
    of_thread: HashMap<(Option<Tid>, bool), Arc<str>>,
    /// The names in the window that goes on.
    window_names: HashSet<Arc<str>>,
    /// The group of each tracepoint.
    gids: HashMap<Tpid, Gid>,
    names: BTreeMap<Gid, Arc<str>>,
    /// The events that wait for those before them: other CPUs may have older ones in the next round.
    waiting: Vec<(Event, Option<CgroupId>)>,
    /// The window that goes on.
    window: WindowCounts,
    /// The last windows, the newest last.
    recent: VecDeque<WindowCounts>,
    rows: Vec<TotalRow>,
    other: Option<TotalRow>,
}

impl HitTotals {
    /// No hits yet.
    pub fn new(by: CountBy, table: &Table) -> Self {
        let names = table.tracepoints().iter().map(|tracepoint| (tracepoint.gid, tracepoint.group.as_str().into()));
        HitTotals {
            by,
            threads: KnownThreads::default(),
            row_hits: RowHits::default(),
            listed: HashMap::new(),
            listed_at: None,
            unlisted: HashSet::new(),
            gone: GoneCgroups::default(),
            of_thread: HashMap::new(),
            window_names: HashSet::new(),
            gids: table.tracepoints().iter().map(|tracepoint| (tracepoint.tpid, tracepoint.gid)).collect(),
            names: names.collect(),
            waiting: Vec::new(),
            window: HashMap::new(),
            recent: VecDeque::new(),
            rows: Vec::new(),
            other: None,
        }
    }

    /// What the rows are.
    pub fn by(&self) -> CountBy {
        self.by
    }

    /// All rows. The last one may have the hits of all others.
    pub fn rows(&self) -> impl Iterator<Item = &TotalRow> {
        self.rows.iter().chain(&self.other)
    }

    /// Starts again with the threads, after the recorder has attached again. The hits so far stay.
    pub fn begin_again(&mut self) {
        (self.threads, self.row_hits) = (KnownThreads::default(), RowHits::default());
        self.of_thread.clear();
        self.unlisted.clear();
        self.waiting.clear();
    }

    /// Ends a window: adds its hits to the rows.
    pub fn end_window(&mut self) {
        self.window_names.clear();
        let window = std::mem::take(&mut self.window);
        let mut of_tracepoint = HashMap::<Tpid, RowInWindow>::new();
        for ((_, tpid), RowInWindow { events, hits }) in &window {
            let all = of_tracepoint.entry(*tpid).or_default();
            (all.events, all.hits) = (all.events + events, all.hits.saturating_add(*hits));
        }
        let mut by_name = BTreeMap::<Arc<str>, (u64, BTreeMap<Gid, u64>, f64)>::new();
        for ((name, tpid), RowInWindow { hits, .. }) in &window {
            let all = of_tracepoint.get(tpid).copied().unwrap_or_default();
            let sampled = SampledHits { hits: all.hits as f64, recorded: all.events as f64, sampled: all.hits as f64 };
            let (sum, groups, variance) = by_name.entry(Arc::clone(name)).or_default();
            *sum = sum.saturating_add(*hits);
            if let Some(gid) = self.gids.get(tpid) {
                *groups.entry(*gid).or_default() += hits;
            }
            *variance += sampled.of(*hits as f64).1;
        }
        self.recent.push_back(window);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        let mut by_name: Vec<_> = by_name.into_iter().collect();
        by_name.sort_by_key(|(name, (sum, ..))| (Reverse(*sum), Arc::clone(name)));
        let now = Instant::now();
        // Only a new name asks for them when all rows are taken.
        let recent = match self.rows.len() + by_name.len() > MOST_ROWS {
            true => self.recent_sums(None).into_iter().map(|(name, hits)| (Arc::clone(name), hits)).collect(),
            false => HashMap::new(),
        };
        for (name, (_, groups, variance)) in by_name {
            let place = self.place_of(&name, &recent, now);
            let row = match place {
                Some(place) => &mut self.rows[place],
                None => self.other.get_or_insert_with(|| TotalRow::new(OTHER.into(), now)),
            };
            row.last_hit = now;
            row.variance += variance;
            let mut groups: Vec<_> = groups.into_iter().collect();
            groups.sort_by_key(|(gid, hits)| (Reverse(*hits), *gid));
            for (gid, hits) in groups {
                row.add(&self.names[&gid], hits);
            }
        }
    }

    /// The row of a name. If all are taken, one that is quiet or has far fewer `recent` hits gives way. `None` is the row of all others.
    fn place_of(&mut self, name: &Arc<str>, recent: &HashMap<Arc<str>, u64>, now: Instant) -> Option<usize> {
        if let Some(place) = self.rows.iter().position(|row| row.name == *name) {
            return Some(place);
        }
        if &**name == OTHER {
            return None;
        }
        let row = TotalRow::new(Arc::clone(name), now);
        if self.rows.len() < MOST_ROWS {
            self.rows.push(row);
            return Some(self.rows.len() - 1);
        }
        let hits_of = |name: &Arc<str>| recent.get(name).copied().unwrap_or(0);
        let quietest = (0..self.rows.len()).min_by_key(|place| self.rows[*place].last_hit)?;
        let least = (0..self.rows.len()).min_by_key(|place| hits_of(&self.rows[*place].name))?;
        let is_quiet = now.saturating_duration_since(self.rows[quietest].last_hit) >= QUIET;
        let its_hits = hits_of(name);
        let has_far_more = its_hits >= MANY_HITS && its_hits > FAR_MORE.saturating_mul(hits_of(&self.rows[least].name));
        let place = match (is_quiet, has_far_more) {
            (true, _) => quietest,
            (false, true) => least,
            (false, false) => return None,
        };
        self.rows[place] = row;
        Some(place)
    }

    /// The hits in the last ten windows: of these tracepoints, or of all.
    fn recent_sums(&self, tracepoints: Option<&[Tpid]>) -> BTreeMap<&Arc<str>, u64> {
        let mut sums = BTreeMap::<&Arc<str>, u64>::new();
        for ((name, tpid), RowInWindow { hits, .. }) in self.recent.iter().flatten() {
            if tracepoints.is_none_or(|tracepoints| tracepoints.contains(tpid)) {
                *sums.entry(name).or_default() += hits;
            }
        }
        sums
    }

    /// The largest shares of the hits in the last ten windows: of these tracepoints, or of all.
    pub fn recent_shares(&self, tracepoints: Option<&[Tpid]>) -> Vec<HitShare> {
        let sums = self.recent_sums(tracepoints);
        let all = sums.values().sum::<u64>().max(1) as f64;
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(name, hits)| (Reverse(*hits), *name));
        let share = |(name, hits): (&Arc<str>, u64)| HitShare { name: name.to_string(), share: hits as f64 / all };
        sums.into_iter().take(NAMED).map(share).collect()
    }

    /// The name of the row of an event now.
    fn name_of(&mut self, event: Event, cgroup: Option<CgroupId>) -> Arc<str> {
        if self.by == CountBy::Cgroup && !event.is_in_interrupt() {
            return self.path_of(cgroup);
        }
        let key = (event.tid(), event.is_in_interrupt());
        if let Some(name) = self.of_thread.get(&key) {
            return Arc::clone(name);
        }
        let process = Process::of(event, &self.threads);
        let name: Arc<str> = match process.words() {
            // The kernel gives no number to a thread that has ended.
            _ if process.kind == ProcessKind::Unknown => ENDED.into(),
            words if process.name.is_some() && RESERVED.contains(&words.as_str()) => {
                format!("{words} (program)").into()
            }
            words => words.into(),
        };
        self.of_thread.insert(key, Arc::clone(&name));
        name
    }

    /// The path of a cgroup. If its record was lost, this machine may still have the cgroup.
    fn path_of(&mut self, cgroup: Option<CgroupId>) -> Arc<str> {
        let Some(cgroup) = cgroup else { return UNKNOWN.into() };
        let known = |it: &Self| it.threads.path_of(cgroup).or_else(|| it.listed.get(&cgroup)).cloned();
        if let Some(path) = known(self) {
            return path;
        }
        if !self.unlisted.contains(&cgroup) && self.listed_at.is_none_or(|at| at.elapsed() >= LIST_EVERY) {
            let now = cgroups().unwrap_or_default().into_iter();
            self.listed = now.map(|cgroup| (CgroupId(cgroup.id), cgroup.path.into())).collect();
            self.listed_at = Some(Instant::now());
            if self.unlisted.len() < MOST_UNLISTED && !self.listed.contains_key(&cgroup) {
                self.unlisted.insert(cgroup);
            }
        }
        known(self).unwrap_or_else(|| UNKNOWN.into())
    }

    fn count(&mut self, event: Event, cgroup: Option<CgroupId>) {
        self.go_on_until(event.time);
        let hits = self.row_hits.of_next(&event);
        let mut name = self.name_of(event, cgroup);
        if !self.window_names.contains(&name) {
            match self.window_names.len() < MOST_NAMES {
                true => drop(self.window_names.insert(Arc::clone(&name))),
                false => name = OTHER.into(),
            }
        }
        let of = self.window.entry((name, event.tpid())).or_default();
        (of.events, of.hits) = (of.events + 1, of.hits.saturating_add(hits));
    }

    fn go_on_until(&mut self, time: Ns) {
        if self.threads.until(time) {
            self.of_thread.clear();
        }
    }
}

impl EventTap for HitTotals {
    fn steps(&mut self, steps: &[RungStep]) {
        self.row_hits.add(steps);
    }

    fn changes(&mut self, changes: &[ThreadChange]) {
        // The bound of memory is for foreign inputs. These changes wait for the next round at most.
        let _ = self.threads.add(changes);
    }

    fn event(&mut self, event: Event, cgroup: Option<CgroupId>) {
        self.waiting.push((event, cgroup));
    }

    fn end_round(&mut self, began: Ns) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|(event, _)| event.time);
        let ready = waiting.partition_point(|(event, _)| event.time <= began);
        waiting.drain(..ready).for_each(|(event, cgroup)| self.count(event, cgroup));
        self.waiting = waiting;
        self.go_on_until(began);
        self.row_hits.until(began);
        self.gone.forget(&mut self.threads);
    }
}

impl TotalRow {
    fn new(name: Arc<str>, last_hit: Instant) -> Self {
        TotalRow { name, groups: Vec::new(), variance: 0.0, last_hit }
    }

    fn add(&mut self, group: &Arc<str>, hits: u64) {
        let has_room = self.groups.len() < MOST_GROUPS;
        let is_other = |name: &str| name == OTHER;
        let place = self.groups.iter().position(|(name, _)| name == group);
        let place =
            place.or_else(|| (!has_room).then(|| self.groups.iter().position(|(name, _)| is_other(name))).flatten());
        match place {
            Some(place) => self.groups[place].1 = self.groups[place].1.saturating_add(hits),
            None => self.groups.push((if has_room { Arc::clone(group) } else { OTHER.into() }, hits)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::threads::testing::{forked, named, tid};
    use crate::events::{Cpu, StepOnCpu, ThreadFact};

    fn table() -> Table {
        let names = (0..15).map(|n| (format!("g{n:02}"), "hit".to_owned(), n + 1));
        Table::from_entries(names.collect())
    }

    fn event(time: u64, thread: u32, tpid: u32) -> Event {
        Event::new(Ns(time), Some(Cpu::new(0)), Tpid::new(tpid)).in_thread(tid(thread))
    }

    fn round(totals: &mut HitTotals, events: &[(Event, Option<CgroupId>)]) {
        events.iter().for_each(|(event, cgroup)| totals.event(*event, *cgroup));
        totals.end_round(Ns(u64::MAX));
    }

    fn sums(totals: &HitTotals) -> Vec<(&str, u64)> {
        totals.rows().map(|row| (&*row.name, row.groups.iter().map(|(_, hits)| hits).sum())).collect()
    }

    #[test]
    fn hits_count_for_the_name_of_their_time_and_thinned_ones_for_their_sample() {
        let mut totals = HitTotals::new(CountBy::Process, &table());
        totals.changes(&[forked(0, [7, 1, 7, 1]), named(0, 7, "sh"), named(50, 7, "make")]);
        // Events of two CPUs come one CPU after the other.
        round(&mut totals, &[(event(60, 7, 1), None), (event(10, 7, 1), None), (event(20, 7, 2), None)]);
        totals.end_window();
        assert_eq!(sums(&totals), [("sh", 2), ("make", 1)]);
        assert!(totals.rows().all(|row| row.variance == 0.0));
        let on = StepOnCpu { cpu: Cpu::new(0), at: Ns(100), before: 2, after: 2 };
        totals.steps(&[RungStep { tpid: Tpid::new(1), at: Ns(100), one_in: 17, on: vec![on], earlier: Vec::new() }]);
        // The first sample after the step is the first hit, and the next interval has the period before.
        let samples: Vec<_> = [101, 102, 103, 104].map(|time| (event(time, 7, 1), None)).into();
        round(&mut totals, &samples);
        round(&mut totals, &[(event(105, 9, 1).in_interrupt(), None)]);
        totals.end_window();
        assert_eq!(sums(&totals), [("sh", 2), ("make", 1 + 1 + 1 + 17 + 17), ("in interrupts", 17)]);
        assert!(totals.rows().skip(1).all(|row| row.variance > 0.0), "{:?}", totals.rows);
        let shares: Vec<_> =
            totals.recent_shares(Some(&[Tpid::new(1)])).into_iter().map(|it| (it.name, it.share)).collect();
        assert_eq!(
            shares,
            [
                ("make".to_owned(), 37.0 / 55.0),
                ("in interrupts".to_owned(), 17.0 / 55.0),
                ("sh".to_owned(), 1.0 / 55.0)
            ]
        );
    }

    #[test]
    fn events_of_a_cpu_wait_for_older_ones_of_another() {
        let mut totals = HitTotals::new(CountBy::Process, &table());
        totals.changes(&[forked(0, [7, 1, 7, 1]), named(0, 7, "sh"), named(50, 7, "make")]);
        // In a round that begins at 40, a ring that is read late has an event from after its begin.
        totals.event(event(30, 7, 1), None);
        totals.event(event(60, 7, 2), None);
        totals.end_round(Ns(40));
        totals.event(event(45, 7, 1), None);
        totals.end_round(Ns(100));
        totals.end_window();
        assert_eq!(sums(&totals), [("sh", 2), ("make", 1)]);
    }

    #[test]
    fn nothing_grows_without_events() {
        let mut totals = HitTotals::new(CountBy::Cgroup, &table());
        for round in 1..1_000u64 {
            let on = StepOnCpu { cpu: Cpu::new(1), at: Ns(round), before: 0, after: 0 };
            let step = RungStep { tpid: Tpid::new(1), at: Ns(round), one_in: round, on: vec![on], earlier: Vec::new() };
            totals.changes(&[named(round, 7, "sh")]);
            totals.steps(&[step]);
            totals.end_round(Ns(round));
            assert_eq!((totals.threads.memory_of_later(), totals.row_hits.waiting()), (0, 0));
        }
    }

    #[test]
    fn no_program_looks_like_another_row() {
        let mut totals = HitTotals::new(CountBy::Process, &table());
        totals.changes(&[named(0, 7, OTHER), named(0, 8, UNKNOWN)]);
        round(&mut totals, &[(event(1, 7, 1), None), (event(1, 8, 1), None), (event(1, 9, 1), None)]);
        totals.end_window();
        assert_eq!(sums(&totals), [("(other) (program)", 1), ("unknown", 1), ("unknown (program)", 1)]);
    }

    #[test]
    fn hits_of_cgroups_have_their_paths_and_removed_cgroups_keep_theirs() {
        let mut totals = HitTotals::new(CountBy::Cgroup, &table());
        let path = |time, id, path: &str| ThreadChange {
            time: Ns(time),
            tid: Tid::IDLE,
            what: ThreadFact::Cgroup { id: CgroupId(id), path: path.into() },
        };
        totals.changes(&[path(0, 1, "/a"), path(5, 2, "/b"), path(20, 3, "/a")]);
        let in_cgroup = |time, id| (event(time, 7, 1), Some(CgroupId(id)));
        round(&mut totals, &[in_cgroup(10, 1), in_cgroup(11, 2), in_cgroup(21, 3), in_cgroup(22, 9)]);
        totals.end_window();
        assert_eq!(sums(&totals), [("/a", 2), ("/b", 1), ("unknown", 1)]);
    }

    #[test]
    fn rows_and_their_groups_are_bounded_and_quiet_ones_give_way() {
        let mut totals = HitTotals::new(CountBy::Process, &table());
        let processes = 1..=MOST_ROWS as u32 + 5;
        for pid in processes.clone() {
            totals.changes(&[named(0, pid, &format!("p{pid:02}"))]);
            let times = if pid == 1 { 2 } else { 1 };
            let of_all: Vec<_> = (1..=15).flat_map(|tpid| vec![(event(1, pid, tpid), None); times]).collect();
            round(&mut totals, &of_all);
        }
        totals.end_window();
        assert_eq!((totals.rows().count(), sums(&totals)[0]), (MOST_ROWS + 1, ("p01", 30)));
        assert_eq!(sums(&totals).last(), Some(&(OTHER, 5 * 15)));
        assert!(totals.rows().all(|row| row.groups.len() == MOST_GROUPS + 1), "ten groups and the others");
        let all: u64 = sums(&totals).iter().map(|(_, hits)| hits).sum();
        assert_eq!(all, (processes.clone().count() as u64 + 1) * 15);
        // The last one had no hit for long.
        totals.rows[7].last_hit -= QUIET;
        let (gone, before) = (Arc::clone(&totals.rows[7].name), sums(&totals).len());
        round(&mut totals, &[(event(2, *processes.end(), 1), None)]);
        totals.end_window();
        let names: Vec<_> = totals.rows().map(|row| row.name.to_string()).collect();
        assert!(
            !names.contains(&gone.to_string()) && names.contains(&"p35".to_owned()) && names.len() == before,
            "{names:?}"
        );
    }
}
