//! Feeds any bytes behind the head of a recording.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use tp_perf::perf_data::input::ReaderInput;
use tp_perf::perf_data::{Features, Head};
use tp_perf::events::{Cpu, SampleId, SampleIds, Slot, Tpid};
use tp_perf::os::clock::Clock;
use tp_perf::perf_data::PerfData;
use tp_perf::events::stream::EventStream;
use tp_perf::tracefs::Table;

#[path = "../drain.rs"]
mod drain;

fuzz_target!(|bytes: &[u8]| {
    let table = Table::from_entries(vec![("a".into(), "b".into(), 7), ("a".into(), "c".into(), 8)]);
    let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
    let pairs = [(1, 1, 0), (2, 1, 1), (3, 2, 0), (4, 2, 1)].map(|(id, tpid, cpu)| (SampleId(id), slot(tpid, cpu)));
    let ids = SampleIds::new(&pairs);
    let features = Features::default();
    let head =
        Head { table: &table, ids: &ids, clock: Clock::Monotonic, lost_known: true, features: &features, facts: "{}" };
    let file = [&head.encode(), bytes].concat();
    let perf = PerfData::piped(ReaderInput::new(Cursor::new(file), None));
    if let Ok(perf) = perf {
        drain::drain(EventStream::new(perf));
    }
});
