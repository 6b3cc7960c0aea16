//! The hits of tracepoints and groups since the start, as counters.

use super::exposition::{Exposition, Labels, MetricValue};
use super::families;
use super::shares::SeriesShares;
use crate::events::{Partly, Rung, Tick};
use crate::tracefs::{Gid, Selection, Table, Tpid, Tracepoint};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The label of what has no series of its own. It is no name that the kernel would accept for a tracepoint or a group.
pub(super) const OTHER: &str = "(other)";

/// Where the hits of a tracepoint are shown. This does not change any more once it had a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// It had no hit.
    Nowhere,
    /// It has a series.
    Alone,
    /// In the series of the others of its group.
    WithOthers,
}

/// A watched tracepoint.
#[derive(Debug)]
struct WatchedTracepoint {
    labels: Labels,
    /// The index of its group.
    group: usize,
    shown: Shown,
    hits: u64,
    /// Hits in the window that is being added.
    in_window: u64,
    /// The part of an estimated hit that is not in `hits` yet.
    rest: f64,
    /// The part of the last window in which it was watched, if that is shown.
    watched: Option<f64>,
}

/// A group with a series.
#[derive(Debug)]
struct WatchedGroup {
    labels: Labels,
    /// The labels of its tracepoints without a series of their own.
    others: Labels,
    hits: u64,
    /// Hits of tracepoints without a series of their own; `None` if there are no such tracepoints.
    of_others: Option<u64>,
}

impl WatchedGroup {
    fn new(name: &str) -> Self {
        let others = Labels::new([("group", name), ("tracepoint", OTHER)]);
        WatchedGroup { labels: Labels::new([("group", name)]), others, hits: 0, of_others: None }
    }
}

/// The counters of hits. They never fall, also when a tracepoint steps to another rung.
#[derive(Debug)]
pub(super) struct HitSeries {
    /// By tpid; `None` if the tracepoint is not watched.
    tracepoints: Vec<Option<WatchedTracepoint>>,
    /// The groups with a series; the last one stands for all others, if there are any.
    groups: Vec<WatchedGroup>,
    /// The tracepoints that may still get a series, and those that may still show how long they are watched.
    left: usize,
    left_partly: usize,
    /// The tracepoints with hits, but without a series of their own.
    without: u64,
    estimated: u64,
    /// By rung, the tracepoints that were not counted in the last window.
    visited: u64,
    detached: u64,
    watched: u64,
    unwatched_ns: u64,
    /// The tracepoints with hits in the window that is being added.
    hit: Vec<usize>,
}

impl HitSeries {
    /// Counters for the captured tracepoints of the selection.
    pub fn new(table: &Table, selection: &Selection, series: usize) -> Self {
        let captured = selection.tracepoints(table);
        let mut names: BTreeMap<Gid, &Tracepoint> = BTreeMap::new();
        for tracepoint in &captured {
            names.entry(tracepoint.gid).or_insert(tracepoint);
        }
        let shares = SeriesShares::new(series, captured.len(), names.len());
        let named = names.iter().filter(|(_, first)| first.group != OTHER).take(shares.groups);
        let places: BTreeMap<Gid, usize> = named.map(|(gid, _)| *gid).zip(0..).collect();
        let mut groups: Vec<_> = places.keys().map(|gid| WatchedGroup::new(&names[gid].group)).collect();
        if places.len() < names.len() {
            groups.push(WatchedGroup::new(OTHER));
        }
        let most = captured.iter().map(|tracepoint| tracepoint.tpid.index()).max();
        let mut tracepoints: Vec<_> = (0..most.map_or(0, |most| most + 1)).map(|_| None).collect();
        for tracepoint in &captured {
            tracepoints[tracepoint.tpid.index()] = Some(WatchedTracepoint {
                labels: Labels::new([("group", &*tracepoint.group), ("tracepoint", &*tracepoint.name)]),
                group: places.get(&tracepoint.gid).copied().unwrap_or(places.len()),
                shown: if tracepoint.name == OTHER { Shown::WithOthers } else { Shown::Nowhere },
                hits: 0,
                in_window: 0,
                rest: 0.0,
                watched: None,
            });
        }
        HitSeries {
            tracepoints,
            groups,
            left: shares.tracepoints,
            left_partly: shares.partly,
            without: 0,
            estimated: 0,
            visited: 0,
            detached: 0,
            watched: captured.len() as u64,
            unwatched_ns: 0,
            hit: Vec::new(),
        }
    }

    /// The tracepoint of this tpid, if it is watched.
    fn of(&mut self, tpid: Tpid) -> Option<&mut WatchedTracepoint> {
        self.tracepoints.get_mut(tpid.index())?.as_mut()
    }

