//! Feeds any rows behind the header of a log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use tp_perf::source::LogCsv;
use tp_perf::events::stream::EventStream;
use tp_perf::tracefs::Table;

#[path = "../drain.rs"]
mod drain;

fuzz_target!(|bytes: &[u8]| {
    let file = [b"timestamp,tpid,gid,tracepoint name\n", bytes].concat();
    if let Ok(log) = LogCsv::open(Box::new(Cursor::new(file)), Table::default(), None) {
        drain::drain(EventStream::new(log));
    }
});
