//! The facts: what the machine has, and what a capture needs of it.

use crate::os::cpus::CpuList;
use crate::os::limits::{Capabilities, DescriptorLimit, sysctl};
use crate::perf::sys;
use crate::tracefs::{self, Origin, Selection, SelectionRequest, Table, Tracefs};
use nix::sys::resource::{Resource, getrlimit};
use std::io;

/// What the machine has and allows.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// How tracefs was found and how many tracepoints it lists, or why not.
    pub tracefs: Result<(Origin, usize), String>,
    /// kernel.perf_event_paranoid, if the kernel has it.
    pub paranoid: Option<i64>,
    /// Effective capabilities.
    pub capabilities: Capabilities,
    /// What became of opening an event for all processes on a CPU.
    pub trial: Result<(), String>,
    /// RLIMIT_NOFILE and fs.nr_open.
    pub descriptors: DescriptorLimit,
    /// Bytes of rings per CPU that everybody may map: kernel.perf_event_mlock_kb.
    pub perf_mlock: Option<u64>,
    /// RLIMIT_MEMLOCK in bytes.
    pub memlock: u64,
    /// The CPUs online, and those chosen of them.
    pub online: CpuList,
    /// MemAvailable in bytes.
    pub memory: Option<u64>,
}

/// What a capture needs.
#[derive(Debug, Clone)]
pub struct Needs {
    /// Tracepoints chosen.
    pub tracepoints: usize,
    /// CPUs chosen.
    pub cpus: CpuList,
    /// Bytes of each CPU's ring.
    pub ring_size: usize,
}

/// Why nothing can be told of this machine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tracepoints could not be chosen.
    #[error(transparent)]
    Tracefs(#[from] tracefs::Error),
    /// The list of CPUs could not be read.
    #[error(transparent)]
    Cpus(#[from] io::Error),
}

/// Looks at this machine, and at what a capture of this shape needs of it. Without `cpus` it is of all that are online.
/// `worded` makes a sentence of why tracefs cannot be read, with the cure.
///
/// # Errors
/// If the CPUs cannot be listed, or the selection chooses nothing. That tracefs cannot be read is a finding, and no error.
pub fn examine(
    selection: &SelectionRequest,
    cpus: Option<CpuList>,
    ring_size: usize,
    worded: impl FnOnce(&tracefs::Error) -> String,
) -> Result<(Machine, Needs), Error> {
    let tracefs = Tracefs::open().and_then(|tracefs| Ok((tracefs.origin(), Table::read(tracefs.root())?)));
    let online = CpuList::online()?;
    let tracepoints = match &tracefs {
        Ok((_, table)) => Selection::choose(table, selection)?.counts(table).0,
        Err(_) => 0,
    };
    let needs = Needs { tracepoints, cpus: cpus.unwrap_or_else(|| online.clone()), ring_size };
    let tracefs = tracefs.map(|(origin, table)| (origin, table.tracepoints().len())).map_err(|error| worded(&error));
    Ok((Machine::look(tracefs, online), needs))
}

impl Machine {
    fn look(tracefs: Result<(Origin, usize), String>, online: CpuList) -> Self {
        let number = |path| sysctl(path).and_then(|value| value.parse::<i64>().ok());
        Machine {
            kernel: crate::os::machine::kernel_release(),
            tracefs,
            paranoid: number("kernel/perf_event_paranoid"),
            capabilities: Capabilities::of_this_process(),
            trial: online.as_slice().first().map_or_else(
                || Err("no CPU is online".to_owned()),
                |cpu| sys::try_to_open(*cpu).map_err(|error| error.to_string()),
            ),
            descriptors: DescriptorLimit::read(),
            perf_mlock: number("kernel/perf_event_mlock_kb").map(|kilobytes| kilobytes.unsigned_abs() << 10),
            memlock: getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft),
            online,
            memory: crate::os::machine::available_memory(),
        }
    }
}
