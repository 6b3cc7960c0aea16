//! `tp-perf doctor`: what this machine allows, and the fixes for what is missing.

use super::context::Context;
use crate::cli::{DoctorArgs, DoctorRequest};
use crate::doctor::{Diagnosis, diagnose, examine};
use crate::os::privileges::{Starts, give_up, raised};
use crate::terminal::{messages, print_diagnoses};

/// Prints the diagnoses. Returns 0 if a capture would work, and 1 otherwise.
pub fn run(args: DoctorArgs, context: &mut Context) -> anyhow::Result<u8> {
    let DoctorRequest { selection, cpus, ring_size } = args.request()?;
    let (machine, needs) = raised(|| examine(&selection, cpus, ring_size, |error| messages::sentence(error)))?;
    give_up(Starts::Nothing)?;
    let diagnoses = diagnose(&machine, &needs);
    let mut out = Vec::new();
    print_diagnoses(&diagnoses, context.out.width(), &mut out)?;
    context.out.print(&out)?;
    Ok(u8::from(diagnoses.iter().any(Diagnosis::is_fail)))
}
