//! Traces for Perfetto, decoded by a reader of this test, by Perfetto's own definitions, and by its trace processor.

use super::{Sources, fixture, log, path, perf_file, totals, well};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The fields of a message of protocol buffers.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Fields<'_> {
    fn varint(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let byte = self.0[0];
            self.0 = &self.0[1..];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let tag = self.varint();
        let field = match tag & 7 {
            0 => Field::Number(self.varint()),
            2 => {
                let length = self.varint() as usize;
                let (bytes, rest) = self.0.split_at(length);
                self.0 = rest;
                Field::Bytes(bytes)
            }
            kind => panic!("kind {kind}"),
        };
        Some((tag >> 3, field))
    }
}

fn number(message: &[u8], wanted: u64) -> Option<u64> {
    Fields(message).find_map(|(field, value)| match value {
        Field::Number(number) if field == wanted => Some(number),
        _ => None,
    })
}

fn bytes(message: &[u8], wanted: u64) -> Option<&[u8]> {
    Fields(message).find_map(|(field, value)| match value {
        Field::Bytes(bytes) if field == wanted => Some(bytes),
        _ => None,
    })
}

fn text(message: &[u8], wanted: u64) -> Option<String> {
    bytes(message, wanted).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// What a trace has.
#[derive(Debug, Default)]
struct Trace {
    /// The instants: the track, the name, the time, and the hits.
    instants: Vec<(String, String, u64, u64)>,
    /// The values of counters: the track, the time, the value.
    counters: Vec<(String, u64, u64)>,
}

/// The name of a track, after those of the tracks above it.
fn full_name(uuid: u64, tracks: &BTreeMap<u64, Vec<u8>>) -> String {
    let track = &tracks[&uuid];
    let name = text(track, 2).unwrap_or_else(|| match (bytes(track, 3), bytes(track, 4)) {
        (Some(process), _) => format!("{} ({})", text(process, 6).unwrap_or_default(), number(process, 1).unwrap()),
        (_, Some(thread)) => format!("{} ({})", text(thread, 5).unwrap_or_default(), number(thread, 2).unwrap()),
        _ => panic!("a track without a name"),
    });
    number(track, 5).map_or(name.clone(), |parent| format!("{}/{name}", full_name(parent, tracks)))
}

fn decode(file: &Path) -> Trace {
    let whole = fs::read(file).unwrap();
    let mut trace = Trace::default();
    let (mut tracks, mut names, mut last) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (field, packet) in Fields(&whole) {
        let (1, Field::Bytes(packet)) = (field, packet) else { panic!("a trace has only packets") };
        let sequence = number(packet, 10).unwrap();
        if let Some(snapshot) = bytes(packet, 6) {
            for (_, clock) in Fields(snapshot) {
                if let Field::Bytes(clock) = clock
                    && number(clock, 3) == Some(1)
                {
                    last.insert(sequence, number(clock, 2).unwrap());
                }
            }
        }
        if let Some(track) = bytes(packet, 60) {
            let uuid = number(track, 1).unwrap();
            assert!(tracks.insert(uuid, track.to_vec()).is_none(), "a track is described once");
        }
        for (field, name) in bytes(packet, 12).map(Fields).into_iter().flatten() {
            let (2, Field::Bytes(name)) = (field, name) else { panic!("only names of events are interned") };
            names.insert(number(name, 1).unwrap(), text(name, 2).unwrap());
        }
        if let Some(event) = bytes(packet, 11) {
            let time = last.get_mut(&sequence).unwrap();
            *time += number(packet, 8).unwrap();
            let track = full_name(number(event, 11).unwrap(), &tracks);
            let hits = bytes(event, 4).map_or(1, |note| number(note, 3).unwrap());
            match number(event, 9).unwrap() {
                3 => trace.instants.push((track, names[&number(event, 10).unwrap()].clone(), *time, hits)),
                4 => trace.counters.push((track, *time, number(event, 30).unwrap())),
                kind => panic!("an event of kind {kind}"),
            }
        }
    }
    trace
}

/// The sums of events by name, of the tracks that begin like this.
fn on(trace: &Trace, begin: &str) -> BTreeMap<String, u64> {
    let instants = trace.instants.iter().filter(|(track, ..)| track.starts_with(begin));
    super::sums(instants.map(|(_, name, ..)| (name.clone(), 1)))
}

pub fn instants() {
    let sources = Sources::new();
    let out = sources.file("out.pftrace");
    for source in &sources.all {
        let said = well(&[path(source), path(&out), "--force"]);
        assert!(said.contains("ui.perfetto.dev") && !said.contains("counters"), "{said}");
        let trace = decode(&out);
        let log = log(source, "cpu,pid,tid,comm");
        let of_log = super::sums(log.iter().map(|row| (row["tracepoint name"].clone(), 1)));
        let without_group = |sums: BTreeMap<String, u64>| {
            super::sums(sums.into_iter().map(|(name, sum)| (name.split_once(':').unwrap().1.to_owned(), sum)))
        };
        assert_eq!(without_group(on(&trace, "Tracepoints/")), of_log, "{}", source.display());
        let mut times: Vec<u64> = log.iter().map(|row| row["timestamp"].parse().unwrap()).collect();
        let of_tracepoints = trace.instants.iter().filter(|(track, ..)| track.starts_with("Tracepoints/"));
        let mut read: Vec<u64> = of_tracepoints.clone().map(|(_, _, time, _)| *time).collect();
        times.sort();
        read.sort();
        assert_eq!(read, times);
        let hits = |of: &BTreeMap<String, String>| of.get("hits").map_or(1, |hits| hits.parse::<u64>().unwrap());
        assert_eq!(of_tracepoints.map(|(.., hits)| hits).sum::<u64>(), log.iter().map(hits).sum::<u64>());
        // Each CPU has its events, and a counter of all hits.
        let of_cpus =
            super::sums(log.iter().filter(|row| !row["cpu"].is_empty()).map(|row| (row["cpu"].clone(), hits(row))));
        for (cpu, hits) in &of_cpus {
            let track = format!("CPUs/CPU {cpu} hits");
            let mut values = trace.counters.iter().filter(|(name, ..)| *name == track);
            assert_eq!(values.clone().map(|(.., value)| value).sum::<u64>(), *hits, "{track}");
            assert_eq!(values.next_back().unwrap().2, 0, "a counter ends");
        }
        assert_eq!(
            without_group(on(&trace, "CPUs/")).values().sum::<u64>(),
            if of_cpus.is_empty() { 0 } else { log.len() as u64 }
        );
        // Each thread is below its process, under its last name.
        let is_of_thread = |row: &&BTreeMap<String, String>| !row["tid"].is_empty() && row["tid"] != "0";
        let of_threads = super::sums(log.iter().filter(is_of_thread).map(|row| (row["tid"].clone(), 1)));
        let tracks = trace
            .instants
            .iter()
            .filter(|(track, ..)| !track.starts_with("Tracepoints/") && !track.starts_with("CPUs/"));
        let tid = |track: &str| track.rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned();
        let read = super::sums(tracks.map(|(track, ..)| (tid(track), 1)));
        // In interrupts, no thread is the cause.
        assert!(read.iter().all(|(tid, events)| of_threads[tid] >= *events), "{read:?} {of_threads:?}");
        assert_eq!(read.is_empty(), of_threads.is_empty(), "{}", source.display());
    }
    well(&[path(&fixture("perf-file.data")), path(&out), "--force"]);
    let trace = decode(&out);
    assert!(
        trace.instants.iter().any(|(track, ..)| track.starts_with("ls (") && track.matches('(').count() == 2),
        "{trace:?}"
    );
    // With windows, there are only counters.
    well(&[path(&fixture("perf-file.data")), path(&out), "--force", "--windows", "10ms"]);
    let trace = decode(&out);
    assert!(trace.instants.is_empty());
    let sums = super::sums(
        trace.counters.iter().map(|(track, _, value)| (track.rsplit('/').next().unwrap().to_owned(), *value)),
    );
    assert_eq!(sums, totals(path(&fixture("perf-file.data"))));
}

pub fn counters() {
    const HOT: u64 = 1_050_000;
    let names = [("irq", "hot"), ("irq", "rare"), ("sched", "calm")];
    let event = |n: u64| {
        (1_000_000_000 + 1_000 * n, if !n.is_multiple_of(100) { 1 } else { 2 + n as u32 / 100 % 2 }, (n % 2) as u32)
    };
    let events: Vec<_> = (0..HOT).map(event).collect();
    let rounds: Vec<&[_]> = events.chunks(100_000).collect();
    let file = perf_file(&names, &rounds, None);
    let out = file.path().with_extension("pftrace");
    let said = well(&[path(file.path()), path(&out)]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("1 tracepoint became a counter") && said.contains("irq:hot (1,039,500)"), "{said}");
    let trace = decode(&out);
    assert!(fs::metadata(&out).unwrap().len() < 10 << 20);
    fs::remove_file(&out).unwrap();
    let instants = on(&trace, "Tracepoints/");
    assert_eq!(instants, BTreeMap::from([("irq:rare".to_owned(), 5_250), ("sched:calm".to_owned(), 5_250)]));
    let hits = |track: &str| {
        let values = trace.counters.iter().filter(|(name, ..)| name == track);
        values.map(|(.., value)| value).sum::<u64>()
    };
    assert_eq!(hits("Tracepoints/irq/irq:hot"), 1_039_500);
    assert_eq!(hits("CPUs/CPU 0 hits") + hits("CPUs/CPU 1 hits"), HOT);
    let of_hot: Vec<u64> =
        trace.counters.iter().filter(|(name, ..)| name.ends_with("irq:hot")).map(|(_, time, _)| *time).collect();
    assert!(of_hot.len() > 1_000 && of_hot.is_sorted(), "{} values", of_hot.len());
}

fn python() -> Command {
    Command::new(std::env::var_os("TP_PERF_PYTHON").unwrap_or("python3".into()))
}

pub fn has_definitions() -> Result<(), String> {
    let imported = python().args(["-c", "from perfetto.protos.perfetto.trace import perfetto_trace_pb2"]).output();
    match imported.is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err("Python with perfetto and protobuf (TP_PERF_PYTHON names one)".to_owned()),
    }
}

