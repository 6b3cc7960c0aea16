//! The accounting: per tracepoint and CPU, it compares the kernel's count with the recorded and the lost
//! events.
//!
//! The kernel increments an event's counter before it tries to write the sample, so normally
//! `counted = recorded + lost`. In a recording with a budget, some tracepoints are thinned, and
//! [`thinning`](super::thinning) says how many hits that leaves out: `counted = recorded + thinned + lost`. Any difference is
//! **unaccounted**: hits that the kernel counted, but for which it neither wrote a sample nor reported a loss. They are never
//! hidden in the other numbers.
//!
//! A recording of chosen processes leaves out samples of others. `counted` is then the kernel's count without those samples.
//!
//! The counters of a few tracepoints add up nanoseconds instead of hits ([`Tracepoint::is_weighted`]). Nobody
//! counts the hits of those, so their `counted` is `recorded + lost` by definition.
//!
//! [`Tracepoint::is_weighted`]: crate::tracefs::Tracepoint::is_weighted

use crate::events::stream::Decoded;
use crate::events::thinning::model::Thinning;
use crate::events::{Counted, Cpu, RungStep, Slot, Tpid};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::AddAssign;

/// The account of a tracepoint, of a CPU, of a tracepoint on a CPU, or of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Samples taken from the rings.
    pub recorded: u64,
    /// Samples that the kernel dropped because the ring was full.
    pub lost: u64,
    /// Hits that became no samples because their tracepoint was thinned.
    pub thinned: u64,
    /// Hits by the kernel's counter.
    pub counted: u64,
}

impl Account {
    /// `counted − recorded − thinned − lost`; 0 when the account balances.
    pub fn unaccounted(&self) -> i64 {
        self.counted.wrapping_sub(self.recorded).wrapping_sub(self.thinned).wrapping_sub(self.lost) as i64
    }
}

impl Account {
    /// The hits, as far as they are known without the kernel's counter.
    fn without_counter(&self) -> u64 {
        self.recorded.saturating_add(self.thinned).saturating_add(self.lost)
    }
}

impl AddAssign for Account {
    fn add_assign(&mut self, other: Self) {
        // A damaged file can contain any numbers.
        self.recorded = self.recorded.saturating_add(other.recorded);
        self.lost = self.lost.saturating_add(other.lost);
        self.thinned = self.thinned.saturating_add(other.thinned);
        self.counted = self.counted.saturating_add(other.counted);
    }
}

/// The accounting of one capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounting {
    accounts: Vec<(Slot, Account)>,
    per_cpu: BTreeMap<Option<Cpu>, Account>,
    /// Whether the kernel's counters were read. Without them, `counted` is `recorded + lost`.
    pub counted: bool,
    /// Whether losses are known per tracepoint. Without counters, and before Linux 6.0, they are known only
    /// per CPU.
    pub lost_per_tracepoint: bool,
    /// Late events per CPU. The key `None` is for events whose CPU the source does not record.
    pub late: BTreeMap<Option<Cpu>, u64>,
    /// Samples whose id does not belong to any opened event.
    pub unknown: u64,
    /// Records lost in rings that tracepoints share with other events, if the source does not have the losses per event.
    /// No account contains them.
    pub lost_unassigned: u64,
    /// Records about threads that were lost. No account contains them.
    pub threads_lost: u64,
}

