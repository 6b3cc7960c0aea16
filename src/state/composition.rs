//! The composition of a window, and the distance between two windows.
//!
//! The composition of a window is each tracepoint's share of its events. The distance is that of Hellinger,
//!
//! ```text
//!   H²(p, q) = ½ Σ (√pᵢ − √qᵢ)² = 1 − Σ √(pᵢ qᵢ)
//! ```
//!
//! from 0 (the same shares) to 1 (no tracepoint in common). The roots reduce the weight of the few
//! tracepoints that fire most. The squared distance is a sum over tracepoints, so its terms show which
//! tracepoints make two windows differ. Sources: Hellinger, J. reine angew. Math. 136, 1909; for its use on
//! shares, Rao, "A review of canonical coordinates", Qüestiió 19, 1995.

use std::collections::BTreeMap;

/// The number of a name in a list of names.
pub type Name = u32;

/// The composition of one window: the root of the share of each tracepoint that fired, ascending by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Composition {
    roots: Vec<(Name, f64)>,
    events: u64,
}

/// The contribution of one tracepoint to a squared distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The tracepoint.
    pub name: Name,
    /// Its share in the first window, and in the second.
    pub shares: (f64, f64),
    /// Its contribution. The contributions of all tracepoints add up to the squared distance.
    pub squared: f64,
}

impl Composition {
    /// The composition of these counts. Each name comes once, in ascending order; counts may be 0.
    pub fn of(counts: impl IntoIterator<Item = (Name, u64)>) -> Self {
        let counts: Vec<(Name, u64)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        debug_assert!(counts.is_sorted_by(|a, b| a.0 < b.0), "each name once, ascending");
        let events: u64 = counts.iter().map(|(_, count)| count).sum();
        let root = |count: u64| (count as f64 / events as f64).sqrt();
        Composition { roots: counts.into_iter().map(|(name, count)| (name, root(count))).collect(), events }
    }

    /// The mean of the shares of these windows, each with the same weight. Its events are the sum of theirs.
    pub fn mean<'a>(windows: impl IntoIterator<Item = &'a Composition>) -> Self {
        let (mut shares, mut events, mut number) = (BTreeMap::new(), 0u64, 0);
        for window in windows.into_iter().filter(|window| window.events > 0) {
            window.roots.iter().for_each(|(name, root)| *shares.entry(*name).or_insert(0.0) += root * root);
            (events, number) = (events.saturating_add(window.events), number + 1);
        }
        let roots = shares.into_iter().map(|(name, sum)| (name, (sum / f64::from(number)).sqrt())).collect();
        Composition { roots, events }
    }

    /// The share of a tracepoint.
    pub fn share(&self, name: Name) -> f64 {
        let place = self.roots.binary_search_by_key(&name, |(name, _)| *name);
        place.map_or(0.0, |place| self.roots[place].1.powi(2))
    }

    /// The number of events. A window without events has no composition.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The roots of the shares, ascending by name.
    pub fn roots(&self) -> &[(Name, f64)] {
        &self.roots
    }

    /// The distance from another window, from 0 to 1. Two windows without events have distance 0; a window
    /// with events and one without have distance 1.
    pub fn distance(&self, other: &Composition) -> f64 {
        if self.events == 0 || other.events == 0 {
            return if self.events == other.events { 0.0 } else { 1.0 };
        }
        let common: f64 = both(&self.roots, &other.roots).map(|(_, a, b)| a * b).sum();
        // Rounding can make the sum for equal shares a little more or less than 1.
        (1.0 - common).clamp(0.0, 1.0).sqrt()
    }

    /// The squared Euclidean distance of the roots. It is twice the square of `distance`, except that it is 1
    /// if exactly one window has no events.
    pub fn squared_difference(&self, other: &Composition) -> f64 {
        both(&self.roots, &other.roots).map(|(_, a, b)| (a - b).powi(2)).sum()
    }

    /// The contributions to the squared distance, largest first.
    pub fn parts(&self, other: &Composition) -> Vec<Part> {
        let part =
            |(name, a, b): (Name, f64, f64)| Part { name, shares: (a * a, b * b), squared: (a - b).powi(2) / 2.0 };
        let mut parts: Vec<Part> = both(&self.roots, &other.roots).map(part).collect();
        parts.sort_by(|a, b| b.squared.total_cmp(&a.squared).then(a.name.cmp(&b.name)));
        parts
    }
}

