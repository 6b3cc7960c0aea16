//! Files that other tools wrote: they are read, or the refusal names the fix.

use crate::common::report::fixture;
use crate::common::{Test, tests};
use std::fs;
use std::path::Path;
use tp_perf::events::stream::EventStream;
use tp_perf::source::{self, Place, Source};
use tp_perf::terminal::messages::sentence;

pub const TESTS: &[Test] = tests![
    a_directory_of_kcore_is_one_file_and_one_of_threads_is_refused,
    a_file_that_cannot_be_read_is_named_with_its_fix,
];

/// The number of the feature DIR_FORMAT.
const DIR_FORMAT: u32 = 24;

fn open(path: &Path) -> Result<Source, String> {
    source::open(&Place::Path(path.to_owned()), None).map_err(|error| sentence(&error))
}

/// The times and names of all events.
fn events(mut stream: EventStream) -> Vec<(u64, String)> {
    let table = stream.table().clone();
    let mut events = Vec::new();
    while let Some(batch) = stream.next_batch().unwrap() {
        events.extend(batch.iter().map(|event| (event.time.0, table.get(event.tpid()).full_name())));
    }
    events
}

fn perf_file() -> Vec<u8> {
    fs::read(fixture("perf-file.data")).unwrap()
}

fn word(bytes: &[u8], at: usize) -> usize {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// Adds a feature to a seekable file, which must not have the feature.
fn with_feature(bytes: &[u8], bit: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let flags: Vec<u32> = (0..256).filter(|bit| bytes[72 + *bit as usize / 8] & 1 << (bit % 8) != 0).collect();
    let list = word(&bytes, 40) + word(&bytes, 48);
    let before = flags.iter().filter(|flag| **flag < bit).count();
    bytes[72 + bit as usize / 8] |= 1 << (bit % 8);
    // The list of features gets one more entry, so everything behind it moves.
    for at in (0..flags.len()).map(|n| list + 16 * n) {
        let moved = (word(&bytes, at) + 16) as u64;
        bytes[at..at + 8].copy_from_slice(&moved.to_ne_bytes());
    }
    let place = [bytes.len() as u64 + 16, body.len() as u64].map(u64::to_ne_bytes).concat();
    let at = list + 16 * before;
    bytes.splice(at..at, place);
    bytes.extend(body);
    bytes
}

fn a_directory_of_kcore_is_one_file_and_one_of_threads_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let expected = events(open(&fixture("perf-file.data")).unwrap().stream);
    fs::write(&data, with_feature(&perf_file(), DIR_FORMAT, &0u64.to_ne_bytes())).unwrap();
    for path in [folder.path(), &data] {
        let Source { stream, problem, .. } = open(path).unwrap();
        assert!(problem.is_none() && events(stream) == expected, "{}", path.display());
    }
    let refused = "the file is part of a directory from `perf record --threads`, whose events are spread over several \
                   files; record without --threads";
    fs::write(&data, with_feature(&perf_file(), DIR_FORMAT, &1u64.to_ne_bytes())).unwrap();
    for path in [folder.path(), &data] {
        assert_eq!(open(path).err().unwrap(), refused);
    }
    // Without the mark, the other files show that the events are spread.
    fs::write(&data, perf_file()).unwrap();
    fs::write(folder.path().join("data.0"), "").unwrap();
    assert_eq!(open(folder.path()).err().unwrap(), refused);
}

fn a_file_that_cannot_be_read_is_named_with_its_fix() {
    let mut swapped = perf_file();
    swapped[..8].reverse();
    let cases: [(&[u8], &str); 6] = [
        (
            b"PERFFILEh\0\0\0\0\0\0\0",
            "it is a file of a very old perf (its first bytes are PERFFILE), which tp-perf does not read; record again with a \
             newer perf, or read the file with `perf script`",
        ),
        (b"\x1F\x8B\x08\0\0\0\0\0", "it is compressed with gzip: decompress it first (`gzip -dk`)"),
        (b"\xFD7zXZ\0\0\x04", "it is compressed with xz: decompress it first (`xz -dk`)"),
        (b"BZh91AY&SY", "it is compressed with bzip2: decompress it first (`bzip2 -dk`)"),
        (
            b"\x17\x08\x44tracing7\0\0\x08",
            "it is a file of trace-cmd (trace.dat), which tp-perf does not read; record with tp-perf or `perf record` \
             instead, or read the file with `trace-cmd report`",
        ),
        (
            &swapped,
            "the file was recorded on a machine with the other byte order; replay it on a machine with that byte order",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (bytes, expected) in cases {
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        assert_eq!(open(&path).err().unwrap(), expected);
    }
}