    /// Adds the hits of a window.
    pub fn add(&mut self, tick: &Tick<'_>) {
        for (slot, hits) in tick.hit() {
            self.add_to_window(slot.tpid, hits);
        }
        self.add_partly(tick);
        self.show_new();
        for place in std::mem::take(&mut self.hit) {
            let Some(tracepoint) = &mut self.tracepoints[place] else { continue };
            let hits = std::mem::take(&mut tracepoint.in_window);
            let group = &mut self.groups[tracepoint.group];
            tracepoint.hits = tracepoint.hits.saturating_add(hits);
            group.hits = group.hits.saturating_add(hits);
            if tracepoint.shown == Shown::WithOthers {
                group.of_others = Some(group.of_others.unwrap_or(0).saturating_add(hits));
            }
        }
    }

    fn add_to_window(&mut self, tpid: Tpid, hits: u64) {
        let Some(tracepoint) = self.of(tpid) else { return };
        let is_first = tracepoint.in_window == 0;
        tracepoint.in_window = tracepoint.in_window.saturating_add(hits);
        if is_first && hits > 0 {
            self.hit.push(tpid.index());
        }
    }

    /// Adds the estimates of hits that were not counted, and notes how the tracepoints were watched.
    fn add_partly(&mut self, tick: &Tick<'_>) {
        self.tracepoints.iter_mut().flatten().filter_map(|one| one.watched.as_mut()).for_each(|part| *part = 1.0);
        (self.visited, self.detached) = (0, 0);
        let window = tick.to.since(tick.from) as f64;
        let mut unwatched = 0.0;
        for Partly { tpid, rung, watched, estimated } in tick.partly {
            let has_room = self.left_partly > 0;
            let Some(tracepoint) = self.of(*tpid) else { continue };
            let is_new = tracepoint.watched.is_none() && has_room;
            if is_new || tracepoint.watched.is_some() {
                tracepoint.watched = Some(*watched);
            }
            // The estimate is that of the whole window, with the hits that were counted.
            let estimated = estimated.map(|estimated| estimated.hits).filter(|hits| hits.is_finite());
            let uncounted = estimated.map_or(0.0, |hits| (hits - tracepoint.in_window as f64).max(0.0));
            let all = tracepoint.rest + uncounted;
            tracepoint.rest = all.fract();
            let whole = all.trunc() as u64;
            self.left_partly -= usize::from(is_new);
            self.estimated = self.estimated.saturating_add(whole);
            self.add_to_window(*tpid, whole);
            match rung {
                Rung::Counted => {}
                Rung::Visited => self.visited += 1,
                Rung::Detached => self.detached += 1,
            }
            unwatched += (1.0 - watched).clamp(0.0, 1.0) * window;
        }
        self.unwatched_ns = self.unwatched_ns.saturating_add(unwatched.round() as u64);
    }

    /// Gives series to the tracepoints with their first hits in this window; to those with the most hits, if there are too few.
    fn show_new(&mut self) {
        let is_new = |tracepoint: &WatchedTracepoint| tracepoint.shown == Shown::Nowhere;
        let hits = |place: &usize| self.tracepoints[*place].as_ref().filter(|one| is_new(one)).map(|one| one.in_window);
        let mut new: Vec<usize> = self.hit.iter().copied().filter(|place| hits(place).is_some()).collect();
        if new.len() > self.left {
            new.sort_by_key(|place| (Reverse(hits(place)), *place));
        }
        for place in new {
            let Some(tracepoint) = &mut self.tracepoints[place] else { continue };
            if self.left > 0 {
                tracepoint.shown = Shown::Alone;
                self.left -= 1;
            } else {
                tracepoint.shown = Shown::WithOthers;
                self.without += 1;
            }
        }
    }

    /// Writes the counters.
    pub fn write(&self, text: &mut Exposition) {
        let tracepoints = || self.tracepoints.iter().flatten();
        for tracepoint in tracepoints().filter(|tracepoint| tracepoint.shown == Shown::Alone) {
            text.labelled(&families::HITS, &tracepoint.labels, MetricValue::Whole(tracepoint.hits));
        }
        for (group, hits) in self.groups.iter().filter_map(|group| Some((group, group.of_others?))) {
            text.labelled(&families::HITS, &group.others, MetricValue::Whole(hits));
        }
        for group in &self.groups {
            text.labelled(&families::GROUP_HITS, &group.labels, MetricValue::Whole(group.hits));
        }
        text.alone(&families::ESTIMATED_HITS, MetricValue::Whole(self.estimated));
        for (tracepoint, watched) in tracepoints().filter_map(|one| Some((one, one.watched?))) {
            text.labelled(&families::WATCHED, &tracepoint.labels, MetricValue::Real(watched));
        }
        let not_counted = self.visited + self.detached;
        for (rung, number) in [
            (Rung::Counted, self.watched.saturating_sub(not_counted)),
            (Rung::Visited, self.visited),
            (Rung::Detached, self.detached),
        ] {
            text.labelled(&families::TRACEPOINTS, &Labels::new([("rung", rung.word())]), MetricValue::Whole(number));
        }
        text.alone(&families::WITHOUT_SERIES, MetricValue::Whole(self.without));
        text.alone(&families::TRACEPOINTS_UNWATCHED, MetricValue::Nanoseconds(self.unwatched_ns));
    }
}

#[cfg(test)]
mod tests;
