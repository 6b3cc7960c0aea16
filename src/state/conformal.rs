//! How unusual a window is for a state: conformal p-values.
//!
//! A score says how far a window is from a state. The scores of windows that are known to be of the state, each against the
//! *other* sessions of it, say what is usual. The p-value of a new window is the part of them that score as high or higher,
//! itself among them,
//!
//! ```text
//!   p = (1 + #{known scores ≥ its score}) / (1 + #{known scores})
//! ```
//!
//! and if it belongs to them, in whatever way they are distributed, p ≤ α happens with a probability of α at the most (Vovk,
//! Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005). Windows of one session are more alike than those of two,
//! and what is to be told is a window of a *new* session. Where that matters the sessions are the unit: the pooled p-value of
//! Dunn, Wasserman and Ramdas ("Distribution-Free Prediction Sets for Two-Layer Hierarchical Models", J. Am. Stat. Assoc. 118,
//! 2023), the mean of the sessions' own shares, the new session counted as one whose windows all score as high. It cannot be lower
//! than one part in one more than there are sessions.
//!
//! Known scores are against all sessions but their own, and so a new window is held against as many: to be compared with the scores
//! of a session it is scored without that session too (cross-conformal prediction: Vovk, Ann. Math. Artif. Intell. 74, 2015). Of these p-values p ≤ α
//! with a probability of about 2α at the most is proved (Barber, Candès, Ramdas, Tibshirani, Ann. Stat. 49, 2021), and of about α
//! usual.

use crate::stats::sorted;
use serde::Serialize;

/// Known scores of a state, by session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    parts: Vec<Scores>,
    /// How many sessions the parts are: the parts of one session are no two sessions.
    sessions: usize,
}

/// The scores of one session, or of a part of the only one.
#[derive(Debug, Clone, Default, PartialEq)]
struct Scores {
    ascending: Vec<f64>,
    /// The weight of all scores from an index on; one more than there are scores.
    weights: Vec<f64>,
}

impl Scores {
    fn of(mut scores: Vec<(f64, f64)>) -> Self {
        scores.retain(|(score, weight)| !score.is_nan() && *weight > 0.0);
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut weights = vec![0.0; scores.len() + 1];
        for (index, (_, weight)) in scores.iter().enumerate().rev() {
            weights[index] = weights[index + 1] + weight;
        }
        Scores { ascending: scores.into_iter().map(|(score, _)| score).collect(), weights }
    }

    /// The weight of those that are as high, and of all.
    fn as_high(&self, score: f64) -> (f64, f64) {
        (self.weights[self.ascending.partition_point(|known| *known < score)], self.weights[0])
    }
}

/// A p-value, by windows and by sessions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PValue {
    /// With each known window for one.
    pub windows: f64,
    /// With each known session for one.
    pub sessions: f64,
}

impl Calibration {
    /// Of the scores of each part, each with its weight, which is 1 for a window that is known whole. Scores that are no numbers
    /// are none.
    pub fn of(parts: impl IntoIterator<Item = Vec<(f64, f64)>>, sessions: usize) -> Self {
        Calibration { parts: parts.into_iter().map(Scores::of).collect(), sessions }
    }

    /// How usual a window is. `score` tells how far it is from all parts but one, as the scores of that part are.
    pub fn p_value(&self, score: impl Fn(usize) -> f64) -> PValue {
        let (mut high, mut all, mut shares, mut parts) = (0.0, 0.0, 0.0, 0);
        for (part, scores) in self.parts.iter().enumerate().filter(|(_, scores)| !scores.ascending.is_empty()) {
            let (as_high, of) = scores.as_high(score(part));
            high += as_high;
            all += of;
            shares += as_high / of;
            parts += 1;
        }
        let sessions = self.sessions.min(parts) as f64;
        PValue {
            windows: (1.0 + high) / (1.0 + all),
            sessions: (1.0 + sessions * shares / parts.max(1) as f64) / (1.0 + sessions),
        }
    }

    /// The lowest p-values that any score can have.
    pub fn lowest(&self) -> PValue {
        self.p_value(|_| f64::INFINITY)
    }
}

/// What many p-values of one hypothesis say together, however they depend on each other: twice their mean (Vovk, Wang, "Combining
/// p-values via averaging", Biometrika 107, 2020). Each comes with its weight. 1 of none.
pub fn together(p_values: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let sums = p_values.into_iter().fold((0.0, 0.0), |(sum, all), (p, weight)| (sum + weight * p, all + weight));
    if sums.1 > 0.0 { (2.0 * sums.0 / sums.1).min(1.0) } else { 1.0 }
}

