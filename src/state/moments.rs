//! How a tracepoint varies: within sessions, and between the sessions of a state.
//!
//! A state has few sessions, so its own variance between sessions is hardly known. That of all states
//! together is known better. With m(k) as the mean of session k, and n(s) as the number of sessions of
//! state s, each tracepoint has two pooled variances:
//!
//! ```text
//!   B = Σ over s, k of (m(k) − mean of state s)² / Σ over s of (n(s) − 1)      between sessions
//!   W = Σ over k, windows of (y − m(k))² / Σ over k of (windows − 1)           within sessions
//! ```

use super::logs::Logs;

/// A tracepoint belongs to a session if it fires in at least this part of its windows.
const OFTEN: f64 = 0.9;

/// What is known of one session.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// Its usable windows.
    pub windows: usize,
    /// By column, the mean.
    pub mean: Vec<f64>,
    /// By column, the sum of the squared distances of its windows from the mean.
    pub squares: Vec<f64>,
    /// By column, whether nearly all windows have events.
    pub often: Vec<bool>,
}

impl Moments {
    /// The moments of a session that has usable windows.
    pub fn of(logs: &Logs) -> Self {
        let mean = logs.mean(0..logs.len());
        let (mut squares, mut fired) = (vec![0.0; mean.len()], vec![0usize; mean.len()]);
        for row in 0..logs.len() {
            for (column, value) in logs.row(row).iter().enumerate() {
                squares[column] += (f64::from(*value) - mean[column]).powi(2);
                fired[column] += usize::from(*value > 0.0);
            }
        }
        let often = fired.iter().map(|fired| *fired as f64 >= OFTEN * logs.len() as f64).collect();
        Moments { windows: logs.len(), mean, squares, often }
    }
}

/// Sums of squares by column, with their degrees of freedom.
#[derive(Debug, Clone, Default)]
pub(super) struct Squares {
    pub sums: Vec<f64>,
    pub freedom: f64,
}

impl Squares {
    /// The squared distances of the sessions' means from the mean of these means.
    pub fn between(sessions: &[&Moments]) -> Self {
        let means = means(sessions);
        let mut sums = vec![0.0; means.len()];
        for session in sessions {
            sums.iter_mut().zip(&session.mean).zip(&means).for_each(|((sum, m), mean)| *sum += (m - mean).powi(2));
        }
        Squares { sums, freedom: (sessions.len() as f64 - 1.0).max(0.0) }
    }

    /// The squared distances of the windows from the means of their sessions.
    pub fn within(sessions: &[&Moments]) -> Self {
        let mut all = Squares::default();
        for session in sessions {
            all.add(&session.squares, session.windows as f64 - 1.0, 1.0);
        }
        all
    }

    /// Adds others, or takes them away if the sign is −1.
    pub fn add(&mut self, sums: &[f64], freedom: f64, sign: f64) {
        self.sums.resize(self.sums.len().max(sums.len()), 0.0);
        self.sums.iter_mut().zip(sums).for_each(|(sum, other)| *sum += sign * other);
        self.freedom += sign * freedom;
    }

    /// The variance of a column; 0 if nothing is known.
    pub fn variance(&self, column: usize) -> f64 {
        match self.freedom > 0.0 {
            // What was taken away can leave a little less than nothing.
            true => (self.sums.get(column).copied().unwrap_or(0.0) / self.freedom).max(0.0),
            false => 0.0,
        }
    }
}

/// The mean of the sessions' means. Each session counts as one, whatever its length.
pub(super) fn means(sessions: &[&Moments]) -> Vec<f64> {
    let width = sessions.first().map_or(0, |session| session.mean.len());
    let mut means = vec![0.0; width];
    for session in sessions {
        means.iter_mut().zip(&session.mean).for_each(|(sum, mean)| *sum += mean);
    }
    means.iter_mut().for_each(|sum| *sum /= sessions.len() as f64);
    means
}

/// The pooled variances of a library.
#[derive(Debug, Clone, Default)]
pub(super) struct Pooled {
    pub between: Squares,
    pub within: Squares,
}

impl Pooled {
    /// Those of all states, each with its sessions.
    pub fn of(states: &[Vec<&Moments>]) -> Self {
        let mut pooled = Pooled::default();
        for sessions in states.iter().filter(|sessions| !sessions.is_empty()) {
            pooled.add(sessions, 1.0);
        }
        pooled
    }

    fn add(&mut self, sessions: &[&Moments], sign: f64) {
        let (between, within) = (Squares::between(sessions), Squares::within(sessions));
        self.between.add(&between.sums, between.freedom, sign);
        self.within.add(&within.sums, within.freedom, sign);
    }

    /// The same, as if a state had only some of its sessions.
    pub fn with(&self, instead: &[&Moments], of: &[&Moments]) -> Self {
        let mut pooled = self.clone();
        pooled.add(of, -1.0);
        pooled.add(instead, 1.0);
        pooled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn session(mean: f64, squares: f64, windows: usize) -> Moments {
        Moments { windows, mean: vec![mean], squares: vec![squares], often: vec![true] }
    }

    #[test]
    fn variances_are_pooled_over_states_and_not_over_their_means() {
        // Two states, far apart. Their sessions differ by 2 and by 4.
        let sessions = [session(1.0, 3.0, 4), session(3.0, 6.0, 5), session(100.0, 0.0, 2), session(104.0, 1.0, 3)];
        let states = [vec![&sessions[0], &sessions[1]], vec![&sessions[2], &sessions[3]]];
        let pooled = Pooled::of(&states);
        // (1 + 1) + (4 + 4) over 1 + 1, and 3 + 6 + 0 + 1 over 3 + 4 + 1 + 2.
        assert_eq!((pooled.between.variance(0), pooled.within.variance(0)), (5.0, 1.0));
        let without = pooled.with(&states[1][1..], &states[1]);
        let anew = Pooled::of(&[states[0].clone(), vec![&sessions[3]]]);
        assert_eq!((without.between.variance(0), without.within.variance(0)), (2.0, 10.0 / 9.0));
        assert_eq!((anew.between.variance(0), anew.within.variance(0)), (2.0, 10.0 / 9.0));
        assert_eq!(Pooled::default().between.variance(3), 0.0);
    }
}
