//! Inputs that take much memory: tp-perf refuses them, or reads them within its bound. It never runs out of memory.

use crate::common::report::{fixture, path};
use crate::common::{Test, tests};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tp_perf::events::{Cpu, SampleId, SampleIds, Slot, Tpid};
use tp_perf::os::clock::Clock;
use tp_perf::perf_data::record::{finished_round, push_lost, push_sample};
use tp_perf::perf_data::{Attr, Features, Head, MAGIC, kind};
use tp_perf::tracefs::Table;

pub const TESTS: &[Test] = tests![
    a_log_of_long_or_many_names_is_refused,
    a_log_of_large_numbers_is_refused,
    the_table_beside_a_log_is_bounded,
    repeated_ids_take_no_memory_and_many_ids_are_refused,
    every_kind_of_record_in_a_header_is_bounded,
    events_without_the_end_of_a_round_are_bounded,
    a_tracepoint_on_each_of_many_cpus_is_bounded,
    losses_on_many_cpus_are_bounded,
    the_sections_of_a_seekable_file_are_bounded,
    what_zstd_needs_is_bounded,
    the_windows_of_a_session_are_bounded,
    sessions_and_libraries_are_bounded,
    a_summary_without_an_end_is_not_read,
    the_rows_of_reports_are_bounded,
    escaped_names_are_bounded,
    the_bound_is_set_by_the_user,
];

/// The bound in MiB in these tests.
const BOUND: u64 = 32;
/// The memory in MiB that tp-perf may take in all.
const ALL: u64 = BOUND + 64;

/// Runs tp-perf where the system gives it no more than [`ALL`].
fn run(words: &[&str]) -> Output {
    run_within(BOUND, words)
}

/// Runs tp-perf with a bound in MiB, where the system gives it no more than 64 MiB beyond that.
fn run_within(bound: u64, words: &[&str]) -> Output {
    let limited = format!("ulimit -v {} && exec \"$0\" \"$@\"", (bound + ALL - BOUND) << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_tp-perf")]).args(words);
    // Otherwise each thread reserves addresses that it never uses.
    command.env("MALLOC_ARENA_MAX", "1");
    command.arg("--max-memory").arg(format!("{bound}M")).stdin(Stdio::null());
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 4), "{words:?}: {}: {errors}", output.status);
    output
}

/// Runs a command that must refuse its input, and returns the error.
fn refused(words: &[&str]) -> String {
    let output = run(words);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words:?}: {errors}");
    assert!(
        errors.contains(" would bring the memory of all inputs ") && errors.contains("--max-memory "),
        "{words:?}: {errors}"
    );
    errors
}

/// Runs a command that must read its input.
fn read(words: &[&str]) {
    let output = run(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a file in pieces, compressed with zstd.
fn packed(path: &Path, write: impl FnOnce(&mut dyn Write)) {
    let mut encoder = zstd::Encoder::new(File::create(path).unwrap(), 1).unwrap();
    write(&mut encoder);
    encoder.finish().unwrap();
}

const LOG: &str = "timestamp,tpid,gid,tracepoint name\n";

fn a_log_of_long_or_many_names_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv.zst");
    for (names, length) in [(100, 60_000), (100_000, 0)] {
        packed(&log, |out| {
            out.write_all(LOG.as_bytes()).unwrap();
            let mut random = fastrand::Rng::with_seed(1);
            for n in 1..=names {
                let name: String = (0..length).map(|_| random.alphanumeric()).collect();
                writeln!(out, "{n},{n},1,{name}{n}").unwrap();
            }
        });
        for command in ["replay", "report"] {
            let error = refused(&[command, path(&log)]);
            assert!(error.contains("to about "), "{error}");
        }
    }
}

fn a_log_of_large_numbers_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    fs::write(&log, format!("{LOG}5,1000000,1000000,a\n")).unwrap();
    refused(&["replay", path(&log)]);
    fs::write(&log, format!("{LOG}5,100000,100000,a\n")).unwrap();
    read(&["report", path(&log)]);
}

