//! Events from perf.data: tp-perf's own, live or recorded, and what `perf record` wrote.

use super::Error;
use crate::blocks::Blocks;
use crate::merge::{Event, Merge};
use crate::perf::data::{Described, Header, Inflate, MAGIC, MAGIC_SWAPPED, Notes, PIPE_HEADER, Trailer, kind};
use crate::perf::record::{self, Damaged, HEADER_SIZE, Record};
use crate::perf::{Clock, Counted, SampleIds, Slot};
use crate::stream::{Decode, Decoded, DecodedCpu, Restriction, UNKNOWN_CPU};
use crate::tracefs::Table;
use perf_event_open_sys::bindings as abi;
use std::collections::HashMap;
use std::io;

/// Out of a COMPRESSED record so much at a time.
const INFLATED: usize = 512 << 10;

/// A header that grows beyond this is none.
const MOST_HEADER: usize = 256 << 20;

/// No kernel numbers CPUs higher (`NR_CPUS` is at most 8192 on x86-64).
const MOST_CPUS: u32 = 65_536;

/// The place of a CPU that samples tell themselves.
const IN_SAMPLE: u32 = u32::MAX;

/// Decodes perf.data.
pub struct PerfData {
    blocks: Box<dyn Blocks>,
    /// What was read behind the header, and is decoded first.
    ahead: Vec<u8>,
    /// The beginning of a record whose end is in the next block.
    torn: Vec<u8>,
    /// Bytes to pass over that belong to no record.
    skip: u64,
    /// Where in the file the next record begins.
    position: u64,
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
    pub fn piped(blocks: impl Blocks + 'static) -> Result<Self, Error> {
        Self::open(Box::new(blocks), Header::default(), None)
    }

    /// The data of a file in the other form, which begin at this byte and of which the header is known.
    pub fn seekable(blocks: impl Blocks + 'static, header: Header, position: u64) -> Result<Self, Error> {
        Self::open(Box::new(blocks), header, Some(position))
    }

    fn open(mut blocks: Box<dyn Blocks>, mut header: Header, data: Option<u64>) -> Result<Self, Error> {
        let mut ahead = Ahead { blocks: &mut *blocks, bytes: Vec::new(), used: 0, position: data.unwrap_or(0) };
        if data.is_none() {
            ahead.pipe_header()?;
        }
        ahead.records_of_header(&mut header)?;
        let Ahead { bytes, used, position, .. } = ahead;
        let records = Records::new(&header)?;
        let ahead = bytes[used..].to_vec();
        Ok(PerfData { blocks, ahead, torn: Vec::new(), skip: 0, position, inflating: None, records, header })
    }