const DECODE: &str = r#"
import collections, sys
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as definitions
trace = definitions.Trace()
trace.ParseFromString(open(sys.argv[1], "rb").read())
tracks, names, sums, counters = {}, {}, collections.Counter(), collections.Counter()

def unknown(message):
    # A field that the definitions do not have would be kept, and written again.
    message.DiscardUnknownFields()
    return message.ByteSize()

assert unknown(trace) == len(open(sys.argv[1], "rb").read()) 
for packet in trace.packet:
    assert packet.trusted_packet_sequence_id > 0
    if packet.HasField("track_descriptor"): tracks[packet.track_descriptor.uuid] = packet.track_descriptor
    for name in packet.interned_data.event_names: names[name.iid] = name.name
    if packet.HasField("track_event"):
        event = packet.track_event
        track = tracks[event.track_uuid]
        if event.type == definitions.TrackEvent.TYPE_INSTANT:
            if track.name == names[event.name_iid]: sums[track.name] += 1
        else:
            assert event.type == definitions.TrackEvent.TYPE_COUNTER and track.HasField("counter"), event
            counters[track.name] += event.counter_value
for name in sorted(sums): print(name, sums[name])
processes = {track.process.pid: track.process.process_name for track in tracks.values() if track.HasField("process")}
threads = {track.thread.tid: tracks[track.parent_uuid].process.pid for track in tracks.values() if track.HasField("thread")}
assert all(pid in processes for pid in threads.values())
"#;

