//! Filters: the choice of events from a source.

use super::{Cpu, Event, Ns, ProcessFilter};
use crate::os::cpus::CpuList;
use crate::tracefs::{Pattern, Tracepoint};
use crate::units::Moment;

/// Chooses events of a source; by default all. The choice by tracepoint and CPU applies to all results. The
/// choice by time, number, and process applies only to the events that sinks receive.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Keep only these tracepoints; all if empty.
    pub only: Vec<Pattern>,
    /// Leave out these tracepoints.
    pub exclude: Vec<Pattern>,
    /// Keep only these CPUs; all if `None`.
    pub cpus: Option<CpuList>,
    /// Keep only events at or after this moment.
    pub from: Option<Moment>,
    /// Keep only events before this moment.
    pub to: Option<Moment>,
    /// Keep only the first events, at most this many.
    pub events: Option<u64>,
    /// Keep only the events of these processes.
    pub processes: ProcessFilter,
}

impl Filter {
    /// Whether the filter leaves out tracepoints or CPUs.
    pub fn chooses(&self) -> bool {
        !self.only.is_empty() || !self.exclude.is_empty() || self.cpus.is_some()
    }

    /// Whether the filter limits the time, the number of events, or the processes.
    pub fn cuts(&self) -> bool {
        self.cuts_time() || self.events.is_some() || self.processes.chooses()
    }

    /// Whether the filter limits the time.
    pub fn cuts_time(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Whether the filter keeps this tracepoint.
    pub fn takes(&self, tracepoint: &Tracepoint) -> bool {
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(tracepoint));
        (self.only.is_empty() || matches(&self.only)) && !matches(&self.exclude)
    }

    /// Whether the filter keeps this CPU. An unknown CPU is kept only if all CPUs are.
    pub fn takes_cpu(&self, cpu: Option<Cpu>) -> bool {
        let takes = |cpus: &CpuList| cpu.is_some_and(|cpu| cpus.as_slice().binary_search(&cpu).is_ok());
        self.cpus.as_ref().is_none_or(takes)
    }

    /// The part of a batch that the filter keeps by time and number. `origin` is the time of the source's
    /// first event, to which moments can be relative. `given` is the number of events kept from earlier
    /// batches.
    pub fn part<'e>(&self, batch: &'e [Event], origin: Ns, given: u64) -> &'e [Event] {
        let place = |moment: Option<Moment>, otherwise: usize| {
            moment.map_or(otherwise, |moment| {
                let time = moment.absolute(origin);
                batch.partition_point(|event| event.time < time)
            })
        };
        let (start, end) = (place(self.from, 0), place(self.to, batch.len()));
        let left = self.events.map_or(u64::MAX, |events| events.saturating_sub(given));
        let wanted = &batch[start.min(end)..end];
        &wanted[..wanted.len().min(usize::try_from(left).unwrap_or(usize::MAX))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Tpid;
    use std::time::Duration;

    fn times(filter: &Filter, given: u64) -> Vec<u64> {
        let batch = [100, 110, 120, 130].map(|time| Event::new(Ns(time), None, Tpid::new(1)));
        filter.part(&batch, Ns(100), given).iter().map(|event| event.time.0).collect()
    }

    #[test]
    fn a_part_starts_at_from_and_ends_before_to() {
        let since = |ns| Some(Moment::After(Duration::from_nanos(ns)));
        let filter = |from, to, events| Filter { from, to, events, ..Filter::default() };
        assert_eq!(times(&filter(since(10), since(30), None), 0), [110, 120]);
        assert_eq!(times(&filter(since(11), None, None), 0), [120, 130]);
        assert_eq!(times(&filter(None, Some(Moment::At(110)), None), 0), [100]);
        assert_eq!(times(&filter(since(30), since(10), None), 0), [0; 0], "from is after to");
        assert_eq!(times(&filter(None, None, Some(3)), 1), [100, 110], "one was kept before");
        assert_eq!(times(&filter(None, None, Some(3)), 4), [0; 0]);
        assert_eq!(times(&Filter::default(), 0), [100, 110, 120, 130]);
    }
}
