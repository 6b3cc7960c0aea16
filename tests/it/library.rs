//! Runs the examples of the library.

use crate::common::report::fixture;
use crate::common::screen::assert_screen;
use crate::common::{Test, tests};
use std::time::Duration;
use tp_perf::engine::CpuList;
use tp_perf::engine::simulated::{Script, Simulated};
use tp_perf::events::{Cpu, SampleIds};
use tp_perf::source::Place;
use tp_perf::tracefs::Table;

// They are programs, so their `main` is not called here.
#[allow(dead_code)]
#[path = "../../examples/compare.rs"]
mod compare;
#[allow(dead_code)]
#[path = "../../examples/count.rs"]
mod count;
#[allow(dead_code)]
#[path = "../../examples/events.rs"]
mod events;

pub const TESTS: &[Test] = tests![count_adds_up_the_cpus, events_come_one_by_one, what_differs_most_comes_first];

fn count_adds_up_the_cpus() {
    let names = [("sched", "sched_stat_wait"), ("sched", "sched_switch"), ("irq", "softirq_entry"), ("task", "rename")];
    let entries = names.map(|(group, name)| (group.to_owned(), name.to_owned(), 7));
    let script = |ids: &SampleIds| {
        // The slots of two tracepoints on two CPUs, ordered by (tracepoint, CPU).
        assert_eq!(ids.slots().len(), 4, "one is weighted, and one fires too often");
        Script { windows: [vec![1, 2, 30, 4]].into(), ..Script::default() }
    };
    let cpus: CpuList = [0, 1].map(Cpu::new).into_iter().collect();
    let kernel = Simulated {
        table: Table::from_entries(entries.to_vec()),
        cpus,
        refuses: Vec::new(),
        descriptors: 1 << 20,
        script,
    };
    let mut out = Vec::new();
    count::count(&kernel, Duration::ZERO, &mut out).unwrap();
    let expected = "37 hits in 1.00 s\n          34  task:rename\n           3  irq:softirq_entry\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

fn events_come_one_by_one() {
    let mut out = Vec::new();
    for place in [Place::Example, Place::Path(fixture("perf-file.data")), Place::Path(fixture("perf-z.data"))] {
        events::print(&place, &mut out).unwrap();
    }
    assert_screen("example_events", &String::from_utf8(out).unwrap());
    assert!(events::print(&Place::Path(fixture("README.md")), &mut Vec::new()).is_err());
}

fn what_differs_most_comes_first() {
    let places = ["idle", "make", "apache"].map(|name| Place::Path(fixture(&format!("{name}.perf.zst"))));
    let mut out = Vec::new();
    compare::compare(&places[..2], &mut out).unwrap();
    assert_screen("example_compare", &String::from_utf8(out).unwrap());
    for too_few in 0..2 {
        assert!(compare::compare(&places[..too_few], &mut Vec::new()).is_err());
    }
}
