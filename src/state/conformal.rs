//! Measures how unusual a window is for a state, with conformal p-values.
//!
//! A score is the distance of a window from a state. The known scores are those of the state's own windows,
//! each compared with the *other* sessions of the state. They show which scores are usual. The p-value of a
//! new window is the part of the scores, its own included, that are at least as high as its own:
//!
//! ```text
//!   p = (1 + #{known scores ≥ its score}) / (1 + #{known scores})
//! ```
//!
//! If the new window is exchangeable with the known ones, p ≤ α happens with a probability of at most α,
//! whatever the distribution of the scores (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random
//! World", 2005). But windows of one session are more alike than windows of two sessions, and a window to be
//! judged comes from a *new* session. Where that matters, the unit is the session: the pooled p-value of
//! Dunn, Wasserman and Ramdas ("Distribution-Free Prediction Sets for Two-Layer Hierarchical Models", J. Am.
//! Stat. Assoc. 118, 2023). It is the mean, over sessions, of the share of windows that score at least as
//! high. The new session counts as one whose windows all do. With n sessions, this p-value is at least 1 / (n
//! + 1).
//!
//! A known score compares a window with all sessions but its own. So that scores are comparable, a new window
//! is scored against as many sessions: to be ranked among the scores of a session, it is scored without that
//! session (cross-conformal prediction: Vovk, Ann. Math. Artif. Intell. 74, 2015). For these p-values, p ≤ α
//! has a proven probability of at most about 2α (Barber, Candès, Ramdas, Tibshirani, Ann. Stat. 49, 2021); in
//! practice it is about α.

use crate::stats::sorted;
use serde::Serialize;

/// The known scores of a state, by session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    parts: Vec<Scores>,
    /// The number of sessions that the parts come from. The two halves of a single session count as one.
    sessions: usize,
}

/// The scores of one session, or of one half of a single session.
#[derive(Debug, Clone, Default, PartialEq)]
struct Scores {
    ascending: Vec<f64>,
    /// The weight of all scores from this index on. There is one more weight than there are scores.
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

    /// The weight of the scores that are at least as high, and the weight of all scores.
    fn as_high(&self, score: f64) -> (f64, f64) {
        (self.weights[self.ascending.partition_point(|known| *known < score)], self.weights[0])
    }
}

/// The p-value of a window, with windows and with sessions as the unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PValue {
    /// Each known window counts as one.
    pub windows: f64,
    /// Each known session counts as one.
    pub sessions: f64,
}

impl Calibration {
    /// Makes a calibration from the scores of each part. A score's weight is the part of its window's events
    /// that was not lost. Scores that are NaN are ignored.
    pub fn of(parts: impl IntoIterator<Item = Vec<(f64, f64)>>, sessions: usize) -> Self {
        Calibration { parts: parts.into_iter().map(Scores::of).collect(), sessions }
    }

    /// The p-value of a window. `score(part)` is the window's distance from all parts but this one, as the
    /// known scores of that part are.
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

/// Combines p-values of one hypothesis, however they depend on each other. The result is twice their weighted
/// mean (Vovk, Wang, "Combining p-values via averaging", Biometrika 107, 2020), or 1 if there are none.
pub fn together(p_values: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let sums = p_values.into_iter().fold((0.0, 0.0), |(sum, all), (p, weight)| (sum + weight * p, all + weight));
    if sums.1 > 0.0 { (2.0 * sums.0 / sums.1).min(1.0) } else { 1.0 }
}

/// Selects the p-values that are too low to be due to chance. On average, at most a part `q` of the selected
/// ones is due to chance: the procedure of Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995).
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
        // Three of four windows score 0.2 or more: two thirds of the first session, and all of the second.
        let p = calibration.p_value(|_| 0.2);
        assert_eq!(p.windows, 4.0 / 5.0);
        assert!((p.sessions - (1.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-12);
        assert_eq!(calibration.p_value(|_| 0.0), PValue { windows: 1.0, sessions: 1.0 });
        assert_eq!(calibration.lowest(), PValue { windows: 1.0 / 5.0, sessions: 1.0 / 3.0 });
        // Without the first session the score is below all windows of that session; without the second it is
        // above.
        assert_eq!(calibration.p_value(|part| [0.1, 0.25][part]).windows, 4.0 / 5.0);
        let nothing = Calibration::default().p_value(|_| 0.5);
        assert_eq!(nothing, PValue { windows: 1.0, sessions: 1.0 }, "without known windows, nothing is rejected");
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

    /// Windows of the state are rejected no more often than promised, whatever the scores, even if sessions
    /// differ.
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
        // A p-value above its own limit is selected if a larger one is below a later limit.
        assert_eq!(too_low(&[0.05, 0.055, 0.9], 0.1), [true, true, false]);
        assert_eq!(too_low(&[], 0.1), Vec::<bool>::new());
        assert_eq!(too_low(&[0.3, 0.4], 0.1), [false, false]);
    }
}
