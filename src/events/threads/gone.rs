//! Forgets cgroups that are gone, so that what is known of threads does not grow for weeks.

use super::KnownThreads;
use crate::os::cgroups::cgroups;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// With fewer cgroups, none is forgotten.
const MANY: usize = 1_000;
/// The time between two lists of the cgroups of this machine. A cgroup that is in neither is forgotten: events of the time between may
/// still need it.
const BETWEEN_LISTS: Duration = Duration::from_secs(60);

/// Forgets cgroups that are gone.
#[derive(Debug)]
pub struct GoneCgroups {
    /// The number of cgroups from which on they are listed.
    most: usize,
    listed_at: Option<Instant>,
    /// Those that were gone at the last list.
    gone: HashSet<u64>,
}

impl Default for GoneCgroups {
    fn default() -> Self {
        GoneCgroups { most: MANY, listed_at: None, gone: HashSet::new() }
    }
}

impl GoneCgroups {
    /// Forgets them, if there are many cgroups.
    pub fn forget(&mut self, known: &mut KnownThreads) {
        if known.number_of_cgroups() < self.most || self.listed_at.is_some_and(|at| at.elapsed() < BETWEEN_LISTS) {
            return;
        }
        self.listed_at = Some(Instant::now());
        // Without a list, all stay.
        if let Ok(now) = cgroups() {
            self.forget_except(known, &now.into_iter().map(|cgroup| cgroup.id).collect());
        }
    }

    /// Forgets those that are neither there now nor were at the last time.
    fn forget_except(&mut self, known: &mut KnownThreads, now: &HashSet<u64>) {
        let gone = std::mem::take(&mut self.gone);
        known.keep_cgroups(|id| now.contains(&id.0) || !gone.contains(&id.0));
        self.gone = known.cgroups().map(|(id, _)| id.0).filter(|id| !now.contains(id)).collect();
        self.most = MANY.max(2 * (known.number_of_cgroups() - self.gone.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{CgroupId, Ns, ThreadChange, ThreadFact, Tid};

    #[test]
    fn a_cgroup_that_is_gone_stays_until_the_list_after_the_next() {
        let mut known = KnownThreads::default();
        let what = |id: u64| ThreadFact::Cgroup { id: CgroupId(id), path: format!("/{id}").into() };
        let changes: Vec<_> = (1..=3).map(|id| ThreadChange { time: Ns(0), tid: Tid::IDLE, what: what(id) }).collect();
        known.add(&changes).unwrap();
        known.until(Ns(1));
        let mut gone = GoneCgroups::default();
        let mut left = |now: &[u64]| {
            gone.forget_except(&mut known, &now.iter().copied().collect());
            let mut left: Vec<u64> = known.cgroups().map(|(id, _)| id.0).collect();
            left.sort_unstable();
            left
        };
        assert_eq!(left(&[1, 2]), [1, 2, 3]);
        assert_eq!(left(&[1]), [1, 2]);
        assert_eq!(left(&[1]), [1]);
    }
}
