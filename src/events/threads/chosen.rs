//! The threads of chosen processes, at each time.

use super::{KnownThreads, ThreadChange, ThreadFact};
use crate::events::{CgroupId, CgroupPattern, Ns, ProcessFilter, Tid};
use crate::memory::TooMuch;
use std::collections::HashSet;

/// Which threads a filter chooses, at the time of the last event. A process that a chosen one starts meanwhile is chosen too.
#[derive(Debug)]
pub struct ChosenThreads {
    filter: ProcessFilter,
    pids: HashSet<Tid>,
    /// The processes that were seen. If one of them begins, another process has its number now.
    born: HashSet<Tid>,
    threads: KnownThreads,
}

/// Whether one of the patterns matches the path of a cgroup.
fn is_in(cgroups: &[CgroupPattern], path: &str) -> bool {
    cgroups.iter().any(|pattern| pattern.matches(path))
}

impl ChosenThreads {
    /// The threads that this filter chooses.
    pub fn of(filter: &ProcessFilter) -> Self {
        ChosenThreads {
            filter: filter.clone(),
            pids: filter.pids.iter().copied().collect(),
            born: HashSet::new(),
            threads: KnownThreads::default(),
        }
    }

    /// Chooses one more process. If the filter chooses no process so far, then only this one.
    pub fn add_process(&mut self, pid: Tid) {
        self.filter.pids.push(pid);
        self.pids.insert(pid);
        // An ended process may have had the number.
        self.born.remove(&pid);
    }

    /// Adds changes. They take effect at their times.
    ///
    /// # Errors
    /// If those that are still to come take too much memory.
    pub fn add(&mut self, changes: &[ThreadChange]) -> Result<(), TooMuch> {
        self.threads.add(changes)
    }

    /// Goes on to this time. Returns whether anything has changed.
    pub fn until(&mut self, time: Ns) -> bool {
        let ChosenThreads { pids, born, threads, .. } = self;
        threads.until_noting(time, &mut |change: &ThreadChange| {
            let ThreadFact::Forked { process, parent, .. } = change.what else { return };
            if process != change.tid {
                // Another thread of a process.
                return;
            }
            // Those that were forked before the capture do not count as started meanwhile.
            let is_reused = !born.insert(process);
            if change.time > Ns(0) && pids.contains(&parent) {
                pids.insert(process);
            } else if is_reused {
                pids.remove(&process);
            }
        })
    }

    /// Notes that a process or a thread has an event.
    pub fn saw(&mut self, tid: Tid) {
        self.born.insert(tid);
    }

    /// Whether a filter of cgroups takes this one now. `None` if its path is not known yet.
    pub fn takes_cgroup(&self, cgroups: &[CgroupPattern], cgroup: CgroupId) -> Option<bool> {
        self.threads.path_of(cgroup).map(|path| is_in(cgroups, path))
    }

    /// Whether a thread is chosen now.
    pub fn takes(&self, tid: Tid) -> bool {
        let thread = self.threads.of(tid);
        let process = thread.and_then(|thread| thread.process).unwrap_or(tid);
        let name = thread.and_then(|thread| thread.name.as_deref());
        let ProcessFilter { pids, names, cgroups } = &self.filter;
        // No pattern matches a thread without a name.
        let is_named = |name: &str| names.iter().any(|pattern| pattern.matches(name));
        (pids.is_empty() || self.pids.contains(&process))
            && (names.is_empty() || name.is_some_and(is_named))
            && (cgroups.is_empty() || self.threads.cgroup_of(tid).is_some_and(|path| is_in(cgroups, path)))
    }
}
