//! Finds the differences between sources. Tracepoints are matched by `group:name`, never by number.

use super::{SourceReport, mark};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::processes::NamedProcesses;
use crate::ranking::Ranked;
use crate::recording::Summary;
use crate::stats::extremes;
use crate::units::Grouped;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Whether a tracepoint or group was captured in a source, and how often it was hit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Presence {
    /// It was hit.
    Hit {
        /// Its hits.
        events: u64,
        /// Whether its hits are an estimate, and so its share and its rate.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_estimate: bool,
        /// Its part of all hits, from 0 to 1.
        share: f64,
        /// Hits per second. `None` (in JSON null) if the source has no duration.
        rate: Option<f64>,
    },
    /// It was captured, but not hit.
    NotHit,
    /// It exists in the source, but was not captured.
    NotCaptured,
    /// The source has no tracepoint or group of this name.
    NotThere,
    /// The source has no group names, so it cannot be matched.
    NotKnown,
}

impl Presence {
    /// The word that stands in place of numbers if it was not hit. It is empty for hits.
    pub fn word(&self) -> &'static str {
        match self {
            Presence::Hit { .. } => "",
            Presence::NotHit => "0",
            Presence::NotCaptured => "not captured",
            Presence::NotThere => "absent",
            Presence::NotKnown => "unknown",
        }
    }
}

/// A tracepoint or group, compared in all sources.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// `group:name`, or the group's name.
    pub name: String,
    /// Its presence in each source, in the order of the sources.
    pub sources: Vec<Presence>,
    /// The largest difference of its share between two sources that captured it, from 0 to 1.
    pub share_change: f64,
    /// The largest difference of its rate between two sources that captured it.
    pub rate_change: f64,
}

/// The differences between sources.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differences {
    /// The labels of the sources, in their order.
    pub sources: Vec<String>,
    /// Reasons why the sources are hard to compare.
    pub remarks: Vec<String>,
    /// All tracepoints that were hit in any source, largest difference of the share first.
    pub tracepoints: Vec<Compared>,
    /// All groups that were hit in any source, in the same order.
    pub groups: Vec<Compared>,
    /// The processes by name in any source, in the same order, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Compared>,
}

impl Differences {
    /// Compares these sources.
    ///
    /// # Errors
    /// If that takes too much memory.
    pub fn between(sources: &[SourceReport]) -> Result<Self, TooMuch> {
        hold(sources)?.forever();
        let tracepoints = Side::of_each(
            sources,
            |source| {
                let all = source.table.tracepoints().iter();
                all.map(|t| (t.full_name(), source.selection.status(t.tpid).is_captured())).collect()
            },
            |source| &source.ranking.tracepoints,
        );
        let groups = Side::of_each(
            sources,
            |source| {
                let mut groups = BTreeMap::new();
                for tracepoint in source.table.tracepoints() {
                    *groups.entry(tracepoint.group.clone()).or_insert(false) |=
                        source.selection.status(tracepoint.tpid).is_captured();
                }
                groups
            },
            |source| &source.ranking.groups,
        );
        Ok(Differences {
            sources: sources.iter().map(|source| source.label.clone()).collect(),
            remarks: remarks(sources),
            tracepoints: compared(&tracepoints),
            groups: compared(&groups),
            processes: compared_processes(sources),
        })
    }
}

/// The processes of sources, compared by name: each run of a program has another number.
fn compared_processes(sources: &[SourceReport]) -> Vec<Compared> {
    let ranked = |source: &SourceReport| -> Vec<Ranked<()>> {
        let Some(all) = &source.processes else { return Vec::new() };
        let of = |NamedProcesses { process, events, .. }: NamedProcesses| Ranked {
            name: process.words(),
            number: (),
            events,
            is_estimate: false,
            share: all.share(events),
            rate: source.ranking.per_second(events),
        };
        all.by_name().into_iter().map(of).collect()
    };
    let ranked: Vec<Vec<Ranked<()>>> = sources.iter().map(ranked).collect();
    let side = |(source, ranked)| {
        let SourceReport { processes, .. }: &SourceReport = source;
        let is_known = processes.as_ref().is_some_and(|all| all.is_known);
        let otherwise = if is_known { Presence::NotHit } else { Presence::NotKnown };
        Side { captured: BTreeMap::new(), otherwise, ranked }
    };
    let sides: Vec<Side<'_, ()>> = sources.iter().zip(ranked.iter().map(Vec::as_slice)).map(side).collect();
    compared(&sides)
}

/// The memory in bytes of a tracepoint or group in one source, in tables and pages.
const OF_CELL: u64 = 128;

/// Takes the memory for a table with each tracepoint and group that was hit, and each source.
fn hold(sources: &[SourceReport]) -> Result<Held, TooMuch> {
    let rankings = || sources.iter().map(|source| &source.ranking);
    let tracepoints: HashSet<&str> = rankings().flat_map(|all| &all.tracepoints).map(|hit| hit.name.as_str()).collect();
    let groups: HashSet<&str> = rankings().flat_map(|all| &all.groups).map(|hit| hit.name.as_str()).collect();
    let rows = (tracepoints.len() + groups.len()) as u64;
    Held::take(MemoryOf::Comparison, rows * sources.len() as u64 * OF_CELL)
}

