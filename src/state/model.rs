//! The model of the known states, and its judgement of a stretch of windows.
//!
//! Sessions are the units: a new session is compared with a state as each learned session was compared with
//! its own, n times, each time without one of the state's sessions. The scores are averaged.

use super::calibration::{Calibration, PValues, Score};
use super::logs::{Logs, TOTAL};
use super::moments::{Moments, Pooled};
use super::names::Seen;
use super::profile::{Means, Profile, Scores};
use super::windows::Length;
use crate::stats::upper_median;
use crate::units::Plural;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// A session, and a stretch of a source, needs at least this many usable windows. So many are judged together; a single one
/// looks like several states too often.
pub const LEAST_WINDOWS: usize = 5;
/// A session needs at least this part of its windows.
const LEAST_USABLE: f64 = 0.5;
/// To know how sessions differ, at least this many more sessions than states are needed.
const LEAST_FREEDOM: f64 = 2.0;
/// Two states whose ln D differ by at most this cannot be told apart: D differs by a fifth.
pub(super) const NEAR: f64 = 0.2;

/// Whether so many usable windows of all are enough.
pub(super) fn are_enough(usable: usize, all: usize) -> bool {
    usable >= LEAST_WINDOWS && usable as f64 >= LEAST_USABLE * all as f64
}

/// The states that windows are compared with.
#[derive(Debug, Clone)]
pub struct States {
    /// By name.
    pub states: Vec<State>,
    /// How many more sessions than states there are.
    freedom: f64,
    length: Length,
}

/// The model of one state. The JSON forms show its serialized fields.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    /// What it is called.
    pub name: String,
    /// How many sessions it was learned from.
    pub sessions: usize,
    /// These sessions.
    #[serde(rename = "windows", serialize_with = "as_number")]
    parts: Vec<Arc<SessionModel>>,
    /// The usual number of events per second: the median over its windows.
    pub rate: f64,
    /// The sessions that were not learned.
    pub not_learned: Vec<NotLearned>,
    #[serde(skip)]
    profile: Option<Profile>,
    /// The profile without each of the sessions. Empty if there is only one.
    #[serde(skip)]
    without: Vec<Profile>,
}

/// A session of a state.
#[derive(Debug)]
pub(super) struct SessionModel {
    /// The name of the session.
    pub name: String,
    pub windows: Vec<Seen>,
    pub logs: Logs,
    moments: Moments,
}

/// The windows of a session, with its name.
pub(super) type NamedWindows = (String, Vec<Seen>);

/// What a state is learned from.
pub(super) struct StateWindows {
    pub name: String,
    /// The windows of its sessions.
    pub sessions: Vec<NamedWindows>,
    /// The sessions that are not used, because they repeat another one.
    pub repeated: Vec<NotLearned>,
}

/// A session that is not used: it lost too much, is too short, or repeats another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotLearned {
    /// The name of the session.
    pub session: String,
    /// Its usable windows.
    pub usable: usize,
    /// All its windows.
    pub windows: usize,
    /// The session of the state that it repeats: it has the same counts, or overlaps it in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<String>,
}

fn as_number<S: Serializer>(parts: &[Arc<SessionModel>], serializer: S) -> Result<S::Ok, S::Error> {
    parts.iter().map(|part| part.windows.len()).sum::<usize>().serialize(serializer)
}

/// The opinion of a state on some windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Opinion {
    /// D: 1 is about the usual difference between sessions of one state.
    pub distance: f64,
    /// The probability that a session of the state is as far away as this. `None` if it is not known how
    /// sessions differ; then the state cannot be excluded.
    pub p: Option<f64>,
    /// The same with sessions as the unit, and no assumption about distributions.
    pub p_sessions: Option<f64>,
    /// Whether it is further away than every learned session from its own state. The state is then rejected, whatever `p` is:
    /// a few sessions cannot make `p` small.
    pub is_beyond: bool,
    /// The score that `p` comes from.
    pub score: Option<Score>,
    /// D as if a tracepoint could count without a limit. It tells states apart that are all as far away as D can be.
    #[serde(skip)]
    pub unlimited: f64,
    /// How many times as many events as usual in the state, as geometric means over windows.
    pub intensity: f64,
}

