//! Sample ids: the kernel's numbers for opened events, and the tracepoint and CPU of each.

use crate::events::{Cpu, SampleId, Tpid};
use std::collections::HashMap;

/// The tracepoint and CPU of one opened event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The tracepoint.
    pub tpid: Tpid,
    /// The CPU; `None` if the source does not record it.
    pub cpu: Option<Cpu>,
}

/// A map from sample id to slot. The kernel assigns ids in ascending order, so the ids of one capture lie
/// close together and fit in a table. Ids in files of other programs can be any numbers and need a hash map;
/// some of them may have no slot.
#[derive(Debug, Clone)]
pub struct SampleIds<S = Slot> {
    ids: Vec<SampleId>,
    slots: Vec<S>,
    index: Index,
}

#[derive(Debug, Clone)]
enum Index {
    Dense { least: u64, slots: Vec<u32> },
    Sparse(HashMap<SampleId, u32>),
}

const NONE: u32 = u32::MAX;

impl<S: Copy> SampleIds<S> {
    /// Builds the map from pairs of (sample id, slot). If an id occurs twice, the last pair wins.
    pub fn new(pairs: &[(SampleId, S)]) -> Self {
        let slots: Vec<_> = pairs.iter().map(|(_, slot)| *slot).collect();
        let least = pairs.iter().map(|(id, _)| id.0).min().unwrap_or(0);
        let span = pairs.iter().map(|(id, _)| id.0 - least).max().map_or(0, |widest| widest.saturating_add(1));
        let numbered = (0u32..).zip(pairs);
        // Other programs that open events at the same time cause gaps. If there are too many gaps, a table
        // wastes memory.
        let index = if span <= pairs.len() as u64 * 8 {
            let mut table = vec![NONE; span as usize];
            numbered.for_each(|(number, (id, _))| table[(id.0 - least) as usize] = number);
            Index::Dense { least, slots: table }
        } else {
            Index::Sparse(numbered.map(|(number, (id, _))| (*id, number)).collect())
        };
        SampleIds { ids: pairs.iter().map(|(id, _)| *id).collect(), slots, index }
    }

    /// The index in [`slots`](Self::slots) of the slot with this sample id.
    #[inline]
    pub fn find(&self, id: SampleId) -> Option<usize> {
        let number = match &self.index {
            Index::Dense { least, slots } => *slots.get(usize::try_from(id.0.wrapping_sub(*least)).ok()?)?,
            Index::Sparse(slots) => *slots.get(&id)?,
        };
        (number != NONE).then_some(number as usize)
    }

    /// All sample ids, in the order of the pairs given to [`new`](Self::new).
    pub fn ids(&self) -> &[SampleId] {
        &self.ids
    }

    /// All slots, in the order of the pairs given to [`new`](Self::new).
    pub fn slots(&self) -> &[S] {
        &self.slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_id_finds_its_slot_and_no_other_id_finds_any(ids in proptest::collection::btree_set(any::<u64>(), 0..50), near in 0u64..1000, spread in 1u64..40) {
            let close: Vec<u64> = (0..50).map(|n| near + n * spread).collect();
            for ids in [ids.into_iter().collect::<Vec<_>>(), close] {
                let pairs: Vec<_> = ids.iter().zip(1..).map(|(id, tpid)| (SampleId(*id), Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(tpid % 3)) })).collect();
                let map = SampleIds::new(&pairs);
                for (id, slot) in &pairs {
                    prop_assert_eq!(map.find(*id).map(|index| map.slots()[index]), Some(*slot));
                    let next = id.0.wrapping_add(1);
                    prop_assert_eq!(map.find(SampleId(next)).is_some(), ids.contains(&next));
                }
            }
        }
    }
}
