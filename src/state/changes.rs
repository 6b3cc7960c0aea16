//! Finds the points at which the activity of a machine changes, with PELT.
//!
//! The algorithm cuts a sequence of windows into stretches. It adds a cut if the windows between cuts become
//! more alike by more than the penalty for a cut. The cost of a stretch is the sum of the squared distances
//! of its windows' roots from their mean; see `composition` for the roots. PELT finds the optimal cuts. Where
//! changes are frequent, its time is about linear, because it drops positions that can never again be the
//! last cut (Killick, Fearnhead, Eckley, "Optimal Detection of Changepoints With a Linear Computational
//! Cost", J. Am. Stat. Assoc. 107, 2012).

use super::composition::Composition;
use crate::stats::upper_median;
use std::collections::BTreeMap;

/// The penalty for a cut is this factor times the noise of one window times the logarithm of the number of
/// windows.
const PENALTY: f64 = 6.0;
/// The noise of a window is taken to be at least this much. A change of shares of this size is not worth
/// reporting.
const LEAST_NOISE: f64 = 1e-4;

/// This many windows are cut at a time. While nothing changes PELT can drop nothing, and its time grows with
/// the square of the number of windows.
const AT_A_TIME: usize = 1_000;

/// The first windows of all stretches but the first, as ascending indices. No stretch has fewer than
/// `shortest` windows. A longer sequence is cut in pieces of `AT_A_TIME` windows, and then at the borders
/// of the pieces if that is worth the penalty.
pub fn changes(windows: &[Composition], shortest: usize) -> Vec<usize> {
    let penalty = PENALTY * noise(windows).max(LEAST_NOISE) * (windows.len().max(1) as f64).ln();
    let mut cuts: Vec<usize> = Vec::new();
    for (index, some) in windows.chunks(AT_A_TIME).enumerate() {
        let begin = index * AT_A_TIME;
        let within = best_cuts(some, shortest.max(1), penalty);
        if begin > 0 {
            let before = cuts.last().copied().unwrap_or(0).max(begin - AT_A_TIME);
            let behind = within.first().map_or(begin + some.len(), |first| begin + first);
            let together = Sums::of(&windows[before..behind]);
            let (middle, end) = (begin - before, behind - before);
            let is_long = middle >= shortest && end - middle >= shortest;
            if is_long && together.cost(0, middle) + together.cost(middle, end) + penalty < together.cost(0, end) {
                cuts.push(begin);
            }
        }
        cuts.extend(within.into_iter().map(|cut| begin + cut));
    }
    cuts
}

/// The optimal cuts.
fn best_cuts(windows: &[Composition], shortest: usize, penalty: f64) -> Vec<usize> {
    let all = windows.len();
    if all < 2 * shortest {
        return Vec::new();
    }
    let sums = Sums::of(windows);
    // For each number of windows from the start: the least cost, and the begin of the last stretch that
    // attains it.
    let mut best: Vec<(f64, usize)> = vec![(f64::INFINITY, 0); all + 1];
    best[0] = (-penalty, 0);
    // The candidate begins of the last stretch, each with the end from which on it can be dropped.
    let mut begins: Vec<(usize, usize)> = vec![(0, usize::MAX)];
    for end in shortest..=all {
        begins.retain(|(_, forgotten)| *forgotten > end);
        let costs: Vec<f64> = begins.iter().map(|(begin, _)| best[*begin].0 + sums.cost(*begin, end)).collect();
        let (least, begin) = costs
            .iter()
            .zip(&begins)
            .map(|(cost, (begin, _))| (*cost, *begin))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .expect("the best begin for an end is not dropped before that end");
        best[end] = (least + penalty, begin);
        for ((_, forgotten), cost) in begins.iter_mut().zip(costs) {
            if cost > best[end].0 {
                // A stretch that begins at this end is better once it is long enough.
                *forgotten = (*forgotten).min(end + shortest);
            }
        }
        let next = end + 1 - shortest;
        if next >= shortest {
            begins.push((next, usize::MAX));
        }
    }
    let mut cuts: Vec<usize> = std::iter::successors(Some(best[all].1), |end| (*end > 0).then(|| best[*end].1))
        .take_while(|cut| *cut > 0)
        .collect();
    cuts.reverse();
    cuts
}

/// The noise of a window: half of the median squared distance between neighbours. As long as changes are few,
/// they do not affect the median.
fn noise(windows: &[Composition]) -> f64 {
    upper_median(windows.windows(2).map(|pair| pair[0].squared_difference(&pair[1]) / 2.0)).unwrap_or(0.0)
}

/// Prefix sums of the roots. They give the cost of any stretch without a loop over its windows.
struct Sums {
    /// By window, each tracepoint's sum over all windows before it.
    sums: Vec<Vec<f64>>,
    /// The prefix sums of the squares of all roots. This equals the number of windows that have events.
    squares: Vec<f64>,
}

