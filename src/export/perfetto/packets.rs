//! The packets of a trace.
//!
//! A trace has several sequences of packets. In each, a packet has the time since the packet before it (an incremental clock), and
//! the name of an event is a number (interned). So an event takes about 20 bytes.

use super::TraceClock;
use super::proto::Message;
use super::tracks::{Track, TrackNames};
use crate::events::{Ns, Tpid};
use crate::tracefs::Table;
use std::collections::HashSet;
use std::io::{self, Write};

/// The bytes after which the buffer is written.
const CHUNK: usize = 256 << 10;

/// Fields of TracePacket.
mod packet {
    pub const CLOCK_SNAPSHOT: u32 = 6;
    pub const TIMESTAMP: u32 = 8;
    pub const SEQUENCE: u32 = 10;
    pub const TRACK_EVENT: u32 = 11;
    pub const INTERNED_DATA: u32 = 12;
    pub const SEQUENCE_FLAGS: u32 = 13;
    pub const TIMESTAMP_CLOCK: u32 = 58;
    pub const DEFAULTS: u32 = 59;
    pub const TRACK_DESCRIPTOR: u32 = 60;
}

/// Fields of TrackEvent.
mod track_event {
    pub const DEBUG_ANNOTATIONS: u32 = 4;
    pub const TYPE: u32 = 9;
    pub const NAME_IID: u32 = 10;
    pub const TRACK: u32 = 11;
    pub const COUNTER_VALUE: u32 = 30;
    pub const INSTANT: u64 = 3;
    pub const COUNTER: u64 = 4;
}

/// The incremental clock of a sequence. Clocks from 64 to 127 belong to a sequence.
const INCREMENTAL: u64 = 64;
const REALTIME: u64 = 1;
/// What is known in a sequence before a packet holds no more from there on.
const STATE_CLEARED: u64 = 1;
const NEEDS_STATE: u64 = 2;

/// A sequence of packets, in which time goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    Instants,
    Tracepoints,
    Cpus,
    Processes,
}

impl Sequence {
    const ALL: [Sequence; 4] = [Sequence::Instants, Sequence::Tracepoints, Sequence::Cpus, Sequence::Processes];

    fn number(self) -> u64 {
        self as u64 + 1
    }
}

/// Writes packets.
pub(super) struct Packets<'a> {
    out: &'a mut dyn Write,
    buffer: Message,
    /// The time of the last packet of each sequence.
    last: [Ns; 4],
    described: HashSet<Track>,
    /// The tracepoints that are interned.
    interned: HashSet<Tpid>,
    /// The packet in the making.
    packet: Message,
    event: Message,
}

impl<'a> Packets<'a> {
    /// Begins a trace at a time.
    pub fn new(out: &'a mut dyn Write, clock: TraceClock, begin: Ns) -> io::Result<Self> {
        let mut packets = Packets {
            out,
            buffer: Message::default(),
            last: [begin; 4],
            described: HashSet::new(),
            interned: HashSet::new(),
            packet: Message::default(),
            event: Message::default(),
        };
        for sequence in Sequence::ALL {
            packets.begin(sequence, clock, begin)?;
        }
        Ok(packets)
    }

    fn begin(&mut self, sequence: Sequence, clock: TraceClock, begin: Ns) -> io::Result<()> {
        let TraceClock { number, wall_offset_ns } = clock;
        self.packet
            .number(packet::SEQUENCE, sequence.number())
            .number(packet::SEQUENCE_FLAGS, STATE_CLEARED)
            .message(packet::DEFAULTS, |defaults| defaults.number(packet::TIMESTAMP_CLOCK, INCREMENTAL));
        self.write()?;
        let mut times = vec![(number, begin.0, false), (INCREMENTAL, begin.0, true)];
        let wall = wall_offset_ns.filter(|_| number != REALTIME);
        times.extend(wall.map(|offset| (REALTIME, begin.wrapping_add_signed(offset).0, false)));
        self.packet.number(packet::SEQUENCE, sequence.number()).message(packet::CLOCK_SNAPSHOT, |snapshot| {
            for (clock, time, is_incremental) in times {
                snapshot.message(1, |reading| {
                    reading.number(1, clock).number(2, time);
                    if is_incremental { reading.number(3, 1) } else { reading }
                });
            }
            snapshot.number(2, number)
        });
        self.write()
    }

    /// Describes a track, and those above it, once.
    pub fn describe(&mut self, track: Track, interval_ns: Option<u64>, names: &TrackNames<'_>) -> io::Result<()> {
        if !self.described.insert(track) {
            return Ok(());
        }
        if let Some(parent) = track.parent(names) {
            self.describe(parent, None, names)?;
        }
        self.packet
            .number(packet::SEQUENCE, Sequence::Instants.number())
            .message(packet::TRACK_DESCRIPTOR, |descriptor| track.describe(interval_ns, names, descriptor));
        self.write()
    }

    /// Writes an event. A tracepoint that was thinned has the hits that the event stands for.
    pub fn instant(&mut self, time: Ns, track: Track, name: Tpid, hits: Option<u64>, table: &Table) -> io::Result<()> {
        self.event
            .number(track_event::TYPE, track_event::INSTANT)
            .number(track_event::TRACK, track.uuid())
            .number(track_event::NAME_IID, name.get().into());
        if let Some(hits) = hits {
            self.event.message(track_event::DEBUG_ANNOTATIONS, |note| note.text(10, "hits").number(3, hits));
        }
        if self.interned.insert(name) {
            let text = table.get(name).full_name();
            self.packet.message(packet::INTERNED_DATA, |data| {
                data.message(2, |event_name| event_name.number(1, name.get().into()).text(2, &text))
            });
        }
        self.event(Sequence::Instants, time)
    }

    /// Writes the value that a counter has from a time on.
    pub fn counter(&mut self, sequence: Sequence, time: Ns, track: Track, value: u64) -> io::Result<()> {
        self.event
            .number(track_event::TYPE, track_event::COUNTER)
            .number(track_event::TRACK, track.uuid())
            .number(track_event::COUNTER_VALUE, value.min(i64::MAX as u64));
        self.event(sequence, time)
    }

    fn event(&mut self, sequence: Sequence, time: Ns) -> io::Result<()> {
        let last = &mut self.last[sequence as usize];
        let since = time.since(*last);
        *last = time.max(*last);
        self.packet
            .number(packet::TIMESTAMP, since)
            .number(packet::SEQUENCE, sequence.number())
            .number(packet::SEQUENCE_FLAGS, NEEDS_STATE)
            .bytes(packet::TRACK_EVENT, &self.event.0);
        self.event.0.clear();
        self.write()
    }

    /// Writes the packet.
    fn write(&mut self) -> io::Result<()> {
        self.buffer.bytes(1, &self.packet.0);
        self.packet.0.clear();
        if self.buffer.0.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer.0)?;
        self.buffer.0.clear();
        Ok(())
    }

    /// Writes the rest.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.flush()
    }
}