    /// What the user should know about the file.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let others: Vec<_> = self
            .header
            .events
            .iter()
            .filter(|event| !event.attr.is_tracepoint() && !is_dummy(event))
            .map(|event| self.header.label(event).unwrap_or("an event without a name").to_owned())
            .collect();
        if let [first, rest @ ..] = others.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            remarks.push(format!("{first}{more}: no tracepoint, and left out"));
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
        let mut tracepoints = self.records.targets.iter().filter(|target| target.slot.tpid != 0);
        tracepoints.all(|target| target.cpu == IN_SAMPLE || target.slot.cpu != UNKNOWN_CPU)
    }

    /// Adds nanoseconds to all times.
    pub fn set_clock_offset(&mut self, nanoseconds: i64) {
        self.records.clock_offset = nanoseconds;
    }

    /// Decodes a block, of which the first record may have begun in the last one.
    fn decode_joined(&mut self, mut block: &[u8], merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<()> {
        let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(block.len());
        self.skip -= passed as u64;
        self.position += passed as u64;
        block = &block[passed..];
        while !self.torn.is_empty() && !block.is_empty() {
            let missing = match self.torn.len() {
                short @ 0..HEADER_SIZE => HEADER_SIZE - short,
                length => (usize::from(u16::from_ne_bytes([self.torn[6], self.torn[7]]))).saturating_sub(length).max(1),
            };
            let (now, later) = block.split_at(missing.min(block.len()));
            self.torn.extend_from_slice(now);
            block = later;
            let record = std::mem::take(&mut self.torn);
            let used = self.decode(&record, merge, out)?;
            self.torn = record[used.min(record.len())..].to_vec();
            if self.skip > 0 {
                return self.decode_joined(block, merge, out);
            }
        }
        let used = self.decode(block, merge, out)?;
        self.torn.extend_from_slice(&block[used.min(block.len())..]);
        Ok(())
    }

    /// Decodes all whole records and gives how many bytes they were.
    fn decode(&mut self, bytes: &[u8], merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<usize> {
        let mut rest = bytes;
        loop {
            let (used, met) = self.records.decode(rest, merge, out).map_err(|damaged| self.damaged(damaged))?;
            self.position += used as u64;
            rest = &rest[used..];
            let Some(record) = met else { return Ok(bytes.len() - rest.len()) };
            match record.kind {
                kind::COMPRESSED | kind::COMPRESSED2 => self.inflate(record, merge, out)?,
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
            rest = &rest[length..];
            if self.skip > 0 {
                let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rest.len());
                self.skip -= passed as u64;
                self.position += passed as u64;
                rest = &rest[passed..];
            }
        }
    }

    fn inflate(&mut self, record: Record<'_>, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<()> {
        let at = self.position;
        let bad = |what: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("the COMPRESSED record at byte {at}: {what}"))
        };
        let mut payload = match record.kind {
            kind::COMPRESSED => &record.bytes[HEADER_SIZE..],
            _ => {
                let length = record.word(8).ok_or_else(|| bad(&"it has no length"))?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let payload = &record.bytes[16..];
                payload.get(..length).ok_or_else(|| bad(&"it is shorter than it says"))?
            }
        };
        let inflating = match &mut self.inflating {
            Some(inflating) => inflating,
            none => none.insert(Inflating { inflate: Inflate::new()?, out: Vec::new(), position: 0 }),
        };
        loop {
            let result = inflating.inflate.run(&mut payload, INFLATED, &mut inflating.out);
            let (used, met) = self
                .records
                .decode(&inflating.out, merge, out)
                .map_err(|damaged| bad(&Damaged { offset: inflating.position + damaged.offset, ..damaged }))?;
            if let Some(record) = met {
                return Err(bad(&format!("it holds a record of type {}", record.kind)));
            }
            inflating.out.drain(..used);
            inflating.position += used as u64;
            match result.map_err(|error| bad(&error))? {
                0 if payload.is_empty() => return Ok(()),
                0 => return Err(bad(&"it cannot be read to its end")),
                _ => {}
            }
        }
    }

    fn damaged(&self, damaged: Damaged) -> io::Error {
        Damaged { offset: self.position + damaged.offset, ..damaged }.into()
    }
}

fn is_dummy(event: &Described) -> bool {
    (event.attr.kind, event.attr.config) == (abi::PERF_TYPE_SOFTWARE, abi::PERF_COUNT_SW_DUMMY.into())
}

/// The beginning of a file, of which nobody knows yet where the events begin.
struct Ahead<'a> {
    blocks: &'a mut dyn Blocks,
    bytes: Vec<u8>,
    used: usize,
    /// Where in the file `used` is.
    position: u64,
}

