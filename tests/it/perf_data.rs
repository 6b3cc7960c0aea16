//! Reads whole and damaged perf.data files. The reader reads all it can, reports the rest, and never panics,
//! hangs or silently drops anything.

use crate::common::screen::assert_screen;
use crate::common::{Read, Test, drain, tests};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use tp_perf::events::Event;
use tp_perf::events::merge::Merge;
use tp_perf::events::stream::{Decode, Decoded, EventStream};
use tp_perf::events::{Cpu, SampleId, SampleIds, Slot, Tpid};
use tp_perf::memory::apart;
use tp_perf::os::clock::Clock;
use tp_perf::perf_data::PerfData;
use tp_perf::perf_data::input::Input;
use tp_perf::perf_data::record::{finished_round, push_lost, push_sample};
use tp_perf::perf_data::{Compressor, Features, Head, document, kind};
use tp_perf::source::{self, Place, Source};
use tp_perf::terminal::messages::sentence;
use tp_perf::tracefs::Table;

pub const TESTS: &[Test] = tests![
    a_whole_file_reads_whole_in_pieces_of_any_size,
    a_file_cut_anywhere_gives_what_is_before_the_cut_and_says_so,
    a_reader_that_failed_once_goes_on_and_knows_how_much_there_is,
    flipped_bits_never_panic_and_nothing_comes_out_of_order,
    files_of_stock_perf_may_be_cut_or_flipped_anywhere,
    a_pipe_file_of_perf_that_ends_within_a_round_is_incomplete,
    what_a_killed_perf_record_left_is_read_without_names,
    what_is_wrong_is_named,
    a_file_that_is_none_is_said_to_be_none,
    samples_of_ids_that_nothing_stands_for_are_counted_and_a_million_of_them_are_no_burden,
    a_million_ids_that_stand_for_something_are_found,
    a_small_file_that_unfolds_to_much_takes_time_and_no_memory,
    a_header_without_an_end_is_refused_before_it_fills_memory,
    zstd_in_zstd_is_refused_however_deep,
    records_behind_an_empty_compressed_one_are_read,
    a_compressed_stream_that_is_cut_is_said_to_be,
    a_push_whose_size_overflowed_is_read_whole,
    a_file_of_simpleperf_is_read_with_its_names,
    names_that_cannot_be_read_lose_no_samples,
    counters_count_only_if_each_event_has_one,
    time_that_goes_backwards_is_put_right_or_counted_late,
    what_is_written_reads_back_plain_and_compressed,
    any_bytes_behind_a_head_are_read_or_refused,
    any_records_behind_a_head_are_read_or_refused,
];

/// Bytes in pieces of a size that does not match the records.
struct Bytes(Vec<u8>, usize, usize);

impl Bytes {
    fn new(bytes: &[u8], piece: usize) -> Self {
        Bytes(bytes.to_vec(), 0, piece)
    }
}

impl Input for Bytes {
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        let start = self.1;
        self.1 = self.0.len().min(start + self.2);
        Ok((start < self.1).then(|| &self.0[start..self.1]))
    }
}

/// Reads a file in pipe format in small pieces. An error at opening counts like any other.
fn read(bytes: &[u8], piece: usize) -> Read {
    match PerfData::piped(Bytes::new(bytes, piece)) {
        Ok(perf) => drain(EventStream::new(perf)),
        Err(error) => Read { events: Vec::new(), decoded: Decoded::default(), error: Some(sentence(&error)) },
    }
}

/// Reads a file of any kind.
fn open(bytes: &[u8]) -> Result<Read, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    match source::open(&Place::Path(file.path().to_owned()), None) {
        Ok(Source { stream, problem, .. }) => {
            let mut read = drain(stream);
            read.error = read.error.or(problem.map(|problem| problem.to_string()));
            Ok(read)
        }
        Err(error) => Err(sentence(&error)),
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)).unwrap();
    match name.ends_with(".zst") {
        true => zstd::decode_all(bytes.as_slice()).unwrap(),
        false => bytes,
    }
}

fn table() -> Table {
    let names = [("irq", "softirq_entry", 77), ("sched", "sched_switch", 300), ("sched", "sched_waking", 301)];
    Table::from_entries(names.map(|(group, name, id)| (group.to_owned(), name.to_owned(), id)).to_vec())
}

fn id(tpid: u32, cpu: u32) -> u64 {
    u64::from(100 + tpid * 4 + cpu)
}

