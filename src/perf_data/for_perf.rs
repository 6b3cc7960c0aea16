//! Encodes events again, as samples that have all their fields. tp-perf's own recordings have only those that it cannot find out
//! otherwise.

use super::attr::SampleFields;
use super::write::{push_cpus, push_names, text};
use super::{Attr, Features, MAGIC, PIPE_HEADER, kind, push_record};
use crate::events::{Ns, SampleId, Tpid};
use crate::perf::ProcessFields;
use crate::tracefs::Table;
use perf_event_open_sys::bindings as abi;

/// The form of a file.
#[derive(Debug, Clone, Copy)]
pub struct ForPerf {
    /// The clock of the times, as a `CLOCK_…` number; `None` for perf's default clock.
    pub clockid: Option<i32>,
    /// Whether samples have their CPU.
    pub cpus: bool,
    /// Whether samples have their process and thread.
    pub threads: bool,
    /// Whether samples have the number of hits that they stand for, as their period.
    pub hits: bool,
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub struct SampleForPerf {
    /// The tracepoint: its tpid, which is the sample id in such a file.
    pub tpid: Tpid,
    /// The time.
    pub time: Ns,
    /// The CPU.
    pub cpu: Option<u32>,
    /// The process and the thread.
    pub thread: Option<(u32, u32)>,
    /// The hits that it stands for.
    pub hits: u64,
}

/// What happened to a thread.
#[derive(Debug, Clone, Copy)]
pub enum ThreadForPerf<'a> {
    /// It began.
    Forked {
        /// Its process.
        pid: u32,
        /// The process that forked it.
        parent: u32,
        /// The thread that forked it.
        by: u32,
    },
    /// It has this name from now on.
    Named {
        /// Its process.
        pid: u32,
        /// The name.
        name: &'a str,
    },
}

/// What perf writes for a value that is not known.
const UNKNOWN: u32 = u32::MAX;

impl ForPerf {
    fn attr(&self, tracefs_id: u64) -> Attr {
        let process = if self.threads { ProcessFields::Thread } else { ProcessFields::None };
        let fields = SampleFields { weight: self.hits, process, cpu: self.cpus };
        let attr = Attr::tracepoint(tracefs_id, self.clockid.unwrap_or(0), fields, false);
        if self.clockid.is_some() { attr } else { attr.with_default_clock() }
    }

    /// Encodes everything before the events. An event of a tracepoint has the tpid for its sample id.
    pub fn head(&self, table: &Table, features: &Features) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(PIPE_HEADER.to_ne_bytes());
        features.encode(&mut out);
        let id = |tpid: Tpid| SampleId(tpid.get().into());
        for tracepoint in table.tracepoints() {
            let attr = self.attr(tracepoint.tracefs_id).encode();
            push_record(&mut out, kind::HEADER_ATTR, &[&attr, &id(tracepoint.tpid).0.to_ne_bytes()]);
        }
        let ids: Vec<_> = table.tracepoints().iter().map(|tracepoint| (id(tracepoint.tpid), None)).collect();
        push_cpus(&mut out, &ids);
        push_names(&mut out, table);
        out
    }

    /// Appends an event.
    pub fn push_sample(&self, sample: &SampleForPerf, out: &mut Vec<u8>) {
        // In the order in which the kernel writes the fields.
        let mut body = [0; 40];
        let mut length = 0;
        let mut push = |word: [u8; 8]| {
            body[length..length + 8].copy_from_slice(&word);
            length += 8;
        };
        push(u64::from(sample.tpid.get()).to_ne_bytes());
        if self.threads {
            let (pid, tid) = sample.thread.unwrap_or((UNKNOWN, UNKNOWN));
            push(pair(pid, tid));
        }
        push(sample.time.0.to_ne_bytes());
        if self.cpus {
            push(pair(sample.cpu.unwrap_or(UNKNOWN), 0));
        }
        if self.hits {
            push(sample.hits.to_ne_bytes());
        }
        push_record(out, abi::PERF_RECORD_SAMPLE, &[&body[..length]]);
    }

    /// Appends what happened to a thread.
    pub fn push_thread(&self, time: Ns, tid: u32, what: &ThreadForPerf<'_>, out: &mut Vec<u8>) {
        if !self.threads {
            return;
        }
        // Such a record belongs to the first event of the file, and to no CPU.
        let (pid, kind, body) = match what {
            ThreadForPerf::Forked { pid, parent, by } => {
                let body = [pair(*pid, *parent), pair(tid, *by), time.0.to_ne_bytes()].concat();
                (*pid, abi::PERF_RECORD_FORK, body)
            }
            ThreadForPerf::Named { pid, name } => {
                (*pid, abi::PERF_RECORD_COMM, [&pair(*pid, tid)[..], &text(name)].concat())
            }
        };
        let mut end = [pair(pid, tid), time.0.to_ne_bytes()].concat();
        if self.cpus {
            end.extend(pair(UNKNOWN, 0));
        }
        end.extend(1u64.to_ne_bytes());
        push_record(out, kind, &[&body, &end]);
    }

    /// Ends a round: what follows is not earlier than anything in the round before.
    pub fn push_round(&self, out: &mut Vec<u8>) {
        push_record(out, kind::FINISHED_ROUND, &[]);
    }
}

/// Two numbers in 8 bytes.
fn pair(first: u32, second: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    bytes
}
