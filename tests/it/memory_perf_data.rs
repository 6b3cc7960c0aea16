//! Files of perf.data that take much memory: tp-perf refuses them, or reads them within its bound.

use crate::common::budget::budget_facts;
use crate::common::report::{fixture, path};
use crate::common::{Test, perf_file_with, tests};
use crate::memory::{packed, pipe_form, read, refused, run};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use tp_perf::events::thinning::Steps;
use tp_perf::events::{Cpu, Ns, RungStep, SampleId, SampleIds, Slot, StepOnCpu, Tpid};
use tp_perf::os::clock::Clock;
use tp_perf::perf_data::record::{finished_round, push_lost, push_sample};
use tp_perf::perf_data::{Attr, Features, Head, document, kind};
use tp_perf::tracefs::Table;

pub const TESTS: &[Test] = tests![
    repeated_ids_take_no_memory_and_many_ids_are_refused,
    every_kind_of_record_in_a_header_is_bounded,
    events_without_the_end_of_a_round_are_bounded,
    a_tracepoint_on_each_of_many_cpus_is_bounded,
    losses_on_many_cpus_are_bounded,
    the_sections_of_a_seekable_file_are_bounded,
    many_steps_of_a_long_name_are_bounded,
];

/// A record of perf, or of the kernel.
fn record(kind: u32, body: &[u8]) -> Vec<u8> {
    let size = (8 + body.len()) as u16;
    [&kind.to_ne_bytes()[..], &0u16.to_ne_bytes(), &size.to_ne_bytes(), body].concat()
}

/// An attribute as perf writes it: with the CPU in each sample, if asked.
fn attribute(tracefs_id: u64, with_cpu: bool) -> Vec<u8> {
    let table = Table::from_entries(vec![("a".to_owned(), "b".to_owned(), tracefs_id)]);
    let ids = SampleIds::new(&[(SampleId(1), Slot { tpid: Tpid::new(1), cpu: Some(Cpu::new(0)) })]);
    let head = head(&table, &ids);
    // The first HEADER_ATTR record, without its header and its id.
    let mut at = 16;
    while head[at..at + 4] != kind::HEADER_ATTR.to_ne_bytes() {
        at += usize::from(u16::from_ne_bytes([head[at + 6], head[at + 7]]));
    }
    let (_, size) = Attr::parse(&head[at + 8..]).unwrap();
    let mut attribute = head[at + 8..at + 8 + size].to_vec();
    if with_cpu {
        attribute[24] |= 1 << 7;
    }
    attribute
}

fn head(table: &Table, ids: &SampleIds) -> Vec<u8> {
    let features = Features::default();
    Head {
        table,
        ids,
        clock: Clock::Monotonic,
        lost_known: true,
        sampled_cpu: false,
        threads: None,
        features: &features,
        facts: "{}",
    }
    .encode()
}

fn words(words: impl IntoIterator<Item = u64>) -> Vec<u8> {
    words.into_iter().flat_map(u64::to_ne_bytes).collect()
}

fn repeated_ids_take_no_memory_and_many_ids_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perf.data.zst");
    for (step, is_refused) in [(0, false), (1, true)] {
        packed(&file, |out| {
            out.write_all(&pipe_form()).unwrap();
            for n in 0..40 {
                let ids = words((0..8_000).map(|id| 7 + (n * 8_000 + id) * step));
                out.write_all(&record(kind::HEADER_ATTR, &[attribute(n, false), ids].concat())).unwrap();
            }
            let mut sample = Vec::new();
            push_sample(&mut sample, 7, 1_000);
            out.write_all(&[sample, finished_round()].concat()).unwrap();
        });
        match is_refused {
            true => assert!(refused(&["replay", path(&file)]).contains("its sample ids")),
            false => read(&["replay", path(&file)]),
        }
    }
}