impl Accounting {
    /// Closes the accounting: compares the decoded samples with the kernel's counts. `others` are the samples of other processes
    /// that a recording of chosen processes left out. They do not count.
    pub fn close(decoded: &Decoded, others: &[(Tpid, Cpu, u64)]) -> Self {
        let others: HashMap<Slot, u64> =
            others.iter().map(|(tpid, cpu, hits)| (Slot { tpid: *tpid, cpu: Some(*cpu) }, *hits)).collect();
        let mut accounts = BySlot::default();
        for (slot, recorded) in &decoded.samples {
            *accounts.of(*slot) += Account { recorded: *recorded, ..Account::default() };
        }
        // The slots whose hits the kernel counted.
        let (mut exact, mut with_counter) = (HashSet::new(), HashSet::new());
        for Counted { slot, count, weighted, .. } in decoded.counted.iter().flatten() {
            let counted = if *weighted { 0 } else { count.value };
            *accounts.of(*slot) += Account { lost: count.lost, counted, ..Account::default() };
            with_counter.insert(*slot);
            if !weighted {
                exact.insert(*slot);
            }
        }
        // A damaged file can lack the counter of an event that has samples.
        for (slot, lost) in decoded.lost.iter().flatten().filter(|(slot, _)| !with_counter.contains(slot)) {
            *accounts.of(*slot) += Account { lost: *lost, ..Account::default() };
        }
        let mut accounts = accounts.accounts;
        let thinnings = thinnings(&decoded.steps);
        for (slot, account) in &mut accounts {
            let thinning = thinnings.get(slot).copied().unwrap_or_default();
            if exact.contains(slot) {
                let others = others.get(slot).copied().unwrap_or(0);
                let samples = account.recorded.saturating_add(others).saturating_add(account.lost);
                let missing = account.counted.saturating_sub(samples);
                account.thinned = thinning.up_to(account.counted, account.counted).of_missing(missing);
                account.counted = account.counted.saturating_sub(others);
            } else {
                // Without the last counter, only the hits before the last step are known. A weighted tracepoint is never thinned.
                let is_thinned = !with_counter.contains(slot);
                account.thinned = if is_thinned { thinning.so_far().least } else { 0 };
                account.counted = account.without_counter();
            }
        }
        let counted = decoded.counted.is_some();
        let lost_per_tracepoint = match &decoded.counted {
            Some(counted) => counted.iter().all(|counted| counted.lost_known),
            None => decoded.lost.is_some(),
        };
        let mut per_cpu = sums(&accounts, |slot| slot.cpu);
        if !counted || !lost_per_tracepoint {
            for cpu in &decoded.per_cpu {
                let account = per_cpu.entry(cpu.cpu).or_default();
                // Losses that are known per event include those of the ring.
                if !lost_per_tracepoint {
                    account.lost = account.lost.max(cpu.lost);
                }
                if !counted {
                    account.counted = account.without_counter();
                }
            }
        }
        let late = decoded.per_cpu.iter().map(|cpu| (cpu.cpu, cpu.late)).collect();
        let Decoded { unknown, lost_unassigned, threads_lost, .. } = *decoded;
        Accounting { accounts, per_cpu, counted, lost_per_tracepoint, late, unknown, lost_unassigned, threads_lost }
    }

    /// The sum over all tracepoints and CPUs.
    pub fn total(&self) -> Account {
        self.per_cpu.values().fold(Account::default(), |mut total, account| {
            total += *account;
            total
        })
    }

    /// The accounts per tracepoint, summed over CPUs.
    pub fn per_tracepoint(&self) -> BTreeMap<Tpid, Account> {
        sums(&self.accounts, |slot| slot.tpid)
    }

    /// The accounts per CPU. The key `None` is for events whose CPU the source does not record.
    pub fn per_cpu(&self) -> &BTreeMap<Option<Cpu>, Account> {
        &self.per_cpu
    }

    /// The accounts that do not balance, the largest difference first. Empty if losses are not known per
    /// tracepoint.
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

/// The thinning of each tracepoint and CPU that has steps.
fn thinnings(steps: &[RungStep]) -> HashMap<Slot, Thinning> {
    let mut thinnings = HashMap::<Slot, Thinning>::new();
    for step in steps {
        for (on, earlier) in step.on_cpus() {
            let slot = Slot { tpid: step.tpid, cpu: Some(on.cpu) };
            thinnings.entry(slot).or_default().take(step.one_in, on, earlier);
        }
    }
    thinnings
}

/// One account per slot. Several events of a foreign file can have the same slot.
#[derive(Default)]
struct BySlot {
    accounts: Vec<(Slot, Account)>,
    places: HashMap<Slot, usize>,
}

impl BySlot {
    fn of(&mut self, slot: Slot) -> &mut Account {
        let place = *self.places.entry(slot).or_insert_with(|| {
            self.accounts.push((slot, Account::default()));
            self.accounts.len() - 1
        });
        &mut self.accounts[place].1
    }
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
    use crate::events::stream::DecodedCpu;
    use crate::events::{Ns, Reading, StepOnCpu};