pub fn definitions() {
    let sources = Sources::new();
    let out = sources.file("out.pftrace");
    for source in &sources.all[..3] {
        well(&[path(source), path(&out), "--force"]);
        let output = python().args(["-c", DECODE]).arg(&out).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), lines(&totals(path(source))));
    }
}

fn lines(totals: &BTreeMap<String, u64>) -> String {
    totals.iter().map(|(name, events)| format!("{name} {events}\n")).collect()
}

pub fn has_trace_processor() -> Result<(), String> {
    let missing = "trace_processor_shell of Perfetto (TP_PERF_TRACE_PROCESSOR names one)";
    std::env::var_os("TP_PERF_TRACE_PROCESSOR").map(drop).ok_or_else(|| missing.to_owned())
}

pub fn trace_processor() {
    let sources = Sources::new();
    let (out, query) = (sources.file("out.pftrace"), sources.file("query.sql"));
    fs::write(
        &query,
        "SELECT slice.name AS name, count(*) AS events FROM slice JOIN track ON slice.track_id = track.id \
         WHERE track.name = slice.name GROUP BY 1 ORDER BY 1;",
    )
    .unwrap();
    for source in &sources.all[..3] {
        well(&[path(source), path(&out), "--force"]);
        let program = std::env::var_os("TP_PERF_TRACE_PROCESSOR").unwrap();
        let output = Command::new(program).arg("-q").arg(&query).arg(&out).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let read = String::from_utf8(output.stdout).unwrap().replace('"', "").replace(',', " ");
        assert_eq!(read.trim_start_matches("name events\n"), lines(&totals(path(source))));
    }
}