fn every_kind_of_record_in_a_header_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perf.data.zst");
    let feature = |id: u64, body: &[u8]| record(kind::HEADER_FEATURE, &[&id.to_ne_bytes(), body].concat());
    let event = [&[1u8; 16][..], &0u32.to_ne_bytes(), &0u32.to_ne_bytes()].concat();
    let names = |n: u64| {
        let formats = (0..200_000).map(|id| {
            let format = format!("name:{n}\nID:{id}\n");
            [&(format.len() as u64).to_ne_bytes()[..], format.as_bytes()].concat()
        });
        let formats: Vec<u8> = formats.flatten().collect();
        let head = [&b"\x17\x08\x44tracing0.6\0"[..], &[u8::from(cfg!(target_endian = "big")), 8, 0, 0, 0, 0]].concat();
        let empty = [&b"header_page\0"[..], &[0; 8], b"header_event\0", &[0; 8], &[0; 4]].concat();
        let groups = [&1u32.to_ne_bytes()[..], b"g\0", &200_000u32.to_ne_bytes()].concat();
        let all = [head, empty, groups, formats].concat();
        [record(kind::TRACING_DATA, &[(all.len() as u32).to_ne_bytes(), [0; 4]].concat()), all].concat()
    };
    let update = |n: u64| record(kind::EVENT_UPDATE, &[words([2, n]), b"group:name\0\0\0\0\0\0".to_vec()].concat());
    let index = |n: u64| record(kind::ID_INDEX, &words([1, n, 0, 0, 0]));
    let note = [&b"tp-perf\0"[..], &[b'x'; 60_000]].concat();
    // Each case: the record by its number, and the number of records.
    type Case<'a> = (&'a str, &'a dyn Fn(u64) -> Vec<u8>, u64);
    let steps = [&b"tp-perf\0{\"steps\":["[..], &[b'1'; 60_000]].concat();
    let cases: [Case<'_>; 11] = [
        ("ids", &|n| record(kind::HEADER_ATTR, &[attribute(n, false), words([n])].concat()), 200_000),
        ("command lines", &|_| feature(11, &[60_000u32.to_ne_bytes().to_vec(), vec![0; 60_000]].concat()), 200),
        (
            "descriptions",
            &|_| {
                feature(
                    12,
                    &[2_700u32.to_ne_bytes().to_vec(), 16u32.to_ne_bytes().to_vec(), event.repeat(2_700)].concat(),
                )
            },
            200,
        ),
        ("types", &|_| feature(129, &[b"event_type_info\0".to_vec(), b"a,1,1\n".repeat(10_000)].concat()), 200),
        ("updates", &update, 300_000),
        ("an index of CPUs", &index, 620_000),
        ("a note of steps", &|_| record(kind::HEADER_EVENT_TYPE, &steps), 200),
        ("notes", &|_| record(kind::HEADER_EVENT_TYPE, &note), 200),
        ("names", &names, 1),
        (
            "names that are said to be long",
            &|_| record(kind::TRACING_DATA, &[u32::MAX.to_ne_bytes(), [0; 4]].concat()),
            1,
        ),
        ("zeros", &|_| record(kind::HEADER_EVENT_TYPE, &[0; 60_000]), 3_000),
    ];
    for (what, make, records) in cases {
        packed(&file, |out| {
            out.write_all(&pipe_form()).unwrap();
            (0..records).for_each(|n| out.write_all(&make(n)).unwrap());
        });
        match what {
            // Nothing of them is kept, but no event follows.
            "zeros" => assert_eq!(run(&["replay", path(&file)]).status.code(), Some(1)),
            _ => drop(refused(&["replay", path(&file)])),
        }
    }
}

/// A file of two tracepoints on CPU 0, with these records.
fn recording(path: &Path, write: impl FnOnce(&mut dyn Write)) {
    packed(path, |out| {
        out.write_all(&pipe_form()).unwrap();
        for id in 1..=2 {
            out.write_all(&record(kind::HEADER_ATTR, &[attribute(id, false), words([id])].concat())).unwrap();
        }
        write(out);
    });
}

fn events_without_the_end_of_a_round_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perf.data.zst");
    for (is_sorted, is_refused) in [(true, true), (false, true), (true, false)] {
        recording(&file, |out| {
            for n in 0..200 {
                let mut bytes = Vec::new();
                for m in 0..10_000 {
                    let time = if is_sorted { 1 + n * 10_000 + m } else { 1 + n * 10_000 + (m ^ 1) };
                    push_sample(&mut bytes, m % 2 + 1, time * 1_000_000);
                }
                if !is_refused {
                    bytes.extend(finished_round());
                }
                out.write_all(&bytes).unwrap();
            }
        });
        match is_refused {
            false => read(&["report", path(&file)]),
            true => {
                let error = refused(&["replay", path(&file)]);
                assert!(error.contains("end of their round") && error.contains("events were read"), "{error}");
                assert!(refused(&["report", path(&file)]).contains("end of their round"));
            }
        }
    }
}

