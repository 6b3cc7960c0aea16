//! The cost of a hit in a recording on this machine, measured before a recording with a budget.

use super::hit_cost::{HitCost, measure, sampled};
use crate::os::thread::on_one_cpu;
use crate::tracefs::Table;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::OwnedFd;

/// A period so long that hardly any hit becomes a sample.
const LONG: u64 = 1 << 20;

/// What a hit costs in a recording, in nanoseconds of CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RecordCost {
    /// A hit that becomes a sample.
    pub recorded_ns: f64,
    /// A hit of a thinned tracepoint that becomes no sample.
    pub thinned_ns: f64,
    /// Whether it was measured on this machine. If not, these are the costs of another machine.
    pub measured: bool,
}

impl RecordCost {
    /// The costs on the machine that tp-perf was built on, for a kernel without the tracepoint that measures them.
    pub const ELSEWHERE: RecordCost = RecordCost { recorded_ns: 600.0, thinned_ns: 170.0, measured: false };

    /// Measures the costs in about a fifth of a second. Needs the right to open events. The second part of the result keeps
    /// the tracepoint attached; see [`HitCost::measure`].
    pub(super) fn measure(table: &Table) -> (Self, Option<OwnedFd>) {
        let measured = HitCost::tracefs_id(table).map(|id| {
            on_one_cpu(|cpu| {
                let (hit, event) = measure(id, cpu)?;
                let on = |period| sampled(id, cpu, period).map(|ns| hit.off_ns + ns);
                let (recorded_ns, thinned_ns) = (on(1)?, on(LONG)?);
                Ok::<_, io::Error>((RecordCost { recorded_ns, thinned_ns, measured: true }, event))
            })
        });
        match measured {
            Some(Ok(Ok((cost, event)))) => (cost, Some(event)),
            _ => (RecordCost::ELSEWHERE, None),
        }
    }
}
