//! The merge of sorted lists.

use super::Event;
use crate::events::Ns;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Merges sorted lists. Among equal times, the list that comes first in `lists` wins.
pub(super) fn merge_sorted(lists: &[&[Event]], out: &mut Vec<Event>) {
    out.reserve(lists.iter().map(|list| list.len()).sum());
    let mut rest = lists.to_vec();
    let mut heads: BinaryHeap<Reverse<(Ns, u32)>> =
        (0u32..).zip(lists).filter_map(|(number, list)| Some(Reverse((list.first()?.time, number)))).collect();
    while let Some(Reverse((_, number))) = heads.peek() {
        let number = *number;
        let list = &mut rest[number as usize];
        // The next list is one of the two below the top of the heap. Until this list falls behind the next
        // one, its events are copied without using the heap.
        let next = heads.as_slice()[1..].iter().take(2).max();
        let run = match next {
            Some(Reverse(next)) => list.iter().take_while(|event| (event.time, number) < *next).count(),
            None => list.len(),
        };
        out.extend_from_slice(&list[..run]);
        *list = &list[run..];
        if let Some(mut head) = heads.peek_mut() {
            match list.first() {
                Some(first) => *head = Reverse((first.time, number)),
                None => drop(PeekMut::pop(head)),
            }
        }
    }
}