/// The names of either list in ascending order, each with its value in both. A missing value is 0.
fn both<'a>(a: &'a [(Name, f64)], b: &'a [(Name, f64)]) -> impl Iterator<Item = (Name, f64, f64)> + 'a {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    std::iter::from_fn(move || {
        let name = match (a.peek(), b.peek()) {
            (Some((a, _)), Some((b, _))) => *a.min(b),
            (Some((name, _)), None) | (None, Some((name, _))) => *name,
            (None, None) => return None,
        };
        let value = |list: &mut std::iter::Peekable<std::slice::Iter<'a, (Name, f64)>>| {
            list.next_if(|(its, _)| *its == name).map_or(0.0, |(_, value)| *value)
        };
        Some((name, value(&mut a), value(&mut b)))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A window of this many events, drawn from these shares.
    pub fn drawn(random: &mut fastrand::Rng, shares: [u64; 4], events: u64) -> Composition {
        let all: u64 = shares.iter().sum();
        let mut counts = [0u64; 4];
        for _ in 0..events {
            let at = random.u64(..all);
            let ends = shares.iter().scan(0, |end, share| {
                *end += share;
                Some(*end)
            });
            counts[ends.take_while(|end| *end <= at).count()] += 1;
        }
        Composition::of((0..).zip(counts))
    }

    fn of(counts: &[(Name, u64)]) -> Composition {
        Composition::of(counts.iter().copied())
    }

    #[test]
    fn a_distance_tells_shares_and_not_rates() {
        let window = of(&[(1, 90), (7, 10)]);
        assert!(window.distance(&of(&[(1, 900), (3, 0), (7, 100)])) < 1e-7);
        assert_eq!(window.distance(&of(&[(2, 5)])), 1.0);
        // By hand: common = √(0.9·0.5) + √(0.1·0.5) = 0.670820 + 0.223607.
        let half = of(&[(1, 50), (7, 50)]);
        assert!((window.distance(&half) - (1.0_f64 - 0.894_427_191).sqrt()).abs() < 1e-9);
        assert_eq!(window.distance(&half), half.distance(&window));
        assert_eq!((window.events(), half.roots().len()), (100, 2));
    }

    #[test]
    fn a_mean_is_of_shares_and_not_of_events() {
        let mean = Composition::mean([&of(&[(1, 10), (2, 10)]), &of(&[(1, 9_000), (5, 1_000)]), &of(&[])]);
        assert!((mean.share(1) - 0.7).abs() < 1e-12 && (mean.share(2) - 0.25).abs() < 1e-12);
        assert!((mean.share(5) - 0.05).abs() < 1e-12 && mean.share(3) == 0.0);
        assert_eq!((mean.events(), Composition::mean([])), (10_020, Composition::default()));
    }

    #[test]
    fn nothing_is_like_nothing_only() {
        let nothing = of(&[(4, 0)]);
        assert_eq!((nothing.distance(&Composition::default()), nothing.distance(&of(&[(4, 1)]))), (0.0, 1.0));
    }

    #[test]
    fn the_parts_are_the_squared_distance() {
        let (a, b) = (of(&[(1, 60), (2, 30), (3, 10)]), of(&[(1, 58), (3, 2), (9, 40)]));
        let parts = a.parts(&b);
        let sum: f64 = parts.iter().map(|part| part.squared).sum();
        assert!((sum - a.distance(&b).powi(2)).abs() < 1e-12, "{parts:?}");
        let names: Vec<Name> = parts.iter().map(|part| part.name).collect();
        assert_eq!(names, [9, 2, 3, 1], "the largest first");
        assert!((parts[0].shares.0, (parts[0].shares.1 * 100.0).round()) == (0.0, 40.0));
    }

    #[test]
    fn it_is_a_distance() {
        let mut random = fastrand::Rng::with_seed(6);
        let mut window = || of(&(0..20).map(|name| (name, random.u64(..50))).collect::<Vec<_>>());
        for _ in 0..200 {
            let (a, b, c) = (window(), window(), window());
            assert!(a.distance(&a) < 1e-7);
            assert!(a.distance(&c) <= a.distance(&b) + b.distance(&c) + 1e-12);
        }
    }
}
