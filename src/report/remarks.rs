//! Why sources are hard to compare.

use super::SourceReport;
use crate::os::cpus::{Cpu, named};
use crate::recording::{Summary, ThinnedStretch};
use crate::units::{Seconds, Share};
use std::collections::BTreeSet;

/// Sources whose lengths differ by more than this factor get a remark.
const MOST_TIMES_AS_LONG: u32 = 10;
/// A source that lost less than this share of its hits gets no remark.
const LEAST_LOST: f64 = 0.01;

/// The remarks on these sources.
pub(super) fn remarks(sources: &[SourceReport]) -> Vec<String> {
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
    let longest = sources.iter().map(|source| source.ranking.duration).max().unwrap_or_default();
    let shortest = sources.iter().min_by_key(|source| source.ranking.duration);
    if let Some(shortest) = shortest.filter(|source| source.ranking.duration * MOST_TIMES_AS_LONG < longest) {
        remarks.push(format!(
            "the sources last between {} and {}; a short source shows only a part of a rate's variation",
            Seconds(shortest.ranking.duration),
            Seconds(longest)
        ));
    }
    if let Some(numbers) = differing(|summary| (!summary.cpus.is_empty()).then(|| summary.cpus.len().to_string())) {
        remarks.push(format!(
            "the sources watched different numbers of CPUs ({numbers}); each rate is the sum over the watched CPUs"
        ));
    }
    remarks.extend(sources.iter().flat_map(of_source));
    remarks
}

/// The remarks on one source.
fn of_source(source: &SourceReport) -> Vec<String> {
    let SourceReport { label, summary, ranking, .. } = source;
    let mut remarks = Vec::new();
    let lost = summary.events.lost as f64 / ranking.events.max(1) as f64;
    if lost >= LEAST_LOST && !source.is_range {
        remarks.push(format!(
            "{label} lost {} of its hits; tp-perf assumes that they came at the same times as the recorded ones",
            Share(lost)
        ));
    }
    if source.is_range && summary.events.lost > 0 {
        remarks.push(format!("{label} lost events, so its rates in the range may be too low"));
    }
    if !source.unwatched.is_empty() {
        let mut cpus: Vec<Cpu> = source.unwatched.iter().map(|stretch| stretch.cpu).collect();
        cpus.dedup();
        remarks.push(format!("{label} did not watch {} all the time, so its rates are too low", named(&cpus)));
    }
    if source.thinned.iter().any(ThinnedStretch::is_detached) {
        remarks.push(format!("{label} detached some tracepoints for a part of the time, so their rates are too low"));
    }
    remarks
}