    #[test]
    fn samples_of_other_processes_do_not_count() {
        let slot = |tpid| Slot { tpid: Tpid::new(tpid), cpu: cpu(0) };
        let counted = |tpid, value| Counted {
            slot: slot(tpid),
            count: Reading { value, lost: 1 },
            lost_known: true,
            weighted: false,
        };
        let decoded = Decoded {
            samples: vec![(slot(1), 10), (slot(2), 3)],
            counted: Some(vec![counted(1, 111), counted(2, 4)]),
            ..Decoded::default()
        };
        let others = |hits| [(Tpid::new(1), Cpu::new(0), hits), (Tpid::new(9), Cpu::new(0), 5)];
        let account = |others: &[_]| Accounting::close(&decoded, others).per_tracepoint()[&Tpid::new(1)];
        let of_it = account(&others(100));
        assert_eq!((of_it.counted, of_it.recorded, of_it.lost, of_it.unaccounted()), (11, 10, 1, 0));
        // A damaged file can have more of them than hits.
        assert_eq!(account(&others(500)).counted, 0);
    }

    fn cpu(number: u32) -> Option<Cpu> {
        Some(Cpu::new(number))
    }

    fn slot(tpid: u32, cpu_number: u32) -> Slot {
        Slot { tpid: Tpid::new(tpid), cpu: cpu(cpu_number) }
    }

    fn account(recorded: u64, lost: u64, counted: u64) -> Account {
        Account { recorded, lost, counted, ..Account::default() }
    }

    fn accounting(lost_known: bool) -> Accounting {
        let decoded = Decoded {
            samples: vec![(slot(1, 0), 10), (slot(1, 1), 5), (slot(2, 1), 0)],
            per_cpu: vec![DecodedCpu { cpu: cpu(0), lost: 3, late: 1 }, DecodedCpu { cpu: cpu(1), lost: 0, late: 0 }],
            unknown: 0,
            ..Default::default()
        };
        let counted = |slot, value, lost| Counted {
            slot,
            count: Reading { value, lost: if lost_known { lost } else { 0 } },
            lost_known,
            weighted: false,
        };
        let counted = [counted(slot(1, 0), 13, 3), counted(slot(1, 1), 9, 0), counted(slot(2, 1), 1, 0)];
        Accounting::close(&Decoded { counted: Some(counted.to_vec()), ..decoded }, &[])
    }

    #[test]
    fn accounts_add_up_and_the_unbalanced_ones_are_listed() {
        let accounting = accounting(true);
        assert_eq!(accounting.total(), account(15, 3, 23));
        assert_eq!(accounting.total().unaccounted(), 5);
        assert_eq!(accounting.per_tracepoint()[&Tpid::new(1)], account(15, 3, 22));
        assert_eq!(accounting.per_cpu()[&cpu(0)].unaccounted(), 0);
        let off: Vec<_> =
            accounting.unbalanced().into_iter().map(|(slot, account)| (slot, account.unaccounted())).collect();
        assert_eq!(off, [(slot(1, 1), 4), (slot(2, 1), 1)]);
        assert_eq!(accounting.total_late(), 1);
    }

    #[test]
    fn a_counter_of_nanoseconds_does_not_count_as_hits() {
        let count = Reading { value: 123_456_789, lost: 2 };
        let counted = vec![Counted { slot: slot(1, 0), count, lost_known: true, weighted: true }];
        let decoded = Decoded { samples: vec![(slot(1, 0), 10)], counted: Some(counted), ..Default::default() };
        assert_eq!(Accounting::close(&decoded, &[]).total(), account(10, 2, 12));
        // Nor is it thinned, whatever the steps of a damaged file say.
        let on = |before| vec![StepOnCpu { cpu: Cpu::new(0), at: Ns(0), before, after: before }];
        let step =
            |one_in, before| RungStep { tpid: Tpid::new(1), at: Ns(0), one_in, on: on(before), earlier: Vec::new() };
        let decoded = Decoded { steps: vec![step(17, 0), step(1, 99_999)], ..decoded };
        assert_eq!(Accounting::close(&decoded, &[]).total(), account(10, 2, 12));
    }

