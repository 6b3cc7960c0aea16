//! `perf_event_attr` as stored in a file, and the positions of the fields in its records.

use crate::events::{Cpu, Ns, Reading, SampleId};
use crate::perf::ProcessFields;
use crate::perf_data::read_format;
use byteorder::{ByteOrder, NativeEndian};
use perf_event_open_sys::bindings as abi;

/// The size in bytes of an attribute in the files that tp-perf writes (`PERF_ATTR_SIZE_VER7`). perf before
/// 6.4 assumes this size, regardless of the field `size`, and reads the bytes behind it as sample ids.
pub(super) const SIZE: usize = 128;

const IDENTIFIER: u64 = abi::PERF_SAMPLE_IDENTIFIER as u64;
const IP: u64 = abi::PERF_SAMPLE_IP as u64;
const TID: u64 = abi::PERF_SAMPLE_TID as u64;
const TIME: u64 = abi::PERF_SAMPLE_TIME as u64;
const ADDR: u64 = abi::PERF_SAMPLE_ADDR as u64;
const ID: u64 = abi::PERF_SAMPLE_ID as u64;
const STREAM_ID: u64 = abi::PERF_SAMPLE_STREAM_ID as u64;
const CPU: u64 = abi::PERF_SAMPLE_CPU as u64;
const PERIOD: u64 = abi::PERF_SAMPLE_PERIOD as u64;
const CGROUP: u64 = abi::PERF_SAMPLE_CGROUP as u64;
/// Fields of fixed lengths behind the cgroup.
const BEHIND_CGROUP: [u64; 2] = [abi::PERF_SAMPLE_DATA_PAGE_SIZE as u64, abi::PERF_SAMPLE_CODE_PAGE_SIZE as u64];
/// Fields of any length behind the cgroup.
const AUX: u64 = abi::PERF_SAMPLE_AUX as u64;
/// Fields of any length, which come between the others and the raw data.
const BEFORE_RAW: u64 = (abi::PERF_SAMPLE_READ | abi::PERF_SAMPLE_CALLCHAIN) as u64;
const RAW: u64 = abi::PERF_SAMPLE_RAW as u64;
/// The position of `common_flags` in a RAW field: behind its size, and behind the tracepoint's own id.
const FLAGS_IN_RAW: usize = 4 + 2;

const COMM: u64 = 1 << 9;
const FREQ: u64 = 1 << 10;
const TASK: u64 = 1 << 13;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const WATERMARK: u64 = 1 << 14;
const USE_CLOCKID: u64 = 1 << 25;
const CGROUPS: u64 = 1 << 32;

/// The fields of a sample beside its id and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleFields {
    /// The weight of the hit.
    pub weight: bool,
    /// The process, the thread, and the cgroup.
    pub process: ProcessFields,
    /// The CPU.
    pub cpu: bool,
}

/// The fields of a `perf_event_attr` that tp-perf uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// `PERF_TYPE_…`.
    pub kind: u32,
    /// For tracepoints, the tracefs id.
    pub config: u64,
    /// Hits per sample, or samples per second if the flag FREQ is set.
    period: u64,
    /// `PERF_SAMPLE_…`.
    pub sample_type: u64,
    /// `PERF_FORMAT_…`.
    pub read_format: u64,
    /// The bit field that starts with `disabled`.
    flags: u64,
    clockid: i32,
}

impl Attr {
    /// The attribute with which tp-perf opens a tracepoint.
    pub fn tracepoint(tracefs_id: u64, clockid: i32, fields: SampleFields, lost_known: bool) -> Self {
        let optional = |wanted: bool, bit: u64| if wanted { bit } else { 0 };
        let of_process = optional(fields.process.has_thread(), TID) | optional(fields.process.has_cgroup(), CGROUP);
        Attr {
            kind: abi::PERF_TYPE_TRACEPOINT,
            config: tracefs_id,
            period: 1,
            sample_type: IDENTIFIER | TIME | optional(fields.cpu, CPU) | optional(fields.weight, PERIOD) | of_process,
            read_format: if lost_known { read_format::LOST } else { 0 },
            flags: SAMPLE_ID_ALL | WATERMARK | USE_CLOCKID,
            clockid,
        }
    }