/// A measure by which sources differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The part of all events.
    Share,
    /// Events per second.
    Rate,
}

impl By {
    /// All measures.
    pub const ALL: [By; 2] = [By::Share, By::Rate];

    /// The word for this measure.
    pub fn name(self) -> &'static str {
        match self {
            By::Share => "share",
            By::Rate => "rate",
        }
    }

    /// Those that differ in this measure, largest difference first.
    pub fn most(self, all: &[Compared]) -> Vec<&Compared> {
        let change = |compared: &Compared| match self {
            By::Share => compared.share_change,
            By::Rate => compared.rate_change,
        };
        let mut changed: Vec<&Compared> = all.iter().filter(|compared| change(compared) > 0.0).collect();
        changed.sort_by(|a, b| change(b).total_cmp(&change(a)).then_with(|| a.name.cmp(&b.name)));
        changed
    }
}

impl Compared {
    /// Whether it was hit in this source and in no other.
    pub fn is_only_in(&self, source: usize) -> bool {
        let is_hit = matches!(self.sources[source], Presence::Hit { .. });
        is_hit && !self.others(source).any(|other| matches!(other, Presence::Hit { .. } | Presence::NotKnown))
    }

    /// Why no other source has hits of it. It is empty if all of them captured it.
    pub fn why_only_in(&self, source: usize) -> &'static str {
        match (
            self.others(source).any(|presence| *presence == Presence::NotCaptured),
            self.others(source).any(|presence| *presence == Presence::NotThere),
        ) {
            (false, false) => "",
            (true, false) => "not captured elsewhere",
            (false, true) => "absent elsewhere",
            (true, true) => "not captured or absent elsewhere",
        }
    }

    fn others(&self, source: usize) -> impl Iterator<Item = &Presence> {
        self.sources.iter().enumerate().filter(move |(number, _)| *number != source).map(|(_, presence)| presence)
    }

    /// How often it was hit in a source, in words.
    pub fn hits(&self, source: usize) -> String {
        let is_estimate = matches!(self.sources[source], Presence::Hit { is_estimate: true, .. });
        format!("{}{}", mark(is_estimate), Grouped(self.events(source)))
    }

    /// How often it was hit in a source.
    pub fn events(&self, source: usize) -> u64 {
        match self.sources[source] {
            Presence::Hit { events, .. } => events,
            _ => 0,
        }
    }
}

/// The tracepoints or groups of one source.
struct Side<'a, N> {
    /// The names that it has, and whether each was captured.
    captured: BTreeMap<String, bool>,
    /// The presence of all other names.
    otherwise: Presence,
    /// Those that were hit.
    ranked: &'a [Ranked<N>],
}

impl<'a, N> Side<'a, N> {
    fn of_each(
        sources: &'a [SourceReport],
        captured: fn(&SourceReport) -> BTreeMap<String, bool>,
        ranked: fn(&SourceReport) -> &[Ranked<N>],
    ) -> Vec<Self> {
        let source = |source| Side {
            captured: captured(source),
            // A log only has tracepoints that were hit.
            otherwise: match (source.is_unnamed, source.is_log) {
                (true, _) => Presence::NotKnown,
                (false, true) => Presence::NotHit,
                (false, false) => Presence::NotThere,
            },
            ranked: ranked(source),
        };
        sources.iter().map(source).collect()
    }
}

fn compared<N: Clone>(sources: &[Side<'_, N>]) -> Vec<Compared> {
    let names: BTreeSet<&str> =
        sources.iter().flat_map(|side| side.ranked.iter().map(|ranked| ranked.name.as_str())).collect();
    // Some files have two tracepoints of one name.
    let by_name = |side: &Side<'_, N>| {
        side.ranked.iter().fold(BTreeMap::<String, Ranked<N>>::new(), |mut named, ranked| {
            match named.get_mut(&ranked.name) {
                Some(same) => {
                    same.events = same.events.saturating_add(ranked.events);
                    same.is_estimate |= ranked.is_estimate;
                    same.share += ranked.share;
                    same.rate = same.rate.zip(ranked.rate).map(|(a, b)| a + b);
                }
                None => drop(named.insert(ranked.name.clone(), ranked.clone())),
            }
            named
        })
    };
    let hits: Vec<BTreeMap<String, Ranked<N>>> = sources.iter().map(by_name).collect();
    let mut compared: Vec<_> = names
        .into_iter()
        .map(|name| {
            let presences =
                sources.iter().zip(&hits).map(|(side, hits)| match (hits.get(name), side.captured.get(name)) {
                    (Some(Ranked { events, is_estimate, share, rate, .. }), _) => {
                        Presence::Hit { events: *events, is_estimate: *is_estimate, share: *share, rate: *rate }
                    }
                    (None, Some(true)) => Presence::NotHit,
                    (None, Some(false)) => Presence::NotCaptured,
                    (None, None) => side.otherwise,
                });
            let sources: Vec<Presence> = presences.collect();
            let share_change = change(&sources, |presence| match presence {
                Presence::Hit { share, .. } => Some(*share),
                Presence::NotHit => Some(0.0),
                _ => None,
            });
            let rate_change = change(&sources, |presence| match presence {
                Presence::Hit { rate, .. } => *rate,
                Presence::NotHit => Some(0.0),
                _ => None,
            });
            Compared { name: name.to_owned(), sources, share_change, rate_change }
        })
        .collect();
    compared.sort_by(|a, b| b.share_change.total_cmp(&a.share_change).then_with(|| a.name.cmp(&b.name)));
    compared
}

