//! Cuts the rounds of a flight recorder where the counters were read.
//!
//! While the events are on, hits come during a reading, too. The time of a sample says on which side of the reading it is, except
//! for the few samples within the microseconds of the read:
//!
//! ```text
//!              the read of a group        the last read of the mark
//!   ──●───●───┤ ● ├───●──────●───────────┤  ├───●────●─── time
//!      counted  ?   not counted, but before the begin │ kept
//! ```
//!
//! So that no CPU is missing from a part of the recording, it begins when the counters of the last CPU have been read.

use super::marks::CounterMark;
use crate::events::{Ns, SampleId, SampleIds};
use crate::perf_data::record::Record;
use crate::perf_data::{Layout, Trailer};
use crate::spool::LastRounds;
use perf_event_open_sys::bindings as abi;
use std::collections::HashMap;
use std::io;
use std::ops::Range;

/// The kernel counts a hit a moment before it takes the time of the sample, in nanoseconds.
const MOMENT: u64 = 20_000;
/// The size in bytes of the pieces that a round is cut into.
const PIECE: usize = 1 << 20;

/// The samples of a slot around a mark, in the round that follows the mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AroundMark {
    /// Those whose hits were counted before the counter was read.
    pub before: u64,
    /// Those within the moment of the read, before its middle and behind it.
    pub unsure: (u64, u64),
    /// Those after the read, but before the recording begins.
    pub early: u64,
}

impl AroundMark {
    fn unsure(&mut self, half: HalfOfRead) {
        match half {
            HalfOfRead::First => self.unsure.0 += 1,
            HalfOfRead::Second => self.unsure.1 += 1,
        }
    }
}

/// How to find the fields of samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub layout: Layout,
    pub trailer: Trailer,
}

/// The pieces of a round that are in a recording, and the samples of each slot around the mark.
#[derive(Debug, Default)]
pub(super) struct CutRound {
    /// Whole records.
    pub pieces: Vec<Vec<u8>>,
    pub around: HashMap<usize, AroundMark>,
    /// The samples within the moment of a read, with their slots, in the order of the round.
    unsure: Vec<(usize, Vec<u8>)>,
}

impl CutRound {
    fn keep(&mut self, bytes: &[u8]) {
        match self.pieces.last_mut().filter(|piece| piece.len() + bytes.len() <= PIECE) {
            Some(piece) => piece.extend_from_slice(bytes),
            None => self.pieces.push(bytes.to_vec()),
        }
    }

    /// Keeps the first unsure samples of a slot, so many of them.
    pub fn keep_unsure(&mut self, mut number: impl FnMut(usize) -> u64) {
        let mut left = HashMap::new();
        for (slot, bytes) in std::mem::take(&mut self.unsure) {
            let left = left.entry(slot).or_insert_with(|| number(slot));
            if *left > 0 {
                *left -= 1;
                self.keep(&bytes);
            }
        }
    }
}

/// When a recording begins that starts at this mark: behind the moment of its last read.
pub(super) fn begin_at(mark: &CounterMark) -> Ns {
    mark.span().1.saturating_add(MOMENT)
}

/// The part of a round behind the mark with which a recording begins.
pub(super) fn begin(
    rounds: &LastRounds,
    round: Range<u64>,
    mark: &CounterMark,
    ids: &SampleIds,
    fields: Fields,
) -> io::Result<CutRound> {
    let (begin, mut cut) = (begin_at(mark), CutRound::default());
    rounds.records(round, |record| match fields.slot_and_time(record, ids) {
        Some((slot, time)) => {
            match side(mark, slot, time) {
                CutSide::Before => cut.around.entry(slot).or_default().before += 1,
                CutSide::Unsure(half) => cut.around.entry(slot).or_default().unsure(half),
                CutSide::Behind if time < begin => cut.around.entry(slot).or_default().early += 1,
                CutSide::Behind => {}
            }
            if time >= begin {
                cut.keep(record.bytes);
            }
        }
        None if fields.trailer.time(record.bytes).is_none_or(|time| time >= begin) => cut.keep(record.bytes),
        None => {}
    })?;
    Ok(cut)
}

/// The part of the round behind the mark with which a recording ends.
pub(super) fn end(
    rounds: &LastRounds,
    round: Range<u64>,
    mark: &CounterMark,
    ids: &SampleIds,
    fields: Fields,
    begin: Ns,
) -> io::Result<CutRound> {
    let (end, mut cut) = (mark.span().0, CutRound::default());
    // Without a round between the marks, this one also has samples from before the begin.
    rounds.records(round, |record| match fields.slot_and_time(record, ids) {
        Some((_, time)) if time < begin => {}
        Some((slot, time)) => match side(mark, slot, time) {
            CutSide::Before => {
                cut.around.entry(slot).or_default().before += 1;
                cut.keep(record.bytes);
            }
            CutSide::Unsure(half) => {
                cut.around.entry(slot).or_default().unsure(half);
                cut.unsure.push((slot, record.bytes.to_vec()));
            }
            CutSide::Behind => {}
        },
        None if fields.trailer.time(record.bytes).is_some_and(|time| time < end) => cut.keep(record.bytes),
        None => {}
    })?;
    Ok(cut)
}

impl Fields {
    /// The slot and the time of a sample; `None` for another record.
    fn slot_and_time(&self, record: Record<'_>, ids: &SampleIds) -> Option<(usize, Ns)> {
        if record.kind != abi::PERF_RECORD_SAMPLE {
            return None;
        }
        Some((ids.find(SampleId(record.word(8)?))?, Ns(record.word(self.layout.time?)?)))
    }
}

/// Where a sample is, seen from the read of its counter.
enum CutSide {
    Before,
    Unsure(HalfOfRead),
    Behind,
}

/// The half of the moment of a read.
enum HalfOfRead {
    First,
    Second,
}

fn side(mark: &CounterMark, slot: usize, time: Ns) -> CutSide {
    let (from, to) = mark.time_of(slot);
    match time {
        time if time.saturating_add(MOMENT) < from => CutSide::Before,
        time if time >= to.saturating_add(MOMENT) => CutSide::Behind,
        time if time.0 <= from.0.midpoint(to.0) => CutSide::Unsure(HalfOfRead::First),
        _ => CutSide::Unsure(HalfOfRead::Second),
    }
}
