//! What is known of states, and what it says of a window.
//!
//! A state is all windows of its sessions, and not their mean: a build has phases. The score of a window is its distance to the
//! nearest of them. Which of several states is the nearer one is told by the mean score of the window and its neighbours: two
//! states may do the same for a second, and not for five. What scores are usual is learned by leaving each session out: its windows are held against those of the other
//! sessions only, because a new window will be of a session that is not among them either.

use super::composition::{Composition, Name};
use super::conformal::{Calibration, PValue};
use super::nearest::{Columns, Rows, nearest_of_others};
use super::session::Session;
use super::windows::Length;
use crate::stats::upper_median;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Below this part of a source's events that are under names which the states know too, nothing is said.
pub const LEAST_COVERAGE: f64 = 0.8;

/// Names that sessions have in common: what any of them hit and each of them captured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    numbers: BTreeMap<String, Name>,
    /// By number.
    names: Vec<String>,
}

impl Names {
    /// Those of these sessions.
    pub fn common<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Self {
        let sessions: Vec<&Session> = sessions.into_iter().collect();
        let hit: BTreeSet<&String> = sessions.iter().flat_map(|session| session.counts.keys()).collect();
        let common = hit.into_iter().filter(|name| sessions.iter().all(|session| session.captured(name)));
        let names: Vec<String> = common.cloned().collect();
        Names { numbers: names.iter().cloned().zip(0..).collect(), names }
    }

    /// Adds those that a session hit and each of these sessions captured.
    pub fn extend(&mut self, session: &Session, captured_by: &[&Session]) {
        for name in session.counts.keys() {
            if !self.numbers.contains_key(name) && captured_by.iter().all(|session| session.captured(name)) {
                self.numbers.insert(name.clone(), self.names.len() as Name);
                self.names.push(name.clone());
            }
        }
    }

    /// Whether a session captured all of them.
    pub fn are_captured_by(&self, session: &Session) -> bool {
        self.names.iter().all(|name| session.captured(name))
    }

    /// The name of a number.
    pub fn name(&self, number: Name) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The part of a session's events that are under these names; 1 of none.
    pub fn coverage(&self, session: &Session) -> f64 {
        let sum = |counts: &Vec<u64>| counts.iter().sum::<u64>() as f64;
        let all: f64 = session.counts.values().map(sum).sum();
        let known: f64 = session
            .counts
            .iter()
            .filter(|(name, _)| self.numbers.contains_key(*name))
            .map(|(_, counts)| sum(counts))
            .sum();
        if all > 0.0 { known / all } else { 1.0 }
    }

    /// The windows of a session under these names, as many of its own as one as make this length; what is left at the end is
    /// none. `None` if no whole number does.
    pub fn windows(&self, session: &Session, length: Length) -> Option<Vec<Seen>> {
        let together = length.of(session.window)?;
        let mut known: Vec<(Name, &Vec<u64>)> =
            session.counts.iter().filter_map(|(name, counts)| Some((*self.numbers.get(name)?, counts))).collect();
        known.sort_unstable_by_key(|(name, _)| *name);
        let sum = |values: &[u64], range: &Range<usize>| values.get(range.clone()).map_or(0, |part| part.iter().sum());
        let seen = |index: usize| {
            let range = index * together..(index + 1) * together;
            let composition = Composition::of(known.iter().map(|(name, counts)| (*name, sum(counts, &range))));
            let ns = match length {
                Length::Ns(ns) => ns,
                Length::Events(_) => sum(&session.ns, &range),
            };
            Seen { composition, ns, lost: sum(&session.lost, &range) }
        };
        Some((0..session.windows / together).map(seen).collect())
    }
}

/// A window that was seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// What it is made of, under the names compared.
    pub composition: Composition,
    /// How long it is, in nanoseconds.
    pub ns: u64,
    /// Samples lost in it.
    pub lost: u64,
}

impl Seen {
    /// Events in a second, with those that were lost.
    pub fn rate(&self) -> f64 {
        (self.composition.events() + self.lost) as f64 * 1e9 / self.ns.max(1) as f64
    }

    /// What it is worth: the part of its events that is known.
    pub fn weight(&self) -> f64 {
        match self.composition.events() {
            0 if self.lost == 0 => 1.0,
            events => events as f64 / (events + self.lost) as f64,
        }
    }
}

/// States that windows can be held against.
#[derive(Debug, Clone)]
pub struct States {
    columns: Columns,
    /// By name.
    pub states: Vec<State>,
}