fn the_table_beside_a_log_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (log, table) = (folder.path().join("log.csv"), folder.path().join("tracepoints.csv"));
    fs::write(&log, format!("{LOG}5,1,1,a\n")).unwrap();
    let header = "tpid,gid,tracepoint name,group name,tracefs id,status\n";
    let rows: String = (1..=200_000).map(|n| format!("{n},1,a,b,1,\n")).collect();
    for rows in [rows, "x".repeat(20 << 20), format!("1,1,{},b,1,\n", "x".repeat(9 << 20))] {
        fs::write(&table, format!("{header}{rows}")).unwrap();
        refused(&["replay", path(folder.path())]);
    }
    // A file with a hole has any length.
    File::create(&table).unwrap().set_len(1 << 40).unwrap();
    refused(&["replay", path(folder.path())]);
}

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
    Head { table, ids, clock: Clock::Monotonic, lost_known: true, features: &features, facts: "{}" }.encode()
}

/// The begin of a file in the pipe form.
fn pipe_form() -> Vec<u8> {
    [&MAGIC[..], &16u64.to_ne_bytes()].concat()
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
    let cases: [Case<'_>; 10] = [
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

fn what_zstd_needs_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.zst");
    let mut encoder = zstd::Encoder::new(File::create(&file).unwrap(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(format!("{LOG}5,1,1,a\n").as_bytes()).unwrap();
    encoder.finish().unwrap();
    assert!(refused(&["replay", path(&file)]).contains("the window of zstd"));
    // 64 MiB of one line, and of one record after the other.
    for begin in [format!("{LOG}5,1,1,").into_bytes(), pipe_form()] {
        packed(&file, |out| {
            out.write_all(&begin).unwrap();
            (0..64).for_each(|_| out.write_all(&vec![b'x'; 1 << 20]).unwrap());
        });
        assert_eq!(run(&["replay", path(&file)]).status.code(), Some(1));
    }
}

fn the_windows_of_a_session_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    let rows: String =
        (0..4_000u64).map(|n| format!("{},{},1,a{}\n", n * 1_000_000_000, n % 1_500 + 1, n % 1_500)).collect();
    fs::write(&log, format!("{LOG}{rows}")).unwrap();
    let library = path(folder.path());
    let error = refused(&["learn", "idle", path(&log), "--library", library]);
    assert!(error.contains("choose longer windows (--window)"), "{error}");
    read(&["learn", "idle", path(&log), "--library", library, "--window", "100s"]);
}

fn sessions_and_libraries_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("idle");
    let library = path(folder.path());
    let log = folder.path().join("log.csv");
    let rows: String = (0..30u64).map(|n| format!("{},1,1,a\n", n * 500_000_000)).collect();
    fs::write(&log, format!("{LOG}{rows}")).unwrap();
    read(&["learn", "idle", path(&log), "--library", library]);
    let session = fs::read_dir(&state).unwrap().next().unwrap().unwrap().path();
    let json = fs::read_to_string(&session).unwrap();
    assert!(json.contains("\"gid1:a\": ["), "{json}");
    let zeros = "0,".repeat(250_000);
    let names = |name: &dyn Fn(u32) -> String, n: u32| (0..n).map(name).collect::<Vec<_>>().join(",");
    let bombs = [
        // Many counts, many names, and many strings.
        json.replace("\"gid1:a\": [", &format!("\"gid1:b\": [{}", zeros.repeat(20))),
        json.replace("\"gid1:a\": [", &format!("{},\"gid1:a\": [", names(&|n| format!("\"g:{n}\": []"), 300_000))),
        json.replace("\"not_hit\": {", &format!("\"not_hit\": {{\"g\": [{}]", names(&|_| "\"\"".to_owned(), 500_000))),
        // The file is not JSON at all.
        "[".repeat(40 << 20),
    ];
    for bomb in bombs {
        fs::write(&session, bomb).unwrap();
        let session = path(&session);
        for words in [
            &["check", session, "--against", "idle", "--library", library][..],
            &["identify", path(&log), "--library", library],
            &["states", "--library", library],
            &["learn", "new", session, "--library", library],
            &["report", path(&log), "--states", "--library", library],
        ] {
            refused(words);
        }
    }
    // Many lists with one short text each: the parsed form is much longer than the file.
    let lists = names(&|n| format!("\"{n:x}\":[\"a\"]"), 2_200_000);
    let other = folder.path().join("lists.json");
    fs::write(&other, json.replace("\"not_hit\": {", &format!("\"not_hit\": {{{lists}"))).unwrap();
    let output = run_within(512, &["learn", "new", path(&other), "--library", library]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    // A file without an end, and a file with a hole.
    let other = folder.path().join("other.json");
    std::os::unix::fs::symlink("/dev/zero", &other).unwrap();
    refused(&["learn", "new", path(&other), "--library", library]);
    File::create(&session).unwrap().set_len(1 << 40).unwrap();
    refused(&["states", "--library", library]);
    // Many small sessions are as large as a few large ones.
    let whole =
        json.replace("\"not_hit\": {", &format!("\"not_hit\": {{\"g\": [{}]", names(&|n| format!("\"{n}\""), 20_000)));
    (0..20).for_each(|n| fs::write(state.join(format!("s{n}.json")), &whole).unwrap());
    fs::write(&session, &json).unwrap();
    refused(&["states", "--library", library]);
}

fn a_summary_without_an_end_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("rec");
    fs::create_dir(&recording).unwrap();
    fs::write(recording.join("log.csv"), format!("{LOG}5,1,1,a\n")).unwrap();
    File::create(recording.join("summary.json")).unwrap().set_len(1 << 40).unwrap();
    let limited = format!("ulimit -v {} && exec \"$0\" report --max-memory {BOUND}M", ALL << 10);
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_tp-perf")]).current_dir(folder.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn the_rows_of_reports_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = |number: u32, names: u32| {
        let log = folder.path().join(format!("{number}.csv"));
        let rows: String = (1..=names).map(|n| format!("{n},{n},{n},a{number}-{n}\n")).collect();
        fs::write(&log, format!("{LOG}{rows}")).unwrap();
        log
    };
    let many = log(0, 12_000);
    let file = folder.path().join("page.html");
    read(&["report", path(&log(1, 5_000)), "--html", path(&file)]);
    assert!(refused(&["report", path(&many)]).contains("rows of a report"));
    assert!(refused(&["report", path(&log(1, 6_000)), "--format", "json"]).contains("rows of a report"));
    // Each source has other names, so a table of all has a cell for each name and source.
    let logs: Vec<_> = (2..60).map(|number| log(number, 80)).collect();
    let logs: Vec<&str> = logs.iter().map(|log| path(log)).collect();
    assert!(refused(&[&["report"][..], &logs].concat()).contains("the comparison of the sources"));
}

