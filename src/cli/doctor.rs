//! The arguments of `tp-perf doctor`.

use super::machine::MachineArgs;
use super::rings::RingArgs;
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
    #[command(flatten)]
    rings: RingArgs,
}

/// A check whether the machine allows this capture.
#[derive(Debug)]
pub struct DoctorRequest {
    /// The tracepoints.
    pub selection: SelectionRequest,
    /// The CPUs.
    pub cpus: Option<CpuList>,
    /// Bytes of each CPU's ring.
    pub ring_size: usize,
}

impl DoctorArgs {
    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: rings that no kernel maps.
    pub fn request(self) -> Result<DoctorRequest, clap::Error> {
        let (ring_size, _) = self.rings.ring_size()?;
        Ok(DoctorRequest { selection: self.selection.request(), cpus: self.machine.cpus, ring_size })
    }
}
