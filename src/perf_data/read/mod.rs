//! Reads events from perf.data: from tp-perf's own captures and recordings, and from files of `perf record`.

mod behind;
mod head;
mod records;
mod steps;
mod targets;
mod threads;

use crate::events::Filter;
use crate::events::merge::Merge;
use crate::events::stream::{Decode, Decoded, Loss};
use crate::events::{Event, Ns, RungStep, ThreadChange};
use crate::os::clock::Clock;
use crate::perf_data::Error;
use crate::perf_data::input::Input;
use crate::perf_data::record::{self, Damaged, HEADER_SIZE};
use crate::perf_data::{Described, Header, Inflate, kind};
use crate::text::OneLine;
use crate::tracefs::{Table, Tpid};
use behind::Behind;
use byteorder::{ByteOrder, NativeEndian};
use head::Ahead;
use perf_event_open_sys::bindings as abi;
use records::Records;
use std::collections::{BTreeMap, HashMap};
use std::io;
pub use threads::ThreadsRead;

/// The maximum number of bytes decompressed at once.
const INFLATED: usize = 512 << 10;

/// The decoder of perf.data.
pub struct PerfData {
    /// `None` only while a piece of it is being decoded.
    input: Option<Box<dyn Input>>,
    /// Bytes that were read ahead. They are decoded first, from `ahead_at` on.
    ahead: Vec<u8>,
    ahead_at: usize,
    /// The start of a record that ends in the next piece.
    torn: Vec<u8>,
    /// The number of bytes to skip, because they do not belong to a record.
    skip: u64,
    /// The position of the next record in the file.
    position: u64,
    /// The position of the first record behind the header.
    begin: u64,
    /// The part of a compressed record that has not been decompressed yet.
    payload: Vec<u8>,
    /// The part of a COMPRESSED2 record that was not read yet.
    behind: Behind,
    /// Whether the decompressor has more output although `payload` is empty.
    drains: bool,
    inflating: Option<Inflating>,
    records: Records,
    /// Whether the file is in the pipe form, which has no length of its own.
    is_piped: bool,
    /// Whether a compressed record is an error.
    refuses_compressed: bool,
    /// Everything in the file before its events.
    pub header: Header,
}

/// The state of a compressed stream.
struct Inflating {
    inflate: Inflate,
    /// Decompressed bytes that are not decoded yet. Between two COMPRESSED records, they are less than a
    /// record.
    out: Vec<u8>,
    position: u64,
}

impl PerfData {
    /// Opens a file from its first byte, in the pipe form, which tp-perf always writes.
    pub fn piped(input: impl Input + 'static) -> Result<Self, Error> {
        Self::open(Box::new(input), Header::default(), None)
    }

    /// Opens the data of a file in the seekable form. `position` is the position of `input` in the file.
    pub fn seekable(input: impl Input + 'static, header: Header, position: u64) -> Result<Self, Error> {
        Self::open(Box::new(input), header, Some(position))
    }

    fn open(mut input: Box<dyn Input>, mut header: Header, data: Option<u64>) -> Result<Self, Error> {
        let mut ahead = Ahead::new(&mut *input, data.unwrap_or(0));
        if data.is_none() {
            ahead.pipe_header()?;
        }
        ahead.records_of_header(&mut header)?;
        let threads = ahead.threads();
        let (ahead, position) = ahead.rest();
        let records = Records::with_threads(&header, &threads)?;
        Ok(PerfData {
            input: Some(input),
            ahead,
            ahead_at: 0,
            torn: Vec::new(),
            skip: 0,
            position,
            begin: position,
            payload: Vec::new(),
            behind: Behind::default(),
            drains: false,
            inflating: None,
            records,
            is_piped: data.is_none(),
            refuses_compressed: false,
            header,
        })
    }