    /// The attribute with which tp-perf opens the events that record changes of threads.
    pub fn threads(clockid: i32, fields: SampleFields, lost_known: bool) -> Self {
        let like = Attr::tracepoint(0, clockid, SampleFields { weight: false, ..fields }, lost_known);
        let (kind, config) = (abi::PERF_TYPE_SOFTWARE, abi::PERF_COUNT_SW_DUMMY.into());
        let cgroups = if fields.process.has_cgroup() { CGROUPS } else { 0 };
        Attr { kind, config, flags: like.flags | COMM | TASK | cgroups, ..like }
    }

    /// The same attribute with perf's default clock.
    pub fn with_default_clock(self) -> Self {
        Attr { flags: self.flags & !USE_CLOCKID, clockid: 0, ..self }
    }

    /// Parses the attribute at the start of `bytes`, and returns it with its size in bytes; `None` if it is
    /// incomplete.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        /// The size up to and including `read_format` and the bit field.
        const LEAST: usize = 48;
        let word = |offset: usize| NativeEndian::read_u64(&bytes[offset..]);
        let size = match NativeEndian::read_u32(bytes.get(4..8)?) {
            // In its oldest form, perf writes size 0.
            0 => 64,
            size => size as usize,
        };
        if size < LEAST || bytes.len() < size {
            return None;
        }
        let clockid = bytes[..size].get(84..88).map_or(0, NativeEndian::read_i32);
        let attr = Attr {
            kind: NativeEndian::read_u32(bytes),
            config: word(8),
            period: word(16),
            sample_type: word(24),
            read_format: word(32),
            flags: word(40),
            clockid,
        };
        Some((attr, size))
    }

    /// Encodes the attribute for a file.
    pub(super) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        NativeEndian::write_u32(&mut bytes, self.kind);
        NativeEndian::write_u32(&mut bytes[4..], SIZE as u32);
        for (offset, word) in
            [(8, self.config), (16, self.period), (24, self.sample_type), (32, self.read_format), (40, self.flags)]
        {
            NativeEndian::write_u64(&mut bytes[offset..], word);
        }
        NativeEndian::write_i32(&mut bytes[84..], self.clockid);
        bytes
    }

    /// Whether the event is a tracepoint.
    pub fn is_tracepoint(&self) -> bool {
        self.kind == abi::PERF_TYPE_TRACEPOINT
    }

    /// Whether a BPF program writes the samples of the event.
    pub fn is_bpf_output(&self) -> bool {
        (self.kind, self.config) == (abi::PERF_TYPE_SOFTWARE, abi::PERF_COUNT_SW_BPF_OUTPUT.into())
    }

    /// Whether a sample can stand for more than one hit, because of a period or a frequency.
    pub fn samples_some(&self) -> bool {
        self.flags & FREQ != 0 || self.period > 1
    }

    /// Whether the event takes samples. perf opens the members of a sampled group (`:S`) without a period, so
    /// that only their leader takes samples.
    pub fn takes_samples(&self) -> bool {
        self.period > 0
    }

    /// The clock of the samples, as a `CLOCK_…` number; `None` for perf's default clock.
    pub fn clockid(&self) -> Option<i32> {
        (self.flags & USE_CLOCKID != 0).then_some(self.clockid)
    }

    /// Whether `read` returns the number of lost samples.
    pub fn lost_known(&self) -> bool {
        self.read_format & read_format::LOST != 0
    }

    /// The positions of the fields in a SAMPLE record.
    pub fn layout(&self) -> Layout {
        // In the order in which the kernel writes the fields.
        let fields = [IDENTIFIER, IP, TID, TIME, ADDR, ID, STREAM_ID, CPU, PERIOD];
        let present = |field: &u64| self.sample_type & field != 0;
        let place = |wanted: u64| {
            let before = fields.iter().take_while(|field| **field != wanted).filter(|field| present(field));
            present(&wanted).then(|| 8 + 8 * before.count())
        };
        let fixed = 8 + 8 * fields.iter().filter(|field| present(field)).count();
        let has_raw = self.is_tracepoint() && self.sample_type & RAW != 0 && self.sample_type & BEFORE_RAW == 0;
        Layout {
            id: place(IDENTIFIER).or(place(ID)),
            time: place(TIME),
            thread: place(TID),
            cpu: place(CPU),
            cgroup_from_end: (present(&CGROUP) && !present(&AUX))
                .then(|| 8 + 8 * BEHIND_CGROUP.iter().filter(|field| present(field)).count()),
            flags: has_raw.then_some(fixed + FLAGS_IN_RAW),
            least: fixed + if present(&CGROUP) { 8 } else { 0 },
        }
    }

    /// The positions of the fields at the end of all other records.
    pub fn trailer(&self) -> Trailer {
        let fields = [IDENTIFIER, CPU, STREAM_ID, ID, TIME, TID];
        let present = |field: &u64| self.flags & SAMPLE_ID_ALL != 0 && self.sample_type & field != 0;
        let place = |wanted: u64| {
            let behind = fields.iter().take_while(|field| **field != wanted).filter(|field| present(field));
            present(&wanted).then(|| 8 + 8 * behind.count())
        };
        Trailer { id: place(IDENTIFIER).or(place(ID)), cpu: place(CPU), time: place(TIME) }
    }

    /// The counter in the body of a READ record of this event. `values` are the bytes behind pid and tid.
    /// `None` if they contain no counter of a single event.
    pub fn count(&self, values: &[u8]) -> Option<Reading> {
        let has = |bit: u64| self.read_format & bit != 0;
        if has(read_format::GROUP) {
            return None;
        }
        let word = |index: usize| values.get(8 * index..8 * index + 8).map(NativeEndian::read_u64);
        let before_lost = [read_format::TOTAL_TIME_ENABLED, read_format::TOTAL_TIME_RUNNING, read_format::ID];
        let lost = has(read_format::LOST).then(|| 1 + before_lost.iter().filter(|bit| has(**bit)).count());
        Some(Reading { value: word(0)?, lost: lost.map_or(Some(0), word)? })
    }
}

