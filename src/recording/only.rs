//! A recording of chosen processes: which ones, and what it left out.

use crate::os::cpus::Cpu;
use crate::tracefs::Tpid;
use crate::units::{Grouped, Plural};
use serde::{Deserialize, Serialize};

/// The processes that a recording was limited to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OnlySummary {
    /// Only these processes, and those that they started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pids: Vec<u32>,
    /// Only threads with these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comms: Vec<String>,
    /// Only these cgroups, and those below them: `cgroup /system.slice`, `unit nginx.service`, `container 3f29ab`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cgroups: Vec<String>,
    /// Only COMMAND, and the processes that it started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub command: bool,
}

impl OnlySummary {
    /// The chosen processes in words: `process 812 and those that it started`.
    pub fn words(&self) -> String {
        let OnlySummary { pids, comms, cgroups, command } = self;
        let mut words = Vec::new();
        if *command {
            words.push("COMMAND and the processes that it started".to_owned());
        }
        match pids.as_slice() {
            [] => {}
            [pid] => words.push(format!("process {pid} and those that it started")),
            pids => {
                let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
                words.push(format!("processes {} and those that they started", pids.join(", ")));
            }
        }
        if !comms.is_empty() {
            words.push(format!("threads named {}", comms.join(" or ")));
        }
        if !cgroups.is_empty() {
            words.push(format!("threads in {}", cgroups.join(" or ")));
        }
        words.join(", and of these only ")
    }
}

/// The hits that a recording of chosen processes left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OtherHits {
    /// By tracepoint and CPU: the samples that were left out.
    pub of: Vec<(Tpid, Cpu, u64)>,
    /// Those among them that happened in an interrupt while a chosen process ran.
    pub in_interrupts: u64,
}

/// The number of hits that a recording of chosen processes left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OthersSummary {
    /// Samples of other processes; also those in interrupts if `in_interrupts` is null.
    pub hits: u64,
    /// Samples in interrupts, while a chosen process ran. Null if a replay shows only a part of the tracepoints or CPUs.
    pub in_interrupts: Option<u64>,
}

/// The processes of a recording, and what it left out, in words.
pub fn only_words(only: &OnlySummary, others: Option<OthersSummary>) -> String {
    let left_out = others.map(|OthersSummary { hits, in_interrupts }| {
        let interrupts = match in_interrupts {
            Some(0) => String::new(),
            Some(hits) => format!(", and {} in interrupts", Grouped(hits)),
            None => " or in interrupts".to_owned(),
        };
        format!("; left out: {} of other processes{interrupts}", Plural(hits, "hit"))
    });
    format!("{}{}", only.words(), left_out.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_name_what_was_chosen_and_what_was_left_out() {
        let only = |pids: &[u32], comms: &[&str], command| OnlySummary {
            pids: pids.to_vec(),
            comms: comms.iter().map(ToString::to_string).collect(),
            cgroups: Vec::new(),
            command,
        };
        for (only, words) in [
            (only(&[812], &[], false), "process 812 and those that it started"),
            (only(&[8, 9], &[], false), "processes 8, 9 and those that they started"),
            (only(&[], &["gcc", "ld*"], false), "threads named gcc or ld*"),
            (only(&[], &[], true), "COMMAND and the processes that it started"),
            (only(&[8], &["ld"], false), "process 8 and those that it started, and of these only threads named ld"),
        ] {
            assert_eq!(only.words(), words);
        }
        let unit =
            OnlySummary { cgroups: vec!["unit a.service".to_owned(), "cgroup /b".to_owned()], ..only(&[], &[], false) };
        assert_eq!(unit.words(), "threads in unit a.service or cgroup /b");
        let others = OthersSummary { hits: 1_234, in_interrupts: Some(5) };
        let words = only_words(&only(&[], &[], true), Some(others));
        assert!(words.ends_with("; left out: 1,234 hits of other processes, and 5 in interrupts"), "{words}");
        let words = only_words(&only(&[], &[], true), Some(OthersSummary { in_interrupts: None, ..others }));
        assert!(words.ends_with("; left out: 1,234 hits of other processes or in interrupts"), "{words}");
    }
}