    /// Notices about the file for the user.
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
            remarks.push(format!("left out {first}{more}, because tp-perf reads only tracepoints"));
        }
        let some =
            self.header.events.iter().filter(|event| event.attr.is_tracepoint() && event.attr.samples_some()).count();
        if some > 0 {
            remarks.push(format!(
                "{} recorded with `perf record -c` or `-F`: each sample stands for more than one hit, but counts as one",
                if some == 1 { "one tracepoint was".to_owned() } else { format!("{some} tracepoints were") }
            ));
        }
        let not_sampled = self.not_sampled();
        if let [first, rest @ ..] = not_sampled.as_slice() {
            let first = self.records.table.get(*first).full_name();
            let and = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            remarks.push(format!(
                "the number of hits of {}{and} is not known: perf recorded them as members of a sampled group \
                 (`:S`), without samples of their own; record them without `:S`",
                OneLine(&first)
            ));
        }
        if self.records.unnamed > 0 {
            remarks.push(format!(
                "the file does not name {} of its tracepoints; their names are shown as `unnamed:tracefs_id_N`",
                self.records.unnamed
            ));
        }
        remarks
    }

    /// The tracepoints that take no samples of their own, because they are members of a sampled group. Only the
    /// samples of the leader have their counts. These counts have no times, and end with the last of these
    /// samples.
    pub fn not_sampled(&self) -> Vec<Tpid> {
        let tpids: HashMap<u64, Tpid> = self
            .records
            .table
            .tracepoints()
            .iter()
            .map(|tracepoint| (tracepoint.tracefs_id, tracepoint.tpid))
            .collect();
        let mut sampled = BTreeMap::<Tpid, bool>::new();
        for event in self.header.events.iter().filter(|event| event.attr.is_tracepoint()) {
            *sampled.entry(tpids[&event.attr.config]).or_default() |= event.attr.takes_samples();
        }
        sampled.into_iter().filter(|(_, sampled)| !sampled).map(|(tpid, _)| tpid).collect()
    }

    /// The clock of the samples: a name that `--clock` accepts, `local` for perf's default clock, or
    /// `clockid N`.
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

    /// Whether the thread of each tracepoint's events is known.
    pub fn knows_threads(&self) -> bool {
        self.records.knows_threads()
    }

    /// Whether the cgroup of each tracepoint's events is known.
    pub fn knows_cgroups(&self) -> bool {
        self.records.knows_cgroups()
    }

    /// Sets the nanoseconds to add to all times.
    pub fn set_clock_offset(&mut self, nanoseconds: i64) {
        self.records.clock_offset = nanoseconds;
    }

    /// Makes a compressed record an error, because the file was compressed as a whole. Two layers of zstd can make
    /// terabytes of a kilobyte.
    pub fn refuse_compressed(&mut self) {
        self.refuses_compressed = true;
    }

    /// Decodes a piece, whose first record may have begun in the piece before. Stops behind the first
    /// compressed record, or at the end of the piece. Returns the number of bytes left in the piece.
    fn decode_joined(&mut self, mut piece: &[u8], merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<usize> {
        loop {
            let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
            self.skip -= passed as u64;
            self.position += passed as u64;
            piece = &piece[passed..];
            // A compressed record must be decompressed and decoded before the bytes behind it.
            if piece.is_empty() || !self.payload.is_empty() {
                return Ok(piece.len());
            }
            if !self.behind.is_empty() {
                self.payload = self.behind.take(piece, &mut self.skip).to_vec();
                self.position += self.payload.len() as u64;
                piece = &piece[self.payload.len()..];
            } else if self.torn.is_empty() {
                let used = self.decode(piece, merge, out)?;
                piece = &piece[used..];
                if used == 0 {
                    self.torn.extend_from_slice(piece);
                    return Ok(0);
                }
            } else {
                let missing = match self.torn.len() {
                    short @ 0..HEADER_SIZE => HEADER_SIZE - short,
                    length => record::length(&self.torn).saturating_sub(length).max(1),
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

    /// Decodes whole records, up to and including the first one that `Records` leaves to this level. Returns
    /// the number of bytes decoded.
    fn decode(&mut self, bytes: &[u8], merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<usize> {
        let (used, met) = self.records.decode(bytes, merge, out).map_err(|damaged| self.damaged(damaged))?;
        self.position += used as u64;
        let Some(record) = met else { return Ok(used) };
        match record.kind {
            kind::COMPRESSED | kind::COMPRESSED2 if self.refuses_compressed => {
                let message = format!(
                    "the file is compressed with zstd more than once: it has a COMPRESSED record at byte {}; \
                     decompress the file first (`zstd -d`)",
                    self.position
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            kind::COMPRESSED => self.payload = record.bytes[HEADER_SIZE..].to_vec(),
            kind::COMPRESSED2 => {
                self.behind = Behind::of(record, &mut self.skip).map_err(|what| self.compressed(what))?
            }
            kind::AUXTRACE => self.skip = record.word(8).unwrap_or(0),
            kind::SIMPLEPERF.. => {
                let length = record::behind_simpleperf(record.bytes).filter(|_| self.header.features.is_simpleperf);
                let size = NativeEndian::read_u16(&record.bytes[6..]);
                self.skip = length.ok_or_else(|| self.damaged(Damaged { size, ..record.damaged() }))?;
            }
            _ => {
                let message = format!(
                    "the record at byte {} describes events (type {}), but comes after the first event",
                    self.position, record.kind
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        let length = record.bytes.len();
        self.position += length as u64;
        Ok(used + length)
    }

    /// Decompresses and decodes a part of the current compressed record.
    fn inflate(&mut self, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<()> {
        let inflating = match &mut self.inflating {
            Some(inflating) => inflating,
            none => none.insert(Inflating { inflate: Inflate::of(&self.payload)?, out: Vec::new(), position: 0 }),
        };
        let mut rest = self.payload.as_slice();
        // The output buffer is zeroed each time, so a small record gets a small buffer.
        let most = (32 * rest.len()).clamp(16 << 10, INFLATED);
        let result = inflating.inflate.run(&mut rest, most, &mut inflating.out);
        let left = rest.len();
        self.payload.drain(..self.payload.len() - left);
        let decoded = self.records.decode(&inflating.out, merge, out);
        let decoded = decoded.map_err(|damaged| Damaged { offset: inflating.position + damaged.offset, ..damaged });
        let used = match decoded {
            Ok((used, None)) => used,
            Ok((_, Some(record))) => {
                let what = format!("it contains a record of type {}", record.kind);
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
                // The rest of the decompressor's output follows with the next call.
                self.drains = left == 0 && written == most;
                Ok(())
            }
        }
    }

    /// An error in the compressed record that ends at the current position.
    fn compressed(&self, what: impl std::fmt::Display) -> io::Error {
        if let Some(cause) = self.records.too_much() {
            return cause.into();
        }
        let message = format!("the COMPRESSED record before byte {}: {what}{}", self.position, self.reason());
        io::Error::new(io::ErrorKind::InvalidData, message)
    }

    fn damaged(&self, damaged: Damaged) -> io::Error {
        let damaged = Damaged { offset: self.position + damaged.offset, ..damaged };
        match (self.records.too_much(), self.records.reason()) {
            (Some(cause), _) => cause.into(),
            (None, Some(_)) => io::Error::new(io::ErrorKind::InvalidData, format!("{damaged}{}", self.reason())),
            (None, None) => damaged.into(),
        }
    }

    /// What is wrong with a damaged record, behind the words that it is damaged. Empty if no more is known.
    fn reason(&self) -> String {
        self.records.reason().map(|reason| format!(" ({})", OneLine(reason))).unwrap_or_default()
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
        let mut input = self.input.take().expect("the input is put back after each piece");
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

    fn decoded(&mut self, merge: &Merge) -> Decoded {
        self.records.decoded(merge)
    }

    fn earliest(&self) -> Option<Ns> {
        self.records.earliest()
    }

    fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.records.losses)
    }

    fn take_threads(&mut self) -> Vec<ThreadChange> {
        std::mem::take(&mut self.records.threads.changes)
    }

    fn steps(&self) -> &[RungStep] {
        &self.records.steps.all
    }

    fn last_note(&self) -> Option<&str> {
        self.records.notes.whole.last().map(String::as_str)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.position, self.input.as_ref().and_then(|input| input.length()))
    }
}

impl PerfData {
    /// Reads and decodes a piece. Returns false at the end.
    fn decode_next(&mut self, input: &mut dyn Input, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<bool> {
        match input.next_piece()? {
            Some(piece) => self.decode_joined(piece, merge, out).map(|left| {
                self.ahead.clear();
                self.ahead.extend_from_slice(&piece[piece.len() - left..]);
                self.ahead_at = 0;
                true
            }),
            None if !self.torn.is_empty() => Err(self.cut_short()),
            None if !self.behind.is_empty() => {
                let message = format!("the file ends within a COMPRESSED record, at byte {}", self.position);
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
            }
            None if self.skip > 0 => {
                let message = format!(
                    "the file ends at byte {}, {} bytes before the end of the data behind a record",
                    self.position, self.skip
                );
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
            }
            None if self.inflating.as_ref().is_some_and(|own| !own.out.is_empty() || !own.inflate.is_between()) => {
                Err(self.compressed("the compressed stream ends within a record"))
            }
            None => self.records.check_notes().and_then(|()| self.check_end()).map(|()| false),
        }
    }

    /// Fails if a file of perf in the pipe form lacks an end that perf always writes. The file has no length, so
    /// nothing more shows that it was cut between two records. The lack of tp-perf's own end is found when the
    /// ending is read.
    fn check_end(&self) -> io::Result<()> {
        let is_begun = self.header.is_followed || self.position > self.begin;
        if !self.is_piped || !self.header.notes.whole.is_empty() || (is_begun && !self.records.is_within_round()) {
            return Ok(());
        }
        let lack = match is_begun {
            true => "within a round: it lacks the FINISHED_ROUND that perf writes behind the events of each round",
            false => "within its header: perf and tp-perf always write more",
        };
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file ends at byte {} {lack}", self.position)))
    }

    fn cut_short(&self) -> io::Error {
        let message = format!(
            "the file ends within the record at byte {}: only {} bytes of the record are there",
            self.position,
            self.torn.len()
        );
        io::Error::new(io::ErrorKind::UnexpectedEof, message)
    }
}

/// Whether the event never samples (PERF_COUNT_SW_DUMMY). perf adds such an event to record new processes.
fn is_dummy(event: &Described) -> bool {
    (event.attr.kind, event.attr.config) == (abi::PERF_TYPE_SOFTWARE, abi::PERF_COUNT_SW_DUMMY.into())
}