impl Ahead<'_> {
    /// The next bytes, as many as wanted; fewer at the end of the file.
    fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.bytes.len() - self.used < wanted {
            if self.used > 0 {
                self.bytes.drain(..self.used);
                self.used = 0;
            }
            match self.blocks.next_block()? {
                Some(block) => self.bytes.extend_from_slice(block),
                None => break,
            }
        }
        Ok(&self.bytes[self.used..])
    }

    fn pass(&mut self, length: usize) {
        self.used += length;
        self.position += length as u64;
    }

    fn pipe_header(&mut self) -> Result<(), Error> {
        let head = self.peek(PIPE_HEADER as usize)?;
        match head.get(..8) {
            Some(magic) if *magic == MAGIC => {}
            Some(magic) if *magic == MAGIC_SWAPPED => return Err(Error::OtherByteOrder),
            _ => return Err(Error::NoPerfData),
        }
        match head.get(8..16).map(|size| u64::from_ne_bytes(size.try_into().expect("eight bytes"))) {
            Some(PIPE_HEADER) => {}
            size => return Err(Error::Header { at: 8, reason: format!("its size is {size:?}, and is to be 16") }),
        }
        self.pass(PIPE_HEADER as usize);
        Ok(())
    }

    /// Takes in all records up to the first that is about an event.
    fn records_of_header(&mut self, header: &mut Header) -> Result<(), Error> {
        loop {
            self.peek(HEADER_SIZE)?;
            let length = match record::first(&self.bytes[self.used..]) {
                Ok(Some(record)) => record.bytes.len(),
                // Its header says how long it is.
                Ok(None) => match self.bytes.get(self.used + 6..self.used + 8) {
                    Some(size) => usize::from(u16::from_ne_bytes([size[0], size[1]])),
                    None => return Ok(()),
                },
                // The decoder meets it again, and tells.
                Err(_) => return Ok(()),
            };
            let at = self.position;
            let bytes = self.peek(length)?;
            let Ok(Some(Record { kind, bytes })) = record::first(bytes) else { return Ok(()) };
            let begins = matches!(
                kind,
                abi::PERF_RECORD_SAMPLE
                    | abi::PERF_RECORD_LOST
                    | abi::PERF_RECORD_READ
                    | kind::FINISHED_ROUND
                    | kind::COMPRESSED
                    | kind::COMPRESSED2
                    | kind::AUXTRACE
            );
            // tp-perf's facts stand before the events, and how it ended behind them.
            if begins || (kind == kind::HEADER_EVENT_TYPE && !header.notes.whole.is_empty()) {
                return Ok(());
            }
            let bad = |reason: String| Error::Header { at, reason };
            header.take(kind, &bytes[HEADER_SIZE..]).map_err(bad)?;
            let names = match kind {
                kind::TRACING_DATA => {
                    let size = bytes.get(8..12).ok_or_else(|| bad("names without a size".to_owned()))?;
                    u32::from_ne_bytes(size.try_into().expect("four bytes")) as usize
                }
                _ => 0,
            };
            self.pass(length);
            if names > 0 {
                if names > MOST_HEADER {
                    return Err(bad(format!("names of {names} bytes")));
                }
                let bytes = self.peek(names)?;
                let bytes = bytes.get(..names).ok_or_else(|| {
                    bad(format!("the file ends within the names of its tracepoints ({} of {names} bytes)", bytes.len()))
                })?;
                header.take_tracing_data(bytes).map_err(|reason| bad(format!("the names of tracepoints: {reason}")))?;
                self.pass(names);
            }
        }
    }
}

impl Decode for PerfData {
    fn step(&mut self, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<bool> {
        let ahead = std::mem::take(&mut self.ahead);
        if !ahead.is_empty() {
            self.decode_joined(&ahead, merge, out)?;
            return Ok(true);
        }
        // The block is lent by what decodes it: exchanged for nothing meanwhile.
        let mut blocks = std::mem::replace(&mut self.blocks, Box::new(Nothing));
        let result = match blocks.next_block()? {
            Some(block) => self.decode_joined(block, merge, out).map(|()| true),
            None if !self.torn.is_empty() => Err(self.cut_short()),
            None if self.skip > 0 => Err(self.damaged(record::torn(&[]))),
            None => Ok(false),
        };
        self.blocks = blocks;
        result
    }

    fn table(&self) -> &Table {
        &self.records.table
    }

    fn restrict(&mut self, restriction: Restriction) {
        self.records.restrict(restriction);
    }

    fn count_only(&mut self) {
        self.records.count_only = true;
    }

    fn decoded(&self, merge: &Merge) -> Decoded {
        self.records.decoded(merge)
    }

    fn last_note(&self) -> Option<&str> {
        self.records.notes.whole.last().map(String::as_str)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.position, self.blocks.length())
    }
}

