//! Processes by events.

use super::{OverTime, Process, ProcessKind};
use crate::events::Tpid;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Processes by events, the most events first.
#[derive(Debug, Clone)]
pub struct ProcessRanking {
    /// Every process with at least one event.
    pub processes: Vec<RankedProcess>,
    /// All events.
    pub events: u64,
    /// The events over time, if they were kept.
    pub over_time: Option<OverTime>,
    /// Whether the source has the threads of events.
    pub is_known: bool,
    /// Whether events stand for several hits each, because tracepoints were thinned. The numbers are then estimated hits.
    pub is_estimate: bool,
}

/// The processes of one name, with their events.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedProcesses {
    /// The first of them: the one with the most events.
    pub process: Process,
    /// How many there are.
    pub number: usize,
    /// Their events.
    pub events: u64,
    /// Their events by tracepoint, the most first.
    pub tracepoints: Vec<(Tpid, u64)>,
}

impl NamedProcesses {
    /// Its name for people, with its number if it is one process: `gcc (812)`.
    pub fn words(&self) -> String {
        if self.number == 1 { self.process.words_with_pid() } else { self.process.words() }
    }

    /// Its events of a tracepoint.
    pub fn events_of(&self, tpid: Tpid) -> u64 {
        self.tracepoints.iter().find(|(its, _)| *its == tpid).map_or(0, |(_, count)| *count)
    }
}

/// A cgroup with its events.
#[derive(Debug, Clone, PartialEq)]
pub struct CgroupEvents<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its events.
    pub events: u64,
    /// The names of its processes with their events, the most first.
    pub processes: Vec<(String, u64)>,
}

/// A process with its events.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedProcess {
    /// Its number in the events over time.
    pub number: u32,
    /// The process.
    pub process: Process,
    /// Its events.
    pub events: u64,
    /// Its events by tracepoint, the most first.
    pub tracepoints: Vec<(Tpid, u64)>,
}

impl ProcessRanking {
    /// The sums by name, the most events first: a program may run many times.
    pub fn by_name(&self) -> Vec<NamedProcesses> {
        let mut named = Vec::<NamedProcesses>::new();
        let mut places = HashMap::<(ProcessKind, Option<&str>), usize>::new();
        let mut sums = Vec::<HashMap<Tpid, u64>>::new();
        for RankedProcess { process, events, tracepoints, .. } in &self.processes {
            let place = *places.entry((process.kind, process.name.as_deref())).or_insert_with(|| {
                let process = process.clone();
                named.push(NamedProcesses { process, number: 0, events: 0, tracepoints: Vec::new() });
                sums.push(HashMap::new());
                named.len() - 1
            });
            named[place].number += 1;
            named[place].events += events;
            tracepoints.iter().for_each(|(tpid, count)| *sums[place].entry(*tpid).or_insert(0) += count);
        }
        for (named, sums) in named.iter_mut().zip(sums) {
            named.tracepoints = most_first(sums);
        }
        named.sort_by(|one, other| other.events.cmp(&one.events).then_with(|| one.process.cmp(&other.process)));
        named
    }

    /// The sums by cgroup, the most events first. Events without a known cgroup are left out.
    pub fn by_cgroup(&self) -> Vec<CgroupEvents<'_>> {
        let mut sums = HashMap::<&str, HashMap<String, u64>>::new();
        for RankedProcess { process, events, .. } in &self.processes {
            if let Some(path) = process.cgroup.as_deref() {
                *sums.entry(path).or_default().entry(process.words()).or_default() += events;
            }
        }
        let cgroup = |(path, of): (_, HashMap<String, u64>)| {
            let mut processes: Vec<_> = of.into_iter().collect();
            processes.sort_by(|(one, its), (other, others)| others.cmp(its).then_with(|| one.cmp(other)));
            CgroupEvents { path, events: processes.iter().map(|(_, events)| events).sum(), processes }
        };
        let mut cgroups: Vec<_> = sums.into_iter().map(cgroup).collect();
        cgroups.sort_by_key(|of| (Reverse(of.events), of.path));
        cgroups
    }

    /// The tracepoints by events, the most first.
    pub fn tracepoints(&self) -> Vec<(Tpid, u64)> {
        let mut sums = HashMap::<Tpid, u64>::new();
        let all = self.processes.iter().flat_map(|ranked| &ranked.tracepoints);
        all.for_each(|(tpid, count)| *sums.entry(*tpid).or_insert(0) += count);
        most_first(sums)
    }

    /// The share of all events, from 0 to 1.
    pub fn share(&self, events: u64) -> f64 {
        events as f64 / self.events.max(1) as f64
    }
}

/// Sums by tracepoint, the most first.
fn most_first(sums: HashMap<Tpid, u64>) -> Vec<(Tpid, u64)> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by_key(|(tpid, count)| (Reverse(*count), *tpid));
    sums
}
