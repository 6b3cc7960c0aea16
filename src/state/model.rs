//! The model of the known states, and its opinion on a window.
//!
//! A state is the set of all windows of its sessions, not their mean, because work such as a build has
//! phases. The score of a window is its distance from the nearest known window. To choose the nearest of
//! several states, the scores of the window and its neighbours are averaged: two states may look alike for a
//! second, but rarely for five. The usual scores are learned by leaving one session out at a time: each
//! session's windows are compared with the other sessions only, because a new window also comes from a
//! session that is not in the model.

use super::conformal::{Calibration, PValue};
use super::names::Seen;
use super::nearest::{Columns, DifferentRows, Matrix, nearest_of_others};
use crate::stats::upper_median;
use serde::{Serialize, Serializer};

/// The states that windows are compared with.
#[derive(Debug, Clone)]
pub struct States {
    columns: Columns,
    /// By name.
    pub states: Vec<State>,
}

impl States {
    /// Learns states from the windows of their sessions. Each comes with its name.
    pub fn learn(states: Vec<(String, Vec<Vec<Seen>>)>) -> Self {
        let all = states.iter().flat_map(|(_, sessions)| sessions).flatten();
        let columns = Columns::of(all.map(|seen| &seen.composition));
        let states = states.into_iter().map(|(name, sessions)| State::learn(name, sessions, &columns)).collect();
        States { columns, states }
    }

    /// The opinion of each state on each of these consecutive windows, with no change of state among them.
    /// `None` for a state that has no windows of its own.
    pub fn judge(&self, windows: &[Seen]) -> Vec<Vec<Option<Opinion>>> {
        let rows = DifferentRows::of(windows.iter().map(|window| self.columns.row(&window.composition)));
        let by_state: Vec<Vec<Option<Opinion>>> = self.states.iter().map(|state| state.judge(windows, &rows)).collect();
        (0..windows.len()).map(|window| by_state.iter().map(|opinions| opinions[window].clone()).collect()).collect()
    }
}

/// The most windows of a state that are used for comparison. If there are more, evenly spaced ones represent
/// them, because learning computes the distance of every pair.
pub(super) const MOST_KNOWN: usize = 4_000;

/// The model of one state. The JSON forms show its serialized fields.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    /// What it is called.
    pub name: String,
    /// How many sessions it was learned from.
    pub sessions: usize,
    /// The windows of each session. A single session is split in two halves.
    #[serde(rename = "windows", serialize_with = "as_number")]
    parts: Vec<Vec<Seen>>,
    /// The usual number of events per second: the median over its windows.
    pub rate: f64,
    /// One in this many windows of a part is used for comparison.
    #[serde(skip)]
    step: usize,
    #[serde(skip)]
    rows: Vec<Matrix>,
    #[serde(rename = "lowest_p", serialize_with = "as_lowest")]
    calibration: Calibration,
}

fn as_number<S: Serializer>(parts: &[Vec<Seen>], serializer: S) -> Result<S::Ok, S::Error> {
    parts.iter().map(Vec::len).sum::<usize>().serialize(serializer)
}

fn as_lowest<S: Serializer>(calibration: &Calibration, serializer: S) -> Result<S::Ok, S::Error> {
    calibration.lowest().serialize(serializer)
}

/// The opinion of a state on a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Opinion {
    /// The distance from the nearest known window, from 0 to 1, averaged over the window and its neighbours.
    pub distance: f64,
    /// The known window that is nearest to this window alone: its part, and its index in that part.
    #[serde(skip)]
    pub nearest: (usize, usize),
    /// The p-values of this window's own distance.
    #[serde(flatten, with = "OpinionP")]
    pub p: PValue,
    /// Events per second, divided by the usual rate of the state.
    pub intensity: f64,
}

/// The names of the p-values in JSON, where they stand next to the distance.
#[derive(Serialize)]
#[serde(remote = "PValue")]
struct OpinionP {
    #[serde(rename = "p")]
    windows: f64,
    #[serde(rename = "p_sessions")]
    sessions: f64,
}

