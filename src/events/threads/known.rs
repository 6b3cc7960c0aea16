//! The process and the name of each thread at a time.

use super::{ThreadChange, ThreadFact};
use crate::events::{Ns, Tid};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The parent of all threads of the kernel.
const KTHREADD: u32 = 2;

/// The threads, as they are at the time of the last event.
#[derive(Debug, Default)]
pub struct KnownThreads {
    all: HashMap<Tid, KnownThread>,
    /// The changes that are later than that, by time and arrival.
    later: BTreeMap<(Ns, u64), ThreadChange>,
    arrived: u64,
}

/// What is known of a thread.
#[derive(Debug, Clone, Default)]
pub struct KnownThread {
    /// Its process.
    pub process: Option<Tid>,
    /// Its name (comm).
    pub name: Option<Arc<str>>,
    /// Whether the kernel itself started it.
    pub is_kernel: bool,
}

impl KnownThreads {
    /// Adds changes. They take effect at their times.
    pub fn add(&mut self, changes: &[ThreadChange]) {
        for change in changes {
            self.later.insert((change.time, self.arrived), change.clone());
            self.arrived += 1;
        }
    }

    /// Goes on to this time. Returns whether anything has changed.
    pub fn until(&mut self, time: Ns) -> bool {
        self.until_noting(time, &mut |_| {})
    }

    /// The same. Calls `note` with each change that takes effect.
    pub fn until_noting(&mut self, time: Ns, note: &mut dyn FnMut(&ThreadChange)) -> bool {
        let mut has_changed = false;
        while let Some(first) = self.later.first_entry()
            && first.key().0 <= time
        {
            let change = first.remove();
            note(&change);
            self.apply(change);
            has_changed = true;
        }
        has_changed
    }

    fn apply(&mut self, ThreadChange { tid, what, .. }: ThreadChange) {
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
                let name = self.all.get(&by).and_then(|by| by.name.clone());
                let is_kernel = [parent, process].iter().any(|it| it.get() == KTHREADD);
                self.all.insert(tid, KnownThread { process: Some(process), name, is_kernel });
            }
            ThreadFact::Named(name) => self.all.entry(tid).or_default().name = Some(name.into()),
        }
    }

    /// What is known of a thread now.
    pub fn of(&self, tid: Tid) -> Option<&KnownThread> {
        self.all.get(&tid)
    }
}
