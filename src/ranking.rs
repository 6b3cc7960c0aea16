//! Tracepoints and groups by how often they were hit.

use crate::recording::{Summary, TracepointSummary};
use crate::tracefs::Table;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A tracepoint or a group, and how often it was hit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// `group:name`, or the group's name.
    pub name: String,
    /// Its tpid or gid; 0 for a group whose number is not known.
    #[serde(skip)]
    pub number: u32,
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
    pub tracepoints: Vec<Ranked>,
    /// Every group that was hit.
    pub groups: Vec<Ranked>,
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
            gid: 0,
            group: tracepoint.name.split_once(':').map_or(&*tracepoint.name, |(group, _)| group),
            name: tracepoint.name.clone(),
            hits: hits(tracepoint),
        });
        Self::new(hits, summary.events.all(), Duration::from_nanos(summary.timing_ns.capture.unwrap_or(0)))
    }

    /// Of these numbers of hits by tpid, and `events` in all.
    pub fn of_hits(hits: impl Iterator<Item = (u32, u64)>, events: u64, duration: Duration, table: &Table) -> Self {
        let hits = hits.filter(|(_, hits)| *hits > 0).map(|(tpid, hits)| {
            let tracepoint = table.get(tpid);
            Hits { tpid, gid: tracepoint.gid, group: &tracepoint.group, name: tracepoint.full_name(), hits }
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
        let ranked = |name: String, number: u32, hits: u64| Ranked {
            name,
            number,
            events: hits,
            share: hits as f64 / events.max(1) as f64,
            rate: (!duration.is_zero()).then(|| hits as f64 / duration.as_secs_f64()),
        };
        let mut groups = BTreeMap::<&str, (u32, u64)>::new();
        let mut tracepoints = Vec::new();
        for Hits { tpid, gid, group, name, hits } in hits.filter(|hits| hits.hits > 0) {
            let group = groups.entry(group).or_insert((gid, 0));
            group.1 = group.1.saturating_add(hits);
            tracepoints.push(ranked(name, tpid, hits));
        }
        let mut groups: Vec<_> =
            groups.into_iter().map(|(name, (gid, hits))| ranked(name.to_owned(), gid, hits)).collect();
        for list in [&mut tracepoints, &mut groups] {
            list.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name)));
        }
        Ranking { tracepoints, groups, events, duration }
    }

    /// All hits a second; `None` where no time passed.
    pub fn rate(&self) -> Option<f64> {
        (!self.duration.is_zero()).then(|| self.events as f64 / self.duration.as_secs_f64())
    }
}

/// How often a tracepoint was hit.
struct Hits<'a> {
    tpid: u32,
    gid: u32,
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
        let hits = [(1, 2), (2, 5), (3, 7), (4, 0)];
        let ranking = Ranking::of_hits(hits.into_iter(), 14, Duration::from_secs(2), &table);
        let listed = |list: &[Ranked]| -> Vec<_> {
            list.iter().map(|ranked| (ranked.name.clone(), ranked.number, ranked.events)).collect()
        };
        let named = |name: &str, number, events| (name.to_owned(), number, events);
        assert_eq!(listed(&ranking.tracepoints), [named("b:x", 3, 7), named("a:z", 2, 5), named("a:y", 1, 2)]);
        assert_eq!(listed(&ranking.groups), [named("a", 1, 7), named("b", 2, 7)]);
        assert_eq!((ranking.tracepoints[0].share, ranking.tracepoints[0].rate), (0.5, Some(3.5)));
        assert_eq!(ranking.rate(), Some(7.0));
        let instant = Ranking::of_hits([(1, 1)].into_iter(), 1, Duration::ZERO, &table);
        assert_eq!((instant.rate(), instant.tracepoints[0].rate), (None, None));
    }
}