impl Opinion {
    /// Whether the state is rejected at this level.
    pub fn is_rejected(&self, alpha: f64) -> bool {
        self.is_beyond || self.p.is_some_and(|p| p <= alpha)
    }
}

impl States {
    /// Learns states from the windows of their sessions.
    pub(super) fn learn(states: Vec<StateWindows>, length: Length, names: usize) -> Self {
        let states = states.into_iter().map(|state| State::of(state, length, names)).collect();
        Self::of(states, length)
    }

    /// Makes the profiles of states that have their sessions.
    fn of(mut states: Vec<State>, length: Length) -> Self {
        let parts: Vec<Vec<Arc<SessionModel>>> = states.iter().map(|state| state.parts.clone()).collect();
        let all: Vec<Vec<&Moments>> =
            parts.iter().map(|parts| parts.iter().map(|part| &part.moments).collect()).collect();
        let pooled = Pooled::of(&all);
        for (number, (state, sessions)) in states.iter_mut().zip(&all).enumerate() {
            state.profile = (!sessions.is_empty()).then(|| Profile::of(sessions, &pooled));
            let without = |left_out: usize| {
                let mut rest = sessions.clone();
                rest.remove(left_out);
                Profile::of(&rest, &pooled.with(number, &rest, sessions))
            };
            state.without = if sessions.len() > 1 { (0..sessions.len()).map(without).collect() } else { Vec::new() };
        }
        States { states, freedom: pooled.freedom(), length }
    }

    /// The states as if one session had not been learned, or a whole state.
    pub(super) fn leave_out(&self, state: usize, session: Option<usize>) -> Self {
        let mut states = self.states.clone();
        match session {
            Some(session) => {
                states[state].parts.remove(session);
                states[state].sessions -= 1;
            }
            None => drop(states.remove(state)),
        }
        Self::of(states, self.length)
    }

    /// Adds names that no session hit. `names` is the number of all names.
    pub(super) fn widen(&mut self, names: usize) {
        for state in &mut self.states {
            state.profile.iter_mut().chain(&mut state.without).for_each(|profile| profile.widen(names + 1));
        }
    }

    /// Whether it is known how much sessions differ. If not, nothing can be rejected.
    pub fn know_spread(&self) -> bool {
        self.freedom >= LEAST_FREEDOM
    }

    /// Whether a session of one of these states, left out, could be of the other too: its distance from the other is at
    /// most a fifth larger than from its own, over blocks of this many windows.
    pub(super) fn are_twins(&self, one: usize, other: usize, windows: usize) -> bool {
        let reaches = |own: &State, other: &State| {
            let Some(profile) = &other.profile else { return false };
            own.without.iter().zip(&own.parts).any(|(without, part)| {
                // A profile of the library may be wider than the rows of its sessions.
                let blocks = blocks(&part.logs, windows);
                let mean = |profile: &Profile| {
                    blocks.iter().map(|block| profile.scores(block).distance).sum::<f64>() / blocks.len() as f64
                };
                mean(profile) - mean(without) <= NEAR
            })
        };
        let [one, other] = [&self.states[one], &self.states[other]];
        reaches(one, other) || reaches(other, one)
    }

    /// The usual scores of blocks of this many windows.
    pub(super) fn calibration(&self, windows: usize) -> Calibration {
        let all = self.states.iter().flat_map(|state| state.without.iter().zip(&state.parts));
        let of_session = |(without, part): (&Profile, &Arc<SessionModel>)| {
            blocks(&part.logs, windows).iter().map(|block| without.scores(block)).collect()
        };
        Calibration::of(all.map(of_session).collect())
    }
}

