//! The threads as they were before the events that a flight recorder keeps.
//!
//! A recording has the records about threads from its start on. What was before comes from here: the threads that ran when the
//! recorder attached, and all changes since then, until the oldest event that is kept.

use crate::capture::{AtStart, read_changes};
use crate::events::{CgroupId, GoneCgroups, KnownThreads, Ns, ThreadChange, Tid};
use crate::memory::TooMuch;
use crate::os::cgroups::{RunningCgroup, cgroups};
use crate::os::running_threads::RunningThread;
use crate::perf_data::{ThreadsRead, Trailer};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The threads and cgroups at a time, and the changes that come later.
#[derive(Debug)]
pub(super) struct FlightThreads {
    known: KnownThreads,
    trailer: Trailer,
    with_cgroups: bool,
    gone: GoneCgroups,
}

impl FlightThreads {
    /// The threads that ran when the events were attached.
    pub fn of(at_start: &[ThreadChange], trailer: Trailer, with_cgroups: bool) -> Result<Self, TooMuch> {
        let mut known = KnownThreads::default();
        known.add(at_start)?;
        Ok(FlightThreads { known, trailer, with_cgroups, gone: GoneCgroups::default() })
    }

    /// Takes the records about threads of a round. Returns the changes.
    pub fn take(&mut self, records: &[u8]) -> io::Result<Vec<ThreadChange>> {
        // A new reader for each round: what it remembers would grow for weeks.
        let mut reader = ThreadsRead::default();
        read_changes(records, &mut reader, &self.trailer, true)?;
        // The bound of memory is for foreign inputs. The recorder forgets its oldest events if these changes take too much.
        let _ = self.known.add(&reader.changes);
        Ok(reader.changes)
    }

    /// The memory in bytes of the changes that are later than the oldest event.
    pub fn memory(&self) -> u64 {
        self.known.memory_of_later()
    }

    /// Goes on to the time before this one.
    pub fn until(&mut self, begin: Ns) {
        self.known.until(Ns(begin.0.saturating_sub(1)));
        self.gone.forget(&mut self.known);
    }

    /// Adds changes that were not recorded.
    pub fn add(&mut self, changes: &[ThreadChange]) {
        // See `take` for the bound of memory.
        let _ = self.known.add(changes);
    }

    /// What ran at that time, for the head of a recording.
    pub fn at_start(&self) -> AtStart {
        let number = |tid: Option<Tid>| tid.map_or(0, Tid::get);
        let mut threads: Vec<RunningThread> = self
            .known
            .all()
            .filter_map(|(tid, thread)| {
                let name = thread.name.as_deref()?.to_owned();
                let pid = number(thread.process.or(Some(tid)));
                Some(RunningThread { pid, tid: tid.get(), parent: number(thread.parent), name })
            })
            .collect();
        threads.sort_by_key(|thread| (thread.pid, thread.tid != thread.pid, thread.tid));
        let of_known = |(id, path): (CgroupId, &Arc<str>)| (id.0, path.to_string());
        let mut paths: BTreeMap<u64, String> = self.known.cgroups().map(of_known).collect();
        if self.with_cgroups {
            // Records may have been lost. A cgroup keeps its number and its path, so those of now are right, too.
            let now = cgroups().unwrap_or_default();
            now.into_iter().for_each(|cgroup| {
                paths.entry(cgroup.id).or_insert(cgroup.path);
            });
        }
        AtStart { threads, cgroups: paths.into_iter().map(|(id, path)| RunningCgroup { id, path }).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::threads::testing::{forked, named, tid};
    use crate::events::{ThreadChange, ThreadFact};

    #[test]
    fn the_threads_of_a_time_are_those_that_had_begun_and_not_ended() {
        let ended = |time, thread| ThreadChange { time: Ns(time), tid: tid(thread), what: ThreadFact::Ended };
        let (_, trailer) = crate::perf_data::own_layout(crate::perf::ProcessFields::Thread, false);
        let mut threads = FlightThreads::of(&[forked(0, [7, 1, 7, 1]), named(0, 7, "sh")], trailer, false).unwrap();
        // A number is used again, and a name changes. The records of two CPUs are not in time order.
        const S: u64 = 1_000_000_000;
        let changes = [
            forked(40 * S, [9, 7, 9, 7]),
            named(45 * S, 9, "new"),
            forked(10 * S, [9, 7, 9, 7]),
            ended(30 * S, 9),
            named(35 * S, 7, "bash"),
        ];
        threads.known.add(&changes).unwrap();
        assert!(threads.memory() > 0);
        let mut at = |seconds: u64| -> Vec<(u32, String, u32)> {
            threads.until(Ns(seconds * S));
            threads.at_start().threads.into_iter().map(|it| (it.tid, it.name, it.parent)).collect()
        };
        let of = |tid, name: &str, parent| (tid, name.to_owned(), parent);
        assert_eq!(at(10), [of(7, "sh", 1)]);
        assert_eq!(at(11), [of(7, "sh", 1), of(9, "sh", 7)]);
        // The kernel fires some events of a thread after its end.
        assert_eq!(at(31), [of(7, "sh", 1), of(9, "sh", 7)]);
        assert_eq!(at(36), [of(7, "bash", 1)]);
        assert_eq!(at(50), [of(7, "bash", 1), of(9, "new", 7)]);
        assert_eq!(threads.memory(), 0);
    }
}
