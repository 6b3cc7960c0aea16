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
    a_header_without_an_end_is_refused_before_it_fills_memory,
    counters_count_only_if_each_event_has_one,
    time_that_goes_backwards_is_put_right_or_counted_late,
    what_is_written_reads_back_plain_and_compressed,
    any_bytes_behind_a_head_are_read_or_refused,
    any_records_behind_a_head_are_read_or_refused,
];

/// Bytes in pieces of a size that does not match the records.
pub struct Bytes(pub Vec<u8>, pub usize, pub usize);

impl Bytes {
    pub fn new(bytes: &[u8], piece: usize) -> Self {
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
pub fn read(bytes: &[u8], piece: usize) -> Read {
    match PerfData::piped(Bytes::new(bytes, piece)) {
        Ok(perf) => drain(EventStream::new(perf)),
        Err(error) => Read { events: Vec::new(), decoded: Decoded::default(), error: Some(sentence(&error)) },
    }
}

/// Reads a file of any kind.
pub fn open(bytes: &[u8]) -> Result<Read, String> {
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

pub fn fixture(name: &str) -> Vec<u8> {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)).unwrap();
    match name.ends_with(".zst") {
        true => zstd::decode_all(bytes.as_slice()).unwrap(),
        false => bytes,
    }
}

pub fn table() -> Table {
    let names = [("irq", "softirq_entry", 77), ("sched", "sched_switch", 300), ("sched", "sched_waking", 301)];
    Table::from_entries(names.map(|(group, name, id)| (group.to_owned(), name.to_owned(), id)).to_vec())
}

pub fn id(tpid: u32, cpu: u32) -> u64 {
    u64::from(100 + tpid * 4 + cpu)
}

pub fn head() -> Vec<u8> {
    let pairs = (1..=3).flat_map(|tpid| {
        (0..4).map(move |cpu| (SampleId(id(tpid, cpu)), Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) }))
    });
    let (table, ids) = (table(), SampleIds::new(&pairs.collect::<Vec<_>>()));
    let features = Features { hostname: Some("here".to_owned()), ..Default::default() };
    Head {
        table: &table,
        ids: &ids,
        clock: Clock::Monotonic,
        lost_known: true,
        sampled_cpu: false,
        threads: None,
        features: &features,
        facts: "{}",
    }
    .encode()
}

pub fn round(events: impl IntoIterator<Item = (u64, u32, u32)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    events.into_iter().for_each(|(time, tpid, cpu)| push_sample(&mut bytes, id(tpid, cpu), time));
    bytes.extend(finished_round());
    bytes
}

/// A small file with every kind of record.
pub fn whole() -> Vec<u8> {
    let mut bytes = head();
    bytes.extend(round((0..50).map(|n| (1_000 + n * 10, n as u32 % 3 + 1, n as u32 % 4))));
    push_lost(&mut bytes, id(1, 2), 5, 1_200);
    bytes.extend(round((50..100).map(|n| (1_000 + n * 10, n as u32 % 3 + 1, n as u32 % 4))));
    bytes.extend(document("{}"));
    bytes
}

/// The first number in a message.
pub fn number_in(message: &str) -> Option<usize> {
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

pub fn record(kind: u32, body: &[u8]) -> Vec<u8> {
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
                .all(|(event, n)| event.time.0 == 1_000 + n * 10 && event.cpu() == Some(Cpu::new(n as u32 % 4)))
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
            let read: Vec<_> = events.iter().map(|event| (event.time.0, event.tpid().get(), event.cpu().unwrap().get())).collect();
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
