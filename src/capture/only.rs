//! The choice of processes and cgroups, and whether they are there.

use super::Error;
use crate::engine::ProcessFields;
use crate::events::{CgroupPattern, ProcessFilter, Tid};
use crate::os::cgroups::{RunningCgroup, cgroups};
use crate::os::privileges::raised;
use crate::os::process::{ProcessEnd, end_of_process};
use crate::os::running_threads::{RunningThread, running_threads};
use crate::recording::OnlySummary;
use nix::errno::Errno;

/// The processes to record; by default all.
#[derive(Debug, Clone, Default)]
pub struct OnlyProcesses {
    /// Only these.
    pub processes: ProcessFilter,
    /// Only COMMAND, and the processes that it starts.
    pub command: bool,
}

impl OnlyProcesses {
    /// Whether it leaves out processes.
    pub fn chooses(&self) -> bool {
        self.command || self.processes.chooses()
    }

    /// The fields of a sample that the choice needs.
    pub fn fields(&self) -> ProcessFields {
        match (self.processes.cgroups.is_empty(), self.chooses()) {
            (false, _) => ProcessFields::Cgroup,
            (true, true) => ProcessFields::Thread,
            (true, false) => ProcessFields::None,
        }
    }

    /// The choice, as a recording notes it.
    pub fn summary(&self) -> OnlySummary {
        OnlySummary {
            pids: self.processes.pids.iter().map(|pid| pid.get()).collect(),
            comms: self.processes.names.iter().map(ToString::to_string).collect(),
            cgroups: self.processes.cgroups.iter().map(ToString::to_string).collect(),
            command: self.command,
        }
    }
}

/// Checks that all chosen processes run, and that the chosen cgroups exist. Returns the ends of the processes to wait for.
pub(super) fn check(only: &OnlyProcesses) -> Result<Vec<(u32, ProcessEnd)>, Error> {
    let ProcessFilter { pids, cgroups: patterns, .. } = &only.processes;
    if !patterns.is_empty() {
        let existing = raised(cgroups).map_err(Error::Cgroups)?;
        if existing.is_empty() {
            return Err(Error::CgroupsNotMounted);
        }
        patterns.iter().try_for_each(|pattern| exists(pattern, &existing))?;
    }
    if pids.is_empty() {
        return Ok(Vec::new());
    }
    let running = raised(running_threads).map_err(Error::Threads)?;
    let check = |pid: &Tid| match running.iter().find(|thread| thread.tid == pid.get()) {
        None => Err(Error::NoProcess { pid: pid.get() }),
        Some(RunningThread { tid, pid, .. }) if tid != pid => Err(Error::OnlyThread { tid: *tid, pid: *pid }),
        Some(_) => Ok(()),
    };
    pids.iter().try_for_each(check)?;
    let end = |pid: &Tid| match end_of_process(pid.get()) {
        Ok(end) => Some(Ok((pid.get(), end))),
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => {
            Some(Err(Error::NoProcess { pid: pid.get() }))
        }
        // Linux before 5.3 cannot wait for the end of a process.
        Err(_) => None,
    };
    pids.iter().filter_map(end).collect()
}

/// Checks that a pattern matches a cgroup.
pub(super) fn exists(pattern: &CgroupPattern, existing: &[RunningCgroup]) -> Result<(), Error> {
    if existing.iter().any(|cgroup| pattern.matches(&cgroup.path)) {
        return Ok(());
    }
    let list = match pattern {
        CgroupPattern::Path(_) => "find /sys/fs/cgroup -type d",
        CgroupPattern::Unit(_) => "systemctl list-units",
        CgroupPattern::Container(_) => "docker ps",
    };
    Err(Error::NoCgroup { pattern: pattern.to_string(), list })
}
