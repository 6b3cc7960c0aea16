//! What a state expects of a new session, and how far a stretch of windows is from that.
//!
//! The variances of a state are its own, moderated by those of all states (Smyth, "Linear models and empirical
//! Bayes methods for assessing differential expression in microarray experiments", Stat. Appl. Genet. Mol.
//! Biol. 3, 2004). For a state of n sessions with mean μ, each tracepoint has
//!
//! ```text
//!   V = (10 (B + 0.1²) + own squares between sessions) / (10 + n − 1)
//!   U = (100 W + own squares within sessions) / (100 + own degrees of freedom)
//!   z² = (ȳ − μ)² / (V (1 + 1/n) + U/L), at most 100            for the mean ȳ of L windows
//!   D = √(Σ a z² / Σ a),  a = (the larger of the two rates)^¼   over all tracepoints
//! ```
//!
//! D = 1 is about the usual difference between two sessions of one state. One number can be blind to a large
//! change, so three others stand beside it: the intensity (z of all events together), what is new
//! (Σ ȳ of the tracepoints that no session of the state hit), and what is gone (Σ μ of the tracepoints that
//! are in nearly all windows of all its sessions, and in none here).

use super::logs::TOTAL;
use super::moments::{Moments, Squares, Variances, means};

/// How many sessions the pooled variance between them counts for.
pub const BETWEEN_FREEDOM: f64 = 10.0;
/// How many windows the pooled variance within sessions counts for.
const WITHIN_FREEDOM: f64 = 100.0;
/// Sessions are taken to differ by at least a tenth, even if those learned do not.
pub const LEAST_DEVIATION: f64 = 0.1;
/// No tracepoint counts for more than this.
const MOST_SQUARED: f64 = 100.0;
/// The least distance. Stretches that are nearer than this are alike.
const LEAST_DISTANCE: f64 = 0.01;

/// The profile of a state, made of some of its sessions.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    sessions: f64,
    /// By column.
    pub mean: Vec<f64>,
    /// V (1 + 1/n), and U.
    between: Vec<f64>,
    within: Vec<f64>,
    /// The fourth root of the mean rate.
    weight: Vec<f64>,
    /// Whether nearly all windows of all sessions have events.
    often: Vec<bool>,
}

/// How far some windows are from a profile.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Scores {
    /// ln D.
    pub distance: f64,
    /// The same without the limit of a tracepoint's part.
    pub unlimited: f64,
    /// The z of all events together.
    pub intensity: f64,
    /// ln(1 + what is new).
    pub new: f64,
    /// ln(1 + what is gone).
    pub gone: f64,
}

/// The contribution of one column to D².
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Term {
    pub column: usize,
    pub part: f64,
}

/// The weight of a tracepoint with this mean.
pub(super) fn weight(log: f64) -> f64 {
    log.exp_m1().max(0.0).sqrt().sqrt()
}

impl Profile {
    /// The profile that these sessions make; there is at least one.
    pub fn of(sessions: &[&Moments], pooled: &impl Variances) -> Self {
        let number = sessions.len() as f64;
        let (between, within) = (Squares::between(sessions), Squares::within(sessions));
        let mean = means(sessions);
        let of_between = |column: usize| {
            let pooled = BETWEEN_FREEDOM * (pooled.between(column) + LEAST_DEVIATION.powi(2));
            (pooled + between.sums[column]) / (BETWEEN_FREEDOM + between.freedom) * (1.0 + 1.0 / number)
        };
        let of_within = |column: usize| {
            let pooled = WITHIN_FREEDOM * pooled.within(column);
            (pooled + within.sums[column]) / (WITHIN_FREEDOM + within.freedom)
        };
        Profile {
            sessions: number,
            between: (0..mean.len()).map(of_between).collect(),
            within: (0..mean.len()).map(of_within).collect(),
            weight: mean.iter().map(|mean| weight(*mean)).collect(),
            often: (0..mean.len()).map(|column| sessions.iter().all(|session| session.often[column])).collect(),
            mean,
        }
    }

    /// Adds columns of tracepoints that no session of the library hit.
    pub fn widen(&mut self, columns: usize) {
        let between = BETWEEN_FREEDOM * LEAST_DEVIATION.powi(2) / (BETWEEN_FREEDOM + self.sessions - 1.0);
        self.between.resize(columns, between * (1.0 + 1.0 / self.sessions));
        for values in [&mut self.mean, &mut self.within, &mut self.weight] {
            values.resize(columns, 0.0);
        }
        self.often.resize(columns, false);
    }

    /// The degrees of freedom of its variances between sessions.
    pub fn freedom(&self) -> f64 {
        BETWEEN_FREEDOM + self.sessions - 1.0
    }

    fn z(&self, column: usize, mean: f64, windows: f64) -> f64 {
        (mean - self.mean[column]) / (self.between[column] + self.within[column] / windows).sqrt()
    }

    /// z² of a column in which some windows have this mean, at most 100.
    pub fn squared(&self, column: usize, mean: f64, windows: f64) -> f64 {
        self.z(column, mean, windows).powi(2).min(MOST_SQUARED)
    }