/// The difference between the largest and the smallest known value.
fn change(sources: &[Presence], value: impl Fn(&Presence) -> Option<f64>) -> f64 {
    let (least, most) = extremes(sources.iter().filter_map(value));
    (most - least).max(0.0)
}

fn remarks(sources: &[SourceReport]) -> Vec<String> {
    let mut remarks = Vec::new();
    let differing = |fact: fn(&Summary) -> Option<String>| {
        let facts: BTreeSet<String> = sources.iter().filter_map(|source| fact(&source.summary)).collect();
        (facts.len() > 1).then(|| facts.into_iter().collect::<Vec<_>>().join(", "))
    };
    if let Some(kernels) = differing(|summary| summary.kernel.clone()) {
        let mut tables = sources.iter().map(|source| {
            source.table.tracepoints().iter().map(|tracepoint| tracepoint.full_name()).collect::<BTreeSet<_>>()
        });
        let first = tables.next().unwrap_or_default();
        let (common, all) =
            tables.fold((first.clone(), first), |(common, all), table| (&common & &table, &all | &table));
        remarks.push(format!(
            "the sources come from different kernels ({kernels}); {} of {} tracepoints exist in all of them",
            common.len(),
            all.len()
        ));
    }
    if let Some(hosts) = differing(|summary| summary.hostname.clone()) {
        remarks.push(format!("the sources come from different machines ({hosts})"));
    }
    let captured = |source: &SourceReport| -> BTreeSet<String> {
        let all = source.table.tracepoints().iter().filter(|t| source.selection.status(t.tpid).is_captured());
        all.map(|tracepoint| tracepoint.full_name()).collect()
    };
    let mut sets = sources.iter().filter(|source| !source.is_log).map(captured);
    if let Some(first) = sets.next()
        && sets.any(|set| set != first)
    {
        remarks.push(
            "the sources captured different tracepoints, and each share refers to its own source; use -t and -x to compare the same ones"
                .to_owned(),
        );
    }
    for source in sources.iter().filter(|source| source.is_unnamed) {
        remarks.push(format!(
            "{} is a bare log.csv without group names, so nothing in it matches the others; use the recording's directory instead",
            source.label
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::Tpid;

    fn ranked(name: &str, events: u64, share: f64) -> Ranked<Tpid> {
        Ranked {
            name: name.to_owned(),
            number: Tpid::new(1),
            events,
            is_estimate: false,
            share,
            rate: Some(events as f64),
        }
    }

    fn known(names: &[(&str, bool)]) -> BTreeMap<String, bool> {
        names.iter().map(|(name, captured)| ((*name).to_owned(), *captured)).collect()
    }

    #[test]
    fn what_was_not_captured_is_not_taken_for_silent() {
        let all = [("a:hit", true), ("a:once", true), ("a:excluded", false)];
        let (first, second) = (known(&all), known(&[("a:hit", true), ("a:once", true), ("a:excluded", true)]));
        let (of_first, of_second) = (
            [ranked("a:hit", 10, 1.0)],
            [ranked("a:hit", 5, 0.5), ranked("a:once", 3, 0.3), ranked("a:excluded", 2, 0.2)],
        );
        let source = |captured, ranked| Side { captured, otherwise: Presence::NotThere, ranked };
        let compared = compared(&[source(first, &of_first[..]), source(second, &of_second)]);
        let names: Vec<_> = compared.iter().map(|compared| (compared.name.as_str(), compared.share_change)).collect();
        assert_eq!(names, [("a:hit", 0.5), ("a:once", 0.3), ("a:excluded", 0.0)]);
        let only: Vec<_> = compared.iter().filter(|compared| compared.is_only_in(1)).map(|c| c.name.as_str()).collect();
        assert_eq!(only, ["a:once", "a:excluded"]);
        assert_eq!((compared[1].why_only_in(1), compared[2].why_only_in(1)), ("", "not captured elsewhere"));
        assert_eq!(compared[2].sources[0], Presence::NotCaptured);
        assert_eq!(compared[1].sources[0], Presence::NotHit);
        assert!(!compared[0].is_only_in(0) && !compared[0].is_only_in(1));
    }
}
