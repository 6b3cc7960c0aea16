//! A recording of tp-perf that ends where a record ends: it lacks its ending, so it is incomplete.

use crate::common::{Test, tests};
use crate::perf_data::fixture;
use tp_perf::drain::{Problem, Request, Signals, drain};
use tp_perf::perf_data::kind;
use tp_perf::source::{self, Place};

pub const TESTS: &[Test] = tests![only_a_recording_with_its_ending_is_whole];

/// The end of each record, and the record's kind.
fn records(bytes: &[u8]) -> Vec<(usize, u32)> {
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut at = 16;
    let mut records = Vec::new();
    while at < bytes.len() {
        let (start, kind) = (at, word(at));
        at += usize::from(u16::from_ne_bytes([bytes[at + 6], bytes[at + 7]]));
        if kind == kind::TRACING_DATA {
            at += word(start + 8) as usize;
        }
        records.push((at, kind));
    }
    records
}

/// Whether a replay reports that the bytes are not a whole recording.
fn is_incomplete(bytes: &[u8]) -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    // A part of the header is not even a recording.
    let Ok(source) = source::open(&Place::Path(file.path().to_owned()), None) else { return true };
    let results = drain(source, Request::for_a_look(), &mut [], &mut Signals::new().unwrap(), &mut ());
    match results.problem {
        None => false,
        Some(Problem::Unended { .. } | Problem::Damaged { .. }) => true,
        Some(problem) => panic!("{problem}"),
    }
}

fn only_a_recording_with_its_ending_is_whole() {
    let bytes = fixture("idle.perf.zst");
    let records = records(&bytes);
    let last_round = records.iter().rposition(|(_, kind)| *kind == kind::FINISHED_ROUND).unwrap();
    // There are thousands of samples and counters, and each end among them is like the others.
    let is_edge = |place: usize| place.abs_diff(last_round) < 3 || place + 5 > records.len();
    let places = (0..records.len()).filter(|place| *place % 700 == 0 || is_edge(*place));
    let whole: Vec<bool> = places.map(|place| !is_incomplete(&bytes[..records[place].0])).collect();
    let cut = whole.iter().position(|is_whole| *is_whole).unwrap();
    // Behind the last round are notes: the ending, and how long the detach took if tp-perf waited for it.
    assert!(whole[cut..].iter().all(|is_whole| *is_whole) && cut > 20 && whole.len() - cut <= 2, "{whole:?}");
}