    /// The scores of windows with this mean.
    pub fn scores(&self, mean: &Means) -> Scores {
        let (mut sum, mut unlimited, mut weights, mut new, mut gone) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (column, here) in mean.logs.iter().enumerate().skip(TOTAL + 1) {
            let weight = self.weight[column].max(mean.weights[column]);
            let squared = self.z(column, *here, mean.windows).powi(2);
            sum += weight * squared.min(MOST_SQUARED);
            unlimited += weight * squared;
            weights += weight;
            if self.mean[column] == 0.0 {
                new += here;
            } else if *here == 0.0 && self.often[column] {
                gone += self.mean[column];
            }
        }
        let log_root = |sum: f64| {
            if weights > 0.0 { (sum / weights).sqrt().max(LEAST_DISTANCE).ln() } else { LEAST_DISTANCE.ln() }
        };
        let intensity = mean.logs.get(TOTAL).map_or(0.0, |total| self.z(TOTAL, *total, mean.windows));
        let (distance, unlimited) = (log_root(sum), log_root(unlimited));
        Scores { distance, unlimited, intensity, new: f64::ln_1p(new), gone: f64::ln_1p(gone) }
    }

    /// The contribution of each column to D².
    pub fn terms(&self, mean: &Means) -> Vec<Term> {
        let weight = |column: usize| self.weight[column].max(mean.weights[column]);
        let columns = || TOTAL + 1..mean.logs.len();
        let weights: f64 = columns().map(weight).sum();
        let part = |column: usize| {
            let squared = self.z(column, mean.logs[column], mean.windows).powi(2).min(MOST_SQUARED);
            Term { column, part: weight(column) * squared / weights.max(f64::MIN_POSITIVE) }
        };
        columns().map(part).collect()
    }
}

/// The mean of some windows, ready to be compared with profiles.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub logs: Vec<f64>,
    weights: Vec<f64>,
    windows: f64,
}

impl Means {
    pub fn of(logs: Vec<f64>, windows: usize) -> Self {
        Means { weights: logs.iter().map(|log| weight(*log)).collect(), logs, windows: windows as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::moments::Pooled;

    /// A session with a total and two tracepoints.
    fn session(mean: [f64; 3], squares: f64, windows: usize) -> Moments {
        let often = mean.iter().map(|mean| *mean > 0.0).collect();
        Moments { windows, mean: mean.to_vec(), squares: vec![squares; 3], often }
    }

    #[test]
    fn the_distance_is_as_computed_by_hand() {
        let ln = |count: f64| count.ln_1p();
        let sessions = [session([3.0, ln(16.0), 0.0], 9.0, 10), session([3.4, ln(16.0), 0.0], 9.0, 10)];
        let both: Vec<&Moments> = sessions.iter().collect();
        let profile = Profile::of(&both, &Pooled::of(std::slice::from_ref(&both)));
        // The sessions agree about the second column: B = 0, V = 0.1/11 · 1.5. W = 18/18, U = (100 + 18)/118.
        let (v, u) = (0.1 / 11.0 * 1.5, 1.0);
        let here = Means::of(vec![3.2, ln(81.0), ln(1.0)], 5);
        let [first, second] = [(ln(81.0) - ln(16.0)), ln(1.0)].map(|apart| apart * apart / (v + u / 5.0));
        // The fourth roots of the larger rates are 3 and 1.
        let squared: f64 = (3.0 * first + second) / 4.0;
        let scores = profile.scores(&here);
        assert!((scores.distance - squared.sqrt().ln()).abs() < 1e-12, "{scores:?}");
        assert!((scores.new - ln(2f64.ln())).abs() < 1e-12 && scores.gone == 0.0, "{scores:?}");
        assert!(scores.intensity.abs() < 1e-12, "3.2 is between 3.0 and 3.4");
        let parts: Vec<f64> = profile.terms(&here).iter().map(|term| term.part).collect();
        assert!((parts[0] - 0.75 * first).abs() < 1e-12 && (parts[1] - 0.25 * second).abs() < 1e-12);
        // A total of 5.0: B = 0.08, so V = (10 (0.08 + 0.01) + 0.08)/11 · 1.5.
        let louder = profile.scores(&Means::of(vec![5.0, ln(16.0), 0.0], 5));
        let z = 1.8 / ((0.9 + 0.08) / 11.0 * 1.5 + 0.2f64).sqrt();
        assert!((louder.intensity - z).abs() < 1e-12, "{louder:?}");
        let gone = profile.scores(&Means::of(vec![3.2, 0.0, 0.0], 5));
        assert!((gone.gone - ln(17f64.ln())).abs() < 1e-12 && gone.new == 0.0);
    }

    #[test]
    fn no_tracepoint_counts_for_more_than_a_hundred_and_silence_is_like_silence() {
        let silent = [session([0.0; 3], 0.0, 10), session([0.0; 3], 0.0, 10)];
        let both: Vec<&Moments> = silent.iter().collect();
        let mut profile = Profile::of(&both, &Pooled::of(std::slice::from_ref(&both)));
        assert_eq!(profile.scores(&Means::of(vec![0.0; 3], 5)).distance, LEAST_DISTANCE.ln());
        assert!((profile.scores(&Means::of(vec![9.0; 3], 5)).distance - 10f64.ln()).abs() < 1e-12);
        // A tracepoint that is new to the whole library counts as much as one that is new to the state.
        profile.widen(4);
        let [known, unknown] = [vec![9.0, 0.0, 0.2, 0.0], vec![9.0, 0.0, 0.0, 0.2]].map(|logs| Means::of(logs, 5));
        assert_eq!(profile.scores(&known), profile.scores(&unknown));
    }
}
