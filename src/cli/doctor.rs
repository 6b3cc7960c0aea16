//! The arguments of `tp-perf doctor`.

use super::machine::MachineArgs;
use super::selection::SelectionArgs;
use crate::os::cpus::CpuList;
use crate::tracefs::SelectionRequest;
use clap::Args;

/// The arguments of `tp-perf doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    machine: MachineArgs,
}

/// A check of the machine for a capture of this shape.
#[derive(Debug)]
pub struct DoctorRequest {
    /// Which tracepoints.
    pub selection: SelectionRequest,
    /// Which CPUs.
    pub cpus: Option<CpuList>,
    /// Bytes of each CPU's ring.
    pub ring_size: usize,
}

impl DoctorArgs {
    /// What is asked for, validated.
    ///
    /// # Errors
    /// Wrong usage: rings that no kernel maps.
    pub fn request(self) -> Result<DoctorRequest, clap::Error> {
        let (ring_size, _) = self.machine.ring_size()?;
        Ok(DoctorRequest { selection: self.selection.request(), cpus: self.machine.cpus, ring_size })
    }
}
