//! The accounting: per tracepoint and CPU, what the kernel counted against what was recorded and what was lost.
//!
//! The kernel increments an event's counter before it tries to write the sample, so `counted = recorded + lost` as a
//! rule. Where it does not hold, the difference is the **unaccounted**: hits that the kernel counted but wrote no sample
//! for, without reporting a loss. It is never folded into the other numbers.
//!
//! The counters of a few tracepoints add up nanoseconds and not hits ([`Tracepoint::is_weighted`]); for those nobody
//! counts hits, and `counted` is `recorded + lost` by definition.
//!
//! [`Tracepoint::is_weighted`]: crate::tracefs::Tracepoint::is_weighted

use crate::events::stream::Decoded;
use crate::events::{Counted, Cpu, Slot, Tpid};
use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

/// The account of one tracepoint, one CPU, or both, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Samples taken from the rings.
    pub recorded: u64,
    /// Samples that found their ring full.
    pub lost: u64,
    /// The kernel's counter.
    pub counted: u64,
}

impl Account {
    /// `counted − recorded − lost`; 0 when the account balances.
    pub fn unaccounted(&self) -> i64 {
        self.counted.wrapping_sub(self.recorded).wrapping_sub(self.lost) as i64
    }
}

impl AddAssign for Account {
    fn add_assign(&mut self, other: Self) {
        // Those of a damaged file may be any numbers.
        self.recorded = self.recorded.saturating_add(other.recorded);
        self.lost = self.lost.saturating_add(other.lost);
        self.counted = self.counted.saturating_add(other.counted);
    }
}

/// The accounting of one capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounting {
    accounts: Vec<(Slot, Account)>,
    per_cpu: BTreeMap<Option<Cpu>, Account>,
    /// Whether there are counters at all; without them `counted` is `recorded + lost`.
    pub counted: bool,
    /// Whether losses are known per tracepoint; without counters, and before Linux 6.0, they are known per CPU only.
    pub lost_per_tracepoint: bool,
    /// Late events per CPU; `None` is the CPU of those of which the source does not tell it.
    pub late: BTreeMap<Option<Cpu>, u64>,
    /// Samples whose id stands for nothing that was opened.
    pub unknown: u64,
}

impl Accounting {
    /// Closes the accounting: what the stream decoded against what the kernel counted.
    pub fn close(decoded: &Decoded) -> Self {
        let recorded: HashMap<Slot, u64> = decoded.samples.iter().copied().collect();
        let accounts: Vec<(Slot, Account)> = match &decoded.counted {
            Some(counted) => counted.iter().map(|counted| account(counted, &recorded)).collect(),
            None => {
                let lost: HashMap<Slot, u64> = decoded.lost.iter().flatten().copied().collect();
                let uncounted = |(slot, recorded): &(Slot, u64)| {
                    let lost = lost.get(slot).copied().unwrap_or(0);
                    (*slot, Account { recorded: *recorded, lost, counted: recorded.saturating_add(lost) })
                };
                decoded.samples.iter().map(uncounted).collect()
            }
        };
        let counted = decoded.counted.is_some();
        let lost_per_tracepoint = match &decoded.counted {
            Some(counted) => counted.iter().all(|counted| counted.lost_known),
            None => decoded.lost.is_some(),
        };
        let mut per_cpu = sums(&accounts, |slot| slot.cpu);
        if !counted || !lost_per_tracepoint {
            for cpu in &decoded.per_cpu {
                let account = per_cpu.entry(cpu.cpu).or_default();
                // Where events tell their losses too, those of a ring are among them, as far as they were told.
                account.lost = account.lost.max(cpu.lost);
                if !counted {
                    account.counted = account.recorded.saturating_add(account.lost);
                }
            }
        }
        let late = decoded.per_cpu.iter().map(|cpu| (cpu.cpu, cpu.late)).collect();
        Accounting { accounts, per_cpu, counted, lost_per_tracepoint, late, unknown: decoded.unknown }
    }

    /// All together.
    pub fn total(&self) -> Account {
        self.per_cpu.values().fold(Account::default(), |mut total, account| {
            total += *account;
            total
        })
    }

    /// Per tracepoint, by tpid.
    pub fn per_tracepoint(&self) -> BTreeMap<Tpid, Account> {
        sums(&self.accounts, |slot| slot.tpid)
    }

    /// Per CPU; `None` is that of events of which the source does not tell it.
    pub fn per_cpu(&self) -> &BTreeMap<Option<Cpu>, Account> {
        &self.per_cpu
    }

