//! Divides losses among windows.
//!
//! A loss happened at some time between two readings of its ring. So its events are divided among the windows in
//! proportion to its time in each.
//!
//! One sweep over time does this for all losses at once. Between the begins and the ends of losses, the sum of all
//! lost events so far grows at a constant rate:
//!
//! ```text
//!                            ╭──────── 12     A window lost as many events as the sum grows from the end of the
//!                      ╭─────╯                window before to its own end. The sum is rounded, and not the parts:
//!                  ╭───╯                      so nothing is lost twice or forgotten, however many windows a loss
//!     ─────────────╯                  0       covers. Half an event counts as one.
//!     window  │ 0 │ 4 │ 7 │ 1 │ 0 │
//! ```
//!
//! A loss from before the first window counts as if it began with that window. A part of a loss behind the last window
//! belongs to no window.

use crate::events::Ns;
use crate::events::stream::Loss;

/// Events in units of 2⁻⁶³, so that the sum of 2⁶⁴ events fits in 128 bits.
const FRACTION_BITS: u32 = 63;

/// The events lost in each window. The first window begins at `origin`, and the windows end at `ends`, ascending. All windows
/// together have at most [`u64::MAX`] lost events.
pub(super) fn divide(mut losses: Vec<Loss>, origin: Ns, ends: impl Iterator<Item = Ns>) -> Vec<u64> {
    let mut left = u64::MAX;
    for loss in &mut losses {
        (loss.from, loss.to) = (loss.from.max(origin), loss.to.max(origin));
        loss.lost = loss.lost.min(left);
        left -= loss.lost;
    }
    losses.sort_unstable_by_key(|loss| loss.from);
    let mut by_end: Vec<u32> = (0u32..).zip(&losses).map(|(number, _)| number).collect();
    // At the same time, a loss that began earlier ends first.
    by_end.sort_unstable_by_key(|number| (losses[*number as usize].to, losses[*number as usize].from));
    let mut sweep = Sweep { now: origin, sum: 0, rate: 0 };
    let mut by_begin = losses.iter().peekable();
    let mut by_end = by_end.into_iter().map(|number| &losses[number as usize]).peekable();
    let mut before = 0;
    let lost_by = |end: Ns| {
        // A loss at a single time that ends one window and begins another belongs to the later window, as an event does.
        while let Some(loss) = by_begin.next_if(|loss| loss.from < end) {
            while let Some(ended) = by_end.next_if(|ended| ended.to < loss.from) {
                sweep.end(ended);
            }
            sweep.begin(loss);
        }
        while let Some(ended) = by_end.next_if(|ended| ended.to < end || (ended.to == end && ended.from < end)) {
            sweep.end(ended);
        }
        sweep.move_to(end);
        let sum = sweep.rounded();
        sum - std::mem::replace(&mut before, sum)
    };
    ends.map(lost_by).collect()
}

/// The sum of all lost events up to a time.
struct Sweep {
    now: Ns,
    /// In units of 2⁻⁶³ events.
    sum: u128,
    /// The growth of the sum, in these units per nanosecond.
    rate: u128,
}

impl Sweep {
    fn move_to(&mut self, time: Ns) {
        self.sum += self.rate * u128::from(time - self.now);
        self.now = time;
    }

    /// The growth of the sum by a loss, and the rest of the loss that this rounding leaves for its end.
    fn rate_and_rest(loss: &Loss) -> (u128, u128) {
        let (lost, ns) = (u128::from(loss.lost) << FRACTION_BITS, u128::from(loss.to - loss.from));
        lost.checked_div(ns).map_or((0, lost), |rate| (rate, lost - rate * ns))
    }

    fn begin(&mut self, loss: &Loss) {
        self.move_to(loss.from);
        self.rate += Self::rate_and_rest(loss).0;
    }