fn head() -> Vec<u8> {
    let pairs = (1..=3).flat_map(|tpid| {
        (0..4).map(move |cpu| (SampleId(id(tpid, cpu)), Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) }))
    });
    let (table, ids) = (table(), SampleIds::new(&pairs.collect::<Vec<_>>()));
    let features = Features { hostname: Some("here".to_owned()), ..Default::default() };
    Head { table: &table, ids: &ids, clock: Clock::Monotonic, lost_known: true, features: &features, facts: "{}" }
        .encode()
}

fn round(events: impl IntoIterator<Item = (u64, u32, u32)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    events.into_iter().for_each(|(time, tpid, cpu)| push_sample(&mut bytes, id(tpid, cpu), time));
    bytes.extend(finished_round());
    bytes
}

/// A small file with every kind of record.
fn whole() -> Vec<u8> {
    let mut bytes = head();
    bytes.extend(round((0..50).map(|n| (1_000 + n * 10, n as u32 % 3 + 1, n as u32 % 4))));
    push_lost(&mut bytes, id(1, 2), 5, 1_200);
    bytes.extend(round((50..100).map(|n| (1_000 + n * 10, n as u32 % 3 + 1, n as u32 % 4))));
    bytes.extend(document("{}"));
    bytes
}

/// The first number in a message.
fn number_in(message: &str) -> Option<usize> {
    let digits = message.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
    digits.parse().ok()
}

/// The begin of the record that has the byte before `end`. `at` is the begin of some record before it.
fn record_before(bytes: &[u8], mut at: usize, end: usize) -> usize {
    loop {
        let size = usize::from(u16::from_ne_bytes([bytes[at + 6], bytes[at + 7]]));
        if at + size >= end {
            return at;
        }
        at += size;
    }
}

fn record(kind: u32, body: &[u8]) -> Vec<u8> {
    let size = (8 + body.len()) as u16;
    [&kind.to_ne_bytes()[..], &0u16.to_ne_bytes(), &size.to_ne_bytes(), body].concat()
}

fn a_whole_file_reads_whole_in_pieces_of_any_size() {
    let bytes = whole();
    for piece in [1, 7, 24, 1001, 1 << 20] {
        let Read { events, decoded, error } = read(&bytes, piece);
        assert_eq!((events.len(), error), (100, None), "pieces of {piece}");
        assert_eq!(decoded.per_cpu.iter().find(|cpu| cpu.cpu == Some(Cpu::new(2))).unwrap().lost, 5);
        assert!(
            events
                .iter()
                .zip(0..)
                .all(|(event, n)| event.time.0 == 1_000 + n * 10 && event.cpu == Some(Cpu::new(n as u32 % 4)))
        );
    }
}

fn a_file_cut_anywhere_gives_what_is_before_the_cut_and_says_so() {
    let bytes = whole();
    let start = head().len();
    let mut boundaries = 0;
    for length in 0..bytes.len() {
        let Read { events, error, .. } = read(&bytes[..length], 1001);
        if length < start {
            assert!(events.is_empty());
        } else {
            let samples = ((length - start) / 24).min(100) as i64;
            assert!((samples - events.len() as i64).abs() <= 3, "{length} bytes gave {} events", events.len());
            match error {
                Some(error) => {
                    assert_eq!(number_in(&error), Some(record_before(&bytes, start, length)), "{length}: {error}")
                }
                None => boundaries += 1,
            }
        }
    }
    assert_eq!(boundaries, 100 + 2 + 1 + 1, "a file is not torn if it ends between two records");
}

/// Bytes whose reading fails once, after the first piece.
struct FailsOnce(Bytes, bool);

impl Input for FailsOnce {
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        if self.0.1 > 0 && !std::mem::replace(&mut self.1, true) {
            return Err(io::Error::other("a cable is loose"));
        }
        self.0.next_piece()
    }

    fn length(&self) -> Option<u64> {
        Some(self.0.0.len() as u64)
    }
}