impl States {
    /// Of the windows of the sessions of each, by name.
    pub fn learn(states: Vec<(String, Vec<Vec<Seen>>)>) -> Self {
        let all = states.iter().flat_map(|(_, sessions)| sessions).flatten();
        let columns = Columns::of(all.map(|seen| &seen.composition));
        let states = states.into_iter().map(|(name, sessions)| State::learn(name, sessions, &columns)).collect();
        States { columns, states }
    }

    /// What each state says of each of these windows, which come one behind the other, without a change between them; `None` of a
    /// state that knows no windows itself.
    pub fn judge(&self, windows: &[Seen]) -> Vec<Vec<Option<Opinion>>> {
        let rows: Vec<Vec<f32>> = windows.iter().map(|window| self.columns.row(&window.composition)).collect();
        let by_state: Vec<Vec<Option<Opinion>>> = self.states.iter().map(|state| state.judge(windows, &rows)).collect();
        (0..windows.len()).map(|window| by_state.iter().map(|opinions| opinions[window].clone()).collect()).collect()
    }
}

/// Windows of a state that others are held against. Of more of them, evenly chosen ones speak for the rest: to learn takes as many
/// distances as there are pairs.
const MOST_KNOWN: usize = 4_000;

/// What is known of one state.
#[derive(Debug, Clone)]
pub struct State {
    /// What it is called.
    pub name: String,
    /// How many sessions it is known from.
    pub sessions: usize,
    /// Usual events in a second: the median over its windows.
    pub rate: f64,
    /// The windows of each session; of an only one those of its halves.
    parts: Vec<Vec<Seen>>,
    /// Of every so many windows of a part the first.
    step: usize,
    rows: Vec<Rows>,
    calibration: Calibration,
}

/// What a state says of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// The distance to the nearest known window, from 0 to 1; the mean over the window and its neighbours.
    pub distance: f64,
    /// The known window that is nearest to the window itself: of which part, and which of its windows.
    pub nearest: (usize, usize),
    /// How usual the window's own distance is.
    pub p: PValue,
    /// How many times as many events in a second as the state usually has.
    pub intensity: f64,
}

impl State {
    /// Of the windows of its sessions. Sessions without windows are none.
    fn learn(name: String, sessions: Vec<Vec<Seen>>, columns: &Columns) -> Self {
        let mut parts: Vec<Vec<Seen>> = sessions.into_iter().filter(|windows| !windows.is_empty()).collect();
        let sessions = parts.len();
        if let [only] = parts.as_mut_slice() {
            // Of one session it is only known how its halves differ.
            let second = only.split_off(only.len() / 2);
            parts.push(second);
        }
        let step = parts.iter().map(Vec::len).sum::<usize>().div_ceil(MOST_KNOWN).max(1);
        let rows: Vec<Rows> = parts
            .iter()
            .map(|part| Rows::of(columns, part.iter().step_by(step).map(|seen| &seen.composition)))
            .collect();
        let scores = parts.iter().zip(nearest_of_others(&rows)).map(|(windows, distances)| {
            let windows = windows.iter().step_by(step);
            windows.zip(distances).filter_map(|(seen, distance)| Some((distance?, seen.weight()))).collect()
        });
        let calibration = Calibration::of(scores, sessions);
        let rate = upper_median(parts.iter().flatten().map(Seen::rate)).unwrap_or(0.0);
        State { name, sessions, rate, parts, step, rows, calibration }
    }

    /// The lowest p-values that it can give: what scores lower than any known window could.
    pub fn lowest(&self) -> PValue {
        self.calibration.lowest()
    }

    /// The windows of each session; of an only one those of its halves.
    pub fn parts(&self) -> &[Vec<Seen>] {
        &self.parts
    }

    /// All its windows.
    pub fn windows(&self) -> impl Iterator<Item = &Seen> {
        self.parts.iter().flatten()
    }

    /// A known window.
    pub fn window(&self, (part, window): (usize, usize)) -> &Seen {
        &self.parts[part][window]
    }

    fn judge(&self, windows: &[Seen], rows: &[Vec<f32>]) -> Vec<Option<Opinion>> {
        let weights: Vec<f64> = windows.iter().map(Seen::weight).collect();
        let by_part: Vec<Nearest> = rows.iter().map(|row| nearest(row, &self.rows)).collect();
        let best: Vec<Option<(usize, (usize, f64))>> = by_part.iter().map(Nearest::best).collect();
        let distances: Vec<f64> =
            best.iter().map(|best| best.map_or(f64::NAN, |(_, (_, distance))| distance)).collect();
        let opinion = |window: usize| {
            let (part, (index, _)) = best[window]?;
            let intensity = if self.rate > 0.0 { windows[window].rate() / self.rate } else { 1.0 };
            let p = self.calibration.p_value(|part| by_part[window].without(part).unwrap_or(f64::NAN));
            let distance = with_neighbours(&distances, &weights, window);
            Some(Opinion { distance, nearest: (part, index * self.step), p, intensity })
        };
        (0..windows.len()).map(opinion).collect()
    }
}

