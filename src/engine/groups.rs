//! Groups: which tracepoint goes on and off with which others.
//!
//! The kernel goes through a whole group for each event that joins it (`perf_group_attach`, since Linux 6.7
//! `perf_event_validate_size` too), and through all events of a CPU for each group that is switched on (`ctx_resched`): one
//! group makes opening slow, hundreds make the start late.

use crate::tracefs::Tracepoint;

/// The most tracepoints in one group: seven groups of all, which start within some 5 ms on a CPU.
const GROUP: usize = 256;

/// One read gives three words for each member and the leader, and their number; the kernel allows 16 KiB
/// (`perf_event_validate_size`).
const _: () = assert!((1 + (GROUP + 1) * 3) * 8 <= 16 << 10);

/// How many groups, and so leaders, a CPU has at the most for this many tracepoints.
pub(super) fn leaders_needed(tracepoints: usize) -> usize {
    tracepoints.div_ceil(GROUP) + 1
}

/// Groups of tracepoints, as tracefs has them, that fire when one CPU interrupts another to switch something on or off. They
/// have groups of events of their own, which go on last and off first. So a capture records only the switching of those
/// groups themselves.
const SWITCHING: [&str; 9] = ["csd", "ipi", "irq", "irq_vectors", "msr", "power", "rcu", "sched", "timer"];

/// For each of these the group that it joins. What switching fires is in the last ones.
pub(super) fn groups(tracepoints: &[&Tracepoint]) -> Vec<usize> {
    let is_last = |tracepoint: &Tracepoint| SWITCHING.contains(&tracepoint.group.as_str());
    let first = tracepoints.iter().filter(|tracepoint| !is_last(tracepoint)).count().div_ceil(GROUP);
    let (mut others, mut last) = (0, 0);
    let mut place = |tracepoint: &&Tracepoint| {
        let (number, before) = if is_last(tracepoint) { (&mut last, first) } else { (&mut others, 0) };
        *number += 1;
        before + (*number - 1) / GROUP
    };
    tracepoints.iter().map(&mut place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::Table;

    #[test]
    fn what_switching_fires_is_in_the_last_groups() {
        let entries = |group: &str, number: usize| -> Vec<_> {
            (0..number).map(|index| (group.to_owned(), format!("t{index:03}"), index as u64)).collect()
        };
        let groups_of = |entries: Vec<(String, String, u64)>| {
            let table = Table::from_entries(entries);
            groups(&table.tracepoints().iter().collect::<Vec<_>>())
        };
        let all =
            groups_of([entries("a", 250), entries("ipi", 3), entries("sched", 20), entries("syscalls", 50)].concat());
        assert_eq!((&all[..250], &all[250..273]), (&[0; 250][..], &[2; 23][..]));
        assert_eq!((&all[273..279], &all[279..]), (&[0; 6][..], &[1; 44][..]));
        // The leaders that are reserved are enough in any case.
        for (others, last) in [(0, 5), (1, 0), (256, 1), (257, 300), (512, 7)] {
            let all = groups_of([entries("a", others), entries("timer", last)].concat());
            assert!(all.iter().max().unwrap() < &leaders_needed(others + last), "{others} {last}");
            // More would not fit in the read of a group's counters.
            let largest =
                (0..leaders_needed(others + last)).map(|n| all.iter().filter(|group| **group == n).count()).max();
            assert!(largest <= Some(GROUP), "{others} {last}: {largest:?} in a group");
        }
    }
}