    fn end(&mut self, loss: &Loss) {
        self.move_to(loss.to);
        let (rate, rest) = Self::rate_and_rest(loss);
        self.rate -= rate;
        self.sum += rest;
    }

    /// The sum in whole events.
    fn rounded(&self) -> u64 {
        let half = 1 << (FRACTION_BITS - 1);
        u64::try_from((self.sum + half) >> FRACTION_BITS).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn loss(lost: u64, from: u64, to: u64) -> Loss {
        Loss { cpu: None, lost, from: Ns(from), to: Ns(to) }
    }

    fn lost(losses: &[Loss], lengths: &[u64]) -> Vec<u64> {
        let ends = lengths.iter().scan(Ns(1_000), |end, ns| {
            *end = *end + *ns;
            Some(*end)
        });
        divide(losses.to_vec(), Ns(1_000), ends)
    }

    #[test]
    fn a_loss_is_divided_in_proportion_to_its_time() {
        assert_eq!(lost(&[loss(30, 1_150, 1_300)], &[100; 4]), [0, 10, 20, 0]);
        assert_eq!(lost(&[loss(7, 900, 1_050)], &[100; 2]), [7, 0], "before the first window");
        assert_eq!(lost(&[loss(10, 1_150, 1_250)], &[100; 2]), [0, 5], "behind the last window");
        assert_eq!(lost(&[loss(9, 1_100, 1_100), loss(4, 1_050, 1_100)], &[100; 2]), [4, 9], "at the edge");
        assert_eq!(lost(&[loss(6, 1_000, 1_060)], &[10, 0, 20, 100]), [1, 0, 2, 3], "windows of any length");
        assert_eq!(lost(&[loss(1, 2_000, 3_000)], &[]), [0u64; 0]);
    }

    #[test]
    fn the_sum_is_rounded_and_not_each_part() {
        assert_eq!(lost(&[loss(2, 1_000, 1_500)], &[100; 5]), [0, 1, 0, 1, 0]);
        assert_eq!(lost(&[loss(1, 1_000, 1_400); 4], &[100; 4]), [1; 4]);
        let many = [loss(u64::MAX, 1_000, 1_001), loss(u64::MAX, 1_050, 1_050), loss(1, 1_000, 9_000)];
        assert_eq!(lost(&many, &[100; 2]), [u64::MAX, 0], "no more than can be counted");
    }

    #[test]
    fn many_losses_over_many_windows_take_no_hours() {
        let end = 1_000 + 240_000 * 1_000;
        let losses = (0..480_000).map(|n| loss(1, 1_000 + n, end - n)).collect();
        let lost = divide(losses, Ns(1_000), (1..=240_000).map(|window| Ns(1_000 + window * 1_000)));
        assert_eq!(lost.iter().sum::<u64>(), 480_000);
        assert!(lost[1_000..239_000].iter().all(|lost| (2..=3).contains(lost)));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_twice_or_forgotten(losses in proptest::collection::vec((0..1_000u64, 0..3_000u64, 0..900u64), 0..20), lengths in proptest::collection::vec(0..90u64, 1..40)) {
            let losses: Vec<_> = losses.into_iter().map(|(lost, from, ns)| loss(lost, from, from + ns)).collect();
            let lost = lost(&losses, &lengths);
            let mut end = 1_000;
            let mut sum = 0;
            for (window, ns) in lost.iter().zip(&lengths) {
                end += ns;
                sum += window;
                let expected: f64 = losses.iter().map(|loss| {
                    let (from, to) = (loss.from.0.max(1_000), loss.to.0.max(1_000));
                    match from == to {
                        true => if to < end { loss.lost as f64 } else { 0.0 },
                        false => loss.lost as f64 * (end.clamp(from, to) - from) as f64 / (to - from) as f64,
                    }
                }).sum();
                prop_assert!((sum as f64 - expected).abs() <= 0.5 + 1e-6, "{sum} for {expected}");
            }
        }
    }
}
