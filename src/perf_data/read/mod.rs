//! Events from perf.data: tp-perf's own, live or recorded, and what `perf record` wrote.

mod head;
mod records;

use crate::events::Filter;
use crate::events::merge::Merge;
use crate::events::stream::{Decode, Decoded, Loss};
use crate::events::{Event, Ns};
use crate::os::clock::Clock;
use crate::perf_data::Error;
use crate::perf_data::input::Input;
use crate::perf_data::record::{Damaged, HEADER_SIZE, Record};
use crate::perf_data::{Described, Header, Inflate, kind};
use crate::tracefs::Table;
use crate::units::OneLine;
use byteorder::{ByteOrder, NativeEndian};
use head::Ahead;
use perf_event_open_sys::bindings as abi;
use records::Records;
use std::io;

/// Out of a COMPRESSED record so much at a time.
const INFLATED: usize = 512 << 10;

/// Decodes perf.data.
pub struct PerfData {
    /// Taken out while a piece of it is decoded.
    input: Option<Box<dyn Input>>,
    /// What was read ahead and is decoded first, from `ahead_at` on.
    ahead: Vec<u8>,
    ahead_at: usize,
    /// The beginning of a record whose end is in the next piece.
    torn: Vec<u8>,
    /// Bytes to pass over that belong to no record.
    skip: u64,
    /// Where in the file the next record begins.
    position: u64,
    /// What of a compressed record has not been taken out yet.
    payload: Vec<u8>,
    /// Whether there is more to take out although nothing is left to put in.
    drains: bool,
    inflating: Option<Inflating>,
    records: Records,
    /// All that the file said before its events.
    pub header: Header,
}

/// A compressed stream on its way.
struct Inflating {
    inflate: Inflate,
    /// What has come out and is not decoded: less than a record, between two COMPRESSED records.
    out: Vec<u8>,
    position: u64,
}

impl PerfData {
    /// A file from its first byte, in the form that perf uses on a pipe and tp-perf always.
    pub fn piped(input: impl Input + 'static) -> Result<Self, Error> {
        Self::open(Box::new(input), Header::default(), None)
    }

    /// The data of a file in the other form, which begin at this byte and of which the header is known.
    pub fn seekable(input: impl Input + 'static, header: Header, position: u64) -> Result<Self, Error> {
        Self::open(Box::new(input), header, Some(position))
    }

    fn open(mut input: Box<dyn Input>, mut header: Header, data: Option<u64>) -> Result<Self, Error> {
        let mut ahead = Ahead::new(&mut *input, data.unwrap_or(0));
        if data.is_none() {
            ahead.pipe_header()?;
        }
        ahead.records_of_header(&mut header)?;
        let (ahead, position) = ahead.rest();
        let records = Records::new(&header)?;
        Ok(PerfData {
            input: Some(input),
            ahead,
            ahead_at: 0,
            torn: Vec::new(),
            skip: 0,
            position,
            payload: Vec::new(),
            drains: false,
            inflating: None,
            records,
            header,
        })
    }

