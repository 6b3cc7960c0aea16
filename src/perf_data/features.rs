//! Features of the header: perf's data about the machine and the recording.

use crate::events::Ns;
use crate::perf_data::{kind, push_record};
use byteorder::{ByteOrder, NativeEndian};
use std::collections::HashMap;

/// The numbers of the features (`HEADER_…` in tools/perf/util/header.h).
pub(super) mod id {
    pub const TRACING_DATA: u64 = 1;
    pub const HOSTNAME: u64 = 3;
    pub const OSRELEASE: u64 = 4;
    pub const VERSION: u64 = 5;
    pub const NRCPUS: u64 = 7;
    pub const CMDLINE: u64 = 11;
    pub const EVENT_DESC: u64 = 12;
    pub const DIR_FORMAT: u64 = 24;
    pub const COMPRESSED: u64 = 27;
    pub const CLOCK_DATA: u64 = 29;
    /// The first of simpleperf's own features.
    pub const SIMPLEPERF: u64 = 128;
    /// simpleperf's pairs of a key and a value.
    pub const META_INFO: u64 = 129;
}

/// Strings are padded to a multiple of this many bytes.
const NAME_ALIGN: usize = 64;

/// The features of a file. Those that the file does not have are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features {
    /// The host name.
    pub hostname: Option<String>,
    /// The kernel's release.
    pub release: Option<String>,
    /// The version of the program that wrote the file.
    pub version: Option<String>,
    /// The command line that wrote the file.
    pub command_line: Vec<String>,
    /// The number of CPUs of the machine: (possible, online).
    pub cpus: Option<(u32, u32)>,
    /// The maximum number of bytes to which one COMPRESSED record decompresses, if the file is compressed.
    pub compressed: Option<u32>,
    /// One moment by two clocks.
    pub clock: Option<ClockPair>,
    /// The names of events by (type, config). If the file names an event twice, the first name counts.
    pub event_names: HashMap<(u32, u64), String>,
    /// Whether Android's simpleperf wrote the file. Only then does the file have simpleperf's own records.
    pub is_simpleperf: bool,
}

/// One moment by the wall clock and by the clock of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockPair {
    /// The clock of the samples, as a `CLOCK_…` number.
    pub clockid: i32,
    /// The time by the wall clock.
    pub wall_ns: Ns,
    /// The time by the clock of the samples.
    pub clock_ns: Ns,
}

impl ClockPair {
    /// How many nanoseconds the wall clock is ahead of the clock of the samples.
    pub fn wall_offset_ns(self) -> i64 {
        self.wall_ns.0.wrapping_sub(self.clock_ns.0).cast_signed()
    }
}