    /// The accounts that do not balance, those furthest off first. Empty where losses are not known per tracepoint.
    pub fn unbalanced(&self) -> Vec<(Slot, Account)> {
        if !self.lost_per_tracepoint || !self.counted {
            return Vec::new();
        }
        let mut off: Vec<_> = self.accounts.iter().copied().filter(|(_, account)| account.unaccounted() != 0).collect();
        off.sort_by_key(|(slot, account)| {
            (std::cmp::Reverse(account.unaccounted().unsigned_abs()), slot.tpid, slot.cpu)
        });
        off
    }

    /// Late events on all CPUs.
    pub fn total_late(&self) -> u64 {
        self.late.values().sum()
    }
}

fn account(counted: &Counted, recorded: &HashMap<Slot, u64>) -> (Slot, Account) {
    let Counted { slot, count, weighted, .. } = *counted;
    let recorded = recorded.get(&slot).copied().unwrap_or(0);
    let counted = if weighted { recorded.saturating_add(count.lost) } else { count.value };
    (slot, Account { recorded, lost: count.lost, counted })
}

fn sums<K: Ord>(accounts: &[(Slot, Account)], key: impl Fn(&Slot) -> K) -> BTreeMap<K, Account> {
    let mut sums = BTreeMap::<K, Account>::new();
    for (slot, account) in accounts {
        *sums.entry(key(slot)).or_default() += *account;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Reading;
    use crate::events::stream::DecodedCpu;

    fn cpu(number: u32) -> Option<Cpu> {
        Some(Cpu::new(number))
    }

    fn slot(tpid: u32, cpu_number: u32) -> Slot {
        Slot { tpid: Tpid::new(tpid), cpu: cpu(cpu_number) }
    }

    fn accounting(lost_known: bool) -> Accounting {
        let decoded = Decoded {
            samples: vec![(slot(1, 0), 10), (slot(1, 1), 5), (slot(2, 1), 0)],
            per_cpu: vec![DecodedCpu { cpu: cpu(0), lost: 3, late: 1 }, DecodedCpu { cpu: cpu(1), lost: 0, late: 0 }],
            unknown: 0,
            counted: None,
            lost: None,
        };
        let counted = |slot, value, lost| Counted {
            slot,
            count: Reading { value, lost: if lost_known { lost } else { 0 } },
            lost_known,
            weighted: false,
        };
        let counted = [counted(slot(1, 0), 13, 3), counted(slot(1, 1), 9, 0), counted(slot(2, 1), 1, 0)];
        Accounting::close(&Decoded { counted: Some(counted.to_vec()), ..decoded })
    }

    #[test]
    fn accounts_add_up_and_what_is_off_is_named() {
        let accounting = accounting(true);
        assert_eq!(accounting.total(), Account { recorded: 15, lost: 3, counted: 23 });
        assert_eq!(accounting.total().unaccounted(), 5);
        assert_eq!(accounting.per_tracepoint()[&Tpid::new(1)], Account { recorded: 15, lost: 3, counted: 22 });
        assert_eq!(accounting.per_cpu()[&cpu(0)].unaccounted(), 0);
        let off: Vec<_> =
            accounting.unbalanced().into_iter().map(|(slot, account)| (slot, account.unaccounted())).collect();
        assert_eq!(off, [(slot(1, 1), 4), (slot(2, 1), 1)]);
        assert_eq!(accounting.total_late(), 1);
    }

    #[test]
    fn a_counter_of_nanoseconds_is_not_taken_for_hits() {
        let count = Reading { value: 123_456_789, lost: 2 };
        let counted = vec![Counted { slot: slot(1, 0), count, lost_known: true, weighted: true }];
        let accounting = Accounting::close(&Decoded {
            samples: vec![(slot(1, 0), 10)],
            counted: Some(counted),
            ..Default::default()
        });
        assert_eq!(accounting.total(), Account { recorded: 10, lost: 2, counted: 12 });
    }

    #[test]
    fn without_counters_all_that_is_known_is_what_was_recorded_and_lost() {
        let decoded = Decoded {
            samples: vec![(slot(1, 0), 10), (slot(2, 0), 5)],
            per_cpu: vec![DecodedCpu { cpu: cpu(0), lost: 3, late: 0 }],
            ..Default::default()
        };
        let accounting = Accounting::close(&decoded);
        assert!(!accounting.counted && !accounting.lost_per_tracepoint && accounting.unbalanced().is_empty());
        assert_eq!(accounting.total(), Account { recorded: 15, lost: 3, counted: 18 });
    }

    #[test]
    fn where_the_kernel_tells_no_loss_per_event_the_rings_tell_it_per_cpu() {
        let accounting = accounting(false);
        assert_eq!(accounting.per_cpu()[&cpu(0)], Account { recorded: 10, lost: 3, counted: 13 });
        assert_eq!(accounting.total().lost, 3);
        assert!(accounting.unbalanced().is_empty());
    }
}
