//! Groups of events: the members of a group go on and off together.
//!
//! The kernel walks a whole group for each event that joins it (`perf_group_attach`; since Linux 6.7 also
//! `perf_event_validate_size`). It walks all events of a CPU for each group that goes on (`ctx_resched`). So
//! a single group makes opening slow, and hundreds of groups make the start late.

use crate::tracefs::Tracepoint;

/// The maximum number of tracepoints in a group. The default selection then has about seven groups, which
/// start within about 5 ms on a CPU.
const GROUP: usize = 256;

/// One read returns the number of events, and three words for each member and the leader. The kernel allows
/// at most 16 KiB (`perf_event_validate_size`).
const _: () = assert!((1 + (GROUP + 1) * 3) * 8 <= 16 << 10);

/// The maximum number of groups, and so of leaders, that this many tracepoints need on one CPU.
pub(super) fn leaders_needed(tracepoints: usize) -> usize {
    tracepoints.div_ceil(GROUP) + 1
}

/// The tracefs groups that fire when one CPU interrupts another to switch events on or off. Their events are
/// in separate groups, which go on last and off first. So a capture records only the switching of those last
/// groups.
const SWITCHING: [&str; 9] = ["csd", "ipi", "irq", "irq_vectors", "msr", "power", "rcu", "sched", "timer"];

/// Whether visits hit this tracepoint themselves: they switch events on other CPUs, sleep, and wake up. So they cannot
/// estimate its hits.
pub fn is_hit_by_visits(tracepoint: &Tracepoint) -> bool {
    let group = tracepoint.group.as_str();
    SWITCHING.contains(&group) || group == "lock"
}

/// The number of the event group that each tracepoint joins. Tracepoints that switching fires are in the last
/// groups.
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
    fn tracepoints_that_switching_fires_are_in_the_last_groups() {
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
        // The number of reserved leaders is always sufficient.
        for (others, last) in [(0, 5), (1, 0), (256, 1), (257, 300), (512, 7)] {
            let all = groups_of([entries("a", others), entries("timer", last)].concat());
            assert!(all.iter().max().unwrap() < &leaders_needed(others + last), "{others} {last}");
            // A larger group would not fit in one read of its counters.
            let largest =
                (0..leaders_needed(others + last)).map(|n| all.iter().filter(|group| **group == n).count()).max();
            assert!(largest <= Some(GROUP), "{others} {last}: {largest:?} in a group");
        }
    }
}