fn a_reader_that_failed_once_goes_on_and_knows_how_much_there_is() {
    let bytes = whole();
    let piece = head().len() + 100;
    let mut perf = PerfData::piped(FailsOnce(Bytes::new(&bytes, piece), false)).unwrap();
    let (mut merge, mut events) = (Merge::default(), Vec::new());
    assert!(perf.step(&mut merge, &mut events).unwrap(), "the first piece has the end of the header");
    let error = perf.step(&mut merge, &mut events).unwrap_err();
    assert_eq!(error.to_string(), "a cable is loose");
    assert_eq!(perf.progress().1, Some(bytes.len() as u64));
    while perf.step(&mut merge, &mut events).unwrap() {}
    merge.finish(&mut events);
    assert_eq!((events.len(), perf.progress()), (100, (bytes.len() as u64, Some(bytes.len() as u64))));
}

fn flipped_bits_never_panic_and_nothing_comes_out_of_order() {
    for (name, bytes) in [("whole", whole()), ("perf-pipe", fixture("perf-pipe.data"))] {
        let mut changed = 0;
        let before = read(&bytes, 4096);
        // Flip every byte of the small file, and enough bytes of the large one to hit each kind of record.
        let step = (bytes.len() / 3_000).max(1);
        for place in (0..bytes.len()).step_by(step) {
            for bit in [0, 3, 7] {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                let after = read(&flipped, 4096);
                changed += u32::from(after.error.is_some() || after.events != before.events);
            }
        }
        assert!(changed > 100, "{name}: {changed} flips changed something");
    }
}

fn files_of_stock_perf_may_be_cut_or_flipped_anywhere() {
    for name in ["perf-file.data", "perf-z.data"] {
        let bytes = fixture(name);
        assert!(open(&bytes).unwrap().error.is_none());
        for length in (0..bytes.len()).step_by(bytes.len() / 200) {
            match open(&bytes[..length]) {
                Ok(read) => assert!(read.error.is_some(), "{name} cut at {length} was accepted as whole"),
                Err(error) => assert!(!error.is_empty()),
            }
        }
        for place in (0..bytes.len()).step_by(bytes.len() / 400).chain(0..104) {
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x40;
            let _ = open(&flipped);
        }
    }
}

fn a_pipe_file_of_perf_that_ends_within_a_round_is_incomplete() {
    let bytes = fixture("perf-pipe.data");
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut begun, mut within) = (16, false, false);
    let (mut header, mut whole, mut cut, mut names, mut screen) = (0, 0, 0, 0, None);
    while at < bytes.len() {
        let (start, kind) = (at, word(at));
        at += usize::from(u16::from_ne_bytes([bytes[at + 6], bytes[at + 7]]));
        if kind == kind::TRACING_DATA {
            names = at;
            at += word(start + 8) as usize;
        }
        begun |= kind < 64 || kind == 82;
        within = match kind {
            2 | 9 => true,
            kind::FINISHED_ROUND => false,
            _ => within,
        };
        let error = match open(&bytes[..at]) {
            Ok(read) => read.error,
            // Without all its attributes, the file is refused.
            Err(error) => Some(error),
        };
        assert_eq!(error.is_some(), within || !begun, "the file ends at byte {at}: {error:?}");
        *if !begun {
            &mut header
        } else if within {
            &mut cut
        } else {
            &mut whole
        } += 1;
        if within {
            screen = screen.or(error);
        }
    }
    assert!(header > 50 && whole > 10 && cut > 200, "{header} {whole} {cut}");
    let mut screen = screen.unwrap() + "\n";
    let before_names = open(&bytes[..names - 16]).unwrap();
    writeln!(screen, "{}", before_names.error.unwrap()).unwrap();
    assert_screen("perf_data_within_a_round", &screen);
}

fn what_a_killed_perf_record_left_is_read_without_names() {
    let mut bytes = fixture("perf-file.data");
    let whole = open(&bytes).unwrap();
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    // perf writes the length of its data, and the names after them, only when it ends.
    let end = word(40) + word(48);
    bytes.truncate(end);
    bytes[48..56].fill(0);
    let killed = open(&bytes).unwrap();
    assert_screen("perf_data_killed", &killed.error.unwrap());
    let times = |events: &[Event]| events.iter().map(|event| event.time.0).collect::<Vec<_>>();
    assert_eq!(times(&killed.events), times(&whole.events));
}

