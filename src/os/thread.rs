//! Work on a thread of its own, if the system can start one, and the CPU time of a thread and of children.

use super::cpus::Cpu;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};
use std::time::Duration;

/// The CPU time of this thread.
pub fn cpu_time() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The CPU time of all children that were waited for, and of their descendants: the total, and the system part.
pub fn cpu_of_children() -> io::Result<[Duration; 2]> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = |time: nix::sys::time::TimeVal| Duration::from_micros(time.num_microseconds().unsigned_abs());
    let (user, system) = (microseconds(usage.user_time()), microseconds(usage.system_time()));
    Ok([user + system, system])
}

/// The CPU on which this thread runs now.
pub fn current_cpu() -> Cpu {
    Cpu::new(u32::try_from(sched_getcpu()).unwrap_or_default())
}

/// Does work on the CPU on which this thread runs now, and stays there until it is done.
///
/// # Errors
/// If the kernel does not let the thread choose its CPU.
pub fn on_one_cpu<T>(work: impl FnOnce(Cpu) -> T) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    let cpu = current_cpu();
    let mut only = CpuSet::new();
    only.set(cpu.get() as usize);
    sched_setaffinity(None, &only)?;
    let result = work(cpu);
    sched_setaffinity(None, &before)?;
    Ok(result)
}

/// Does work on this CPU, or on any other if the kernel does not let the thread run there.
pub fn on_cpu<T>(cpu: Cpu, work: impl FnOnce() -> T) -> T {
    let before = sched_getaffinity(None);
    let mut only = CpuSet::new();
    // The set has no room for CPUs beyond its end.
    let is_known = (cpu.get() as usize) < CpuSet::MAX_CPU;
    if is_known {
        only.set(cpu.get() as usize);
    }
    let moved = is_known && before.is_ok() && sched_setaffinity(None, &only).is_ok();
    let result = work();
    if let (true, Ok(before)) = (moved, before) {
        // It was allowed there before.
        let _ = sched_setaffinity(None, &before);
    }
    result
}

/// Work on a thread of its own. If the system could not start a thread, the caller's thread has already done
/// the work.
pub struct Work<'scope, T>(Doing<'scope, T>);

enum Doing<'scope, T> {
    /// Joins the thread.
    Thread(Box<dyn FnOnce() -> thread::Result<T> + 'scope>),
    Done(T),
}

impl<T: Send + 'static> Work<'static, T> {
    /// Starts work that may outlive its caller.
    pub fn begin(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self::of(work, |work| {
            let thread = thread::Builder::new().spawn(work)?;
            Ok(Box::new(move || thread.join()))
        })
    }
}

impl<'scope, T: Send + 'scope> Work<'scope, T> {
    /// Starts work that ends with `scope`.
    pub fn begin_in(scope: &'scope Scope<'scope, '_>, work: impl FnOnce() -> T + Send + 'scope) -> Self {
        Self::of(work, |work| {
            let thread = thread::Builder::new().spawn_scoped(scope, work)?;
            Ok(Box::new(move || thread.join()))
        })
    }

    /// Waits until the work is done, and returns its result.
    ///
    /// # Panics
    /// If the work panicked.
    pub fn result(self) -> T {
        match self.0 {
            Doing::Thread(join) => join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Doing::Done(result) => result,
        }
    }

    fn of(
        work: impl FnOnce() -> T + Send + 'scope,
        spawn: impl FnOnce(
            Box<dyn FnOnce() -> T + Send + 'scope>,
        ) -> io::Result<Box<dyn FnOnce() -> thread::Result<T> + 'scope>>,
    ) -> Self {
        // `spawn` takes ownership of its closure and drops it on failure. So the work stays here, and the
        // thread fetches it.
        let work = Arc::new(Mutex::new(Some(work)));
        let for_thread = Arc::clone(&work);
        let take =
            |work: &Mutex<Option<_>>| work.lock().ok().and_then(|mut work| work.take()).expect("work starts only once");
        Work(match spawn(Box::new(move || take(&for_thread)())) {
            Ok(join) => Doing::Thread(join),
            Err(_) => Doing::Done(take(&work)()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_with_a_thread_and_without() {
        assert_eq!(Work::begin(|| 6 * 7).result(), 42);
        let words = ["a", "b"].map(str::to_owned);
        let lengths = thread::scope(|scope| {
            let all: Vec<_> = words.iter().map(|word| Work::begin_in(scope, move || word.len())).collect();
            all.into_iter().map(Work::result).sum::<usize>()
        });
        assert_eq!(lengths, 2);
        let no_thread = |_| Err(io::Error::from(io::ErrorKind::WouldBlock));
        let given = String::from("moved into the work");
        assert_eq!(Work::of(move || given.len(), no_thread).result(), 19);
    }
}