impl PerfData {
    fn cut_short(&self) -> io::Error {
        let message =
            format!("it ends within the record at byte {}: {} bytes of it are there", self.position, self.torn.len());
        io::Error::new(io::ErrorKind::UnexpectedEof, message)
    }
}

struct Nothing;

impl Blocks for Nothing {
    fn next_block(&mut self) -> io::Result<Option<&[u8]>> {
        Ok(None)
    }
}

/// Decodes records, whether they come as they are or out of a compressed stream.
struct Records {
    ids: SampleIds,
    /// Where a sample has its id; none if all are of one event.
    id_at: Option<usize>,
    /// For each sample id what a sample of it needs, side by side in memory.
    targets: Vec<Target>,
    /// Targets on CPUs that only samples tell, beyond those of `ids`.
    on_cpu: HashMap<(u32, u32), u32>,
    attrs: Vec<Described>,
    trailer: Trailer,
    cpus: Vec<Cpu>,
    unknown: u64,
    counted: Option<Vec<Counted>>,
    notes: Notes,
    table: Table,
    unnamed: usize,
    restriction: Restriction,
    clock_offset: i64,
    count_only: bool,
}

struct Target {
    slot: Slot,
    /// Its CPU's index in `cpus`, or [`IN_SAMPLE`].
    cpu: u32,
    wanted: bool,
    time_at: u16,
    cpu_at: u16,
    least: u16,
    /// Of which of the file's events.
    event: u32,
    samples: u64,
}

struct Cpu {
    number: u32,
    /// Its queue in the merge, once it has one.
    queue: Option<usize>,
    wanted: bool,
    lost: u64,
}

impl Records {
    fn new(header: &Header) -> Result<Self, Error> {
        let (table, unnamed) = header.table();
        let tpids: HashMap<u64, u32> = table.tracepoints().iter().map(|t| (t.tracefs_id, t.tpid)).collect();
        let tracepoints = || header.events.iter().filter(|event| event.attr.is_tracepoint());
        let name = |event: &Described| table.get(tpids[&event.attr.config]).full_name();
        if header.events.is_empty() {
            return Err(Error::NoAttributes);
        }
        let Some(first) = tracepoints().next() else { return Err(Error::NoTracepoints) };
        let lacks = |event, what, option| Err(Error::Lacks { event: name(event), what, option });
        if let Some(event) = tracepoints().find(|event| event.attr.layout().time.is_none()) {
            return lacks(event, "time", "--timestamp");
        }
        let id_at = first.attr.layout().id;
        let alone = header.events.iter().filter(|event| !is_dummy(event)).count() == 1;
        if let Some(event) = tracepoints().find(|event| event.attr.layout().id != id_at || (id_at.is_none() && !alone))
        {
            return lacks(event, "id at a place that all events share", "--sample-identifier");
        }

        let mut records = Records {
            ids: SampleIds::new(&[]),
            id_at,
            targets: Vec::new(),
            on_cpu: HashMap::new(),
            attrs: header.events.clone(),
            trailer: first.attr.trailer(),
            cpus: Vec::new(),
            unknown: 0,
            counted: None,
            notes: Notes::default(),
            table: table.clone(),
            unnamed,
            restriction: Restriction::default(),
            clock_offset: 0,
            count_only: false,
        };
        let mut pairs = Vec::new();
        for (number, event) in (0u32..).zip(&header.events) {
            let layout = event.attr.layout();
            // 0 is the tpid of what is no tracepoint.
            let tpid = if event.attr.is_tracepoint() { tpids[&event.attr.config] } else { 0 };
            let mut ids = event.ids.clone();
            if id_at.is_none() && tpid != 0 {
                // One that stands for the event itself, beside any that it has.
                ids.insert(0, u64::MAX);
            }
            for id in ids {
                let by_id = header.cpu(id).filter(|_| layout.cpu.is_none());
                if by_id.is_some_and(|cpu| cpu >= MOST_CPUS) {
                    return Err(Error::Header { at: 0, reason: format!("a sample id of CPU {by_id:?}") });
                }
                let slot = Slot { tpid, cpu: by_id.unwrap_or(UNKNOWN_CPU) };
                let cpu = if layout.cpu.is_some() { IN_SAMPLE } else { records.cpu(slot.cpu) };
                records.targets.push(Target {
                    slot,
                    cpu,
                    wanted: tpid != 0,
                    time_at: layout.time.unwrap_or(0) as u16,
                    cpu_at: layout.cpu.unwrap_or(0) as u16,
                    least: layout.least as u16,
                    event: number,
                    samples: 0,
                });
                pairs.push((id, slot));
            }
        }
        records.ids = SampleIds::new(&pairs);
        Ok(records)
    }

