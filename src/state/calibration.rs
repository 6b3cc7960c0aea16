//! How far a session may be from its own state, learned by leaving out one session at a time.
//!
//! Each learned session is compared with a profile that was made without it, also without its part of the
//! pooled variances. These N values of ln D, of all states together, show what is usual. For blocks shorter
//! than a session, they are the values of its blocks of that length. A new value x then has two p-values:
//!
//! ```text
//!   p(t) = upper tail of Student's t at (x − mean) / (s √(1 + 1/N))
//!   p(c) = (1 + Σ over the N sessions of the share of blocks that score as high) / (N + 1)
//! ```
//!
//! p(c) assumes nothing about the distribution, but cannot be less than 1/(N + 1) (for sessions as the unit of
//! calibration: Dunn, Wasserman, Ramdas, "Distribution-Free Prediction Sets for Two-Layer Hierarchical Models",
//! J. Am. Stat. Assoc. 118, 2023). tp-perf decides by p(t), which can become as small as the distance is large. It also rejects a
//! state if the distance is larger than that of every learned session: p(t) knows little of distances that nobody has seen.
//!
//! With few sessions, s is hardly known. It is moderated by the value that 26 states of one machine had, 0.5,
//! which counts as much as four sessions. Values beyond three times that from the median count as if they were
//! there (winsorized), so that one session under a wrong name does not widen what is usual. What is new and what
//! is gone are calibrated in the same way. The
//! intensity is a Student's t already.
//!
//! The four p-values are combined by Bonferroni's inequality with weights: a state is rejected at level α if
//! one of them is at most its weight times α. That holds however they depend on each other.

use super::profile::Scores;
use crate::stats::{mean, upper_median};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The standard deviation of ln D of sessions about their mean, before any session is known, and how many
/// sessions this counts for.
const USUAL_DEVIATION: f64 = 0.5;
/// Values this far from the median are rare: three usual deviations.
const USUAL_SPAN: f64 = 3.0 * USUAL_DEVIATION;
const USUAL_FREEDOM: f64 = 4.0;

/// The default significance level at which a state is rejected.
pub const ALPHA: f64 = 0.02;

/// If sessions must be further from their state than this to be rejected, nothing can be rejected soundly.
const MOST_LIMIT: f64 = 8.0;

/// The part of the level that each score has.
const WEIGHTS: [(Score, f64); 4] =
    [(Score::Distance, 0.85), (Score::Intensity, 0.05), (Score::New, 0.05), (Score::Gone, 0.05)];

/// One of the scores that can reject a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// The rates of the tracepoints.
    Distance,
    /// The rate of all events together.
    Intensity,
    /// Tracepoints that the state does not have.
    New,
    /// Tracepoints that the state always has.
    Gone,
}

impl Score {
    /// What a state is rejected for.
    pub fn words(self) -> &'static str {
        match self {
            Score::Distance => "the rates of tracepoints",
            Score::Intensity => "the rate of all events",
            Score::New => "tracepoints that it does not have",
            Score::Gone => "tracepoints that are gone",
        }
    }
}

/// The result of a comparison with one state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PValues {
    /// The p-value of all scores together.
    pub p: f64,
    /// The p-value of the distance with sessions as the unit: p(c).
    pub p_sessions: f64,
    /// Whether the distance is larger than in every learned session.
    pub is_beyond: bool,
    /// The score with the least p-value for its weight.
    pub score: Score,
}

/// The usual scores of blocks of one length.
#[derive(Debug, Clone)]
pub(super) struct Calibration {
    /// By session, the scores of its blocks.
    sessions: Vec<Vec<Scores>>,
    distance: Student,
    new: Student,
    gone: Student,
}

impl Calibration {
    /// Made from the scores of the blocks of each left-out session.
    pub fn of(sessions: Vec<Vec<Scores>>) -> Self {
        let student = |value: fn(&Scores) -> f64| {
            Student::of(&sessions.iter().map(|blocks| blocks.iter().map(value).collect()).collect::<Vec<_>>())
        };
        let [distance, new, gone] =
            [student(|scores| scores.distance), student(|scores| scores.new), student(|scores| scores.gone)];
        // Sessions that never had anything new do not show that nothing new is usual.
        let at_least = |student: Student| Student { deviation: student.deviation.max(USUAL_DEVIATION), ..student };
        Calibration { distance, new: at_least(new), gone: at_least(gone), sessions }
    }

    /// Tests scores against what is usual. `freedom` is that of the intensity's z.
    pub fn test(&self, scores: &Scores, freedom: f64) -> PValues {
        let p_of = |score: Score| match score {
            Score::Distance => self.distance.upper(scores.distance),
            Score::Intensity => 2.0 * upper_tail(scores.intensity.abs(), freedom),
            Score::New => self.new.upper(scores.new),
            Score::Gone => self.gone.upper(scores.gone),
        };
        let weighted = WEIGHTS.map(|(score, weight)| (score, p_of(score) / weight));
        let (score, p) = weighted.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("there are four");
        let as_far = self.sessions_as_far(scores.distance);
        let p_sessions = (1.0 + as_far) / (1.0 + self.sessions.len() as f64);
        PValues { p: p.min(1.0), p_sessions, is_beyond: as_far == 0.0, score }
    }

    /// How many learned sessions are at least as far away. A session with some such blocks counts in part.
    fn sessions_as_far(&self, distance: f64) -> f64 {
        let share = |blocks: &Vec<Scores>| {
            blocks.iter().filter(|block| block.distance >= distance).count() as f64 / blocks.len() as f64
        };
        self.sessions.iter().map(share).sum()
    }