/// Windows on each side that are judged with a window: five together.
const NEIGHBOURS: usize = 2;

/// The mean of the values of a window and its neighbours, each by its weight.
fn with_neighbours(values: &[f64], weights: &[f64], window: usize) -> f64 {
    let range = window.saturating_sub(NEIGHBOURS)..(window + NEIGHBOURS + 1).min(values.len());
    let weights = &weights[range.clone()];
    let all: f64 = weights.iter().sum();
    let values = &values[range];
    if all > 0.0 {
        values.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / all
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
}

/// The nearest window of each part, and how far it is.
struct Nearest(Vec<Option<(usize, f64)>>);

fn nearest(row: &[f32], parts: &[Rows]) -> Nearest {
    Nearest(parts.iter().map(|part| part.nearest(row)).collect())
}

impl Nearest {
    fn best(&self) -> Option<(usize, (usize, f64))> {
        let all = self.0.iter().enumerate().filter_map(|(part, nearest)| Some((part, (*nearest)?)));
        all.min_by(|a, b| a.1.1.total_cmp(&b.1.1))
    }

    /// How far the nearest one of all other parts is.
    fn without(&self, part: usize) -> Option<f64> {
        let others = self.0.iter().enumerate().filter(|(index, _)| *index != part);
        others.filter_map(|(_, nearest)| Some((*nearest)?.1)).min_by(f64::total_cmp)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::state::composition::tests::drawn;
    use crate::state::session::{Origin, SCHEMA};

    /// A session with windows of a microsecond.
    pub fn session(counts: &[(&str, &[u64])], not_hit: &[&str]) -> Session {
        let split =
            |name: &str| name.split_once(':').map(|(group, name)| (group.to_owned(), vec![name.to_owned()])).unwrap();
        Session {
            schema: SCHEMA,
            tool: crate::recording::Tool { name: "tp-perf".to_owned(), version: "test".to_owned() },
            origin: Origin::default(),
            window: Length::Ns(1_000),
            windows: counts[0].1.len(),
            ns: Vec::new(),
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
        // What one has not captured and what nobody hit is not among them.
        assert_eq!((names.len(), names.name(0), names.name(1), names.name(2)), (2, Some("a:x"), Some("a:y"), None));
        assert!((names.coverage(&here) - 11.0 / 30.0).abs() < 1e-12 && names.coverage(&there) == 1.0);
        let compositions = |session: &Session, ns| {
            let windows = names.windows(session, Length::Ns(ns))?;
            Some(windows.into_iter().map(|seen| seen.composition).collect::<Vec<_>>())
        };
        let of = |counts: &[(Name, u64)]| Composition::of(counts.iter().copied());
        assert_eq!(compositions(&here, 1_000).unwrap(), [of(&[(0, 5), (1, 1)]), of(&[(0, 5)])]);
        assert_eq!(compositions(&here, 2_000).unwrap(), [of(&[(0, 10), (1, 1)])]);
        assert!(compositions(&here, 3_000).unwrap().is_empty());
        assert_eq!(compositions(&here, 1_500), None);
        assert!(Names::common([]).is_empty());
    }

    #[test]
    fn what_was_lost_counts_for_the_rate_and_against_the_weight() {
        let mut lossy = session(&[("a:x", &[5, 5, 0, 0])], &[]);
        lossy.lost = vec![0, 10, 5, 0];
        let names = Names::common([&lossy]);
        let weights = |ns| names.windows(&lossy, Length::Ns(ns)).unwrap().iter().map(Seen::weight).collect::<Vec<_>>();
        assert_eq!(weights(1_000), [1.0, 1.0 / 3.0, 0.0, 1.0]);
        assert_eq!(weights(2_000), [0.5, 0.0]);
        assert_eq!(names.windows(&lossy, Length::Ns(2_000)).unwrap()[0].rate(), 20.0 / 2e-6);
    }

    /// Windows of these shares with the noise of so many events.
    fn windows(random: &mut fastrand::Rng, shares: [u64; 4], number: usize, events: u64) -> Vec<Seen> {
        let seen = |composition| Seen { composition, ns: 1_000_000_000, lost: 0 };
        (0..number).map(|_| seen(drawn(random, shares, events))).collect()
    }

    fn learn(sessions: Vec<Vec<Seen>>) -> States {
        States::learn(vec![("it".to_owned(), sessions)])
    }

    #[test]
    fn a_state_knows_its_own_and_denies_others() {
        let mut random = fastrand::Rng::with_seed(9);
        // Two phases, as of a build.
        let phases = [[60, 30, 5, 5], [10, 10, 40, 40]];
        let sessions =
            (0..6).map(|_| phases.iter().flat_map(|shares| windows(&mut random, *shares, 20, 400)).collect()).collect();
        let states = learn(sessions);
        let state = &states.states[0];
        assert_eq!((state.name.as_str(), state.sessions, state.rate), ("it", 6, 400.0));
        let judge = |windows: &[Seen]| -> Vec<Opinion> {
            states.judge(windows).into_iter().map(|opinions| opinions[0].clone().unwrap()).collect()
        };
        let mut denied = |shares: [u64; 4]| {
            let new = windows(&mut random, shares, 200, 400);
            judge(&new).iter().filter(|opinion| opinion.p.windows <= 0.05).count()
        };
        assert!(denied(phases[0]) <= 24 && denied(phases[1]) <= 24, "about one in twenty");
        assert!(denied([35, 20, 22, 23]) >= 199, "what lies between the phases is of neither");
        let opinion = judge(&windows(&mut random, phases[1], 1, 800))[0].clone();
        assert_eq!(opinion.intensity, 2.0);
        assert!(opinion.nearest.1 >= 20, "{opinion:?}");
        assert_eq!(state.window(opinion.nearest).composition.events(), 400);
        assert_eq!(state.lowest(), PValue { windows: 1.0 / 241.0, sessions: 1.0 / 7.0 });
    }

    /// A new window is held against as many sessions as the known ones were.
    #[test]
    fn a_session_does_not_speak_for_itself() {
        let seen = |counts: &[(Name, u64)]| Seen {
            composition: Composition::of(counts.iter().copied()),
            ns: 1_000_000_000,
            lost: 0,
        };
        let states = learn(vec![vec![seen(&[(0, 90), (1, 10)]); 5], vec![seen(&[(0, 60), (1, 40)]); 5]]);
        // It is as those of the first session, and a little further from those of the second than they are.
        let opinion = states.judge(&[seen(&[(0, 91), (1, 9)])])[0][0].clone().unwrap();
        assert!((opinion.p.windows - 6.0 / 11.0).abs() < 1e-9, "{opinion:?}");
    }

    #[test]
    fn of_very_many_windows_some_speak_for_the_rest() {
        let seen = |first: u64| Seen { composition: Composition::of([(0, first), (1, 100 - first)]), ns: 1, lost: 0 };
        let session: Vec<Seen> = (0..3_000).map(|window| seen(if window < 2_000 { 90 } else { 20 })).collect();
        let states = learn(vec![session.clone(), session]);
        let state = &states.states[0];
        assert_eq!((state.windows().count(), state.lowest().windows), (6_000, 1.0 / 3_001.0));
        for first in [90, 20] {
            let opinion = states.judge(&[seen(first)])[0][0].clone().unwrap();
            assert_eq!(state.window(opinion.nearest), &seen(first));
            assert!(opinion.p.windows > 0.3, "{opinion:?}");
        }
    }

    #[test]
    fn one_session_says_little_and_none_nothing() {
        let mut random = fastrand::Rng::with_seed(10);
        let one = learn(vec![windows(&mut random, [50, 50, 1, 1], 10, 100), Vec::new()]);
        let state = &one.states[0];
        assert_eq!((state.sessions, state.lowest().sessions, state.lowest().windows), (1, 0.5, 1.0 / 11.0));
        let single = learn(vec![windows(&mut random, [50, 50, 1, 1], 1, 100)]);
        assert_eq!(single.states[0].lowest().windows, 1.0, "one window has nothing to be held against");
        assert!(single.judge(&windows(&mut random, [1, 1, 1, 1], 1, 100))[0][0].is_some());
        assert_eq!(learn(Vec::new()).judge(&[Seen::default()]), [[None]]);
    }

    #[test]
    fn neighbours_speak_by_what_is_known_of_them() {
        let values = [1.0, 2.0, 3.0, 4.0, 100.0, 6.0];
        assert_eq!(with_neighbours(&values, &[1.0; 6], 0), 2.0);
        assert_eq!(with_neighbours(&values, &[1.0, 1.0, 1.0, 1.0, 0.0, 1.0], 3), 15.0 / 4.0);
        assert_eq!(with_neighbours(&values, &[0.0; 6], 1), 2.5);
    }
}