    /// The index of a CPU in `cpus`.
    fn cpu(&mut self, number: u32) -> u32 {
        let index = self.cpus.iter().position(|cpu| cpu.number == number).unwrap_or_else(|| {
            let wanted = self.restriction.takes_cpu(number);
            self.cpus.push(Cpu { number, queue: None, wanted, lost: 0 });
            self.cpus.len() - 1
        });
        index as u32
    }

    fn restrict(&mut self, restriction: Restriction) {
        for target in &mut self.targets {
            target.wanted = target.slot.tpid != 0
                && restriction.takes(self.table.get(target.slot.tpid))
                && (target.cpu == IN_SAMPLE || restriction.takes_cpu(target.slot.cpu));
        }
        for cpu in &mut self.cpus {
            cpu.wanted = restriction.takes_cpu(cpu.number);
        }
        self.restriction = restriction;
    }

    /// Decodes whole records, and gives how many bytes they were; and the record behind them if it is one that only the
    /// file knows how to go on from.
    #[inline]
    fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
        merge: &mut Merge,
        out: &mut Vec<Event>,
    ) -> Result<(usize, Option<Record<'a>>), Damaged> {
        let mut rest = bytes;
        loop {
            let offset = bytes.len() - rest.len();
            let at = |damaged: Damaged| Damaged { offset: offset as u64, ..damaged };
            let Some(record) = record::first(rest).map_err(at)? else { return Ok((offset, None)) };
            if record.kind == abi::PERF_RECORD_SAMPLE {
                self.sample(record, merge).map_err(at)?;
            } else if matches!(record.kind, kind::COMPRESSED | kind::COMPRESSED2 | kind::AUXTRACE)
                || matches!(record.kind, kind::HEADER_ATTR | kind::TRACING_DATA)
            {
                return Ok((offset, Some(record)));
            } else {
                self.other(record, merge, out).map_err(at)?;
            }
            rest = &rest[record.bytes.len()..];
        }
    }

    #[inline]
    fn sample(&mut self, record: Record<'_>, merge: &mut Merge) -> Result<(), Damaged> {
        let id = match self.id_at {
            Some(place) => record.word(place).ok_or_else(|| record.damaged())?,
            None => u64::MAX,
        };
        let Some(mut index) = self.ids.find(id) else {
            self.unknown += 1;
            return Ok(());
        };
        let target = &self.targets[index];
        if record.bytes.len() < usize::from(target.least) {
            return Err(record.damaged());
        }
        if !target.wanted {
            return Ok(());
        }
        let time = record.word(usize::from(target.time_at)).ok_or_else(|| record.damaged())?;
        if target.cpu == IN_SAMPLE {
            let Some(on_cpu) = self.target_on_cpu(index as u32, record)? else { return Ok(()) };
            index = on_cpu;
        }
        let target = &mut self.targets[index];
        target.samples += 1;
        if self.count_only {
            return Ok(());
        }
        let Slot { tpid, cpu } = target.slot;
        let of_cpu = &mut self.cpus[target.cpu as usize];
        let queue = match of_cpu.queue {
            Some(queue) => queue,
            None => *of_cpu.queue.insert(merge.add_queue(cpu)),
        };
        let time = time.wrapping_add_signed(self.clock_offset);
        merge.push(queue, Event { time, cpu, tpid });
        Ok(())
    }

    /// The target of an event on the CPU that a sample tells; none if that CPU is not wanted.
    fn target_on_cpu(&mut self, index: u32, record: Record<'_>) -> Result<Option<usize>, Damaged> {
        let target = &self.targets[index as usize];
        let cpu = record.word(usize::from(target.cpu_at)).ok_or_else(|| record.damaged())? as u32;
        let Slot { tpid, .. } = target.slot;
        if let Some(found) = self.on_cpu.get(&(tpid, cpu)) {
            return Ok(Some(*found as usize).filter(|found| self.targets[*found].wanted));
        }
        if cpu >= MOST_CPUS {
            return Err(record.damaged());
        }
        let (time_at, cpu_at, least, event) = (target.time_at, target.cpu_at, target.least, target.event);
        let place = self.cpu(cpu);
        let wanted = self.cpus[place as usize].wanted;
        let slot = Slot { tpid, cpu };
        self.on_cpu.insert((tpid, cpu), self.targets.len() as u32);
        self.targets.push(Target { slot, cpu: place, wanted, time_at, cpu_at, least, event, samples: 0 });
        Ok(wanted.then(|| self.targets.len() - 1))
    }

    fn other(&mut self, record: Record<'_>, merge: &mut Merge, out: &mut Vec<Event>) -> Result<(), Damaged> {
        match record.kind {
            kind::FINISHED_ROUND => merge.finish_round(out),
            abi::PERF_RECORD_LOST => {
                let (Some(id), Some(lost)) = (record.word(8), record.word(16)) else { return Err(record.damaged()) };
                self.lost(id, lost, record);
            }
            abi::PERF_RECORD_READ => self.counter(record),
            kind::HEADER_EVENT_TYPE => self.notes.take(&record.bytes[HEADER_SIZE..]),
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, id: u64, lost: u64, record: Record<'_>) {
        let by_id = self.ids.find(id).map(|index| &self.targets[index]).filter(|target| target.cpu != IN_SAMPLE);
        let place = match by_id.map(|target| target.cpu) {
            Some(place) => place,
            None => {
                let told = self.trailer.cpu(record.bytes).filter(|cpu| *cpu < MOST_CPUS);
                self.cpu(told.unwrap_or(UNKNOWN_CPU))
            }
        };
        let cpu = &mut self.cpus[place as usize];
        if cpu.wanted {
            cpu.lost = cpu.lost.saturating_add(lost);
        }
    }

    /// The kernel's counter of one event.
    fn counter(&mut self, record: Record<'_>) {
        let Some(target) = self.trailer.id(record.bytes).and_then(|id| self.ids.find(id)).map(|i| &self.targets[i])
        else {
            return;
        };
        let attr = &self.attrs[target.event as usize].attr;
        let values = record.bytes.get(16..).unwrap_or_default();
        if let Some(count) = attr.count(values)
            && target.slot.tpid != 0
        {
            let counted = self.counted.get_or_insert_default();
            if target.wanted {
                let weighted = self.table.get(target.slot.tpid).is_weighted();
                counted.push(Counted { slot: target.slot, count, lost_known: attr.lost_known(), weighted });
            }
        }
    }

    fn decoded(&self, merge: &Merge) -> Decoded {
        let is_real = |target: &&Target| target.wanted && target.cpu != IN_SAMPLE;
        let mut per_cpu: Vec<DecodedCpu> = self
            .cpus
            .iter()
            .filter(|cpu| cpu.wanted)
            .map(|cpu| DecodedCpu {
                cpu: cpu.number,
                lost: cpu.lost,
                late: cpu.queue.map_or(0, |queue| merge.late(queue)),
            })
            .collect();
        per_cpu.sort_by_key(|cpu| cpu.cpu);
        Decoded {
            samples: self.targets.iter().filter(is_real).map(|target| (target.slot, target.samples)).collect(),
            per_cpu,
            unknown: self.unknown,
            counted: self.counted.clone(),
        }
    }
}
