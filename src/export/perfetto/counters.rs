//! Counters: the hits of tracks in intervals.

use super::packets::{Packets, Sequence};
use super::tracks::{Track, TrackKind, TrackNames};
use crate::events::Ns;
use std::io;

/// Writes the values of counters. A value holds from its interval on, so a counter without hits goes back to 0.
pub(super) struct CounterTracks {
    sequence: Sequence,
    kind: TrackKind,
    /// The length of all intervals, if it is the same.
    interval_ns: Option<u64>,
    /// The end of the last interval, and the tracks that have hits in it, ascending.
    end: Ns,
    hit: Vec<u32>,
}

impl CounterTracks {
    pub fn new(sequence: Sequence, kind: TrackKind, interval_ns: Option<u64>) -> Self {
        CounterTracks { sequence, kind, interval_ns, end: Ns(0), hit: Vec::new() }
    }

    /// Writes the values of an interval: the number of each track that has hits, ascending, and the hits.
    pub fn window(
        &mut self,
        from: Ns,
        length_ns: u64,
        values: impl Iterator<Item = (u32, u64)>,
        names: &TrackNames<'_>,
        packets: &mut Packets<'_>,
    ) -> io::Result<()> {
        let values: Vec<(u32, u64)> = values.collect();
        // Windows of a history overlap if the wall clock was set.
        let from = from.max(self.end);
        let goes_on = |number: &u32| from == self.end && values.binary_search_by_key(number, |(key, _)| *key).is_ok();
        for number in self.hit.iter().filter(|number| !goes_on(number)) {
            packets.counter(self.sequence, self.end, Track { kind: self.kind, number: *number }, 0)?;
        }
        for (number, hits) in &values {
            let track = Track { kind: self.kind, number: *number };
            packets.describe(track, self.interval_ns.or(Some(0)), names)?;
            packets.counter(self.sequence, from, track, *hits)?;
        }
        self.end = from.saturating_add(length_ns);
        self.hit = values.into_iter().map(|(number, _)| number).collect();
        Ok(())
    }

    /// Ends the last interval.
    pub fn finish(&mut self, packets: &mut Packets<'_>) -> io::Result<()> {
        for number in std::mem::take(&mut self.hit) {
            packets.counter(self.sequence, self.end, Track { kind: self.kind, number }, 0)?;
        }
        Ok(())
    }
}
