//! Files of Android's simpleperf, and files whose names cannot be read.

use crate::common::{Read, Test, drain, tests};
use crate::perf_data::{head, id, open, read, record, round, whole};
use std::io::Write;
use tp_perf::perf_data::kind;
use tp_perf::source::{self, Place};

pub const TESTS: &[Test] =
    tests![a_file_of_simpleperf_is_read_with_its_names, names_that_cannot_be_read_lose_no_samples,];

/// The position of the first record of this type in a head.
fn place_in_head(head: &[u8], kind: u32) -> usize {
    let mut at = 16;
    while head[at..at + 4] != kind.to_ne_bytes() {
        at += usize::from(u16::from_ne_bytes([head[at + 6], head[at + 7]]));
    }
    at
}

/// The names of tracepoints in a head.
fn names_of_head() -> Vec<u8> {
    let head = head();
    let at = place_in_head(&head, kind::TRACING_DATA);
    let size = u32::from_ne_bytes(head[at + 8..at + 12].try_into().unwrap()) as usize;
    head[at + 16..at + 16 + size].to_vec()
}

/// A record of simpleperf's own, whose size has 32 bits.
fn of_simpleperf(kind: u32, body: &[u8]) -> Vec<u8> {
    let size = (8 + body.len()) as u32;
    [&kind.to_ne_bytes()[..], &((size >> 16) as u16).to_ne_bytes(), &(size as u16).to_ne_bytes(), body].concat()
}

/// A file as simpleperf writes it: seekable, with one attribute, and with the feature META_INFO.
fn simpleperf_file(data: &[u8], meta_info: &[u8]) -> Vec<u8> {
    let head = head();
    let at = place_in_head(&head, kind::HEADER_ATTR);
    let (attr, ids) = (&head[at + 8..at + 136], [id(1, 0), id(1, 1)].map(u64::to_ne_bytes).concat());
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    let (ids_at, attr_at, data_at) = (104, 120, 264);
    let mut file = [&b"PERFILE2"[..], &words(&[104, 144, attr_at, 144, data_at, data.len() as u64, 0, 0])].concat();
    // META_INFO is the bit 129 of 256.
    file.extend(words(&[0, 0, 2, 0]));
    file.extend([&ids[..], attr, &words(&[ids_at, 16]), data].concat());
    file.extend(words(&[data_at + data.len() as u64 + 16, meta_info.len() as u64]));
    file.extend(meta_info);
    file
}

fn a_file_of_simpleperf_is_read_with_its_names() {
    let names = names_of_head();
    let sized = [&(names.len() as u32).to_ne_bytes()[..], &names].concat();
    let padded = [&sized[..], &vec![0; (8 - sized.len() % 8) % 8]].concat();
    let symbols = of_simpleperf(32_769, &[b'x'; 200_000]);
    let samples = [round([(5, 1, 0), (6, 1, 1)]), of_simpleperf(32_775, &[9; 40]), round([(7, 1, 1)])].concat();
    let meta_info = b"clockid\0monotonic\0event_type_info\0irq:softirq_entry,2,77\n\0";
    let files = [
        ("names in the record", [&record(kind::TRACING_DATA, &padded)[..], &samples].concat(), &b"a\0b\0"[..]),
        ("names in a record of its own", [&symbols[..], &of_simpleperf(32_777, &padded), &samples].concat(), b"a\0b\0"),
        ("names in the feature", [symbols, samples.clone()].concat(), meta_info),
    ];
    for (form, data, meta_info) in files {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&simpleperf_file(&data, meta_info)).unwrap();
        let source = source::open(&Place::Path(file.path().to_owned()), None).unwrap_or_else(|e| panic!("{form}: {e}"));
        assert!(source.problem.is_none() && source.remarks.is_empty(), "{form}: {:?}", source.remarks);
        let table = source.stream.table().clone();
        let Read { events, error, .. } = drain(source.stream);
        assert_eq!((events.len(), error), (3, None), "{form}");
        assert_eq!(table.get(events[0].tpid()).full_name(), "irq:softirq_entry", "{form}");
    }
    // In files of other tools, such a record is damage and hides nothing behind it.
    let foreign = [whole(), of_simpleperf(32_775, &[9; 40]), round([(9_000, 1, 1)])].concat();
    assert!(read(&foreign, 1001).error.unwrap().contains("is damaged: type 32775"));
    let cut = simpleperf_file(&of_simpleperf(32_769, &[b'x'; 200])[..100], b"");
    assert!(open(&cut).unwrap_err().contains("before the end of this record"));
}

fn names_that_cannot_be_read_lose_no_samples() {
    let mut bytes = whole();
    let at = bytes.windows(10).position(|bytes| bytes == b"\x17\x08\x44tracing").unwrap();
    bytes[at] = 0;
    // Another tool wrote the file.
    let note = bytes.windows(8).position(|bytes| bytes == b"tp-perf\0").unwrap();
    bytes[note] = b'T';
    let Read { events, error, .. } = open(&bytes).unwrap();
    let error = error.unwrap();
    assert!(events.len() == 100 && error.contains("failed to read the names of tracepoints"), "{error}");
}
