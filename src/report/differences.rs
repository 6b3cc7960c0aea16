//! Finds the differences between sources. Tracepoints are matched by `group:name`, never by number.

use super::change::{RateChange, Samples, changes};
use super::remarks::remarks;
use super::sides::{Basis, SourceSamples, side_name};
use super::{SourceReport, mark};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::processes::NamedProcesses;
use crate::ranking::Ranked;
use crate::stats::extremes;
use crate::tracefs::Tracepoint;
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

    /// Its hits. `None` if it was not captured.
    pub fn hits(&self) -> Option<u64> {
        match self {
            Presence::Hit { events, .. } => Some(*events),
            Presence::NotHit => Some(0),
            _ => None,
        }
    }

    /// Its hits per second. `None` if it was not captured, or if the source has no duration.
    pub fn rate(&self) -> Option<f64> {
        match self {
            Presence::Hit { rate, .. } => *rate,
            Presence::NotHit => Some(0.0),
            _ => None,
        }
    }

    /// The presence in several sources together, each with its duration in seconds. Sources that did not capture it do not count.
    fn of_side(sources: &[(Presence, f64)]) -> Presence {
        let captured = || sources.iter().filter(|(presence, _)| presence.hits().is_some());
        let (number, time) = captured().fold((0.0, 0.0), |(number, time), (_, seconds)| (number + 1.0, time + seconds));
        let events = captured().filter_map(|(presence, _)| presence.hits()).fold(0, u64::saturating_add);
        match sources {
            [(only, _)] => *only,
            [(first, _), ..] if number == 0.0 => *first,
            _ if events == 0 => Presence::NotHit,
            _ => {
                let share = |(presence, _): &(Presence, f64)| match presence {
                    Presence::Hit { share, .. } => *share,
                    _ => 0.0,
                };
                Presence::Hit {
                    events,
                    is_estimate: captured()
                        .any(|(presence, _)| matches!(presence, Presence::Hit { is_estimate: true, .. })),
                    share: captured().map(share).sum::<f64>() / number,
                    rate: (time > 0.0).then(|| events as f64 / time),
                }
            }
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
    /// Its presence on each side. Of several recordings, the hits are added, and the shares are averaged.
    pub sides: Vec<Presence>,
    /// Its largest change from a side to another one. `None` (in JSON null) if it cannot be judged.
    pub change: Option<RateChange>,
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
    /// The names of the sides, which have one source or several.
    pub sides: Vec<String>,
    /// The samples by which changes are judged.
    pub basis: Basis,
    /// Reasons why the sources are hard to compare.
    pub remarks: Vec<String>,
    /// All tracepoints that were hit in any source. The most surprising change comes first.
    pub tracepoints: Vec<Compared>,
    /// All groups that were hit in any source, in the same order.
    pub groups: Vec<Compared>,
    /// The processes by name in any source, if they were asked for. The largest difference of the share comes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Compared>,
}

impl Differences {
    /// Compares these sources. A side is a number of sources that follow each other; without any, each source is a side.
    ///
    /// # Errors
    /// If that takes too much memory.
    pub fn between(sources: &[SourceReport], sides: &[usize]) -> Result<Self, TooMuch> {
        let sides = sides_of(sources.len(), sides);
        let basis = Basis::of(&sides, sources);
        hold(sources, basis)?.forever();
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
        let side = |side: &Vec<usize>| {
            let labels: Vec<&str> = side.iter().map(|source| sources[*source].label.as_str()).collect();
            side_name(&labels)
        };
        Ok(Differences {
            sources: sources.iter().map(|source| source.label.clone()).collect(),
            sides: sides.iter().map(side).collect(),
            basis,
            remarks: remarks(sources),
            tracepoints: judged(compared(&tracepoints), sources, &sides, basis, Tracepoint::full_name),
            groups: judged(compared(&groups), sources, &sides, basis, |tracepoint| tracepoint.group.clone()),
            processes: compared_processes(sources),
        })
    }

    /// Whether the sources are on two sides, and one of them has several.
    pub fn has_repeats(&self) -> bool {
        self.sides.len() < self.sources.len()
    }
}

/// The sources of each side.
fn sides_of(sources: usize, sides: &[usize]) -> Vec<Vec<usize>> {
    let mut first = 0;
    let mut sides: Vec<Vec<usize>> = sides
        .iter()
        .map(|length| {
            // The user may have stopped the report before the last source.
            let side = (first..(first + length).min(sources)).collect();
            first += length;
            side
        })
        .filter(|side: &Vec<usize>| !side.is_empty())
        .collect();
    if sides.len() < 2 {
        sides = (0..sources).map(|source| vec![source]).collect();
    }
    sides
}

/// Judges the changes, and puts the most surprising ones first.
fn judged(
    mut all: Vec<Compared>,
    sources: &[SourceReport],
    sides: &[Vec<usize>],
    basis: Basis,
    row: fn(&Tracepoint) -> String,
) -> Vec<Compared> {
    let seconds: Vec<f64> = sources.iter().map(|source| source.ranking.duration.as_secs_f64()).collect();
    for compared in &mut all {
        let of_side = |side: &Vec<usize>| {
            let times = side.iter().map(|source| (compared.sources[*source], seconds[*source]));
            Presence::of_side(&times.collect::<Vec<_>>())
        };
        compared.sides = sides.iter().map(of_side).collect();
    }
    if basis == Basis::Nothing {
        return all;
    }
    let shortest = sources.iter().map(|source| source.ranking.duration).min().unwrap_or_default();
    let samples: Vec<_> = sources.iter().map(|source| SourceSamples::of(source, basis, shortest, row)).collect();
    let of_row = |compared: &Compared| {
        let of_source = |source: &usize| {
            let hits = compared.sources[*source].hits()?;
            samples[*source].of_row(&compared.name, hits as f64)
        };
        Samples {
            sides: sides.iter().map(|side| side.iter().filter_map(of_source).flatten().collect()).collect(),
            rates: compared.sides.iter().map(|presence| presence.rate().unwrap_or(0.0)).collect(),
        }
    };
    let rows: Vec<Samples> = all.iter().map(of_row).collect();
    for (compared, change) in all.iter_mut().zip(changes(&rows, basis.between())) {
        compared.change = change;
    }
    let surprise = |compared: &Compared| compared.change.as_ref().map_or(-1.0, RateChange::surprise);
    let p = |compared: &Compared| compared.change.as_ref().map_or(1.0, |change| change.p);
    all.sort_by(|a, b| {
        surprise(b).total_cmp(&surprise(a)).then(p(a).total_cmp(&p(b))).then_with(|| a.name.cmp(&b.name))
    });
    all
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
/// The memory in bytes of a sample: the count, and the logarithm with its variance.
const OF_SAMPLE: u64 = 24;

/// Takes the memory for a table with each tracepoint and group that was hit, and each source.
fn hold(sources: &[SourceReport], basis: Basis) -> Result<Held, TooMuch> {
    let rankings = || sources.iter().map(|source| &source.ranking);
    let tracepoints: HashSet<&str> = rankings().flat_map(|all| &all.tracepoints).map(|hit| hit.name.as_str()).collect();
    let groups: HashSet<&str> = rankings().flat_map(|all| &all.groups).map(|hit| hit.name.as_str()).collect();
    let rows = (tracepoints.len() + groups.len()) as u64;
    let samples: u64 = sources.iter().map(|source| OF_SAMPLE * basis.samples(source) as u64).sum();
    Held::take(MemoryOf::Comparison, rows * (sources.len() as u64 * OF_CELL + samples))
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
    /// Whether it was hit on this side and on no other.
    pub fn is_only_in(&self, side: usize) -> bool {
        let is_hit = matches!(self.sides[side], Presence::Hit { .. });
        is_hit && !self.others(side).any(|other| matches!(other, Presence::Hit { .. } | Presence::NotKnown))
    }

    /// Why no other side has hits of it. It is empty if all of them captured it.
    pub fn why_only_in(&self, side: usize) -> &'static str {
        match (
            self.others(side).any(|presence| *presence == Presence::NotCaptured),
            self.others(side).any(|presence| *presence == Presence::NotThere),
        ) {
            (false, false) => "",
            (true, false) => "not captured elsewhere",
            (false, true) => "absent elsewhere",
            (true, true) => "not captured or absent elsewhere",
        }
    }

    fn others(&self, side: usize) -> impl Iterator<Item = &Presence> {
        self.sides.iter().enumerate().filter(move |(number, _)| *number != side).map(|(_, presence)| presence)
    }

    /// How often it was hit on a side, in words.
    pub fn hits(&self, side: usize) -> String {
        let is_estimate = matches!(self.sides[side], Presence::Hit { is_estimate: true, .. });
        format!("{}{}", mark(is_estimate), Grouped(self.events(side)))
    }

    /// How often it was hit on a side.
    pub fn events(&self, side: usize) -> u64 {
        self.sides[side].hits().unwrap_or(0)
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
            Compared { name: name.to_owned(), sides: sources.clone(), sources, change: None, share_change, rate_change }
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
