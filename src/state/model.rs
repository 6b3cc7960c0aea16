//! What is known of states, and what it says of a window.
//!
//! A state is all windows of its sessions, and not their mean: a build has phases. The score of a window is its distance to the
//! nearest of them. What scores are usual is learned by leaving each session out: its windows are held against those of the other
//! sessions only, because a new window will be of a session that is not among them either.

use super::composition::{Composition, Name};
use super::conformal::{Calibration, PValue};
use super::session::Session;
use std::collections::{BTreeMap, BTreeSet};

/// Below this part of a source's events that are under names which the states know too, nothing is said.
pub const LEAST_COVERAGE: f64 = 0.8;

/// Names that sessions have in common: what each of them captured, hit or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names(BTreeMap<String, Name>);

impl Names {
    /// Those that all have.
    pub fn common<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Self {
        let captured = |session: &'a Session| session.captured().collect::<BTreeSet<String>>();
        let mut sessions = sessions.into_iter();
        let first = sessions.next().map(captured).unwrap_or_default();
        let common = sessions.map(captured).fold(first, |common, captured| &common & &captured);
        Names(common.into_iter().zip(0..).collect())
    }

    /// The name of a number.
    pub fn name(&self, number: Name) -> Option<&str> {
        self.0.iter().find(|(_, its)| **its == number).map(|(name, _)| name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The part of a session's events that are under these names; 1 of none.
    pub fn coverage(&self, session: &Session) -> f64 {
        let sum = |counts: &Vec<u64>| counts.iter().sum::<u64>() as f64;
        let all: f64 = session.counts.values().map(sum).sum();
        let known: f64 =
            session.counts.iter().filter(|(name, _)| self.0.contains_key(*name)).map(|(_, counts)| sum(counts)).sum();
        if all > 0.0 { known / all } else { 1.0 }
    }

    /// The windows of a session under these names, `together` of its own as one; what is left at the end is none.
    ///
    /// # Panics
    /// If `together` is 0.
    pub fn windows(&self, session: &Session, together: usize) -> Vec<Composition> {
        let known: Vec<(Name, &Vec<u64>)> =
            session.counts.iter().filter_map(|(name, counts)| Some((*self.0.get(name)?, counts))).collect();
        (0..session.windows / together)
            .map(|index| {
                let range = index * together..(index + 1) * together;
                Composition::of(known.iter().map(|(name, counts)| (*name, counts[range.clone()].iter().sum())))
            })
            .collect()
    }
}

/// What is known of one state.
#[derive(Debug, Clone)]
pub struct State {
    /// What it is called.
    pub name: String,
    /// The windows of each session.
    sessions: Vec<Vec<Composition>>,
    calibration: Calibration,
}

/// What a state says of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// The distance to the nearest known window, from 0 to 1.
    pub distance: f64,
    /// That window: of which session, and which of its windows.
    pub nearest: (usize, usize),
    /// How usual such a distance is.
    pub p: PValue,
    /// How many times as many events as the nearest known window has.
    pub intensity: f64,
}

impl State {
    /// Of the windows of its sessions. Sessions without windows are none.
    pub fn learn(name: &str, sessions: impl IntoIterator<Item = Vec<Composition>>) -> Self {
        let sessions: Vec<Vec<Composition>> = sessions.into_iter().filter(|windows| !windows.is_empty()).collect();
        let calibration = match sessions.as_slice() {
            // Of one session it is only known how its halves differ.
            [only] => {
                let (first, second) = only.split_at(only.len() / 2);
                let scores = |of: &[Composition], among: &[Composition]| {
                    of.iter()
                        .filter_map(|window| nearest(window, among).map(|(_, distance)| distance))
                        .collect::<Vec<f64>>()
                };
                Calibration::of([[scores(first, second), scores(second, first)].concat()])
            }
            all => Calibration::of((0..all.len()).map(|left_out| {
                let others = || {
                    all.iter().enumerate().filter(move |(index, _)| *index != left_out).flat_map(|(_, windows)| windows)
                };
                all[left_out]
                    .iter()
                    .filter_map(|window| nearest(window, others()).map(|(_, distance)| distance))
                    .collect()
            })),
        };
        State { name: name.to_owned(), sessions, calibration }
    }

    /// Sessions that it is known from.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The lowest p-values that it can give: what scores lower than any known window could.
    pub fn lowest(&self) -> PValue {
        self.calibration.lowest()
    }

    /// A known window.
    pub fn window(&self, (session, window): (usize, usize)) -> &Composition {
        &self.sessions[session][window]
    }