    #[test]
    fn samples_without_a_counter_are_in_the_accounts() {
        let count = Reading { value: 4, lost: 0 };
        let counted = vec![Counted { slot: slot(1, 0), count, lost_known: true, weighted: false }];
        let decoded =
            Decoded { samples: vec![(slot(1, 0), 4), (slot(1, 1), 3)], counted: Some(counted), ..Default::default() };
        let accounting = Accounting::close(&decoded, &[]);
        assert_eq!(accounting.total(), account(7, 0, 7));
        assert!(accounting.unbalanced().is_empty());
    }

    #[test]
    fn events_with_the_same_slot_share_an_account() {
        let counted = |value, lost| Counted {
            slot: slot(1, 0),
            count: Reading { value, lost },
            lost_known: true,
            weighted: false,
        };
        let decoded = Decoded {
            samples: vec![(slot(1, 0), 4), (slot(1, 0), 3)],
            counted: Some(vec![counted(5, 1), counted(3, 0)]),
            ..Default::default()
        };
        let accounting = Accounting::close(&decoded, &[]);
        assert_eq!(accounting.total(), account(7, 1, 8));
        assert!(accounting.unbalanced().is_empty());
    }

    #[test]
    fn without_counters_only_recorded_and_lost_are_known() {
        let decoded = Decoded {
            samples: vec![(slot(1, 0), 10), (slot(2, 0), 5)],
            per_cpu: vec![DecodedCpu { cpu: cpu(0), lost: 3, late: 0 }],
            ..Default::default()
        };
        let accounting = Accounting::close(&decoded, &[]);
        assert!(!accounting.counted && !accounting.lost_per_tracepoint && accounting.unbalanced().is_empty());
        assert_eq!(accounting.total(), account(15, 3, 18));
    }

    #[test]
    fn without_losses_per_event_the_rings_report_them_per_cpu() {
        let accounting = accounting(false);
        assert_eq!(accounting.per_cpu()[&cpu(0)], account(10, 3, 13));
        assert_eq!(accounting.total().lost, 3);
        assert!(accounting.unbalanced().is_empty());
    }

    #[test]
    fn hits_that_were_thinned_away_are_not_unaccounted() {
        let step = |one_in, before, after| RungStep {
            tpid: Tpid::new(1),
            at: Ns(0),
            one_in,
            on: vec![StepOnCpu { cpu: Cpu::new(0), at: Ns(0), before, after }],
            earlier: Vec::new(),
        };
        // Of 10 to 12 hits before the first step, all were recorded; of the 990 to 988 since then, 60.
        let decoded = |recorded, count| Decoded {
            samples: vec![(slot(1, 0), recorded)],
            counted: Some(vec![Counted { slot: slot(1, 0), count, lost_known: true, weighted: false }]),
            steps: vec![step(17, 10, 12)],
            ..Default::default()
        };
        let total = |recorded, lost| Accounting::close(&decoded(recorded, Reading { value: 1_000, lost }), &[]).total();
        let balanced = total(70, 0);
        assert_eq!((balanced.thinned, balanced.unaccounted()), (930, 0));
        // Two hits of the step may be on either side of it, and a loss is a sample that is missing.
        assert_eq!((total(71, 0).unaccounted(), total(65, 5).unaccounted()), (0, 0));
        assert_eq!((total(60, 0).unaccounted(), total(80, 0).unaccounted()), (10, -8));
        // Without the counter, only the hits before the last step are known.
        let killed = Decoded { counted: None, ..decoded(70, Reading::default()) };
        assert_eq!(Accounting::close(&killed, &[]).total(), account(70, 0, 70));
        let later = Decoded { steps: vec![step(17, 10, 10), step(1, 1_000, 1_000)], ..killed };
        assert_eq!(
            Accounting::close(&later, &[]).total(),
            Account { thinned: 930, counted: 1_000, ..account(70, 0, 0) }
        );
    }
}
