//! What runs on this machine before the events go on.

use super::Error;
use crate::engine::ProcessFields;
use crate::events::{CgroupId, Ns, ThreadChange, ThreadFact, Tid};
use crate::os::cgroups::{RunningCgroup, cgroups};
use crate::os::privileges::raised;
use crate::os::running_threads::{RunningThread, running_threads};

/// What runs on this machine before the events go on.
#[derive(Debug, Clone, Default)]
pub struct AtStart {
    /// The threads.
    pub threads: Vec<RunningThread>,
    /// The cgroups; empty if events do not have theirs.
    pub cgroups: Vec<RunningCgroup>,
}

impl AtStart {
    /// Reads it, if events have their process.
    ///
    /// # Errors
    /// If the threads or the cgroups cannot be listed.
    pub fn read(process: ProcessFields) -> Result<Option<Self>, Error> {
        let threads = process.has_thread().then(|| raised(running_threads)).transpose().map_err(Error::Threads)?;
        let cgroups = if process.has_cgroup() { raised(cgroups).map_err(Error::Cgroups)? } else { Vec::new() };
        Ok(threads.map(|threads| AtStart { threads, cgroups }))
    }

    /// The same as changes at the begin of time.
    pub fn changes(&self) -> impl Iterator<Item = ThreadChange> {
        self.threads.iter().flat_map(changes_of).chain(self.cgroups.iter().map(change_of))
    }
}

/// What is known of a thread that ran before the events.
fn changes_of(thread: &RunningThread) -> Vec<ThreadChange> {
    let change = |tid, what| ThreadChange { time: Ns(0), tid, what };
    let numbers = [thread.tid, thread.pid, thread.parent].map(Tid::new);
    let [Some(tid), Some(process), parent] = numbers else { return Vec::new() };
    let began = match (parent, Tid::new(thread.forked_by())) {
        (Some(parent), Some(by)) => ThreadFact::Forked { process, parent, by },
        _ => ThreadFact::Of(process),
    };
    vec![change(tid, began), change(tid, ThreadFact::Named(thread.name.as_str().into()))]
}

/// The path of a cgroup that existed before the events.
fn change_of(cgroup: &RunningCgroup) -> ThreadChange {
    let what = ThreadFact::Cgroup { id: CgroupId(cgroup.id), path: cgroup.path.as_str().into() };
    ThreadChange { time: Ns(0), tid: Tid::IDLE, what }
}
