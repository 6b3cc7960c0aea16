//! Merges the events of all CPUs into time order.
//!
//! # What the merge assumes
//!
//! The kernel timestamps an event, then writes it to its CPU's ring, then publishes it. An interrupt between
//! these steps delays the event for as long as the interrupt takes, so time can step back a little within a
//! ring. Rings are not ordered among each other. Only the rounds order them:
//!
//! ```text
//!            round r−1          round r            round r+1
//!   cpu 0  ──●──●───┤ taken ├──●────●────┤ taken ├──●───
//!   cpu 1  ────●──●─┤ taken ├●───────────┤ taken ├────●─
//!                ▲
//!                newest of round r−1
//! ```
//!
//! All events of round r−1 were timestamped before round r began. An event that first appears in round r+1
//! was not in its ring when round r took from that ring, so it was published after round r began. Therefore,
//! once round r has been taken, all events older than the newest event of round r−1 are there, except for
//! events on their way from timestamp to publication. Rounds can follow each other within microseconds, but
//! an interrupt takes longer, and so does a host that has descheduled a virtual CPU. So the **watermark**
//! stays [`LATENESS_NS`] behind that newest event. The merge passes on all events below the watermark,
//! ordered by (time, cpu, arrival). An event that takes longer and arrives below the watermark is **late**:
//! the merge counts it and leaves it out, because later events have already been passed on. (perf's
//! FINISHED_ROUND means the same, but without the allowance.)
//!
//! Memory holds only the events of two rounds and of the allowance, however long the capture is. The work of a round
//! grows with the events that it takes and passes on, and not with those that wait: a file can have a million rounds and
//! a million waiting events.

mod queue;
mod sorted;

use crate::events::{Cpu, Event, Ns};
use queue::Queue;
use sorted::merge_sorted;
use std::collections::BTreeSet;

/// The allowance in nanoseconds: how long an event may take from its timestamp to its publication without
/// being late.
pub const LATENESS_NS: u64 = 50_000_000;

/// The merge over the queues of all CPUs.
#[derive(Debug, Default)]
pub struct Merge {
    queues: Vec<Queue>,
    /// The queues that have events, with the time of their oldest event.
    oldest: BTreeSet<(Ns, usize)>,
    /// The queues whose oldest event may have changed in this round.
    noted: Vec<usize>,
    /// The newest time so far.
    newest: Ns,
    /// The newest time in all finished rounds.
    newest_finished: Ns,
    watermark: Ns,
    waiting: usize,
    /// The number of waiting events that had stepped back.
    early: usize,
    /// The number of events for which the queues have memory.
    capacity: usize,
}

impl Merge {
    /// Adds a queue for a CPU, and returns the number of the queue. Among events of the same time, lower CPUs
    /// come first and an unknown CPU comes last.
    pub fn add_queue(&mut self, cpu: Option<Cpu>) -> usize {
        self.queues.push(Queue::new(cpu));
        self.queues.len() - 1
    }

    /// Takes an event. Events must be pushed in the order in which they arrived in their queue.
    #[inline]
    pub fn push(&mut self, queue: usize, event: Event) {
        let of_cpu = &mut self.queues[queue];
        if event.time < of_cpu.continues_from {
            return self.push_rare(queue, event);
        }
        self.newest = self.newest.max(event.time);
        if of_cpu.is_full() {
            self.capacity += of_cpu.grow();
        }
        of_cpu.push(event);
        self.waiting += 1;
    }

    /// Takes an event that is late, steps back, or is the first of its queue.
    #[cold]
    fn push_rare(&mut self, number: usize, event: Event) {
        let queue = &mut self.queues[number];
        if event.time < self.watermark {
            queue.late += 1;
            return;
        }
        if !std::mem::replace(&mut queue.is_noted, true) {
            self.noted.push(number);
        }
        if queue.begins_with(event.time) {
            queue.continues_from = event.time;
            return self.push(number, event);
        }
        self.capacity += queue.push_early(event);
        self.waiting += 1;
        self.early += 1;
    }

    /// Ends a round: appends to `out` all events below the new watermark.
    pub fn finish_round(&mut self, out: &mut Vec<Event>) {
        let watermark = self.newest_finished.saturating_sub(LATENESS_NS);
        self.watermark = watermark;
        self.newest_finished = self.newest;
        self.settle();
        let mut ready = Vec::new();
        while let Some((time, number)) = self.oldest.first()
            && *time < watermark
        {
            ready.push(*number);
            self.oldest.pop_first();
        }
        self.pass_on(ready, out, |event| event.time < watermark);
    }

    /// Ends the merge: appends all remaining events to `out`.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        self.settle();
        self.oldest.clear();
        self.pass_on((0..self.queues.len()).collect(), out, |_| true);
    }

    /// The number of late events of a queue.
    pub fn late(&self, queue: usize) -> u64 {
        self.queues[queue].late
    }

    /// The time of the newest event of a queue; 0 before the first event.
    pub fn newest(&self, queue: usize) -> Ns {
        self.queues[queue].newest()
    }

    /// The number of events that have not been passed on yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The memory in bytes that the waiting events take, with that for passing all of them on.
    pub fn memory(&self) -> usize {
        (self.capacity + self.waiting + self.early) * size_of::<Event>()
    }

    /// The current watermark. An event older than this is late.
    pub fn watermark(&self) -> Ns {
        self.watermark
    }

    /// Sorts the events that stepped back in this round, and updates the oldest events.
    fn settle(&mut self) {
        for number in std::mem::take(&mut self.noted) {
            let queue = &mut self.queues[number];
            queue.is_noted = false;
            let before = queue.capacity();
            queue.settle();
            self.capacity = self.capacity - before + queue.capacity();
            self.update_oldest(number);
        }
    }

    /// Notes the time of a queue's oldest event.
    fn update_oldest(&mut self, number: usize) {
        let queue = &mut self.queues[number];
        let oldest = queue.oldest();
        let before = std::mem::replace(&mut queue.found_at, oldest);
        if before != oldest {
            before.map(|time| self.oldest.remove(&(time, number)));
            oldest.map(|time| self.oldest.insert((time, number)));
        }
    }

    /// Appends all events of these queues that are `complete`. The queues must not be in `oldest`.
    fn pass_on(&mut self, mut numbers: Vec<usize>, out: &mut Vec<Event>, complete: impl Fn(&Event) -> bool) {
        numbers.sort_unstable_by_key(|number| {
            let cpu = self.queues[*number].cpu;
            (cpu.is_none(), cpu, *number)
        });
        for number in &numbers {
            self.queues[*number].find_ready(&complete);
        }
        let lists: Vec<&[Event]> = numbers.iter().flat_map(|number| self.queues[*number].ready()).collect();
        merge_sorted(&lists, out);
        for number in numbers {
            let queue = &mut self.queues[number];
            queue.found_at = None;
            let before = queue.capacity();
            let (passed, early) = queue.pass_on();
            self.capacity = self.capacity - before + queue.capacity();
            self.waiting -= passed;
            self.early -= early;
            self.update_oldest(number);
        }
    }
}

#[cfg(test)]
mod tests;
