//! The variances of rows, moderated by those of similar rows.
//!
//! A row has few samples, so its own variance is hardly known. The variances of the rows with about the same rate show the
//! usual one, and how much rows differ in it. So the variance of a row of d degrees of freedom becomes
//! (d₀ s₀² + d s²) / (d₀ + d), as in `limma` (Smyth, "Linear models and empirical Bayes methods for assessing differential
//! expression in microarray experiments", Stat. Appl. Genet. Mol. Biol. 3, 2004), with a trend over the rate. The profiles of
//! states do the same over the states of a library.

use crate::state::BETWEEN_FREEDOM;
use crate::stats::mean;
use statrs::function::gamma::digamma;

/// So many rows with a lower rate, and as many with a higher one, show the usual variance.
const NEIGHBOURS: usize = 25;
/// With fewer rows than this, each row has only its own variance.
const LEAST_ROWS: usize = 10;

/// The variance of a row's samples around the means of their sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Variance {
    /// The mean of all samples, by which rows are neighbours.
    pub rate: f64,
    /// The variance.
    pub variance: f64,
    /// The degrees of freedom behind it.
    pub freedom: f64,
}

/// The same variances, moderated. The degrees of freedom include those of the neighbours. Rows without an own variance stay as
/// they are.
pub(super) fn moderated(rows: &[Variance]) -> Vec<Variance> {
    let mut order: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].variance > 0.0).collect();
    if order.len() < LEAST_ROWS {
        return rows.to_vec();
    }
    order.sort_by(|a, b| rows[*a].rate.total_cmp(&rows[*b].rate));
    let logs: Vec<f64> = order.iter().map(|row| log_variance(&rows[*row])).collect();
    let around = |place: usize| {
        let from = place.saturating_sub(NEIGHBOURS);
        mean(&logs[from..logs.len().min(place + NEIGHBOURS + 1)])
    };
    let usual: Vec<f64> = (0..order.len()).map(around).collect();
    // The logarithms spread by chance. What is beyond that is how much the rows differ.
    let beyond = order
        .iter()
        .zip(logs.iter().zip(&usual))
        .map(|(row, (log, usual))| (log - usual).powi(2) - trigamma(rows[*row].freedom / 2.0));
    let freedom = prior_freedom(mean(&beyond.collect::<Vec<_>>()));
    let prior = |usual: f64| (usual + digamma(freedom / 2.0) - (freedom / 2.0).ln()).exp();
    let of_row = |row: &Variance| {
        let place = order.partition_point(|other| rows[*other].rate < row.rate).min(order.len() - 1);
        let sum = freedom * prior(usual[place]) + row.freedom * row.variance;
        Variance { variance: sum / (freedom + row.freedom), freedom: freedom + row.freedom, ..*row }
    };
    rows.iter().map(|row| if row.freedom > 0.0 { of_row(row) } else { *row }).collect()
}

/// The logarithm of a variance, without its bias.
fn log_variance(row: &Variance) -> f64 {
    row.variance.ln() - digamma(row.freedom / 2.0) + (row.freedom / 2.0).ln()
}

/// The degrees of freedom of the usual variance. They are many if rows hardly differ in their variance.
fn prior_freedom(beyond: f64) -> f64 {
    let (mut low, mut high) = (0.02, BETWEEN_FREEDOM);
    if beyond <= trigamma(high / 2.0) {
        return high;
    }
    // The function falls.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let side = if trigamma(middle / 2.0) > beyond { &mut low } else { &mut high };
        *side = middle;
    }
    low
}

/// The derivative of the digamma function, by its recurrence and its asymptotic series (Abramowitz and Stegun, 6.4.6 and 6.4.12).
fn trigamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 10.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    sum + 1.0 / x + square / 2.0 + square / x * (1.0 / 6.0 - square * (1.0 / 30.0 - square / 42.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn the_trigamma_function_has_its_known_values() {
        for (x, value) in [(1.0, PI * PI / 6.0), (0.5, PI * PI / 2.0), (2.0, PI * PI / 6.0 - 1.0)] {
            assert!((trigamma(x) - value).abs() < 1e-10, "{x}");
        }
        // And so are those of its inverse.
        for freedom in [0.1, 1.0, 4.0, 9.9] {
            assert!((prior_freedom(trigamma(freedom / 2.0)) - freedom).abs() < 1e-6);
        }
        assert_eq!((prior_freedom(-1.0), prior_freedom(0.0)), (BETWEEN_FREEDOM, BETWEEN_FREEDOM));
    }

    /// Rows whose true variance `truth` gives, with this many degrees of freedom.
    fn rows(freedom: usize, mut truth: impl FnMut(usize) -> f64) -> Vec<Variance> {
        let mut random = fastrand::Rng::with_seed(9);
        let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let row = |row: usize| {
            let squares: f64 = (0..freedom).map(|_| normal().powi(2)).sum();
            Variance { rate: row as f64, variance: truth(row) * squares / freedom as f64, freedom: freedom as f64 }
        };
        (0..400).map(row).collect()
    }

    #[test]
    fn alike_rows_share_their_variance_and_different_ones_keep_theirs() {
        // The variance falls with the rate.
        let truth = |row: usize| (-(row as f64) / 100.0).exp();
        let alike = moderated(&rows(4, truth));
        let error = |rows: &[Variance]| {
            mean(&(0..400).map(|row| (rows[row].variance / truth(row)).ln().powi(2)).collect::<Vec<_>>())
        };
        assert!(error(&alike) < 0.3 * error(&rows(4, truth)), "{} {}", error(&alike), error(&rows(4, truth)));
        assert!(alike[7].freedom > 11.0, "{}", alike[7].freedom);
        // Every second row varies a thousand times as much.
        let apart = |row: usize| if row.is_multiple_of(2) { 1.0 } else { 1_000.0 };
        let (own, moderate) = (rows(4, apart), moderated(&rows(4, apart)));
        assert!(moderate[7].freedom < 5.0, "{}", moderate[7].freedom);
        assert!((1..400).step_by(2).all(|row| moderate[row].variance > 0.5 * own[row].variance));
    }

    #[test]
    fn few_rows_keep_their_own_variances() {
        let few = &rows(3, |_| 1.0)[..9];
        assert_eq!(moderated(few), few);
        let silent = Variance { rate: 3.0, variance: 0.0, freedom: 0.0 };
        let mut many = rows(3, |_| 1.0);
        many.push(silent);
        assert_eq!(moderated(&many)[400], silent);
    }
}