    /// What it says of a window; `None` if it knows none itself.
    pub fn judge(&self, window: &Composition) -> Option<Opinion> {
        let (mut index, distance) = nearest(window, self.sessions.iter().flatten())?;
        let mut session = 0;
        while index >= self.sessions[session].len() {
            index -= self.sessions[session].len();
            session += 1;
        }
        let events = self.sessions[session][index].events();
        Some(Opinion {
            distance,
            nearest: (session, index),
            p: self.calibration.p_value(distance),
            intensity: window.events() as f64 / events.max(1) as f64,
        })
    }
}

/// Which of these is nearest, and how far it is.
fn nearest<'a>(window: &Composition, among: impl IntoIterator<Item = &'a Composition>) -> Option<(usize, f64)> {
    let distances = among.into_iter().map(|known| window.distance(known)).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::composition::tests::drawn;
    use crate::state::session::{Origin, SCHEMA};

    fn session(counts: &[(&str, &[u64])], not_hit: &[&str]) -> Session {
        let split =
            |name: &str| name.split_once(':').map(|(group, name)| (group.to_owned(), vec![name.to_owned()])).unwrap();
        Session {
            schema: SCHEMA,
            tool: crate::recording::Tool { name: "tp-perf".to_owned(), version: "test".to_owned() },
            origin: Origin::default(),
            window_ns: 1_000,
            windows: counts[0].1.len(),
            lost: Vec::new(),
            counts: counts.iter().map(|(name, counts)| ((*name).to_owned(), counts.to_vec())).collect(),
            not_hit: not_hit.iter().map(|name| split(name)).collect(),
            left_out: BTreeMap::new(),
        }
    }

    #[test]
    fn only_names_that_all_have_are_compared() {
        let here = session(&[("a:x", &[5, 5]), ("a:y", &[1, 0]), ("c:new", &[10, 9])], &["b:z"]);
        let there = session(&[("a:x", &[7, 7])], &["a:y", "d:old"]);
        let names = Names::common([&here, &there]);
        assert_eq!((names.len(), names.name(0), names.name(1), names.name(2)), (2, Some("a:x"), Some("a:y"), None));
        assert!((names.coverage(&here) - 11.0 / 30.0).abs() < 1e-12 && names.coverage(&there) == 1.0);
        let windows = names.windows(&here, 1);
        assert_eq!(windows, [Composition::of([(0, 5), (1, 1)]), Composition::of([(0, 5)])]);
        assert_eq!(names.windows(&here, 2), [Composition::of([(0, 10), (1, 1)])]);
        assert!(names.windows(&here, 3).is_empty());
        assert!(Names::common([]).is_empty());
    }

    /// Windows of these shares with the noise of so many events.
    fn windows(random: &mut fastrand::Rng, shares: [u64; 4], number: usize, events: u64) -> Vec<Composition> {
        (0..number).map(|_| drawn(random, shares, events)).collect()
    }

    #[test]
    fn a_state_knows_its_own_and_denies_others() {
        let mut random = fastrand::Rng::with_seed(9);
        // Two phases, as of a build.
        let phases = [[60, 30, 5, 5], [10, 10, 40, 40]];
        let sessions: Vec<Vec<Composition>> =
            (0..6).map(|_| phases.iter().flat_map(|shares| windows(&mut random, *shares, 20, 400)).collect()).collect();
        let state = State::learn("build", sessions);
        assert_eq!((state.name.as_str(), state.sessions()), ("build", 6));
        let mut denied = |shares: [u64; 4]| {
            let new = windows(&mut random, shares, 200, 400);
            new.iter().filter(|window| state.judge(window).unwrap().p.windows <= 0.05).count()
        };
        assert!(denied(phases[0]) <= 24 && denied(phases[1]) <= 24, "about one in twenty");
        assert!(denied([35, 20, 22, 23]) >= 199, "what lies between the phases is of neither");
        let opinion = state.judge(&windows(&mut random, phases[1], 1, 800)[0]).unwrap();
        assert!((1.5..2.5).contains(&opinion.intensity), "{opinion:?}");
        assert!(opinion.nearest.1 >= 20, "{opinion:?}");
        assert_eq!(state.window(opinion.nearest).events(), 400);
        assert_eq!(state.lowest(), PValue { windows: 1.0 / 241.0, sessions: 1.0 / 7.0 });
    }

    #[test]
    fn one_session_says_little_and_none_nothing() {
        let mut random = fastrand::Rng::with_seed(10);
        let one = State::learn("one", [windows(&mut random, [50, 50, 1, 1], 10, 100), Vec::new()]);
        assert_eq!((one.sessions(), one.lowest().sessions, one.lowest().windows), (1, 0.5, 1.0 / 11.0));
        let single = State::learn("single", [windows(&mut random, [50, 50, 1, 1], 1, 100)]);
        assert_eq!(single.lowest().windows, 1.0, "one window has nothing to be held against");
        assert!(State::learn("none", []).judge(&Composition::of([(0, 5)])).is_none());
    }
}
