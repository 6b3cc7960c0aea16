//! Facts about threads for tests.

use super::{ThreadChange, ThreadFact};
use crate::events::{Ns, Tid};

pub fn tid(number: u32) -> Tid {
    Tid::new(number).unwrap()
}

pub fn named(time: u64, thread: u32, name: &str) -> ThreadChange {
    ThreadChange { time: Ns(time), tid: tid(thread), what: ThreadFact::Named(name.into()) }
}

pub fn forked(time: u64, [process, parent, thread, by]: [u32; 4]) -> ThreadChange {
    let what = ThreadFact::Forked { process: tid(process), parent: tid(parent), by: tid(by) };
    ThreadChange { time: Ns(time), tid: tid(thread), what }
}