/// The blocks of this many usable windows in a session. A shorter session is one block.
fn blocks(logs: &Logs, windows: usize) -> Vec<Means> {
    let windows = windows.min(logs.len());
    (0..logs.len() / windows).map(|block| means(logs, block * windows..(block + 1) * windows)).collect()
}

/// The mean of the usable windows in a range. `None` if they are too few.
pub(super) fn mean_of(logs: &Logs, range: &Range<usize>) -> Option<Means> {
    let rows = logs.within(range);
    are_enough(rows.len(), range.len()).then(|| means(logs, rows))
}

fn means(logs: &Logs, rows: Range<usize>) -> Means {
    let windows = rows.len();
    Means::of(logs.mean(rows), windows)
}

impl State {
    /// The windows of its usable sessions.
    fn of(StateWindows { name, sessions, repeated }: StateWindows, length: Length, names: usize) -> Self {
        let (mut parts, mut not_learned) = (Vec::new(), repeated);
        for (session, windows) in sessions {
            let logs = Logs::of(&windows, length, names);
            if are_enough(logs.len(), windows.len()) {
                parts.push(Arc::new(SessionModel { name: session, moments: Moments::of(&logs), windows, logs }));
            } else {
                not_learned.push(NotLearned { session, usable: logs.len(), windows: windows.len(), repeats: None });
            }
        }
        let rate = upper_median(parts.iter().flat_map(|part| &part.windows).map(Seen::rate)).unwrap_or(0.0);
        let sessions = parts.len();
        State { name, sessions, parts, rate, not_learned, profile: None, without: Vec::new() }
    }

    /// Its sessions.
    pub(super) fn parts(&self) -> &[Arc<SessionModel>] {
        &self.parts
    }

    /// The hits of each name in a second of its sessions.
    pub(super) fn rates(&self, names: usize) -> Vec<f64> {
        let (mut hits, mut seconds) = (vec![0.0; names], 0.0);
        for seen in self.parts.iter().flat_map(|part| &part.windows) {
            seconds += seen.ns as f64 / 1e9;
            let events = seen.composition.events() as f64;
            seen.composition.roots().iter().for_each(|(name, root)| hits[*name as usize] += root * root * events);
        }
        hits.into_iter().map(|hits| if seconds > 0.0 { hits / seconds } else { 0.0 }).collect()
    }

    /// Its profile, if it has a usable session.
    pub(super) fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// The scores of windows with this mean, averaged over the profiles without one session.
    fn scores(&self, mean: &Means) -> Option<(Scores, f64)> {
        let profiles = if self.without.is_empty() { self.profile.as_slice() } else { &self.without };
        let number = profiles.len() as f64;
        let mut sum = Scores::default();
        for profile in profiles {
            let scores = profile.scores(mean);
            sum.distance += scores.distance / number;
            sum.unlimited += scores.unlimited / number;
            sum.intensity += scores.intensity / number;
            sum.new += scores.new / number;
            sum.gone += scores.gone / number;
        }
        Some((sum, profiles.first()?.freedom()))
    }
}

/// Judges windows by the states. It keeps the calibration of each length that it was asked for.
pub(super) struct Judge<'a> {
    states: &'a States,
    calibrations: BTreeMap<usize, Rc<Calibration>>,
    twins: BTreeMap<(usize, usize, usize), bool>,
}

impl<'a> Judge<'a> {
    pub fn of(states: &'a States) -> Self {
        Judge { states, calibrations: BTreeMap::new(), twins: BTreeMap::new() }
    }