impl Features {
    /// Encodes the features as HEADER_FEATURE records.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut push = |id: u64, data: &[u8]| push_record(out, kind::HEADER_FEATURE, &[&id.to_ne_bytes(), data]);
        for (id, text) in [(id::HOSTNAME, &self.hostname), (id::OSRELEASE, &self.release), (id::VERSION, &self.version)]
        {
            if let Some(text) = text {
                push(id, &string(text));
            }
        }
        if let Some((possible, online)) = self.cpus {
            push(id::NRCPUS, &[possible.to_ne_bytes(), online.to_ne_bytes()].concat());
        }
        if !self.command_line.is_empty() {
            // Words that do not fit in a record are left out. tp-perf's own facts have all of them.
            let mut words = Vec::new();
            let mut count = 0u32;
            for word in self.command_line.iter().map(|word| string(word)) {
                if words.len() + word.len() > 60_000 {
                    break;
                }
                words.extend(word);
                count += 1;
            }
            push(id::CMDLINE, &[&count.to_ne_bytes(), words.as_slice()].concat());
        }
        if let Some(ClockPair { clockid, wall_ns, clock_ns }) = self.clock {
            let head = [1u32.to_ne_bytes(), clockid.to_ne_bytes()].concat();
            push(id::CLOCK_DATA, &[head, wall_ns.0.to_ne_bytes().into(), clock_ns.0.to_ne_bytes().into()].concat());
        }
        if let Some(longest) = self.compressed {
            // Version, type (1 is zstd), level, ratio, and the maximum decompressed size.
            push(id::COMPRESSED, &[1u32, 1, 1, 1, longest].map(u32::to_ne_bytes).concat());
        }
    }

    /// The memory in bytes that the data of a feature takes at most.
    pub(super) fn memory(id: u64, data: &[u8]) -> u64 {
        // How many bytes come from a byte of the file: a list has more of them, because its words can be short.
        let each = match id {
            id::HOSTNAME | id::OSRELEASE | id::VERSION => 3,
            id::CMDLINE => 15,
            id::EVENT_DESC => 9,
            id::META_INFO => 25,
            _ => 0,
        };
        each * data.len() as u64
    }

    /// Takes the data of one feature. Unknown features are skipped.
    pub(super) fn take(&mut self, id: u64, data: &[u8]) {
        self.is_simpleperf |= id >= id::SIMPLEPERF;
        // No event depends on a feature, so a damaged feature is treated as missing.
        let _ = self.try_take(id, data);
    }

    fn try_take(&mut self, id: u64, mut data: &[u8]) -> Option<()> {
        match id {
            id::HOSTNAME => self.hostname = Some(take_string(&mut data)?),
            id::OSRELEASE => self.release = Some(take_string(&mut data)?),
            id::VERSION => self.version = Some(take_string(&mut data)?),
            id::NRCPUS => self.cpus = Some((take_u32(&mut data)?, take_u32(&mut data)?)),
            id::CMDLINE => {
                let words = take_u32(&mut data)?;
                self.command_line.clear();
                for _ in 0..words {
                    self.command_line.push(take_string(&mut data)?);
                }
            }
            id::CLOCK_DATA => {
                let (_version, clockid) = (take_u32(&mut data)?, take_u32(&mut data)? as i32);
                self.clock =
                    Some(ClockPair { clockid, wall_ns: Ns(take_u64(&mut data)?), clock_ns: Ns(take_u64(&mut data)?) });
            }
            id::COMPRESSED => {
                data = data.get(16..)?;
                self.compressed = Some(take_u32(&mut data)?);
            }
            id::EVENT_DESC => {
                let (events, attr_size) = (take_u32(&mut data)?, take_u32(&mut data)?);
                for _ in 0..events {
                    let (attr, rest) = data.split_at_checked(attr_size as usize)?;
                    data = rest;
                    let key = (NativeEndian::read_u32(attr.get(..4)?), NativeEndian::read_u64(attr.get(8..16)?));
                    let ids = take_u32(&mut data)?;
                    let name = take_string(&mut data)?;
                    self.event_names.entry(key).or_insert(name);
                    data = data.get(8 * ids as usize..)?;
                }
            }
            id::META_INFO => {
                let mut words = data.split(|byte| *byte == 0);
                while let (Some(key), Some(value)) = (words.next(), words.next()) {
                    if key == b"event_type_info" {
                        let lines = String::from_utf8_lossy(value);
                        for (key, name) in lines.lines().filter_map(typed_name) {
                            self.event_names.entry(key).or_insert(name);
                        }
                    }
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// simpleperf's line `name,type,config`.
fn typed_name(line: &str) -> Option<((u32, u64), String)> {
    let mut fields = line.rsplitn(3, ',');
    let (config, kind) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(((kind, config), fields.next()?.to_owned()))
}

fn string(text: &str) -> Vec<u8> {
    let length = (text.len() + 1).next_multiple_of(NAME_ALIGN);
    let mut bytes = (length as u32).to_ne_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.resize(4 + length, 0);
    bytes
}

fn take_u32(data: &mut &[u8]) -> Option<u32> {
    let (word, rest) = data.split_at_checked(4)?;
    *data = rest;
    Some(NativeEndian::read_u32(word))
}

fn take_u64(data: &mut &[u8]) -> Option<u64> {
    let (word, rest) = data.split_at_checked(8)?;
    *data = rest;
    Some(NativeEndian::read_u64(word))
}

fn take_string(data: &mut &[u8]) -> Option<String> {
    let length = take_u32(data)?;
    let (text, rest) = data.split_at_checked(length as usize)?;
    *data = rest;
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_read_back_as_they_were_written() {
        let features = Features {
            hostname: Some("machine".to_owned()),
            release: Some("6.18.0".to_owned()),
            version: Some("tp-perf 0.1.0".to_owned()),
            command_line: vec!["tp-perf".to_owned(), "-n".to_owned(), "x".repeat(63), String::new()],
            cpus: Some((8, 2)),
            compressed: Some(1 << 20),
            clock: Some(ClockPair { clockid: 1, wall_ns: Ns(1_700_000_000_000_000_000), clock_ns: Ns(77) }),
            event_names: HashMap::new(),
            is_simpleperf: false,
        };
        let mut bytes = Vec::new();
        features.encode(&mut bytes);
        let mut read = Features::default();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (record, behind) = rest.split_at(usize::from(NativeEndian::read_u16(&rest[6..])));
            read.take(NativeEndian::read_u64(&record[8..]), &record[16..]);
            // A damaged feature is skipped.
            (0..record.len() - 16).for_each(|length| {
                Features::default().take(NativeEndian::read_u64(&record[8..]), &record[16..16 + length]);
            });
            rest = behind;
        }
        assert_eq!(read, features);
    }
}