    /// What the user should know about the file.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let others: Vec<_> = self
            .header
            .events
            .iter()
            .filter(|event| !event.attr.is_tracepoint() && !is_dummy(event))
            .map(|event| OneLine(self.header.label(event).unwrap_or("an event without a name")).to_string())
            .collect();
        if let [first, rest @ ..] = others.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            remarks.push(format!("{first}{more}: no tracepoint, and left out"));
        }
        let some =
            self.header.events.iter().filter(|event| event.attr.is_tracepoint() && event.attr.samples_some()).count();
        if some > 0 {
            remarks.push(format!(
                "{} recorded with `perf record -c` or `-F`: a sample of it stands for more than one hit, and counts as one",
                if some == 1 { "one tracepoint was".to_owned() } else { format!("{some} tracepoints were") }
            ));
        }
        if self.records.unnamed > 0 {
            remarks.push(format!(
                "the file does not name {} of its tracepoints: they are called `unnamed:tracefs_id_N`",
                self.records.unnamed
            ));
        }
        remarks
    }

    /// The clock of its samples: a name that tp-perf's --clock takes, `local` for perf's default, or a number.
    pub fn clock(&self) -> String {
        let mut tracepoints = self.header.events.iter().filter(|event| event.attr.is_tracepoint());
        match tracepoints.next().and_then(|event| event.attr.clockid()) {
            None => "local".to_owned(),
            Some(number) => {
                Clock::of_number(number).map_or_else(|| format!("clockid {number}"), |clock| clock.to_string())
            }
        }
    }

    /// Whether the CPU of each tracepoint's events is known.
    pub fn knows_cpus(&self) -> bool {
        self.records.knows_cpus()
    }

    /// Adds nanoseconds to all times.
    pub fn set_clock_offset(&mut self, nanoseconds: i64) {
        self.records.clock_offset = nanoseconds;
    }

    /// Decodes a piece, of which the first record may have begun in the last one, up to its end or behind the first
    /// compressed record. Gives how many bytes are left.
    fn decode_joined(&mut self, mut piece: &[u8], merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<usize> {
        loop {
            let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
            self.skip -= passed as u64;
            self.position += passed as u64;
            piece = &piece[passed..];
            // What is in a compressed record comes first, a little at a time.
            if piece.is_empty() || !self.payload.is_empty() {
                return Ok(piece.len());
            }
            if self.torn.is_empty() {
                let used = self.decode(piece, merge, out)?;
                piece = &piece[used..];
                if used == 0 {
                    self.torn.extend_from_slice(piece);
                    return Ok(0);
                }
            } else {
                let missing = match self.torn.len() {
                    short @ 0..HEADER_SIZE => HEADER_SIZE - short,
                    length => usize::from(NativeEndian::read_u16(&self.torn[6..])).saturating_sub(length).max(1),
                };
                let (now, later) = piece.split_at(missing.min(piece.len()));
                self.torn.extend_from_slice(now);
                piece = later;
                let record = std::mem::take(&mut self.torn);
                let used = self.decode(&record, merge, out)?;
                self.torn = record[used..].to_vec();
            }
        }
    }

    /// Decodes whole records up to the first behind which something else comes, and gives how many bytes they were.
    fn decode(&mut self, bytes: &[u8], merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<usize> {
        let (used, met) = self.records.decode(bytes, merge, out).map_err(|damaged| self.damaged(damaged))?;
        self.position += used as u64;
        let Some(record) = met else { return Ok(used) };
        match record.kind {
            kind::COMPRESSED | kind::COMPRESSED2 => {
                self.payload = payload(record).map_err(|what| self.compressed(what))?
            }
            kind::AUXTRACE => self.skip = record.word(8).unwrap_or(0),
            _ => {
                let message = format!(
                    "the record at byte {} describes events (type {}), and stands behind the first of them",
                    self.position, record.kind
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        let length = record.bytes.len();
        self.position += length as u64;
        Ok(used + length)
    }

    /// Takes a little out of the compressed record at hand, and decodes it.
    fn inflate(&mut self, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<()> {
        let inflating = match &mut self.inflating {
            Some(inflating) => inflating,
            none => none.insert(Inflating { inflate: Inflate::new()?, out: Vec::new(), position: 0 }),
        };
        let mut rest = self.payload.as_slice();
        // Room is cleared before it is filled: a small record gets little.
        let most = (32 * rest.len()).clamp(16 << 10, INFLATED);
        let result = inflating.inflate.run(&mut rest, most, &mut inflating.out);
        let left = rest.len();
        self.payload.drain(..self.payload.len() - left);
        let decoded = self.records.decode(&inflating.out, merge, out);
        let decoded = decoded.map_err(|damaged| Damaged { offset: inflating.position + damaged.offset, ..damaged });
        let used = match decoded {
            Ok((used, None)) => used,
            Ok((_, Some(record))) => {
                let what = format!("it holds a record of type {}", record.kind);
                return Err(self.compressed(what));
            }
            Err(damaged) => return Err(self.compressed(damaged)),
        };
        inflating.out.drain(..used);
        inflating.position += used as u64;
        match result {
            Err(error) => Err(self.compressed(error)),
            Ok(0) if left > 0 => Err(self.compressed("it cannot be read to its end")),
            Ok(written) => {
                // What is left inside the decoder comes with the next call.
                self.drains = left == 0 && written == most;
                Ok(())
            }
        }
    }

    /// The error of a compressed record, which ends where the file has been read to.
    fn compressed(&self, what: impl std::fmt::Display) -> io::Error {
        let message = format!("the COMPRESSED record before byte {}: {what}", self.position);
        io::Error::new(io::ErrorKind::InvalidData, message)
    }

    fn damaged(&self, damaged: Damaged) -> io::Error {
        Damaged { offset: self.position + damaged.offset, ..damaged }.into()
    }
}

impl Decode for PerfData {
    fn step(&mut self, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<bool> {
        if !self.payload.is_empty() || self.drains {
            return self.inflate(merge, out).map(|()| true);
        }
        if self.ahead_at < self.ahead.len() {
            let ahead = std::mem::take(&mut self.ahead);
            let left = self.decode_joined(&ahead[self.ahead_at..], merge, out)?;
            self.ahead_at = ahead.len() - left;
            self.ahead = ahead;
            return Ok(true);
        }
        let mut input = self.input.take().expect("it was put back after the last piece");
        let result = self.decode_next(&mut *input, merge, out);
        self.input = Some(input);
        result
    }

    fn table(&self) -> &Table {
        &self.records.table
    }

    fn restrict(&mut self, filter: Filter) {
        self.records.restrict(filter);
    }

    fn count_only(&mut self) {
        self.records.count_only = true;
    }

    fn decoded(&self, merge: &Merge) -> Decoded {
        self.records.decoded(merge)
    }

    fn earliest(&self) -> Option<Ns> {
        self.records.earliest()
    }

    fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.records.losses)
    }

    fn last_note(&self) -> Option<&str> {
        self.records.notes.whole.last().map(String::as_str)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.position, self.input.as_ref().and_then(|input| input.length()))
    }
}

impl PerfData {
    /// Reads a piece and decodes it. False at the end.
    fn decode_next(&mut self, input: &mut dyn Input, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<bool> {
        match input.next_piece()? {
            Some(piece) => self.decode_joined(piece, merge, out).map(|left| {
                self.ahead.clear();
                self.ahead.extend_from_slice(&piece[piece.len() - left..]);
                self.ahead_at = 0;
                true
            }),
            None if !self.torn.is_empty() => Err(self.cut_short()),
            None if self.skip > 0 => {
                let message =
                    format!("it ends {} bytes before the end of the trace data at byte {}", self.skip, self.position);
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
            }
            None if self.inflating.as_ref().is_some_and(|own| !own.out.is_empty() || !own.inflate.is_between()) => {
                Err(self.compressed("the compressed stream ends within a record"))
            }
            None => self.records.check_notes().map(|()| false),
        }
    }

    fn cut_short(&self) -> io::Error {
        let message =
            format!("it ends within the record at byte {}: {} bytes of it are there", self.position, self.torn.len());
        io::Error::new(io::ErrorKind::UnexpectedEof, message)
    }
}

/// What a compressed record holds.
fn payload(record: Record<'_>) -> Result<Vec<u8>, &'static str> {
    let payload = match record.kind {
        kind::COMPRESSED => &record.bytes[HEADER_SIZE..],
        _ => {
            let length = record.word(8).ok_or("it has no length")?;
            let payload = &record.bytes[16..];
            payload.get(..usize::try_from(length).unwrap_or(usize::MAX)).ok_or("it is shorter than it says")?
        }
    };
    Ok(payload.to_vec())
}

/// Whether it is an event of which no samples come (PERF_COUNT_SW_DUMMY): perf adds one to learn of processes.
fn is_dummy(event: &Described) -> bool {
    (event.attr.kind, event.attr.config) == (abi::PERF_TYPE_SOFTWARE, abi::PERF_COUNT_SW_DUMMY.into())
}