    /// Whether a distance can be large enough to reject a state. D is at most ten, so a usual distance near that rejects
    /// nothing.
    pub fn can_reject(&self) -> bool {
        self.limit(ALPHA) <= MOST_LIMIT
    }

    /// The distance D at which a state is rejected for its distance, at this level.
    pub fn limit(&self, alpha: f64) -> f64 {
        let Student { mean, deviation, freedom } = self.distance;
        let t = StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - alpha * WEIGHTS[0].1));
        (mean + deviation * t).exp()
    }
}

/// The prediction for a value of a new session.
#[derive(Debug, Clone, Copy)]
struct Student {
    mean: f64,
    deviation: f64,
    freedom: f64,
}

impl Student {
    /// Made from the values of the blocks of each session. Each session counts as one. Values that are far from the others
    /// count as if they were nearer: one session that was learned under a wrong name must not make all others look near.
    fn of(sessions: &[Vec<f64>]) -> Self {
        let number = sessions.len() as f64;
        let centre = upper_median(sessions.iter().map(|blocks| mean(blocks))).unwrap_or(0.0);
        let near = |value: f64| value.clamp(centre - USUAL_SPAN, centre + USUAL_SPAN);
        let mean_of = |blocks: &Vec<f64>, value: &dyn Fn(f64) -> f64| {
            blocks.iter().map(|block| value(near(*block))).sum::<f64>() / blocks.len() as f64
        };
        let mean = sessions.iter().map(|blocks| mean_of(blocks, &|value| value)).sum::<f64>() / number.max(1.0);
        let squares: f64 = sessions.iter().map(|blocks| mean_of(blocks, &|value| (value - mean).powi(2))).sum();
        let freedom = USUAL_FREEDOM + (number - 1.0).max(0.0);
        let variance = (USUAL_FREEDOM * USUAL_DEVIATION.powi(2) + squares) / freedom;
        Student { mean, deviation: (variance * (1.0 + 1.0 / number.max(1.0))).sqrt(), freedom }
    }

    fn upper(&self, value: f64) -> f64 {
        upper_tail((value - self.mean) / self.deviation, self.freedom)
    }
}

fn upper_tail(t: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |student| student.sf(t))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(distance: f64) -> Scores {
        Scores { distance, ..Scores::default() }
    }

    #[test]
    fn p_values_are_as_computed_by_hand() {
        // The means of the sessions are 0 and 1, so the mean is 0.5. The squares are 0.25 + (0.25 + 2.25)/2... of
        // the blocks: ((0.5)² + (0.5)²)/2 = 0.25, and ((−0.5)² + (1.5)²)/2 = 1.25.
        let calibration = Calibration::of(vec![vec![at(0.0), at(0.0)], vec![at(0.0), at(2.0)]]);
        assert_eq!(calibration.sessions.len(), 2);
        let variance = (4.0 * 0.25 + 0.25 + 1.25) / 5.0 * 1.5;
        // Student's t with 5 degrees of freedom is 2.015 at 0.95.
        let edge = 0.5 + 2.015_048_372 * f64::sqrt(variance);
        let tested = calibration.test(&at(edge), 10.0);
        assert!((tested.p - 0.05 / 0.85).abs() < 1e-6 && tested.score == Score::Distance, "{tested:?}");
        assert!((calibration.limit(0.05 / 0.85) - edge.exp()).abs() < 1e-6);
        // No block scores as high as that; half a session scores 1 or more.
        assert_eq!(tested.p_sessions, 1.0 / 3.0);
        assert_eq!(calibration.test(&at(1.0), 10.0).p_sessions, 1.5 / 3.0);
        assert_eq!(calibration.test(&at(-1.0), 10.0).p, 1.0);
    }

    #[test]
    fn each_score_can_reject_a_state_alone() {
        let calibration = Calibration::of(vec![vec![at(0.0)]; 20]);
        let loud = calibration.test(&Scores { intensity: 12.0, ..at(0.0) }, 12.0);
        assert!(loud.score == Score::Intensity && loud.p < 0.001, "{loud:?}");
        assert!(calibration.test(&Scores { intensity: -12.0, ..at(0.0) }, 12.0).p < 0.001, "too quiet");
        let new = calibration.test(&Scores { new: 3.0, ..at(0.0) }, 12.0);
        assert!(new.score == Score::New && new.p < 0.001, "{new:?}");
        let gone = calibration.test(&Scores { gone: 3.0, ..at(0.0) }, 12.0);
        assert!(gone.score == Score::Gone && gone.p < 0.001, "{gone:?}");
    }

    /// Of new sessions that vary as the learned ones do, a part of about α is rejected.
    #[test]
    fn false_alarms_are_as_rare_as_allowed() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut normal = || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        for sessions in [4, 10, 40] {
            let trials = 4_000;
            let mut rejected = 0;
            for _ in 0..trials {
                let mut session = || {
                    let own = 0.4 * normal();
                    (0..6).map(|_| at(own + 0.3 * normal())).collect::<Vec<_>>()
                };
                let calibration = Calibration::of((0..sessions).map(|_| session()).collect());
                rejected += u32::from(calibration.distance.upper(session()[0].distance) <= 0.05);
            }
            let share = f64::from(rejected) / f64::from(trials);
            assert!((0.02..=0.07).contains(&share), "{sessions} sessions: {share}");
        }
    }
}
