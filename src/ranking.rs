//! Tracepoints and groups, ranked by number of hits.

use crate::recording::{Summary, TracepointSummary};
use crate::tracefs::{Gid, Table, Tpid};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

/// A tracepoint or a group, with its hits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked<N> {
    /// `group:name`, or the group's name.
    pub name: String,
    /// The tpid or gid; `None` for a group whose gid is not known.
    #[serde(skip)]
    pub number: N,
    /// Hits: the kernel's count if there is one, otherwise the estimate, or recorded + lost.
    pub events: u64,
    /// Whether the hits are an estimate, because events of thinned tracepoints stand for several.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_estimate: bool,
    /// Share of all hits, from 0 to 1.
    pub share: f64,
    /// Hits per second; `None` if the duration is zero.
    pub rate: Option<f64>,
}

/// Tracepoints and groups by hits, the most hits first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Every tracepoint with at least one hit.
    pub tracepoints: Vec<Ranked<Tpid>>,
    /// Every group with at least one hit.
    pub groups: Vec<Ranked<Option<Gid>>>,
    /// All hits. This exceeds the sum over `tracepoints` if losses are known only per CPU.
    pub events: u64,
    /// Whether `events` is an estimate.
    pub is_estimate: bool,
    /// The time in which the hits occurred.
    pub duration: Duration,
}

impl Ranking {
    /// Ranks the hits of a whole capture from its summary alone. The gids stay unknown.
    pub fn of(summary: &Summary) -> Self {
        let hits = summary.per_tracepoint.iter().map(|tracepoint| Hits {
            tpid: tracepoint.tpid,
            gid: None,
            group: tracepoint.name.split_once(':').map_or(&*tracepoint.name, |(group, _)| group),
            name: tracepoint.name.clone(),
            number: number(tracepoint),
        });
        let all = HitNumber {
            hits: summary.events.all(),
            is_estimate: summary.events.counted.is_none() && summary.events.estimated.is_some(),
        };
        Self::new(hits, all, Duration::from_nanos(summary.timing_ns.capture.unwrap_or(0)))
    }

    /// Ranks these hits by tpid; `all` is the number of all hits.
    pub fn of_hits(
        hits: impl Iterator<Item = (Tpid, HitNumber)>,
        all: HitNumber,
        duration: Duration,
        table: &Table,
    ) -> Self {
        let hits = hits.filter(|(_, number)| number.hits > 0).map(|(tpid, number)| {
            let tracepoint = table.get(tpid);
            Hits { tpid, gid: Some(tracepoint.gid), group: &tracepoint.group, name: tracepoint.full_name(), number }
        });
        Self::new(hits, all, duration)
    }

    /// Ranks the hits of a whole capture, with the groups and gids of `table`.
    pub fn of_capture(summary: &Summary, table: &Table) -> Self {
        let Ranking { events, is_estimate, duration, .. } = Self::of(summary);
        let hits = summary.per_tracepoint.iter().map(|tracepoint| (tracepoint.tpid, number(tracepoint)));
        Self::of_hits(hits, HitNumber { hits: events, is_estimate }, duration, table)
    }

    fn new<'a>(hits: impl Iterator<Item = Hits<'a>>, all: HitNumber, duration: Duration) -> Self {
        let mut groups = BTreeMap::<&str, (Option<Gid>, HitNumber)>::new();
        let mut tracepoints = Vec::new();
        for Hits { tpid, gid, group, name, number } in hits.filter(|hits| hits.number.hits > 0) {
            let (_, of_group) = groups.entry(group).or_insert((gid, HitNumber::default()));
            *of_group = of_group.and(number);
            tracepoints.push(Ranked::new(name, tpid, number, all, duration));
        }
        let groups = groups.into_iter();
        let mut groups: Vec<_> =
            groups.map(|(name, (gid, number))| Ranked::new(name.to_owned(), gid, number, all, duration)).collect();
        tracepoints.sort_by(Ranked::by_events);
        groups.sort_by(Ranked::by_events);
        Ranking { tracepoints, groups, events: all.hits, is_estimate: all.is_estimate, duration }
    }

    /// All hits per second; `None` if the duration is zero.
    pub fn rate(&self) -> Option<f64> {
        self.per_second(self.events)
    }

    /// This many hits as a rate per second; `None` if the duration is zero.
    pub fn per_second(&self, events: u64) -> Option<f64> {
        (!self.duration.is_zero()).then(|| events as f64 / self.duration.as_secs_f64())
    }
}

/// A number of hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HitNumber {
    /// The hits.
    pub hits: u64,
    /// Whether that is an estimate, because events of thinned tracepoints stand for several hits.
    pub is_estimate: bool,
}

impl HitNumber {
    /// As many hits, which are known.
    pub fn known(hits: u64) -> Self {
        HitNumber { hits, is_estimate: false }
    }

    /// The sum.
    pub fn and(self, other: Self) -> Self {
        HitNumber { hits: self.hits.saturating_add(other.hits), is_estimate: self.is_estimate || other.is_estimate }
    }
}

impl<N> Ranked<N> {
    fn new(
        name: String,
        number: N,
        HitNumber { hits, is_estimate }: HitNumber,
        all: HitNumber,
        duration: Duration,
    ) -> Self {
        Ranked {
            name,
            number,
            events: hits,
            is_estimate,
            share: hits as f64 / all.hits.max(1) as f64,
            rate: (!duration.is_zero()).then(|| hits as f64 / duration.as_secs_f64()),
        }
    }

    /// Most hits first; ties by name.
    fn by_events(a: &Self, b: &Self) -> Ordering {
        b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name))
    }
}

/// One tracepoint's hits.
struct Hits<'a> {
    tpid: Tpid,
    gid: Option<Gid>,
    group: &'a str,
    name: String,
    number: HitNumber,
}

fn number(tracepoint: &TracepointSummary) -> HitNumber {
    let TracepointSummary { recorded, thinned, lost, estimated, counted, .. } = *tracepoint;
    let known = || recorded.saturating_add(thinned).saturating_add(lost.unwrap_or(0));
    HitNumber {
        hits: counted.or(estimated).unwrap_or_else(known),
        is_estimate: counted.is_none() && estimated.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_hits_come_first_and_ties_are_sorted_by_name() {
        let names = [("b", "x"), ("a", "y"), ("a", "z"), ("c", "w")];
        let table = Table::from_entries(names.map(|(group, name)| (group.to_owned(), name.to_owned(), 0)).to_vec());
        let hits = [(1, 2), (2, 5), (3, 7), (4, 0)].map(|(tpid, hits)| (Tpid::new(tpid), HitNumber::known(hits)));
        let ranking = Ranking::of_hits(hits.into_iter(), HitNumber::known(14), Duration::from_secs(2), &table);
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
        let one = HitNumber { hits: 17, is_estimate: true };
        let hits = [(Tpid::new(1), one), (Tpid::new(2), HitNumber::known(3)), (Tpid::new(3), HitNumber::known(2))];
        let instant = Ranking::of_hits(hits.into_iter(), one, Duration::ZERO, &table);
        assert_eq!((instant.rate(), instant.tracepoints[0].rate), (None, None));
        // An estimate makes that of its group one.
        fn estimates<N>(list: &[Ranked<N>]) -> Vec<(u64, bool)> {
            list.iter().map(|ranked| (ranked.events, ranked.is_estimate)).collect()
        }
        assert_eq!(estimates(&instant.tracepoints), [(17, true), (3, false), (2, false)]);
        assert_eq!((estimates(&instant.groups), instant.is_estimate), (vec![(20, true), (2, false)], true));
    }
}