/// Positions of fields in a SAMPLE record, in bytes from the start of the record. Each field has 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// The sample id.
    pub id: Option<usize>,
    /// The timestamp.
    pub time: Option<usize>,
    /// The process in the first 4 bytes, and the thread in the others.
    pub thread: Option<usize>,
    /// The CPU, which is in the first 4 of the 8 bytes.
    pub cpu: Option<usize>,
    /// The cgroup, in bytes back from the end of the record.
    pub cgroup_from_end: Option<usize>,
    /// The byte with the flags that the kernel sets for each hit of a tracepoint (`common_flags`).
    pub flags: Option<usize>,
    /// The minimum size of a sample.
    pub least: usize,
}

/// Positions of the fields of `sample_id_all` in all other records, in bytes back from the end of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trailer {
    /// The sample id.
    pub id: Option<usize>,
    /// The CPU, which is in the first 4 of the 8 bytes.
    pub cpu: Option<usize>,
    /// The time at which the record was written.
    pub time: Option<usize>,
}

impl Trailer {
    /// The sample id, if the record has it.
    pub fn id(&self, record: &[u8]) -> Option<SampleId> {
        self.field(record, self.id?).map(NativeEndian::read_u64).map(SampleId)
    }

    /// The CPU, if the record has it.
    pub fn cpu(&self, record: &[u8]) -> Option<Cpu> {
        self.field(record, self.cpu?).and_then(|word| Cpu::try_from(NativeEndian::read_u32(word)).ok())
    }

    /// The time at which the record was written, if the record has it.
    pub fn time(&self, record: &[u8]) -> Option<Ns> {
        self.field(record, self.time?).map(NativeEndian::read_u64).map(Ns)
    }

    fn field<'a>(&self, record: &'a [u8], back: usize) -> Option<&'a [u8]> {
        // A field lies behind the record's header.
        let start = record.len().checked_sub(back).filter(|start| *start >= 8)?;
        record.get(start..start + 8)
    }
}