    /// The opinion of each state about a range of windows. `None` for a state without usable sessions. All are `None` if the
    /// range has too few usable windows.
    pub fn opinions(&mut self, logs: &Logs, range: &Range<usize>) -> Vec<Option<Opinion>> {
        let Some(mean) = mean_of(logs, range) else { return vec![None; self.states.states.len()] };
        let calibration = self.states.know_spread().then(|| self.calibration(logs.within(range).len()));
        let calibration = calibration.filter(|calibration| calibration.can_reject());
        let opinion = |state: &State| {
            let (scores, freedom) = state.scores(&mean)?;
            let tested: Option<PValues> = calibration.as_ref().map(|calibration| calibration.test(&scores, freedom));
            Some(Opinion {
                distance: scores.distance.exp(),
                p: tested.map(|tested| tested.p),
                p_sessions: tested.map(|tested| tested.p_sessions),
                is_beyond: tested.is_some_and(|tested| tested.is_beyond),
                score: tested.map(|tested| tested.score),
                unlimited: scores.unlimited.exp(),
                intensity: (mean.logs[TOTAL] - state.profile()?.mean[TOTAL]).exp(),
            })
        };
        self.states.states.iter().map(opinion).collect()
    }

    /// The length of the blocks that a stretch is calibrated with. It is a multiple of five windows, so that long sources
    /// do not need one for each length.
    fn calibrated(windows: usize) -> usize {
        windows - windows % LEAST_WINDOWS
    }

    fn calibration(&mut self, windows: usize) -> Rc<Calibration> {
        let windows = Self::calibrated(windows);
        let (states, calibrations) = (self.states, &mut self.calibrations);
        Rc::clone(calibrations.entry(windows).or_insert_with(|| Rc::new(states.calibration(windows))))
    }

    /// Whether stretches of this many windows cannot tell two states apart.
    pub fn are_twins(&mut self, one: usize, other: usize, windows: usize) -> bool {
        let windows = Self::calibrated(windows);
        let (states, pair) = (self.states, (one.min(other), one.max(other), windows));
        *self.twins.entry(pair).or_insert_with(|| states.are_twins(one, other, windows))
    }
}

impl State {
    /// Why sessions were not learned, in sentences. Only the first two are named.
    pub fn not_used(&self) -> Vec<String> {
        let named = self.not_learned.iter().take(2).map(|of| of.sentence(&self.name));
        let more = self.not_learned.len().saturating_sub(2);
        let rest =
            (more > 0).then(|| format!("{} of {} are not used either", Plural(more as u64, "more session"), self.name));
        named.chain(rest).collect()
    }
}

