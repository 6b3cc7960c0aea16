//! Compressed records and compressed files of perf.data: whole, cut, nested, and too large.

use crate::common::screen::assert_screen;
use crate::common::{Read, Test, tests};
use crate::perf_data::{Bytes, fixture, head, number_in, open, read, record, round, whole};
use std::fmt::Write as _;
use tp_perf::events::stream::EventStream;
use tp_perf::memory::apart;
use tp_perf::perf_data::PerfData;
use tp_perf::perf_data::record::finished_round;
use tp_perf::perf_data::{Compressor, kind};

pub const TESTS: &[Test] = tests![
    a_small_file_that_unfolds_to_much_takes_time_and_no_memory,
    zstd_in_zstd_is_refused_however_deep,
    records_behind_an_empty_compressed_one_are_read,
    a_compressed_stream_that_is_cut_is_said_to_be,
    a_push_whose_size_overflowed_is_read_whole,
];

fn a_small_file_that_unfolds_to_much_takes_time_and_no_memory() {
    // At least 240 MB of samples in a few kilobytes, with and without ends of rounds.
    for whole in [true, false] {
        let mut bytes = head();
        let mut compressor = Compressor::new().unwrap();
        for n in 0..1_000 {
            let same = round((0..10_000).map(|_| (n * 100_000_000, 1, 1)));
            let length = if whole { same.len() } else { same.len() - 8 };
            compressor.push(&same[..length], &mut bytes).unwrap();
        }
        assert!(bytes.len() < 4 << 20, "{} bytes", bytes.len());
        let (mut events, mut largest) = (0, 0);
        let error = apart(32 << 20, || {
            let mut stream = EventStream::new(PerfData::piped(Bytes::new(&bytes, 4096)).unwrap());
            loop {
                match stream.next_batch() {
                    Ok(Some(batch)) => {
                        events += batch.len();
                        largest = largest.max(batch.len());
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error.to_string()),
                }
            }
        });
        if whole {
            assert_eq!((events, error), (10_000_000, None));
            assert!(largest < 100_000, "{largest} events at once");
        } else {
            assert_screen("perf_data_without_rounds", &error.unwrap());
        }
    }
}

fn zstd_in_zstd_is_refused_however_deep() {
    let mut bytes = whole();
    for _ in 0..50 {
        bytes = zstd::encode_all(bytes.as_slice(), 1).unwrap();
    }
    let mut screen = open(&bytes).unwrap_err() + "\n";
    let once = zstd::encode_all(fixture("perf-file.data").as_slice(), 1).unwrap();
    writeln!(screen, "{}", open(&once).unwrap_err()).unwrap();
    let cut = zstd::encode_all(whole().as_slice(), 1).unwrap();
    let read = open(&cut[..cut.len() - 9]);
    writeln!(screen, "{}", read.map_or_else(|error| error, |read| read.error.unwrap())).unwrap();
    assert_screen("perf_data_in_zstd", &screen);
}

fn records_behind_an_empty_compressed_one_are_read() {
    for between in [record(kind::COMPRESSED, &[]), record(kind::AUXTRACE, &[0; 40])] {
        let bytes = [whole(), between, round([(5_000, 1, 1), (5_001, 1, 1)])].concat();
        for piece in [1, 1001, 1 << 20] {
            let Read { events, error, .. } = read(&bytes, piece);
            assert_eq!((events.len(), error), (102, None), "pieces of {piece}");
        }
    }
}

fn a_compressed_stream_that_is_cut_is_said_to_be() {
    let mut compressor = Compressor::new().unwrap();
    let mut payload = Vec::new();
    compressor.push(&round((0..10_000).map(|n| (n * 977 % 65_521, 1, 1))), &mut payload).unwrap();
    let payload = &payload[8..];
    for part in [payload.len() / 3, payload.len() / 2, payload.len() - 1] {
        let bytes = [head(), record(kind::COMPRESSED, &payload[..part])].concat();
        let error =
            read(&bytes, 1001).error.unwrap_or_else(|| panic!("{part} of {} bytes gave no error", payload.len()));
        let end = head().len() + 8 + part;
        assert_eq!(number_in(&error), Some(end), "{error}");
        assert_screen("perf_data_compressed_and_cut", &error.replace(&end.to_string(), "[its end]"));
    }
    assert_eq!(read(&[head(), record(kind::COMPRESSED, payload)].concat(), 1001).events.len(), 10_000);
}

/// One push of `perf record -z` since perf 6.16. Its first record has the length of the whole push. The size
/// field has 16 bits.
fn pushed(stream: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for payload in stream.chunks(65_519) {
        let size = (16 + payload.len()) as u16;
        // perf leaves the length in the heads of the later records as it was in memory.
        let head = [&kind::COMPRESSED2.to_ne_bytes()[..], &0u16.to_ne_bytes(), &size.to_ne_bytes(), &[0xA5; 8]];
        bytes.extend(head.concat());
        bytes.extend(payload);
    }
    let (size, length) = (bytes.len().next_multiple_of(8) as u16, bytes.len() as u64 - 16);
    bytes[6..8].copy_from_slice(&size.to_ne_bytes());
    bytes[8..16].copy_from_slice(&length.to_ne_bytes());
    // perf pads a push only if its size did not overflow.
    let padding = usize::from(size).saturating_sub(bytes.len());
    bytes.resize(bytes.len() + padding, 0);
    bytes
}

fn a_push_whose_size_overflowed_is_read_whole() {
    let mut compressor = Compressor::new().unwrap();
    let mut push = |events: u64, start: u64| {
        let times = (0..events).map(|n| start + (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24));
        let mut records = Vec::new();
        compressor.push(&round(times.map(|time| (time, 1, 1))), &mut records).unwrap();
        let mut stream = Vec::new();
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            let (record, behind) = rest.split_at(usize::from(u16::from_ne_bytes([rest[6], rest[7]])));
            stream.extend(&record[8..]);
            rest = behind;
        }
        (pushed(&stream), stream.len())
    };
    let ((small, _), (large, length), (last, _)) = (push(10, 1 << 41), push(30_000, 2 << 41), push(11, 3 << 41));
    assert!(length > 2 * 65_519, "{length} bytes are two records or less");
    let bytes = [head(), small, large, finished_round(), last].concat();
    for piece in [7, 1001, 1 << 20] {
        let Read { events, error, .. } = read(&bytes, piece);
        assert_eq!((events.len(), error), (30_021, None), "pieces of {piece}");
    }
    // A file that ends within the push has the events before that place.
    let cut = read(&bytes[..bytes.len() - 70_000], 1001);
    assert!(cut.events.len() > 1_000 && cut.error.unwrap().contains("ends within a COMPRESSED record"));
    // Another size is damage.
    let mut damaged = bytes.clone();
    let at = bytes.windows(4).rposition(|bytes| bytes == kind::COMPRESSED2.to_ne_bytes()).unwrap();
    damaged[at + 8] = 0xFF;
    assert!(read(&damaged, 1001).error.unwrap().ends_with("it is shorter than it says"));
}
