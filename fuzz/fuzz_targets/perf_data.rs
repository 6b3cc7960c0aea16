//! Feeds any bytes as a file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Write;
use tp_perf::source::{self, Place};

#[path = "../drain.rs"]
mod drain;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    file.write_all(bytes).unwrap();
    if let Ok(source) = source::open(&Place::Path(file.path().to_owned()), None) {
        drain::drain(source.stream);
    }
});