fn a_tracepoint_on_each_of_many_cpus_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perf.data.zst");
    packed(&file, |out| {
        out.write_all(&pipe_form()).unwrap();
        for id in 1..=40 {
            out.write_all(&record(kind::HEADER_ATTR, &[attribute(id, true), words([id])].concat())).unwrap();
        }
        for cpu in 0..8_000 {
            let samples = (1..=40).flat_map(|id| record(9, &words([id, cpu * 1_000_000_000, cpu])));
            out.write_all(&samples.chain(finished_round()).collect::<Vec<u8>>()).unwrap();
        }
    });
    refused(&["replay", path(&file)]);
}

fn losses_on_many_cpus_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perf.data.zst");
    packed(&file, |out| {
        out.write_all(&pipe_form()).unwrap();
        for cpu in 0..4_000 {
            out.write_all(&record(kind::HEADER_ATTR, &[attribute(1, false), words([cpu])].concat())).unwrap();
            out.write_all(&record(kind::ID_INDEX, &words([1, cpu, 0, cpu, 0]))).unwrap();
        }
        for n in 0..200 {
            let mut bytes = Vec::new();
            push_sample(&mut bytes, 1, n * 100_000_000 + 1);
            (0..4_000).for_each(|cpu| push_lost(&mut bytes, cpu, 1, n * 100_000_000 + cpu * 10));
            bytes.extend(finished_round());
            out.write_all(&bytes).unwrap();
        }
    });
    read(&["report", path(&file)]);
    assert!(refused(&["learn", "state", path(&file), "--library", path(folder.path())]).contains("its windows"));
}

fn the_sections_of_a_seekable_file_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("perf.data");
    let bytes = fs::read(fixture("perf-file.data")).unwrap();
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    let list = word(40) as usize + word(48) as usize;
    // The size of the attributes, and of the first feature (the names). The file has a hole behind its end.
    for place in [32, list + 8] {
        let mut bytes = bytes.clone();
        bytes[place..place + 8].copy_from_slice(&(1u64 << 33).to_ne_bytes());
        fs::write(&file, &bytes).unwrap();
        File::options().write(true).open(&file).unwrap().set_len(1 << 35).unwrap();
        refused(&["replay", path(&file)]);
    }
}

/// The steps of a tracepoint share its name, however long it is, and a note takes memory only until it is read.
fn many_steps_of_a_long_name_are_bounded() {
    let (name, folder) = ("n".repeat(50_000), tempfile::tempdir().unwrap());
    for (notes, is_refused) in [(300, false), (900, true)] {
        let step = |n: u64| RungStep {
            tpid: Tpid::new(1),
            at: Ns(1_000 + n * 1_000),
            one_in: if n.is_multiple_of(2) { 17 } else { 257 },
            on: vec![StepOnCpu {
                cpu: Cpu::new(0),
                at: Ns(1_000 + n * 1_000),
                before: n * 1_000_000,
                after: n * 1_000_000,
            }],
            earlier: Vec::new(),
        };
        let note = |number: u64| {
            let steps = (0..100).map(|n| step(number * 100 + n)).collect();
            document(&serde_json::to_string(&Steps { steps }).unwrap())
        };
        let steps: Vec<u8> = (0..notes).flat_map(note).collect();
        let samples: Vec<_> = (0..100).map(|n| (1_000 + n * notes * 1_000, 1, 0)).collect();
        let file = perf_file_with(&budget_facts(), &[("g", &name)], &steps, &[&samples], None, |_| Vec::new());
        let source = path(file.path());
        let [page, plots] = ["page.html", "plots"].map(|name| folder.path().join(name));
        for words in [
            &["replay", source][..],
            &["report", source],
            &["report", source, "--html", path(&page), "--plots", path(&plots), "--force"],
        ] {
            // The file lacks its end.
            let output = run(words);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(errors.contains("would bring the memory of all inputs"), is_refused, "{words:?}: {errors}");
            assert!(is_refused || errors.contains("lacks its end"), "{words:?}: {errors}");
        }
        assert_eq!(page.exists() && plots.exists(), !is_refused);
        drop((fs::remove_file(page), fs::remove_dir_all(plots)));
    }
}