impl State {
    /// Learns a state from the windows of its sessions. Sessions without windows do not count.
    fn learn(name: String, sessions: Vec<Vec<Seen>>, columns: &Columns) -> Self {
        let mut parts: Vec<Vec<Seen>> = sessions.into_iter().filter(|windows| !windows.is_empty()).collect();
        let sessions = parts.len();
        if let [only] = parts.as_mut_slice() {
            // A single session only shows how its halves differ.
            let second = only.split_off(only.len() / 2);
            parts.push(second);
        }
        let step = parts.iter().map(Vec::len).sum::<usize>().div_ceil(MOST_KNOWN).max(1);
        let rows: Vec<Matrix> = parts
            .iter()
            .map(|part| Matrix::of(columns, part.iter().step_by(step).map(|seen| &seen.composition)))
            .collect();
        let scores = parts.iter().zip(nearest_of_others(&rows)).map(|(windows, distances)| {
            let windows = windows.iter().step_by(step);
            windows.zip(distances).filter_map(|(seen, distance)| Some((distance?, seen.weight()))).collect()
        });
        let calibration = Calibration::of(scores, sessions);
        let rate = upper_median(parts.iter().flatten().map(Seen::rate)).unwrap_or(0.0);
        State { name, sessions, rate, parts, step, rows, calibration }
    }

    /// The p-values of a window that is further away than every known window. No p-value can be lower.
    pub fn lowest(&self) -> PValue {
        self.calibration.lowest()
    }

    /// The windows of each session. A single session is split in two halves.
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

    fn judge(&self, windows: &[Seen], rows: &DifferentRows) -> Vec<Option<Opinion>> {
        let weights: Vec<f64> = windows.iter().map(Seen::weight).collect();
        let of_different: Vec<Nearest> = rows.different.iter().map(|row| nearest(row, &self.rows)).collect();
        let by_part: Vec<&Nearest> = rows.places.iter().map(|place| &of_different[*place]).collect();
        let best: Vec<Option<(usize, (usize, f64))>> = by_part.iter().map(|nearest| nearest.best()).collect();
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

/// Neighbours on each side that are averaged with a window: five windows in all.
const NEIGHBOURS: usize = 2;

/// The weighted mean of the values of a window and its neighbours.
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

/// The nearest window of each part, and its distance.
struct Nearest(Vec<Option<(usize, f64)>>);

fn nearest(row: &[f32], parts: &[Matrix]) -> Nearest {
    Nearest(parts.iter().map(|part| part.nearest(row)).collect())
}

impl Nearest {
    fn best(&self) -> Option<(usize, (usize, f64))> {
        let all = self.0.iter().enumerate().filter_map(|(part, nearest)| Some((part, (*nearest)?)));
        all.min_by(|a, b| a.1.1.total_cmp(&b.1.1))
    }

    /// The distance of the nearest window outside this part.
    fn without(&self, part: usize) -> Option<f64> {
        let others = self.0.iter().enumerate().filter(|(index, _)| *index != part);
        others.filter_map(|(_, nearest)| Some((*nearest)?.1)).min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::composition::tests::drawn;
    use crate::state::composition::{Composition, Name};

    /// Windows drawn from these shares, with the noise of this many events each.
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
        // A state with two phases, like a build.
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
        assert!(denied(phases[0]) <= 24 && denied(phases[1]) <= 24, "about one in twenty is rejected");
        assert!(denied([35, 20, 22, 23]) >= 199, "windows between the phases belong to neither");
        let opinion = judge(&windows(&mut random, phases[1], 1, 800))[0].clone();
        assert_eq!(opinion.intensity, 2.0);
        assert!(opinion.nearest.1 >= 20, "{opinion:?}");
        assert_eq!(state.window(opinion.nearest).composition.events(), 400);
        assert_eq!(state.lowest(), PValue { windows: 1.0 / 241.0, sessions: 1.0 / 7.0 });
    }

    /// A new window is compared with as many sessions as the known windows were.
    #[test]
    fn a_session_does_not_speak_for_itself() {
        let seen = |counts: &[(Name, u64)]| Seen {
            composition: Composition::of(counts.iter().copied()),
            ns: 1_000_000_000,
            lost: 0,
        };
        let states = learn(vec![vec![seen(&[(0, 90), (1, 10)]); 5], vec![seen(&[(0, 60), (1, 40)]); 5]]);
        // The new window is like those of the first session, and further from those of the second session
        // than they are.
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
        assert_eq!(single.states[0].lowest().windows, 1.0, "a single window has no other window to compare with");
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
