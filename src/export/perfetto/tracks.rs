//! The tracks of a trace, and their descriptions.

use super::proto::Message;
use super::threads::Threads;
use crate::activity::cpu_of;
use crate::tracefs::{Table, Tpid};
use crate::units::Seconds;
use std::time::Duration;

/// The kind of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TrackKind {
    /// One that has only other tracks.
    Root,
    Group,
    Tracepoint,
    Cpu,
    CpuHits,
    Process,
    ProcessHits,
    Thread,
}

/// A track. Its number is that of the tracepoint, the group, the CPU, the process, or the thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Track {
    pub kind: TrackKind,
    pub number: u32,
}

const TRACEPOINTS: Track = Track { kind: TrackKind::Root, number: 1 };
const CPUS: Track = Track { kind: TrackKind::Root, number: 2 };

/// The names of all tracks.
pub(super) struct TrackNames<'a> {
    pub table: &'a Table,
    pub threads: &'a Threads,
}

/// Fields of TrackDescriptor.
mod descriptor {
    pub const UUID: u32 = 1;
    pub const NAME: u32 = 2;
    pub const PROCESS: u32 = 3;
    pub const THREAD: u32 = 4;
    pub const PARENT: u32 = 5;
    pub const COUNTER: u32 = 8;
    pub const CHILD_ORDERING: u32 = 11;
    pub const RANK: u32 = 12;
    pub const LEXICOGRAPHIC: u64 = 1;
    pub const EXPLICIT: u64 = 3;
}

impl Track {
    /// Its number in the trace. 0 is Perfetto's own.
    pub fn uuid(self) -> u64 {
        u64::from(self.number) * 8 + self.kind as u64 + 8
    }

    /// The track above it.
    pub fn parent(self, names: &TrackNames<'_>) -> Option<Track> {
        match self.kind {
            TrackKind::Root | TrackKind::Process => None,
            TrackKind::Group => Some(TRACEPOINTS),
            TrackKind::Tracepoint => {
                let gid = names.table.get(Tpid::new(self.number)).gid;
                Some(Track { kind: TrackKind::Group, number: gid.get() })
            }
            TrackKind::Cpu | TrackKind::CpuHits => Some(CPUS),
            TrackKind::ProcessHits => Some(Track { kind: TrackKind::Process, number: self.number }),
            TrackKind::Thread => {
                names.threads.process_of(self.number).map(|number| Track { kind: TrackKind::Process, number })
            }
        }
    }

    /// Describes it. A counter has an interval; 0 means that its windows differ in length.
    pub fn describe<'m>(
        self,
        interval_ns: Option<u64>,
        names: &TrackNames<'_>,
        out: &'m mut Message,
    ) -> &'m mut Message {
        out.number(descriptor::UUID, self.uuid());
        if let Some(parent) = self.parent(names) {
            out.number(descriptor::PARENT, parent.uuid());
        }
        match self.kind {
            TrackKind::Process => {
                let (pid, name) = names.threads.named_process(self.number);
                out.message(descriptor::PROCESS, |process| {
                    process.number(1, pid.get().into());
                    name.iter().fold(process, |process, name| process.text(6, name))
                });
            }
            TrackKind::Thread => {
                let thread = names.threads.named_thread(self.number);
                out.message(descriptor::THREAD, |of| {
                    of.number(1, thread.pid.get().into()).number(2, thread.tid.get().into());
                    thread.name.iter().fold(of, |of, name| of.text(5, name))
                });
            }
            _ => {
                out.text(descriptor::NAME, &self.name(names));
            }
        }
        let order = match self.kind {
            TrackKind::Root if self == CPUS => Some((descriptor::CHILD_ORDERING, descriptor::EXPLICIT)),
            TrackKind::Root | TrackKind::Group => Some((descriptor::CHILD_ORDERING, descriptor::LEXICOGRAPHIC)),
            TrackKind::Cpu => Some((descriptor::RANK, 2 * u64::from(self.number) + 1)),
            TrackKind::CpuHits => Some((descriptor::RANK, 2 * u64::from(self.number))),
            _ => None,
        };
        if let Some((field, number)) = order {
            out.number(field, number);
        }
        if let Some(interval) = interval_ns {
            let unit = match interval {
                0 => "hits in the window".to_owned(),
                interval => format!("hits in {}", Seconds(Duration::from_nanos(interval))),
            };
            out.message(descriptor::COUNTER, |counter| counter.text(6, &unit));
        }
        out
    }

    fn name(self, names: &TrackNames<'_>) -> String {
        let cpu = || cpu_of(self.number).map_or("unknown CPU".to_owned(), |cpu| format!("CPU {cpu}"));
        match self.kind {
            TrackKind::Root if self == CPUS => "CPUs".to_owned(),
            TrackKind::Root => "Tracepoints".to_owned(),
            TrackKind::Group => names.table.groups()[self.number as usize - 1].clone(),
            TrackKind::Tracepoint => names.table.get(Tpid::new(self.number)).full_name(),
            TrackKind::Cpu => cpu(),
            TrackKind::CpuHits => cpu() + " hits",
            TrackKind::ProcessHits => "hits".to_owned(),
            TrackKind::Process | TrackKind::Thread => String::new(),
        }
    }
}