/// The positions in tp-perf's own samples, and in all its other records, if samples have their threads.
pub fn own_layout(process: ProcessFields, cpu: bool) -> (Layout, Trailer) {
    let attr = Attr::tracepoint(0, 0, SampleFields { weight: false, process, cpu }, true);
    (attr.layout(), attr.trailer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroup_is_found_from_the_end() {
        let of = |sample_type| Attr { sample_type, ..Attr::tracepoint(1, 1, SampleFields::default(), true) }.layout();
        let (own, _) = own_layout(ProcessFields::Cgroup, false);
        assert_eq!((own.thread, own.time, own.cgroup_from_end, own.least), (Some(16), Some(24), Some(8), 40));
        let with_raw = of(IDENTIFIER | TIME | RAW | CGROUP);
        assert_eq!((with_raw.flags, with_raw.cgroup_from_end, with_raw.least), (Some(30), Some(8), 32));
        assert_eq!(of(IDENTIFIER | TIME | CGROUP | BEHIND_CGROUP[0] | BEHIND_CGROUP[1]).cgroup_from_end, Some(24));
        assert_eq!(of(IDENTIFIER | TIME | CGROUP | AUX).cgroup_from_end, None);
    }

    #[test]
    fn an_attribute_reads_back_as_it_was_written() {
        let attr =
            Attr::tracepoint(204, 1, SampleFields { weight: true, process: ProcessFields::Thread, cpu: false }, true);
        let bytes = attr.encode();
        assert_eq!(Attr::parse(&bytes), Some((attr, SIZE)));
        assert_eq!(Attr::parse(&bytes[..SIZE - 1]), None);
        assert_eq!((attr.clockid(), attr.lost_known(), attr.is_tracepoint()), (Some(1), true, true));
    }

    #[test]
    fn fields_are_where_the_kernel_writes_them() {
        let own = Attr::tracepoint(1, 1, SampleFields { weight: true, ..SampleFields::default() }, true);
        assert_eq!(
            own.layout(),
            Layout {
                id: Some(8),
                time: Some(16),
                thread: None,
                cpu: None,
                cgroup_from_end: None,
                flags: None,
                least: 32
            }
        );
        assert_eq!(own.trailer(), Trailer { id: Some(8), cpu: None, time: Some(16) });
        // perf record -a: IDENTIFIER|IP|TID|TIME|CPU|PERIOD|RAW
        let perf = Attr { sample_type: 0x10587, ..own };
        assert_eq!(
            perf.layout(),
            Layout {
                id: Some(8),
                time: Some(32),
                thread: Some(24),
                cpu: Some(40),
                cgroup_from_end: None,
                flags: Some(62),
                least: 56
            }
        );
        assert_eq!(perf.trailer(), Trailer { id: Some(8), cpu: Some(16), time: Some(24) });
        // perf record of one event in one process: IP|TID|TIME|ID|PERIOD
        let old = Attr { sample_type: IP | TID | TIME | ID | PERIOD, ..own };
        assert_eq!(
            old.layout(),
            Layout {
                id: Some(32),
                time: Some(24),
                thread: Some(16),
                cpu: None,
                cgroup_from_end: None,
                flags: None,
                least: 48
            }
        );
        assert_eq!(old.trailer(), Trailer { id: Some(8), cpu: None, time: Some(16) });
    }

    #[test]
    fn a_counter_is_found_whatever_read_format_puts_before_it() {
        let words: Vec<u8> = [10u64, 20, 30, 40, 50].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let attr = |format| Attr { read_format: format, ..Attr::tracepoint(1, 1, SampleFields::default(), false) };
        assert_eq!(attr(0).count(&words), Some(Reading { value: 10, lost: 0 }));
        assert_eq!(attr(read_format::LOST).count(&words), Some(Reading { value: 10, lost: 20 }));
        assert_eq!(attr(1 | 2 | 4 | 16).count(&words), Some(Reading { value: 10, lost: 50 }));
        assert_eq!(attr(read_format::LOST).count(&words[..8]), None);
        assert_eq!(attr(read_format::GROUP).count(&words), None);
    }
}
