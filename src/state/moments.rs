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
//!
//! A session that was learned under a wrong name is far from the others of its state in many tracepoints. It would make all
//! states look near. So B leaves out, for each tracepoint, the state whose sessions differ most (a trimmed mean), if at least
//! four states have several sessions.

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

/// With fewer states that have several sessions, none is left out of B.
const LEAST_TRIMMED: usize = 4;

/// The variances of a library, by column.
pub(super) trait Variances {
    /// B: between the sessions of a state.
    fn between(&self, column: usize) -> f64;
    /// W: within sessions.
    fn within(&self, column: usize) -> f64;
}

/// The pooled variances of a library.
#[derive(Debug, Clone, Default)]
pub(super) struct Pooled {
    /// By state, between its sessions.
    states: Vec<Squares>,
    /// The same of all states together.
    all: Squares,
    within: Squares,
    /// By column, the two states whose sessions differ most. Empty if too few states have several sessions.
    widest: Vec<[usize; 2]>,
}

/// The pooled variances of a library in which one state has only some of its sessions.
pub(super) struct PooledWithout<'a> {
    pooled: &'a Pooled,
    state: usize,
    between: Squares,
    within: Squares,
}

impl Squares {
    fn of(&self, column: usize) -> f64 {
        self.sums.get(column).copied().unwrap_or(0.0)
    }

    /// The sum and the degrees of freedom of a column without those of others.
    fn variance_without(&self, others: &Squares, column: usize) -> f64 {
        let freedom = self.freedom - others.freedom;
        // What was taken away can leave a little less than nothing.
        if freedom > 0.0 { ((self.of(column) - others.of(column)) / freedom).max(0.0) } else { 0.0 }
    }
}

impl Pooled {
    /// Those of all states, each with its sessions.
    pub fn of(states: &[Vec<&Moments>]) -> Self {
        let mut pooled = Pooled::default();
        for sessions in states {
            let (between, within) = (Squares::between(sessions), Squares::within(sessions));
            pooled.all.add(&between.sums, between.freedom, 1.0);
            pooled.within.add(&within.sums, within.freedom, 1.0);
            pooled.states.push(between);
        }
        let known: Vec<usize> = (0..states.len()).filter(|state| pooled.states[*state].freedom > 0.0).collect();
        if known.len() >= LEAST_TRIMMED {
            pooled.widest = (0..pooled.all.sums.len()).map(|column| pooled.two_widest(&known, column)).collect();
        }
        pooled
    }

    fn two_widest(&self, known: &[usize], column: usize) -> [usize; 2] {
        let variance = |state: usize| self.states[state].variance(column);
        let mut widest = [known[0], known[1]];
        if variance(widest[1]) > variance(widest[0]) {
            widest.reverse();
        }
        for state in &known[2..] {
            if variance(*state) > variance(widest[0]) {
                widest = [*state, widest[0]];
            } else if variance(*state) > variance(widest[1]) {
                widest[1] = *state;
            }
        }
        widest
    }

    /// The same, as if a state had only some of its sessions.
    pub fn with(&self, state: usize, instead: &[&Moments], of: &[&Moments]) -> PooledWithout<'_> {
        let mut within = self.within.clone();
        for (sessions, sign) in [(of, -1.0), (instead, 1.0)] {
            let its = Squares::within(sessions);
            within.add(&its.sums, its.freedom, sign);
        }
        PooledWithout { pooled: self, state, between: Squares::between(instead), within }
    }

    /// The degrees of freedom of the variance between sessions, with all states.
    pub fn freedom(&self) -> f64 {
        self.all.freedom
    }
}

impl Variances for Pooled {
    fn between(&self, column: usize) -> f64 {
        match self.widest.get(column) {
            Some([widest, _]) => self.all.variance_without(&self.states[*widest], column),
            None => self.all.variance(column),
        }
    }

    fn within(&self, column: usize) -> f64 {
        self.within.variance(column)
    }
}

impl Variances for PooledWithout<'_> {
    fn between(&self, column: usize) -> f64 {
        let PooledWithout { pooled, state, between, .. } = self;
        let before = &pooled.states[*state];
        let (mut sum, mut freedom) = (
            pooled.all.of(column) - before.of(column) + between.of(column),
            pooled.all.freedom - before.freedom + between.freedom,
        );
        if let Some([first, second]) = pooled.widest.get(column) {
            let other = &pooled.states[if first == state { *second } else { *first }];
            let widest = if between.freedom > 0.0 && between.variance(column) > other.variance(column) {
                between
            } else {
                other
            };
            (sum, freedom) = (sum - widest.of(column), freedom - widest.freedom);
        }
        if freedom > 0.0 { (sum / freedom).max(0.0) } else { 0.0 }
    }

    fn within(&self, column: usize) -> f64 {
        self.within.variance(column)
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
        assert_eq!((pooled.between(0), pooled.within(0), pooled.freedom()), (5.0, 1.0, 2.0));
        let without = pooled.with(1, &states[1][1..], &states[1]);
        let anew = Pooled::of(&[states[0].clone(), vec![&sessions[3]]]);
        assert_eq!((without.between(0), without.within(0)), (2.0, 10.0 / 9.0));
        assert_eq!((anew.between(0), anew.within(0)), (2.0, 10.0 / 9.0));
        assert_eq!(Pooled::default().between(3), 0.0);
    }

    #[test]
    fn one_session_under_a_wrong_name_does_not_make_all_states_wide() {
        let means = [[1.0, 1.2], [5.0, 5.4], [9.0, 9.2], [2.0, 30.0]];
        let sessions = means.map(|state| state.map(|mean| session(mean, 1.0, 5)));
        let states: Vec<Vec<&Moments>> = sessions.iter().map(|state| state.iter().collect()).collect();
        // 0.02, 0.08, and 0.02; the fourth state would add 392.
        assert!((Pooled::of(&states).between(0) - 0.04).abs() < 1e-12);
        assert!(Pooled::of(&states[1..]).between(0) > 100.0, "of three states, none is left out");
    }

    #[test]
    fn leaving_a_session_out_is_as_learning_without_it() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut draw = |sessions: usize| (0..sessions).map(|_| session(9.0 * random.f64(), random.f64(), 5)).collect();
        let sessions: Vec<Vec<Moments>> = [2, 3, 1, 4, 2, 3].map(&mut draw).to_vec();
        let mut states: Vec<Vec<&Moments>> = sessions.iter().map(|state| state.iter().collect()).collect();
        let pooled = Pooled::of(&states);
        for state in 0..states.len() {
            let whole = states[state].clone();
            let without = pooled.with(state, &whole[1..], &whole);
            states[state] = whole[1..].to_vec();
            let anew = Pooled::of(&states);
            // With fewer states of several sessions, learning anew leaves none out.
            if !anew.widest.is_empty() {
                assert!((without.between(0) - anew.between(0)).abs() < 1e-9, "{state}");
            }
            assert!((without.within(0) - anew.within(0)).abs() < 1e-9, "{state}");
            states[state] = whole;
        }
    }
}
