//! Medians, means and quantiles. Each is defined once, so figures with the same name are computed the same
//! way.

use std::cmp::Ordering;
use std::time::Duration;

/// A value that can be sorted, and that has a midpoint with another value.
pub trait Value: Copy {
    /// A total order; NaN has a place in it too.
    fn order(&self, other: &Self) -> Ordering;
    /// The mean of two values. For integers, it is rounded down.
    fn midpoint(self, other: Self) -> Self;
}

impl Value for f64 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }

    fn midpoint(self, other: Self) -> Self {
        f64::midpoint(self, other)
    }
}

impl Value for u64 {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn midpoint(self, other: Self) -> Self {
        u64::midpoint(self, other)
    }
}

impl Value for Duration {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn midpoint(self, other: Self) -> Self {
        (self + other) / 2
    }
}

/// The values in ascending order.
pub fn sorted<T: Value>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(T::order);
    values
}

/// The median; for an even number of values, the mean of the middle two. `None` if there are no values.
pub fn median<T: Value>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let values = sorted(values);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 0 { values[values.len() / 2 - 1].midpoint(upper) } else { upper })
}

/// The median; for an even number of values, the larger of the middle two, so the result is always one of the
/// values. `None` if there are no values.
pub fn upper_median<T: Value>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let values = sorted(values);
    values.get(values.len() / 2).copied()
}

/// The value below which the given share (0 to 1) of the values lies.
///
/// # Panics
/// If `ascending` is empty.
pub fn quantile(ascending: &[f64], share: f64) -> f64 {
    ascending[((share * ascending.len() as f64) as usize).min(ascending.len() - 1)]
}

/// The arithmetic mean; NaN if there are no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The smallest and the largest value, ignoring NaN; (∞, −∞) if there are no values.
pub fn extremes(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let widen = |(least, most): (f64, f64), value: f64| (least.min(value), most.max(value));
    values.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), widen)
}

/// How many of these p-values are discoveries if this share of the discoveries may be false on average: those with
/// p ≤ `share` · discoveries / values (Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57, 1995).
pub fn discoveries(p: impl IntoIterator<Item = f64>, share: f64) -> usize {
    let p = sorted(p);
    let level = |number: usize| share * number as f64 / p.len() as f64;
    (1..=p.len()).rev().find(|number| p[number - 1] <= level(*number)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_medians_differ_for_an_even_number_of_values() {
        assert_eq!((median([3.0, 1.0, 2.0]), upper_median([3.0, 1.0, 2.0])), (Some(2.0), Some(2.0)));
        assert_eq!((median([4.0, 1.0, 2.0, 3.0]), upper_median([4.0, 1.0, 2.0, 3.0])), (Some(2.5), Some(3.0)));
        assert_eq!((median([7u64, 4]), upper_median([7u64, 4])), (Some(5), Some(7)));
        let [odd, even] = [1, 2].map(Duration::from_nanos);
        assert_eq!((median([even, odd]), median([odd])), (Some(odd), Some(odd)), "a nanosecond has no half");
        assert_eq!((median::<f64>([]), upper_median::<u64>([])), (None, None));
        assert_eq!(upper_median([f64::NAN, 1.0, 2.0]), Some(2.0), "NaN sorts after all numbers");
    }

    #[test]
    fn quantiles_range_from_the_first_value_to_the_last() {
        let values = sorted((0..10).rev().map(f64::from));
        assert_eq!([0.0, 0.05, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [0.0, 0.0, 5.0, 9.0, 9.0]);
    }

    #[test]
    fn discoveries_are_those_of_benjamini_and_hochberg() {
        // The example of their paper: 15 comparisons, of which 4 are significant at 0.05.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        assert_eq!(discoveries(p.into_iter().rev(), 0.05), 4);
        // A step up: the second makes the first one.
        assert_eq!((discoveries([0.04, 0.03], 0.05), discoveries([0.9], 0.05), discoveries([], 0.05)), (2, 0, 0));
    }

    #[test]
    fn means_and_extremes() {
        assert_eq!((mean(&[1.0, 2.0, 6.0]), extremes([2.0, -1.0, f64::NAN, 5.0])), (3.0, (-1.0, 5.0)));
        assert!(mean(&[]).is_nan());
        assert_eq!(extremes([]), (f64::INFINITY, f64::NEG_INFINITY));
    }
}
