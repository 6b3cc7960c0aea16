//! Tracepoints and groups by how often they were hit.

use crate::recording::{Summary, TracepointSummary};
use crate::tracefs::{Gid, Table, Tpid};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

/// A tracepoint or a group, and how often it was hit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked<N> {
    /// `group:name`, or the group's name.
    pub name: String,
    /// Its tpid or gid; `None` for a group of which it is not known.
    #[serde(skip)]
    pub number: N,
    /// The kernel's count where there is one, else what was recorded and lost.
    pub events: u64,
    /// The part of all events, from 0 to 1.
    pub share: f64,
    /// A second; `None` where no time passed.
    pub rate: Option<f64>,
}

/// Hits of tracepoints, those with most first, and all hits.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Every tracepoint that was hit.
    pub tracepoints: Vec<Ranked<Tpid>>,
    /// Every group that was hit.
    pub groups: Vec<Ranked<Option<Gid>>>,
    /// All hits; more than the sum of the tracepoints' where losses are known per CPU only.
    pub events: u64,
    /// In which time.
    pub duration: Duration,
}

impl Ranking {
    /// Of a whole capture, as its summary tells of it. The groups' numbers are not known.
    pub fn of(summary: &Summary) -> Self {
        let hits = summary.per_tracepoint.iter().map(|tracepoint| Hits {
            tpid: tracepoint.tpid,
            gid: None,
            group: tracepoint.name.split_once(':').map_or(&*tracepoint.name, |(group, _)| group),
            name: tracepoint.name.clone(),
            hits: hits(tracepoint),
        });
        Self::new(hits, summary.events.all(), Duration::from_nanos(summary.timing_ns.capture.unwrap_or(0)))
    }

    /// Of these numbers of hits by tpid, and `events` in all.
    pub fn of_hits(hits: impl Iterator<Item = (Tpid, u64)>, events: u64, duration: Duration, table: &Table) -> Self {
        let hits = hits.filter(|(_, hits)| *hits > 0).map(|(tpid, hits)| {
            let tracepoint = table.get(tpid);
            Hits { tpid, gid: Some(tracepoint.gid), group: &tracepoint.group, name: tracepoint.full_name(), hits }
        });
        Self::new(hits, events, duration)
    }

    /// Of a whole capture, with the groups as the table has them.
    pub fn of_capture(summary: &Summary, table: &Table) -> Self {
        let Ranking { events, duration, .. } = Self::of(summary);
        let hits = summary.per_tracepoint.iter().map(|tracepoint| (tracepoint.tpid, hits(tracepoint)));
        Self::of_hits(hits, events, duration, table)
    }

    fn new<'a>(hits: impl Iterator<Item = Hits<'a>>, events: u64, duration: Duration) -> Self {
        let mut groups = BTreeMap::<&str, (Option<Gid>, u64)>::new();
        let mut tracepoints = Vec::new();
        for Hits { tpid, gid, group, name, hits } in hits.filter(|hits| hits.hits > 0) {
            let group = groups.entry(group).or_insert((gid, 0));
            group.1 = group.1.saturating_add(hits);
            tracepoints.push(Ranked::new(name, tpid, hits, events, duration));
        }
        let groups = groups.into_iter();
        let mut groups: Vec<_> =
            groups.map(|(name, (gid, hits))| Ranked::new(name.to_owned(), gid, hits, events, duration)).collect();
        tracepoints.sort_by(Ranked::by_events);
        groups.sort_by(Ranked::by_events);
        Ranking { tracepoints, groups, events, duration }
    }

    /// All hits a second; `None` where no time passed.
    pub fn rate(&self) -> Option<f64> {
        (!self.duration.is_zero()).then(|| self.events as f64 / self.duration.as_secs_f64())
    }
}

impl<N> Ranked<N> {
    fn new(name: String, number: N, hits: u64, events: u64, duration: Duration) -> Self {
        Ranked {
            name,
            number,
            events: hits,
            share: hits as f64 / events.max(1) as f64,
            rate: (!duration.is_zero()).then(|| hits as f64 / duration.as_secs_f64()),
        }
    }

    /// Those with most events first, and equals by name.
    fn by_events(a: &Self, b: &Self) -> Ordering {
        b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name))
    }
}

/// How often a tracepoint was hit.
struct Hits<'a> {
    tpid: Tpid,
    gid: Option<Gid>,
    group: &'a str,
    name: String,
    hits: u64,
}

fn hits(tracepoint: &TracepointSummary) -> u64 {
    tracepoint.counted.unwrap_or_else(|| tracepoint.recorded.saturating_add(tracepoint.lost.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_with_most_hits_come_first_and_equals_by_name() {
        let names = [("b", "x"), ("a", "y"), ("a", "z"), ("c", "w")];
        let table = Table::from_entries(names.map(|(group, name)| (group.to_owned(), name.to_owned(), 0)).to_vec());
        let hits = [(1, 2), (2, 5), (3, 7), (4, 0)].map(|(tpid, hits)| (Tpid::new(tpid), hits));
        let ranking = Ranking::of_hits(hits.into_iter(), 14, Duration::from_secs(2), &table);
        fn listed<N: Copy>(list: &[Ranked<N>]) -> Vec<(&str, N, u64)> {
            list.iter().map(|ranked| (ranked.name.as_str(), ranked.number, ranked.events)).collect()
        }
        let tracepoint = |name, tpid, events| (name, Tpid::new(tpid), events);
        let group = |name, gid, events| (name, Some(Gid::new(gid)), events);
        assert_eq!(
            listed(&ranking.tracepoints),
            [tracepoint("b:x", 3, 7), tracepoint("a:z", 2, 5), tracepoint("a:y", 1, 2)]
        );
        assert_eq!(listed(&ranking.groups), [group("a", 1, 7), group("b", 2, 7)]);
        assert_eq!((ranking.tracepoints[0].share, ranking.tracepoints[0].rate), (0.5, Some(3.5)));
        assert_eq!(ranking.rate(), Some(7.0));
        let instant = Ranking::of_hits([(Tpid::new(1), 1)].into_iter(), 1, Duration::ZERO, &table);
        assert_eq!((instant.rate(), instant.tracepoints[0].rate), (None, None));
    }
}