fn what_is_wrong_is_named() {
    let head = head();
    let with = |bytes: &[u8]| [&head, bytes].concat();
    let mut swapped = whole();
    swapped[..8].reverse();
    let mut short_sample = whole();
    let at = head.len() + 24;
    short_sample[at + 6] = 16;
    let no_attributes = [&whole()[..16], &round([(1, 1, 1)])].concat();
    let late_attribute = with(&[round([(1, 1, 1)]), head[16..].to_vec()].concat());
    // The last column is the byte that the message names, if it names one.
    let cases: [(&str, Vec<u8>, Option<usize>); 12] = [
        ("nothing", Vec::new(), None),
        ("another magic", [b"PERFFILE", &whole()[8..]].concat(), None),
        ("the other byte order", swapped, None),
        ("a header of another size", [&whole()[..8], &[17, 0, 0, 0, 0, 0, 0, 0], &whole()[16..]].concat(), Some(8)),
        ("a record of size 0", with(&[0; 32]), Some(head.len())),
        ("a record past the end", with(&record(9, &[0; 16])[..20]), Some(head.len())),
        ("a sample without its time", short_sample, Some(at)),
        ("ids without attributes", no_attributes, None),
        ("an attribute behind events", late_attribute, None),
        ("a torn attribute", [&whole()[..16], &record(kind::HEADER_ATTR, &[1; 20])].concat(), Some(16)),
        ("a torn index", [&whole()[..16], &record(kind::ID_INDEX, &9u64.to_ne_bytes())].concat(), Some(16)),
        ("noise for a zstd stream", with(&record(kind::COMPRESSED, &[0xA5; 64])), None),
    ];
    let mut screen = String::new();
    for (name, bytes, at) in cases {
        let error = read(&bytes, 1001).error.unwrap_or_else(|| panic!("{name}: no error"));
        assert!(at.is_none() || number_in(&error) == at, "{name}: {error}");
        writeln!(screen, "{name}\n    {error}").unwrap();
    }
    assert_screen("perf_data_errors", &screen);
}

fn a_file_that_is_none_is_said_to_be_none() {
    let mut screen = String::new();
    for bytes in [&b""[..], b"hello, world", b"PERFILE2", b"2ELIFREP\0\0\0\0\0\0\0\x10"] {
        writeln!(screen, "{:?}\n    {}", String::from_utf8_lossy(bytes), open(bytes).unwrap_err()).unwrap();
    }
    assert_screen("perf_data_that_is_none", &screen);
}

fn samples_of_ids_that_nothing_stands_for_are_counted_and_a_million_of_them_are_no_burden() {
    let mut bytes = head();
    (0..1_000_000u64).for_each(|n| push_sample(&mut bytes, n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 << 63, n));
    push_sample(&mut bytes, id(1, 1), 5);
    let Read { events, decoded, error } = read(&bytes, 1 << 20);
    assert_eq!((events.len(), decoded.unknown, error), (1, 1_000_000, None));
}

fn a_million_ids_that_stand_for_something_are_found() {
    let mut bytes = whole()[..16].to_vec();
    let attr = {
        // The first attribute of the header, without its ids.
        let head = head();
        let mut rest = &head[16..];
        while rest[..4] != kind::HEADER_ATTR.to_ne_bytes() {
            rest = &rest[usize::from(u16::from_ne_bytes([rest[6], rest[7]]))..];
        }
        rest[8..8 + 128].to_vec()
    };
    let spread = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for chunk in 0..200u64 {
        let ids: Vec<u8> = (0..5_000).flat_map(|n| spread(chunk * 5_000 + n).to_ne_bytes()).collect();
        bytes.extend(record(kind::HEADER_ATTR, &[attr.clone(), ids].concat()));
    }
    (0..1_000u64).for_each(|n| push_sample(&mut bytes, spread(n * 1_000), n));
    bytes.extend(finished_round());
    let Read { events, decoded, error } = apart(512 << 20, || read(&bytes, 1 << 20));
    assert_eq!((events.len(), decoded.unknown, error), (1_000, 0, None));
}

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