impl NotLearned {
    /// Why it was not learned, in a sentence.
    pub fn sentence(&self, state: &str) -> String {
        if let Some(other) = &self.repeats {
            return format!(
                "session {} of {state} is not used, because it repeats session {other}; remove it: `tp-perf states remove {state} {}`",
                self.session, self.session
            );
        }
        format!(
            "session {} of {state} is not used: it has {}, of {} in all, and at least {LEAST_WINDOWS} and half of all are needed (a \
             window is usable if it lost at most a tenth of its events); remove it, and learn another one",
            self.session,
            Plural(self.usable as u64, "usable window"),
            self.windows
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::composition::Composition;
    use crate::state::testing::SECOND;

    const TRACEPOINTS: usize = 12;

    /// A source of sessions: each tracepoint's rate differs from session to session and from window to window by factors
    /// with these deviations. Some sessions differ more than others, as real ones do.
    struct Truth {
        random: fastrand::Rng,
        between: f64,
        within: f64,
    }

    impl Truth {
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0
        }

        fn session(&mut self, rates: &[f64; TRACEPOINTS], windows: usize) -> Vec<Seen> {
            let between = self.between * (0.4 * self.normal()).exp();
            let own: Vec<f64> = rates.iter().map(|rate| rate.ln() + between * self.normal()).collect();
            let mut window = || {
                let counts: Vec<u64> = own.iter().map(|log| (log + self.within * self.normal()).exp() as u64).collect();
                Seen { composition: Composition::of((0..).zip(counts)), ns: SECOND, lost: 0 }
            };
            (0..windows).map(|_| window()).collect()
        }

        fn library(&mut self, states: &[[f64; TRACEPOINTS]], sessions: usize) -> States {
            let state = |(number, rates): (usize, &[f64; TRACEPOINTS])| {
                let sessions = (0..sessions).map(|session| (session.to_string(), self.session(rates, 20))).collect();
                StateWindows { name: number.to_string(), sessions, repeated: Vec::new() }
            };
            States::learn(states.iter().enumerate().map(state).collect(), Length::Ns(SECOND), TRACEPOINTS)
        }
    }

    fn opinions(states: &States, windows: &[Seen]) -> Vec<Opinion> {
        let logs = Logs::of(windows, Length::Ns(SECOND), TRACEPOINTS);
        Judge::of(states).opinions(&logs, &(0..windows.len())).into_iter().map(Option::unwrap).collect()
    }

    fn rates(of: impl Fn(usize) -> f64) -> [f64; TRACEPOINTS] {
        std::array::from_fn(of)
    }

    /// The library is drawn anew each time, because the promise is about libraries and sessions together.
    #[test]
    fn sessions_of_a_state_are_rejected_as_rarely_as_allowed_and_others_are_found() {
        let mut truth = Truth { random: fastrand::Rng::with_seed(5), between: 0.3, within: 0.4 };
        let states = [rates(|_| 1_000.0), rates(|column| 100.0 * (column + 1) as f64)];
        let other = rates(|column| if column % 2 == 0 { 20_000.0 } else { 100.0 });
        for (sessions, windows) in [(3, 20), (5, 20), (5, 5)] {
            let (trials, mut rejected, mut found, mut distances) = (400, 0, 0, 0.0);
            for _ in 0..trials {
                let library = truth.library(&states, sessions);
                let [own, _] = opinions(&library, &truth.session(&states[0], windows))[..] else { panic!() };
                rejected += u32::from(own.is_rejected(0.05));
                distances += own.distance.ln() / f64::from(trials);
                let unknown = opinions(&library, &truth.session(&other, windows));
                found += u32::from(unknown.iter().all(|opinion| opinion.is_rejected(0.05)));
            }
            // One of as many sessions as the library has, and of this one, is the furthest.
            let most = trials * 9 / 100 + trials / (2 * sessions as u32 + 1);
            assert!((4..=most).contains(&rejected), "{sessions} of {windows}: {rejected} of {trials}");
            assert!(found >= trials * 95 / 100, "{sessions} of {windows}: {found} of {trials}");
            assert!(distances.abs() < 0.2, "D is about 1 for a state's own sessions: {distances}");
        }
    }

    #[test]
    fn states_that_sessions_cannot_tell_apart_are_twins() {
        let mut truth = Truth { random: fastrand::Rng::with_seed(6), between: 0.2, within: 0.2 };
        let one = rates(|_| 1_000.0);
        let library = truth.library(&[one, one, rates(|_| 9_000.0)], 4);
        assert!(library.are_twins(0, 1, 20) && library.are_twins(1, 0, 5));
        assert!(!library.are_twins(0, 2, 20) && !library.are_twins(2, 1, 5));
    }

    #[test]
    fn a_session_needs_five_usable_windows_and_half_of_all() {
        assert!(are_enough(5, 10) && !are_enough(4, 4) && !are_enough(6, 13));
    }

    #[test]
    fn too_few_sessions_reject_nothing() {
        let mut truth = Truth { random: fastrand::Rng::with_seed(7), between: 0.2, within: 0.2 };
        let states = [rates(|_| 1_000.0), rates(|_| 9_000.0)];
        let library = truth.library(&states, 1);
        assert!(!library.know_spread());
        let opinions = opinions(&library, &truth.session(&states[0], 10));
        assert!(opinions.iter().all(|opinion| opinion.p.is_none() && !opinion.is_rejected(0.5)));
        assert!(opinions[0].distance < opinions[1].distance);
    }
}
