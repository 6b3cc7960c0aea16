//! The facts that a history has about its host, and about the tracepoints that it watches.

use crate::events::{Cpu, Tpid};
use crate::os::machine::{boot_id, hostname, kernel_release};
use crate::recording::Tool;
use crate::tracefs::{Exclusion, Selection, Status, Table};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The newest schema of the files.
pub(super) const SCHEMA: u32 = 1;

/// Stands for all tracepoints of a group.
const ALL: &str = "*";

/// The facts about a host and its tracepoints. With them, a reader can distinguish *not hit* from *not watched*.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryFacts {
    /// The program that wrote the history.
    pub tool: Tool,
    /// The host name.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// The kernel's random number of this boot.
    pub boot_id: String,
    /// The CPUs, ascending.
    pub cpus: Vec<Cpu>,
    /// The names of the watched tracepoints by group, both ascending.
    pub watched: BTreeMap<String, Vec<String>>,
    /// The tracepoints that are not watched.
    pub left_out: Vec<LeftOutNames>,
}

/// Tracepoints that share one reason for not being watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutNames {
    /// The reason.
    #[serde(flatten)]
    pub status: Status,
    /// Their names by group. The name `*` stands for the whole group.
    pub tracepoints: BTreeMap<String, Vec<String>>,
}

impl HistoryFacts {
    /// The facts about this machine, with the selection of a count.
    pub fn of(table: &Table, selection: &Selection, cpus: Vec<Cpu>) -> Self {
        let mut by_status = BTreeMap::<&Status, BTreeMap<String, BTreeSet<String>>>::new();
        let mut sizes = BTreeMap::<&str, BTreeSet<&str>>::new();
        for tracepoint in table.tracepoints() {
            let groups = by_status.entry(selection.status(tracepoint.tpid)).or_default();
            groups.entry(tracepoint.group.clone()).or_default().insert(tracepoint.name.clone());
            sizes.entry(&tracepoint.group).or_default().insert(&tracepoint.name);
        }
        let sorted = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>();
        let watched = by_status.remove(&Status::Captured).unwrap_or_default();
        let watched = watched.into_iter().map(|(group, names)| (group, sorted(names))).collect();
        let shortened = |(group, names): (String, BTreeSet<String>)| match names.len() == sizes[group.as_str()].len() {
            true => (group, vec![ALL.to_owned()]),
            false => (group, sorted(names)),
        };
        let left_out = by_status.into_iter().map(|(status, groups)| LeftOutNames {
            status: status.clone(),
            tracepoints: groups.into_iter().map(shortened).collect(),
        });
        HistoryFacts {
            tool: Tool::this(),
            hostname: hostname(),
            kernel: kernel_release(),
            boot_id: boot_id(),
            cpus,
            watched,
            left_out: left_out.collect(),
        }
    }

    /// The watched tracepoints as (group, name), in the order of both. Journals number them in this order, from 1.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.watched.iter().flat_map(|(group, names)| names.iter().map(move |name| (group.as_str(), name.as_str())))
    }

    /// The number of watched tracepoints.
    pub fn number(&self) -> usize {
        self.watched.values().map(Vec::len).sum()
    }

    /// For each tracepoint of a table, whether it was watched, and why not. The table may have tracepoints that this kernel
    /// did not have.
    pub fn selection(&self, table: &Table) -> Selection {
        let watched: BTreeSet<(&str, &str)> = self.names().collect();
        let mut statuses = BTreeMap::<(&str, &str), &Status>::new();
        for LeftOutNames { status, tracepoints } in &self.left_out {
            let names = tracepoints
                .iter()
                .flat_map(|(group, names)| names.iter().map(move |name| (group.as_str(), name.as_str())));
            statuses.extend(names.map(|name| (name, status)));
        }
        let absent = Status::Excluded(Exclusion::Noted { words: "the host's kernel did not list it".to_owned() });
        let others = table.tracepoints().iter().filter_map(|tracepoint| {
            let (group, name) = (tracepoint.group.as_str(), tracepoint.name.as_str());
            if watched.contains(&(group, name)) {
                return None;
            }
            let status = statuses.get(&(group, name)).or_else(|| statuses.get(&(group, ALL)));
            Some((tracepoint.tpid, status.map_or_else(|| absent.clone(), |status| (*status).clone())))
        });
        Selection::of_statuses(table, others)
    }

    /// For each tpid of a table, the number of the tracepoint in journals. Index 0 is unused.
    pub(super) fn numbers(&self, table: &Table) -> Vec<Option<Tpid>> {
        let by_name: BTreeMap<(&str, &str), u32> = self.names().zip(1..).collect();
        let most = table.tracepoints().iter().map(|tracepoint| tracepoint.tpid.index()).max().unwrap_or(0);
        let mut numbers = vec![None; most + 1];
        for tracepoint in table.tracepoints() {
            let number = by_name.get(&(tracepoint.group.as_str(), tracepoint.name.as_str()));
            numbers[tracepoint.tpid.index()] = number.map(|number| Tpid::new(*number));
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_comes_out_as_it_went_in() {
        let names = [("a", "one"), ("a", "two"), ("b", "one"), ("c", "one"), ("c", "two")];
        let entry = |(group, name): &(&str, &str)| ((*group).to_owned(), (*name).to_owned(), 1);
        let table = Table::from_entries(names.iter().map(entry).collect());
        let group = Status::Excluded(Exclusion::Group { group: "c".to_owned() });
        let others = [
            (Tpid::new(2), Status::Refused { reason: "EINVAL".to_owned() }),
            (Tpid::new(4), group.clone()),
            (Tpid::new(5), group),
        ];
        let selection = Selection::of_statuses(&table, others.into_iter());
        let facts = HistoryFacts::of(&table, &selection, vec![Cpu::new(0)]);
        let json = serde_json::to_string(&facts).unwrap();
        assert!(
            json.contains(r#""tracepoints":{"c":["*"]}"#) && json.contains(r#""watched":{"a":["one"],"b":["one"]}"#),
            "{json}"
        );
        let read: HistoryFacts = serde_json::from_str(&json).unwrap();
        assert_eq!(read, facts);
        assert_eq!(read.selection(&table), selection);
        assert_eq!(
            facts.numbers(&table),
            [None, Some(1), None, Some(2), None, None].map(|number| number.map(Tpid::new))
        );
        // Another kernel has one more.
        let more = names.iter().chain(&[("b", "three"), ("c", "three")]).map(entry).collect();
        let table = Table::from_entries(more);
        let selection = facts.selection(&table);
        let words: Vec<String> = table.tracepoints().iter().map(|its| selection.status(its.tpid).to_string()).collect();
        assert_eq!(words[3], "excluded: the host's kernel did not list it");
        assert_eq!(words[5], "excluded: by default, as all of group c");
    }
}
