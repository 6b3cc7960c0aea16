//! Windows for tests.

use super::LiveWindows;
use crate::events::{Cpu, Ns, Slot, Tick, Tpid};
use crate::tracefs::Table;

/// `irq:entry`, `irq:exit`, and `sched:wakeup`, with the tpids 1 to 3.
pub fn table() -> Table {
    let names = [("irq", "entry"), ("irq", "exit"), ("sched", "wakeup")];
    Table::from_entries(names.map(|(group, name)| (group.to_owned(), name.to_owned(), 1)).to_vec())
}

/// Windows of so many seconds with these hits of the three tracepoints, two thirds of them on CPU 0 and the rest on CPU 1.
pub fn windows(seconds: u64, hits: &[[u64; 3]]) -> LiveWindows {
    let slots: Vec<Slot> =
        (1..=3).flat_map(|tpid| [0, 1].map(|cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) })).collect();
    let mut windows = LiveWindows::default();
    let length = seconds * 1_000_000_000;
    for (number, hits) in (0..).zip(hits) {
        let hits: Vec<u64> = hits.iter().flat_map(|hits| [hits - hits / 3, hits / 3]).collect();
        let (from, to) = (Ns(number * length), Ns((number + 1) * length));
        windows.add(&Tick { from, to, late_ns: 0, slots: &slots, hits: &hits, partly: &[], cost: Some(0.004) });
    }
    windows
}
