//! Collects what the machine provides, and what a capture needs of it.

use crate::engine::cost_of_ways;
use crate::os::cgroups::{self, Hierarchy};
use crate::os::cpus::CpuList;
use crate::os::landlock;
use crate::os::limits::{Capabilities, DescriptorLimit, sysctl};
use crate::perf::sys;
use crate::tracefs::{self, Origin, Selection, SelectionRequest, Table, Tracefs};
use nix::sys::resource::{Resource, getrlimit};
use std::io;

/// What the machine provides and allows.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The release of the kernel.
    pub kernel: String,
    /// How tracefs was found and how many tracepoints it lists, or why it cannot be read.
    pub tracefs: Result<(Origin, usize), String>,
    /// The value of kernel.perf_event_paranoid, if the kernel has it.
    pub paranoid: Option<i64>,
    /// tp-perf's effective capabilities.
    pub capabilities: Capabilities,
    /// The result of a trial: opening an event for all processes on one CPU.
    pub trial: Result<(), String>,
    /// Whether samples can have their cgroup.
    pub samples_cgroups: bool,
    /// The hierarchy of the cgroups in samples, and the number of its cgroups. `None` if it cannot be found.
    pub cgroups: Option<(Hierarchy, usize)>,
    /// The limits of descriptors: RLIMIT_NOFILE and fs.nr_open.
    pub descriptors: DescriptorLimit,
    /// How many bytes of rings per CPU every user may map: kernel.perf_event_mlock_kb.
    pub perf_mlock: Option<u64>,
    /// RLIMIT_MEMLOCK in bytes.
    pub memlock: u64,
    /// The CPUs that are online.
    pub online: CpuList,
    /// MemAvailable of /proc/meminfo in bytes.
    pub memory: Option<u64>,
    /// The version of Landlock, with which a monitor restricts itself.
    pub landlock: Option<i64>,
    /// Whether the kernel has seccomp filters, with which a monitor restricts itself.
    pub seccomp: bool,
    /// The measured costs of a hit that is counted, and of one that is recorded, in nanoseconds.
    pub costs: Option<(f64, f64)>,
}

/// What a capture needs.
#[derive(Debug, Clone)]
pub struct Needs {
    /// The number of selected tracepoints.
    pub tracepoints: usize,
    /// The selected CPUs.
    pub cpus: CpuList,
    /// The size of each CPU's ring in bytes.
    pub ring_size: usize,
}

/// Why the machine cannot be examined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The selection failed.
    #[error(transparent)]
    Tracefs(#[from] tracefs::Error),
    /// The list of CPUs cannot be read.
    #[error("failed to read the list of CPUs, `{path}`: {0}", path = crate::os::cpus::ONLINE)]
    Cpus(io::Error),
}

/// Examines this machine, and what a capture of this shape needs of it. Without `cpus`, the capture uses all
/// that are online. `worded` makes a sentence with a fix of the reason why tracefs cannot be read.
///
/// # Errors
/// Fails if the CPUs cannot be listed, or if the selection is empty. An unreadable tracefs is a finding, not
/// an error.
pub fn examine(
    selection: &SelectionRequest,
    cpus: Option<CpuList>,
    ring_size: usize,
    worded: impl FnOnce(&tracefs::Error) -> String,
) -> Result<(Machine, Needs), Error> {
    let tracefs = Tracefs::open().and_then(|tracefs| Ok((tracefs.origin(), Table::read(tracefs.root())?)));
    let online = CpuList::online().map_err(Error::Cpus)?;
    let tracepoints = match &tracefs {
        Ok((_, table)) => Selection::choose(table, selection)?.counts(table).0,
        Err(_) => 0,
    };
    let needs = Needs { tracepoints, cpus: cpus.unwrap_or_else(|| online.clone()), ring_size };
    let costs = tracefs.as_ref().ok().and_then(|(_, table)| cost_of_ways(table));
    let tracefs = tracefs.map(|(origin, table)| (origin, table.tracepoints().len())).map_err(|error| worded(&error));
    let costs = costs.map(|(counted, recorded)| (counted.counted_ns, recorded));
    Ok((Machine { costs, ..Machine::look(tracefs, online) }, needs))
}

impl Machine {
    fn look(tracefs: Result<(Origin, usize), String>, online: CpuList) -> Self {
        let cpu = online.as_slice().first().copied();
        let number = |path| sysctl(path).and_then(|value| value.parse::<i64>().ok());
        Machine {
            kernel: crate::os::machine::kernel_release(),
            tracefs,
            paranoid: number("kernel/perf_event_paranoid"),
            capabilities: Capabilities::of_this_process(),
            trial: cpu.map_or_else(
                || Err("no CPU is online".to_owned()),
                |cpu| sys::try_to_open(cpu).map_err(|error| error.to_string()),
            ),
            samples_cgroups: cpu.is_some_and(|cpu| sys::try_cgroups(cpu).is_ok()),
            cgroups: cgroups::hierarchy()
                .ok()
                .flatten()
                .map(|hierarchy| (hierarchy, cgroups::cgroups().map_or(0, |all| all.len()))),
            descriptors: DescriptorLimit::read(),
            perf_mlock: number("kernel/perf_event_mlock_kb").map(|kilobytes| kilobytes.unsigned_abs() << 10),
            memlock: getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft),
            online,
            memory: crate::os::memory::available_memory(),
            landlock: landlock::version().ok(),
            seccomp: crate::os::machine::has_seccomp(),
            costs: None,
        }
    }
}