fn the_bound_is_set_by_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    fs::write(&log, format!("{LOG}5,100000,1,a\n")).unwrap();
    let run = |words: &[&str]| Command::new(env!("CARGO_BIN_EXE_tp-perf")).args(words).output().unwrap();
    assert!(run(&["replay", path(&log)]).status.success());
    let output = run(&["replay", path(&log), "--max-memory", "1M"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("; the limit is 1 MiB") && error.contains("`--max-memory 16M`"), "{error}");
}

/// The escapes of a character can be ten times as long as the character.
fn escaped_names_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv.zst");
    let out = |name: &str| path(&folder.path().join(name)).to_owned();
    let mut fits = 0;
    for c in ['\u{1b}', '\u{202e}', '<', 'x'] {
        packed(&log, |file| {
            file.write_all(LOG.as_bytes()).unwrap();
            let name = String::from(c).repeat(3_000 / c.len_utf8());
            (0..750).try_for_each(|n| writeln!(file, "{n}000,{},1,\"{name}{n}\"", n + 1)).unwrap();
        });
        let log = path(&log);
        for (n, words) in [
            vec!["report", log, "--format", "json"],
            vec!["report", log, "--html", "-"],
            vec!["report", log, "--format", "markdown", "--top", "1000"],
            vec!["report", log, "--format", "csv", "--top", "1000"],
            vec!["report", log, "--top", "1000"],
            vec!["report", log, "--plots", &out("plots"), "--force"],
            vec!["report", log, log, "--format", "json"],
            vec!["replay", log, "-o", &out("recording"), "--force"],
            vec!["learn", "x", log, "--library", &out(&format!("library{}", c as u32)), "--window", "1us"],
        ]
        .into_iter()
        .enumerate()
        {
            let output = run(&words);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() || errors.contains("--max-memory "), "{c:?} {words:?}: {errors}");
            assert!(c != 'x' || n == 6 || output.status.success(), "{words:?}: {errors}");
            fits += usize::from(output.status.success());
        }
    }
    assert!(fits > 20, "{fits} fit");
}
