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

/// Known scores of a state, by session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// Ascending, and none is empty.
    sessions: Vec<Vec<f64>>,
}

/// A p-value, by windows and by sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PValue {
    /// With each known window for one.
    pub windows: f64,
    /// With each known session for one.
    pub sessions: f64,
}

impl Calibration {
    /// Of the scores of each session. Sessions without scores are none, and scores that are no numbers neither.
    pub fn of(sessions: impl IntoIterator<Item = Vec<f64>>) -> Self {
        let sorted = |mut scores: Vec<f64>| {
            scores.retain(|score| !score.is_nan());
            scores.sort_by(f64::total_cmp);
            scores
        };
        Calibration { sessions: sessions.into_iter().map(sorted).filter(|scores| !scores.is_empty()).collect() }
    }

    /// How usual a score is.
    pub fn p_value(&self, score: f64) -> PValue {
        let as_high = |scores: &Vec<f64>| scores.len() - scores.partition_point(|known| *known < score);
        let (windows, high) = self
            .sessions
            .iter()
            .fold((0, 0), |(windows, high), scores| (windows + scores.len(), high + as_high(scores)));
        let shares: f64 = self.sessions.iter().map(|scores| as_high(scores) as f64 / scores.len() as f64).sum();
        PValue {
            windows: (1 + high) as f64 / (1 + windows) as f64,
            sessions: (1.0 + shares) / (1.0 + self.sessions.len() as f64),
        }
    }

    /// The lowest p-values that any score can have.
    pub fn lowest(&self) -> PValue {
        self.p_value(f64::INFINITY)
    }
}

/// Which of many p-values can be called too low, if no more than a part `q` of those that are called so is to be so by chance (on
/// average): the procedure of Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995).
pub fn too_low(p_values: &[f64], q: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = p_values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let all = sorted.len() as f64;
    let last = sorted.iter().enumerate().rev().find(|(index, p)| **p <= q * (index + 1) as f64 / all);
    let limit = last.map_or(f64::NEG_INFINITY, |(_, p)| *p);
    p_values.iter().map(|p| *p <= limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_count_what_scores_as_high() {
        let calibration = Calibration::of([vec![0.3, 0.1, 0.2], vec![0.2], vec![], vec![f64::NAN]]);
        // Of four windows three score 0.2 or more; of the two sessions two thirds and all.
        let p = calibration.p_value(0.2);
        assert_eq!(p.windows, 4.0 / 5.0);
        assert!((p.sessions - (1.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-12);
        assert_eq!(calibration.p_value(0.0), PValue { windows: 1.0, sessions: 1.0 });
        assert_eq!(calibration.lowest(), PValue { windows: 1.0 / 5.0, sessions: 1.0 / 3.0 });
        assert_eq!(
            Calibration::default().p_value(0.5),
            PValue { windows: 1.0, sessions: 1.0 },
            "nothing known, nothing denied"
        );
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
                let calibration = Calibration::of((0..19).map(|_| session()));
                let p = calibration.p_value(session()[0]);
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