/// Which of many p-values can be called too low, if no more than a part `q` of those that are called so is to be so by chance (on
/// average): the procedure of Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995).
pub fn too_low(p_values: &[f64], q: f64) -> Vec<bool> {
    let sorted = sorted(p_values.iter().copied());
    let all = sorted.len() as f64;
    let last = sorted.iter().enumerate().rev().find(|(index, p)| **p <= q * (index + 1) as f64 / all);
    let limit = last.map_or(f64::NEG_INFINITY, |(_, p)| *p);
    p_values.iter().map(|p| *p <= limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(scores: &[f64]) -> Vec<(f64, f64)> {
        scores.iter().map(|score| (*score, 1.0)).collect()
    }

    #[test]
    fn p_values_count_what_scores_as_high() {
        let parts = [whole(&[0.3, 0.1, 0.2]), whole(&[0.2]), vec![], whole(&[f64::NAN])];
        let calibration = Calibration::of(parts, 4);
        // Of four windows three score 0.2 or more; of the two sessions two thirds and all.
        let p = calibration.p_value(|_| 0.2);
        assert_eq!(p.windows, 4.0 / 5.0);
        assert!((p.sessions - (1.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-12);
        assert_eq!(calibration.p_value(|_| 0.0), PValue { windows: 1.0, sessions: 1.0 });
        assert_eq!(calibration.lowest(), PValue { windows: 1.0 / 5.0, sessions: 1.0 / 3.0 });
        // Without the first session it scores less than that one's windows, without the second more than the other's.
        assert_eq!(calibration.p_value(|part| [0.1, 0.25][part]).windows, 4.0 / 5.0);
        let nothing = Calibration::default().p_value(|_| 0.5);
        assert_eq!(nothing, PValue { windows: 1.0, sessions: 1.0 }, "nothing known, nothing denied");
    }

    #[test]
    fn what_is_half_known_counts_half_and_halves_of_a_session_are_one() {
        let calibration = Calibration::of([vec![(0.3, 0.5), (0.1, 1.0)], whole(&[0.2, 0.4])], 1);
        let p = calibration.p_value(|_| 0.25);
        assert!((p.windows - 2.5 / 4.5).abs() < 1e-12, "{p:?}");
        assert!((p.sessions - (1.0 + (0.5 / 1.5 + 0.5) / 2.0) / 2.0).abs() < 1e-12, "{p:?}");
        assert_eq!(calibration.lowest().sessions, 0.5);
    }

    #[test]
    fn together_they_say_twice_their_mean() {
        assert_eq!(together([(0.1, 1.0), (0.3, 1.0)]), 0.4);
        assert_eq!(together([(0.1, 3.0), (0.5, 1.0)]), 0.4);
        assert_eq!((together([(0.9, 1.0)]), together([]), together([(0.1, 0.0)])), (1.0, 1.0, 1.0));
    }

    /// What is of the state is denied no more often than was said, whatever the scores look like, and also if sessions differ.
    #[test]
    fn false_alarms_are_as_rare_as_said() {
        let mut random = fastrand::Rng::with_seed(7);
        let alpha = 0.1;
        for apart in [0.0, 3.0] {
            let mut session = || {
                let own = apart * random.f64();
                (0..20).map(|_| own + random.f64().powi(3)).collect::<Vec<f64>>()
            };
            let trials = 2_000;
            let (mut by_window, mut by_session) = (0, 0);
            for _ in 0..trials {
                let calibration = Calibration::of((0..19).map(|_| whole(&session())), 19);
                let score = session()[0];
                let p = calibration.p_value(|_| score);
                by_window += u32::from(p.windows <= alpha);
                by_session += u32::from(p.sessions <= alpha);
            }
            let share = |denied: u32| f64::from(denied) / f64::from(trials);
            assert!(share(by_session) <= alpha + 0.02, "{apart}: {}", share(by_session));
            if apart == 0.0 {
                assert!((share(by_window) - alpha).abs() < 0.02, "{}", share(by_window));
            }
        }
    }

    #[test]
    fn of_many_p_values_those_are_low_that_chance_does_not_make() {
        // By hand: limits at q = 0.1 of five are 0.02, 0.04, 0.06, 0.08, 0.10.
        assert_eq!(too_low(&[0.5, 0.01, 0.039, 0.2, 0.07], 0.1), [false, true, true, false, false]);
        // One that is above its own limit goes with one below a later limit.
        assert_eq!(too_low(&[0.05, 0.055, 0.9], 0.1), [true, true, false]);
        assert_eq!(too_low(&[], 0.1), Vec::<bool>::new());
        assert_eq!(too_low(&[0.3, 0.4], 0.1), [false, false]);
    }
}
