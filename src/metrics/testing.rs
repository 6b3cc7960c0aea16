//! Metrics and ticks for the tests.

use super::{Metrics, MetricsOptions, USUAL_SERIES};
use crate::events::{Cpu, Ns, Slot, Tick, Tpid};
use crate::tracefs::{Exclusion, Selection, Status, Table};
use std::time::Duration;

/// A table of these tracepoints.
pub fn table(names: &[(&str, &str)]) -> Table {
    let entries = names.iter().zip(1..).map(|((group, name), id)| ((*group).to_owned(), (*name).to_owned(), id));
    Table::from_entries(entries.collect())
}

/// A slot of a tracepoint on a CPU.
pub fn slot(tpid: u32, cpu: u32) -> Slot {
    Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) }
}

/// Windows of a second for a tracepoint of which some others could not be watched.
pub fn example() -> Metrics {
    let table = table(&[("irq", "softirq_entry"), ("kmem", "a"), ("sched", "sched_stat_wait")]);
    let others = [
        (Tpid::new(2), Status::Refused { reason: "Invalid argument (os error 22)".to_owned() }),
        (Tpid::new(3), Status::Excluded(Exclusion::NotCounted)),
    ];
    let selection = Selection::of_statuses(&table, others.into_iter());
    let options = MetricsOptions {
        every: Duration::from_secs(1),
        budget: Some(0.01),
        series: USUAL_SERIES,
        by: None,
        version: "1.2.3",
    };
    Metrics::new(&table, &selection, &options)
}

/// A window of a second in which the first tracepoint had these hits, by CPU.
pub fn tick_of(hits: &[u64]) -> Tick<'_> {
    /// The slots of the first tracepoint on four CPUs.
    static SLOTS: std::sync::LazyLock<Vec<Slot>> =
        std::sync::LazyLock::new(|| (0..4).map(|cpu| slot(1, cpu)).collect());
    let slots = &SLOTS[..hits.len()];
    Tick { from: Ns(0), to: Ns(1_000_000_000), late_ns: 0, slots, hits, partly: &[], cost: None }
}
