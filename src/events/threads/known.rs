//! The process and the name of each thread at a time.

use super::{CgroupId, ThreadChange, ThreadFact};
use crate::events::{Ns, Tid};
use crate::memory::{Held, MemoryOf, TooMuch};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// The parent of all threads of the kernel. Its number is 2, but in a container another process can have that number.
const KTHREADD: (u32, &str) = (2, "kthreadd");
/// A thread that has ended is known for so many nanoseconds more, because the kernel fires some events of it after its end.
const AFTER_END: u64 = 2_000_000_000;
/// The memory in bytes of a change that is still to come, beside its name.
const OF_LATER: u64 = 160;

/// The threads, as they are at the time of the last event.
#[derive(Debug)]
pub struct KnownThreads {
    all: HashMap<Tid, KnownThread>,
    /// The paths of cgroups.
    cgroups: HashMap<CgroupId, Arc<str>>,
    /// The threads that have ended, and when.
    ended: VecDeque<(Ns, Tid)>,
    /// The changes that are later than that, by time and arrival.
    later: BTreeMap<(Ns, u64), ThreadChange>,
    /// The time of the first of them.
    next: Ns,
    arrived: u64,
    /// The memory of these changes.
    held: Held,
    of_later: u64,
}

/// What is known of a thread.
#[derive(Debug, Clone, Default)]
pub struct KnownThread {
    /// Its process.
    pub process: Option<Tid>,
    /// Its name (comm).
    pub name: Option<Arc<str>>,
    /// The process that started it.
    pub parent: Option<Tid>,
    /// Its cgroup.
    pub cgroup: Option<CgroupId>,
    /// When it ended.
    ended: Option<Ns>,
}

impl Default for KnownThreads {
    fn default() -> Self {
        KnownThreads {
            all: HashMap::new(),
            cgroups: HashMap::new(),
            ended: VecDeque::new(),
            later: BTreeMap::new(),
            next: Ns::MAX,
            arrived: 0,
            held: Held::nothing(MemoryOf::Threads),
            of_later: 0,
        }
    }
}

fn memory_of(change: &ThreadChange) -> u64 {
    match &change.what {
        ThreadFact::Named(text) | ThreadFact::Cgroup { path: text, .. } => OF_LATER + text.len() as u64,
        ThreadFact::Of(_) | ThreadFact::In(_) | ThreadFact::Forked { .. } | ThreadFact::Ended => OF_LATER,
    }
}

impl KnownThreads {
    /// Adds changes. They take effect at their times.
    ///
    /// # Errors
    /// If those that are still to come take too much memory.
    pub fn add(&mut self, changes: &[ThreadChange]) -> Result<(), TooMuch> {
        for change in changes {
            self.of_later += memory_of(change);
            self.next = self.next.min(change.time);
            self.later.insert((change.time, self.arrived), change.clone());
            self.arrived += 1;
        }
        self.held.resize(self.of_later)
    }

    /// Goes on to this time. Returns whether anything has changed.
    #[inline]
    pub fn until(&mut self, time: Ns) -> bool {
        self.next <= time && self.until_noting(time, &mut |_| {})
    }

    /// Like [`until`](Self::until), and calls `note` with each change that takes effect.
    pub fn until_noting(&mut self, time: Ns, note: &mut dyn FnMut(&ThreadChange)) -> bool {
        let mut has_changed = false;
        while let Some(first) = self.later.first_entry()
            && first.key().0 <= time
        {
            let change = first.remove();
            self.of_later = self.of_later.saturating_sub(memory_of(&change));
            note(&change);
            self.apply(change);
            has_changed = true;
        }
        self.next = self.later.first_key_value().map_or(Ns::MAX, |((time, _), _)| *time);
        while let Some((at, tid)) = self.ended.front().copied()
            && at.saturating_add(AFTER_END) <= time
        {
            self.ended.pop_front();
            // Another thread may have the number by now.
            if self.all.get(&tid).is_some_and(|thread| thread.ended == Some(at)) {
                self.all.remove(&tid);
            }
        }
        has_changed
    }

    fn apply(&mut self, ThreadChange { time, tid, what }: ThreadChange) {
        match what {
            ThreadFact::Of(process) => {
                let thread = self.all.entry(tid).or_default();
                if thread.process.is_some_and(|before| before != process) {
                    // Another thread has the number now.
                    *thread = KnownThread::default();
                }
                thread.process = Some(process);
            }
            ThreadFact::Forked { process, parent, by } => {
                let by = self.all.get(&by).cloned().unwrap_or_default();
                self.all.insert(tid, KnownThread { process: Some(process), parent: Some(parent), ended: None, ..by });
            }
            ThreadFact::Named(name) => self.all.entry(tid).or_default().name = Some(name.into()),
            ThreadFact::In(cgroup) => self.all.entry(tid).or_default().cgroup = Some(cgroup),
            ThreadFact::Ended => {
                if let Some(thread) = self.all.get_mut(&tid) {
                    thread.ended = Some(time);
                    self.ended.push_back((time, tid));
                }
            }
            ThreadFact::Cgroup { id, path } => {
                self.cgroups.insert(id, path.into());
            }
        }
    }

    /// The memory in bytes of the changes that are still to come.
    pub fn memory_of_later(&self) -> u64 {
        self.of_later
    }

    /// All threads that are known now.
    pub fn all(&self) -> impl Iterator<Item = (Tid, &KnownThread)> {
        self.all.iter().map(|(tid, thread)| (*tid, thread))
    }

    /// All cgroups that are known now, with their paths.
    pub fn cgroups(&self) -> impl Iterator<Item = (CgroupId, &Arc<str>)> {
        self.cgroups.iter().map(|(id, path)| (*id, path))
    }

    /// The number of these cgroups.
    pub fn number_of_cgroups(&self) -> usize {
        self.cgroups.len()
    }

    /// Forgets all cgroups except these.
    pub fn keep_cgroups(&mut self, is_kept: impl Fn(CgroupId) -> bool) {
        self.cgroups.retain(|id, _| is_kept(*id));
    }

    /// What is known of a thread now.
    pub fn of(&self, tid: Tid) -> Option<&KnownThread> {
        self.all.get(&tid)
    }

    /// The path of the cgroup of a thread now. `None` if the cgroup is not known.
    pub fn cgroup_of(&self, tid: Tid) -> Option<&Arc<str>> {
        self.cgroups.get(&self.of(tid)?.cgroup?)
    }

    /// The path of a cgroup.
    pub fn path_of(&self, cgroup: CgroupId) -> Option<&Arc<str>> {
        self.cgroups.get(&cgroup)
    }

    /// Whether a thread belongs to the kernel.
    pub fn is_of_kernel(&self, tid: Tid) -> bool {
        let (number, name) = KTHREADD;
        let parent = self.of(tid).and_then(|thread| thread.parent);
        let is_below = tid.get() == number || parent.is_some_and(|parent| parent.get() == number);
        let kthreadd = Tid::new(number).and_then(|tid| self.of(tid));
        is_below && kthreadd.and_then(|thread| thread.name.as_deref()) == Some(name)
    }
}