fn a_header_without_an_end_is_refused_before_it_fills_memory() {
    let start = whole()[..16].to_vec();
    let note = record(kind::HEADER_EVENT_TYPE, &[&b"tp-perf\0"[..], &[b'x'; 60_000]].concat());
    let error = |bytes: &[u8]| apart(16 << 20, || read(bytes, 1 << 20).error.unwrap());
    let mut screen = error(&[start.clone(), note.repeat(20)].concat()) + "\n";
    writeln!(screen, "{}", error(&[whole(), note.repeat(20)].concat())).unwrap();
    let mut attribute = Vec::new();
    let mut rest = &head()[16..];
    while attribute.is_empty() {
        let (record, others) = rest.split_at(usize::from(u16::from_ne_bytes([rest[6], rest[7]])));
        if record[..4] == kind::HEADER_ATTR.to_ne_bytes() {
            attribute = record[8..8 + 128].to_vec();
        }
        rest = others;
    }
    let many = record(kind::HEADER_ATTR, &[attribute, vec![7; 64_000]].concat());
    writeln!(screen, "{}", error(&[start, many.repeat(300)].concat())).unwrap();
    assert_screen("perf_data_header_without_an_end", &screen);
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
        assert_eq!(table.get(events[0].tpid).full_name(), "irq:softirq_entry", "{form}");
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

fn counters_count_only_if_each_event_has_one() {
    let counter = |tpid, cpu| {
        let words = [0, 10, 0, 5_000, id(tpid, cpu)];
        record(8, &words.iter().flat_map(|word: &u64| word.to_ne_bytes()).collect::<Vec<_>>())
    };
    let all: Vec<_> = (1..=3).flat_map(|tpid| (0..4).map(move |cpu| counter(tpid, cpu))).collect();
    let counted = |counters: &[u8]| read(&[&whole(), counters].concat(), 1001).decoded.counted;
    let complete = counted(&all.concat()).unwrap();
    assert_eq!((complete.len(), complete[3].count.value), (12, 10));
    assert_eq!(counted(&all[..7].concat()), None, "the file ends among its counters");
    assert_eq!(counted(&[all.concat(), all.concat()].concat()), None, "the file has its counters twice");
    // Files that perf wrote have other counters.
    let mut foreign = whole();
    let note = foreign.windows(8).position(|bytes| bytes == b"tp-perf\0").unwrap();
    foreign[note] = b'T';
    let foreign = read(&[foreign, all.concat()].concat(), 1001);
    assert_eq!((foreign.decoded.counted, foreign.events.len()), (None, 100));
}

fn time_that_goes_backwards_is_put_right_or_counted_late() {
    let mut bytes = head();
    bytes.extend(round((0..1_000).rev().map(|n| (1_000 + n, 1, 1))));
    for n in 1..10 {
        bytes.extend(round([(n * 1_000_000_000, 1, 1)]));
    }
    bytes.extend(round([(3, 1, 1)]));
    let Read { events, decoded, error } = read(&bytes, 1001);
    assert_eq!((events.len(), error), (1_009, None));
    assert_eq!(decoded.per_cpu.iter().map(|cpu| cpu.late).sum::<u64>(), 1);
}

proptest! {
    fn what_is_written_reads_back_plain_and_compressed(
        events in proptest::collection::vec((0u64..1_000_000, 1u32..=3, 0u32..4), 0..500),
        rounds in 1usize..20,
        piece in 1usize..5_000,
    ) {
        let mut expected: Vec<_> = events.clone();
        // Within the allowed lateness no event is late, whatever the order of arrival.
        expected.sort_by_key(|(time, _, cpu)| (*time, *cpu));
        let chunks: Vec<_> = events.chunks(events.len().div_ceil(rounds).max(1)).map(|chunk| round(chunk.iter().copied())).collect();
        let mut compressor = Compressor::new().unwrap();
        let mut compressed = head();
        chunks.iter().for_each(|chunk| compressor.push(chunk, &mut compressed).unwrap());
        for bytes in [[head(), chunks.concat()].concat(), compressed] {
            let Read { events, error, .. } = read(&bytes, piece);
            prop_assert_eq!(error, None);
            let read: Vec<_> = events.iter().map(|event| (event.time.0, event.tpid.get(), event.cpu.unwrap().get())).collect();
            prop_assert_eq!(&read, &expected);
        }
    }

    fn any_bytes_behind_a_head_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), piece in 1usize..3_000) {
        read(&[head(), bytes].concat(), piece);
    }

    fn any_records_behind_a_head_are_read_or_refused(
        records in proptest::collection::vec((0u32..90, proptest::collection::vec(any::<u8>(), 0..80)), 0..40),
        piece in 1usize..3_000,
    ) {
        let bytes: Vec<_> = records.iter().map(|(kind, body)| record(*kind, body)).collect();
        read(&[head(), bytes.concat()].concat(), piece);
        read(&[head()[..16].to_vec(), bytes.concat()].concat(), piece);
    }
}