impl Sums {
    fn of(windows: &[Composition]) -> Self {
        let mut places = BTreeMap::new();
        for (name, _) in windows.iter().flat_map(Composition::roots) {
            let next = places.len();
            places.entry(*name).or_insert(next);
        }
        let (mut sums, mut squares) = (vec![vec![0.0; places.len()]], vec![0.0]);
        for window in windows {
            let mut sum = sums[sums.len() - 1].clone();
            window.roots().iter().for_each(|(name, root)| sum[places[name]] += root);
            sums.push(sum);
            squares.push(squares[squares.len() - 1] + if window.events() > 0 { 1.0 } else { 0.0 });
        }
        Sums { sums, squares }
    }

    /// The sum of the squared distances of the windows' roots from their mean.
    fn cost(&self, begin: usize, end: usize) -> f64 {
        let of_sum: f64 =
            self.sums[begin].iter().zip(&self.sums[end]).map(|(before, after)| (after - before).powi(2)).sum();
        (self.squares[end] - self.squares[begin] - of_sum / (end - begin) as f64).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::composition::tests::drawn;

    /// Windows drawn from these shares, with the noise of this many events each.
    fn windows(stretches: &[(usize, [u64; 4])], events: u64) -> Vec<Composition> {
        let mut random = fastrand::Rng::with_seed(8);
        let shares = stretches.iter().flat_map(|(number, shares)| std::iter::repeat_n(*shares, *number));
        shares.map(|shares| drawn(&mut random, shares, events)).collect()
    }

    #[test]
    fn cuts_are_where_the_shares_change() {
        let stretches = [(40, [70, 20, 5, 5]), (25, [20, 70, 5, 5]), (60, [70, 20, 5, 5]), (10, [10, 10, 40, 40])];
        assert_eq!(changes(&windows(&stretches, 500), 2), [40, 65, 125]);
    }

    #[test]
    fn where_nothing_changes_nothing_is_cut() {
        assert_eq!(changes(&windows(&[(300, [40, 30, 20, 10])], 300), 2), Vec::<usize>::new());
        let same = vec![Composition::of([(1, 5), (2, 5)]); 50];
        assert_eq!(changes(&same, 2), Vec::<usize>::new());
        assert_eq!(changes(&[], 2), Vec::<usize>::new());
        assert_eq!(changes(&same[..3], 2), Vec::<usize>::new());
    }

    #[test]
    fn windows_without_events_are_a_stretch_too() {
        let mut all = windows(&[(20, [50, 50, 1, 1])], 200);
        all.extend(vec![Composition::default(); 15]);
        all.extend(windows(&[(20, [50, 50, 1, 1])], 200));
        assert_eq!(changes(&all, 2), [20, 35]);
    }

    #[test]
    fn what_is_cut_in_pieces_is_cut_where_it_changes() {
        let (idle, web) = ([40, 30, 20, 10], [10, 20, 30, 40]);
        // A change at the border of a piece, just behind one, and far from one.
        for stretches in [[1_000, 1_200], [1_003, 700], [1_600, 900]] {
            let all = windows(&[(stretches[0], idle), (stretches[1], web)], 60);
            assert_eq!(changes(&all, 2), [stretches[0]]);
        }
        assert_eq!(changes(&windows(&[(3_500, idle)], 60), 2), Vec::<usize>::new());
    }

    /// The result equals the best of all cuts, found by trying all of them.
    #[test]
    fn no_cuts_are_better() {
        let all = windows(&[(6, [70, 20, 5, 5]), (5, [30, 60, 5, 5])], 60);
        let (sums, penalty) = (Sums::of(&all), PENALTY * noise(&all).max(LEAST_NOISE) * (all.len() as f64).ln());
        let cost = |cuts: &[usize]| {
            let ends = cuts.iter().copied().chain([all.len()]);
            let begins = [0].into_iter().chain(cuts.iter().copied());
            begins.zip(ends).map(|(begin, end)| sums.cost(begin, end)).sum::<f64>() + penalty * cuts.len() as f64
        };
        let is_allowed = |cuts: &[usize]| {
            let ends: Vec<usize> = [0].into_iter().chain(cuts.iter().copied()).chain([all.len()]).collect();
            ends.windows(2).all(|pair| pair[1] - pair[0] >= 2)
        };
        let tried = (0u32..1 << (all.len() - 1))
            .map(|bits| (1..all.len()).filter(|cut| bits & (1 << (cut - 1)) != 0).collect::<Vec<_>>())
            .filter(|cuts| is_allowed(cuts));
        let best = tried.min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap();
        assert_eq!(changes(&all, 2), best);
    }
}
