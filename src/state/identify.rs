//! Which of the known states a source is in: window by window, stretch by stretch, and why.

use super::changes::changes;
use super::composition::Composition;
use super::conformal::together;
use super::known::{Known, sessions, windows_of};
use super::model::{Names, Opinion, Seen, States};
use super::reasons::{Reason, Reasons, by_group};
use super::session::Session;
use super::windows::Length;
use super::{Error, What};
use crate::units::Ns;
use std::ops::Range;
use std::time::Duration;

/// The level below which a state is rejected, if nothing else is asked for.
pub const ALPHA: f64 = 0.05;
/// A change of state has to last so many windows.
const SHORTEST_STRETCH: usize = 2;
/// A state that cannot be rejected, but is so many times as far away as another one, is not what a source is said to be. One whose own
/// windows differ much cannot be rejected for long.
const FAR: f64 = 2.0;

/// A source held against states.
#[derive(Debug, Clone)]
pub struct Identification {
    /// How long the windows are.
    pub length: Length,
    /// The level at which a state is rejected.
    pub alpha: f64,
    /// The part of the source's events that are under names which all sessions captured too.
    pub coverage: f64,
    /// The names compared.
    pub names: Names,
    /// The states.
    pub states: States,
    /// When each window begins, by the source's clock; and when the last one ends.
    pub begins: Vec<Ns>,
    /// The source's windows.
    pub windows: Vec<Seen>,
    /// What is said of each.
    pub answers: Vec<Answer>,
    /// The stretches of one state, in order; together they are all windows.
    pub stretches: Vec<Stretch>,
}

/// What is said of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// By state. `None` of one without windows.
    pub opinions: Vec<Option<Opinion>>,
    /// The states that cannot be rejected, the nearest first; none means that it is unknown.
    pub possible: Vec<usize>,
}

/// What is said of windows between two changes of the composition, without reasons.
#[derive(Debug, Clone)]
struct Verdict {
    windows: Range<usize>,
    opinions: Vec<Option<(f64, f64)>>,
    possible: Vec<usize>,
    nearest: usize,
    other: Option<usize>,
}

/// Windows between two changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The first window.
    pub from: usize,
    /// The window behind the last.
    pub to: usize,
    /// By state: the mean distance of its windows, and what their p-values say together. `None` of a state without windows.
    pub opinions: Vec<Option<(f64, f64)>>,
    /// The states that cannot be rejected, the nearest first; none means that it is unknown.
    pub possible: Vec<usize>,
    /// The nearest state of those that cannot be rejected; if all are, the nearest of all.
    pub nearest: usize,
    /// How many times as many events in a second as the nearest state usually has.
    pub intensity: f64,
    /// The state that comes after the nearest, if there is one.
    pub other: Option<usize>,
    /// What speaks for the nearest state and against the other, largest first.
    pub for_it: Vec<Reason>,
    /// What speaks against the nearest state, largest first.
    pub against_it: Vec<Reason>,
    /// The same by group.
    pub groups_for_it: Vec<Reason>,
    /// The same by group.
    pub groups_against_it: Vec<Reason>,
}

impl Stretch {
    /// The state that it is said to be in.
    pub fn state(&self) -> Option<usize> {
        self.possible.first().copied()
    }

    /// The states that cannot be rejected, as those that are about as near as the nearest and those that are far from that.
    pub fn near_and_far(&self) -> (&[usize], &[usize]) {
        let distance = |state: usize| self.opinions[state].map_or(f64::INFINITY, |(distance, _)| distance);
        let far = FAR * self.state().map_or(f64::INFINITY, distance);
        self.possible.split_at(self.possible.partition_point(|state| distance(*state) <= far))
    }

    /// How many windows.
    pub fn windows(&self) -> usize {
        self.to - self.from
    }
}

impl Identification {
    /// Holds a source against what is known of states.
    ///
    /// # Errors
    /// If there is no window in the source, windows cannot be made as long, or too little of the source is under names that the
    /// library knows.
    pub fn of(source: &Session, known: Known, alpha: f64) -> Result<Self, Error> {
        let Known { library, length, mut names, states } = match known.names.are_captured_by(source) {
            true => known,
            // Some of what the library hit was not captured: the rest is compared, and so what is usual is learned by that.
            false => Known::by_names_of(known.library, known.length, Some(source))?,
        };
        names.extend(source, &library.iter().flat_map(sessions).collect::<Vec<_>>());
        let windows = windows_of(&names, source, length, &|| What::Source)?;
        if windows.is_empty() {
            return Err(Error::Short { length });
        }
        let coverage = names.coverage(source);
        let phases = phases(&windows);
        let answers: Vec<Answer> = phases
            .iter()
            .flat_map(|phase| states.judge(&windows[phase.clone()]))
            .map(|opinions| Answer::of(opinions, alpha))
            .collect();
        let begins = begins(source.origin.begin_ns, &windows);
        let mut identification =
            Identification { length, alpha, coverage, names, states, begins, windows, answers, stretches: Vec::new() };
        identification.stretches = identification.stretches(phases);
        Ok(identification)
    }

    /// When a window begins, since the first one has; of the number of windows when the last one ends.
    pub fn since(&self, window: usize) -> Duration {
        Duration::from_nanos(self.begins[window] - self.begins[0])
    }

    /// The same in seconds, with as many decimals as windows of this length need.
    pub fn seconds_since(&self, window: usize) -> String {
        let mean = self.since(self.windows.len()).as_secs_f64() / self.windows.len().max(1) as f64;
        let decimals = match mean {
            mean if mean >= 1.0 => 1,
            // Not one more for what rounding adds.
            mean => (-mean.max(1e-9).log10() - 1e-9).ceil() as usize + 1,
        };
        format!("{:.decimals$}", self.since(window).as_secs_f64())
    }

    /// A stretch's state in words: `apache`, `apache or nginx`, `unknown (nearest apache)`. States that are far from the nearest are
    /// not named.
    pub fn said(&self, stretch: &Stretch) -> String {
        match stretch.near_and_far().0 {
            [] => format!("unknown (nearest {})", self.states.states[stretch.nearest].name),
            near => self.named(near, " or "),
        }
    }

    /// The names of states, with this between them.
    pub fn named(&self, states: &[usize], between: &str) -> String {
        states.iter().map(|state| self.states.states[*state].name.as_str()).collect::<Vec<_>>().join(between)
    }

    fn stretches(&self, phases: Vec<Range<usize>>) -> Vec<Stretch> {
        let phases: Vec<Verdict> = phases.into_iter().map(|phase| self.verdict(phase)).collect();
        // The phases of one state are one stretch.
        phases
            .chunk_by(|a, b| (a.possible.first(), a.nearest) == (b.possible.first(), b.nearest))
            .map(|same| match same {
                [only] => self.stretch(only.clone()),
                several => self.stretch(self.verdict(several[0].windows.start..several[several.len() - 1].windows.end)),
            })
            .collect()
    }

    fn verdict(&self, windows: Range<usize>) -> Verdict {
        let (seen, answers) = (&self.windows[windows.clone()], &self.answers[windows.clone()]);
        let of_state = |state: usize| {
            let opinions = answers.iter().map(|answer| answer.opinions[state].as_ref()).collect::<Option<Vec<_>>>()?;
            let distance = opinions.iter().map(|opinion| opinion.distance).sum::<f64>() / opinions.len() as f64;
            let weighted = opinions.iter().zip(seen).map(|(opinion, seen)| (opinion.p.windows, seen.weight()));
            Some((distance, together(weighted)))
        };
        let opinions: Vec<Option<(f64, f64)>> = (0..self.states.states.len()).map(of_state).collect();
        let order = nearest_first(opinions.iter().map(|opinion| opinion.map(|(distance, _)| distance)));
        let is_possible = |state: &usize| opinions[*state].is_some_and(|(_, p)| p > self.alpha);
        let possible: Vec<usize> = order.iter().copied().filter(is_possible).collect();
        // What is said to be the state is what the reasons are of.
        let nearest = possible.first().or(order.first()).copied().unwrap_or(0);
        let other = order.iter().copied().find(|state| *state != nearest);
        Verdict { windows, opinions, possible, nearest, other }
    }

    fn stretch(&self, verdict: Verdict) -> Stretch {
        let Verdict { windows: Range { start: from, end: to }, opinions, possible, nearest, other } = verdict;
        let (windows, answers) = (&self.windows[from..to], &self.answers[from..to]);
        let here = Composition::mean(windows.iter().map(|seen| &seen.composition));
        let alike = |state: usize| {
            let nearest = answers.iter().filter_map(|answer| Some(answer.opinions[state].as_ref()?.nearest));
            Composition::mean(nearest.map(|place| &self.states.states[state].window(place).composition))
        };
        let (of_nearest, of_other) = (alike(nearest), other.map(alike));
        let reasons = Reasons { names: &self.names, here: &here, nearest: &of_nearest, other: of_other.as_ref() };
        let (for_it, against_it) = (reasons.for_it(), reasons.against_it());
        let seconds = windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9;
        let events = windows.iter().map(|seen| seen.composition.events() + seen.lost).sum::<u64>() as f64;
        let usual = self.states.states.get(nearest).map_or(0.0, |state| state.rate);
        Stretch {
            from,
            to,
            possible,
            nearest,
            intensity: if usual > 0.0 { events / seconds.max(1e-9) / usual } else { 1.0 },
            other,
            groups_for_it: by_group(&for_it),
            groups_against_it: by_group(&against_it),
            for_it,
            against_it,
            opinions,
        }
    }
}

fn begins(first: Ns, windows: &[Seen]) -> Vec<Ns> {
    let ends = windows.iter().scan(first, |begin, seen| {
        *begin = begin.saturating_add(seen.ns);
        Some(*begin)
    });
    std::iter::once(first).chain(ends).collect()
}

/// The windows between two changes of the composition.
fn phases(windows: &[Seen]) -> Vec<Range<usize>> {
    let compositions: Vec<Composition> = windows.iter().map(|seen| seen.composition.clone()).collect();
    let cuts = changes(&compositions, SHORTEST_STRETCH);
    let ends = cuts.iter().copied().chain([windows.len()]);
    std::iter::once(0).chain(cuts.iter().copied()).zip(ends).map(|(from, to)| from..to).collect()
}

impl Answer {
    fn of(opinions: Vec<Option<Opinion>>, alpha: f64) -> Self {
        let order = nearest_first(opinions.iter().map(|opinion| opinion.as_ref().map(|opinion| opinion.distance)));
        let is_possible = |state: &usize| opinions[*state].as_ref().is_some_and(|opinion| opinion.p.windows > alpha);
        let possible = order.into_iter().filter(is_possible).collect();
        Answer { opinions, possible }
    }
}

/// Which of these has the least distance, which the next, and so on.
fn nearest_first(distances: impl Iterator<Item = Option<f64>>) -> Vec<usize> {
    let mut order: Vec<(usize, f64)> =
        distances.enumerate().filter_map(|(state, distance)| Some((state, distance?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    order.into_iter().map(|(state, _)| state).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::state::library::Learned;
    use crate::state::model::tests::session;

    /// A session of windows of a microsecond, drawn by shares of a:x, a:y, b:z and c:rare, so many events each.
    pub fn drawn(random: &mut fastrand::Rng, stretches: &[(usize, [u64; 4])], events: u64) -> Session {
        let names = ["a:x", "a:y", "b:z", "c:rare"];
        let mut rows = vec![Vec::new(); 4];
        for (windows, shares) in stretches {
            let all: u64 = shares.iter().sum();
            for _ in 0..*windows {
                let mut counts = [0u64; 4];
                for _ in 0..events {
                    let mut at = random.u64(..all);
                    let place = shares
                        .iter()
                        .position(|share| {
                            at < *share || {
                                at -= share;
                                false
                            }
                        })
                        .unwrap();
                    counts[place] += 1;
                }
                rows.iter_mut().zip(counts).for_each(|(row, count)| row.push(count));
            }
        }
        let counts: Vec<(&str, &[u64])> = names.iter().copied().zip(rows.iter().map(Vec::as_slice)).collect();
        session(&counts, &["d:never"])
    }

    /// A state of this name with so many sessions of these shares.
    pub fn learned(random: &mut fastrand::Rng, name: &str, shares: [u64; 4], sessions: usize) -> Learned {
        let sessions = (0..sessions).map(|index| (format!("s{index}"), drawn(random, &[(30, shares)], 500))).collect();
        Learned { name: name.to_owned(), sessions }
    }

    fn identify(source: &Session, library: &[Learned], ns: u64) -> Result<Identification, Error> {
        Identification::of(source, Known::of(library.to_vec(), Some(Length::Ns(ns)))?, 0.05)
    }

    const IDLE: [u64; 4] = [70, 20, 9, 1];
    const WEB: [u64; 4] = [10, 30, 60, 0];

    fn library(random: &mut fastrand::Rng) -> Vec<Learned> {
        vec![learned(random, "idle", IDLE, 5), learned(random, "web", WEB, 5)]
    }

    #[test]
    fn a_source_is_cut_into_its_states_and_what_nobody_knows_is_unknown() {
        let mut random = fastrand::Rng::with_seed(21);
        let library = library(&mut random);
        let source = drawn(&mut random, &[(20, IDLE), (15, WEB), (10, [20, 70, 5, 5]), (12, WEB)], 500);
        let it = identify(&source, &library, 1_000).unwrap();
        assert_eq!(it.windows.len(), 57);
        let stretches: Vec<_> =
            it.stretches.iter().map(|stretch| (stretch.from, stretch.to, stretch.state())).collect();
        assert_eq!(stretches, [(0, 20, Some(0)), (20, 35, Some(1)), (35, 45, None), (45, 57, Some(1))]);
        let [idle, web, unknown, _] = &it.stretches[..] else { panic!() };
        assert!((idle.intensity - 1.0).abs() < 1e-9 && (web.nearest, web.other) == (1, Some(0)));
        let most: Vec<_> = web.for_it.iter().take(2).map(|reason| reason.name.as_str()).collect();
        assert_eq!(most, ["a:x", "b:z"], "what idle has, and what web has: {:?}", web.for_it);
        assert!(unknown.against_it[..2].iter().any(|reason| reason.name == "a:y"), "{:?}", unknown.against_it);
        let of_group =
            |reasons: &[Reason], group: &str| reasons.iter().find(|reason| reason.name == group).unwrap().part;
        let a: f64 =
            unknown.against_it.iter().filter(|reason| reason.name.starts_with("a:")).map(|reason| reason.part).sum();
        assert!((of_group(&unknown.groups_against_it, "a") - a).abs() < 1e-12);
        // The parts are the squared distance of the means.
        let (here, there) = (&it.windows[35..45], unknown.nearest);
        let mean = Composition::mean(here.iter().map(|seen| &seen.composition));
        let alike = Composition::mean(it.answers[35..45].iter().map(|answer| {
            let nearest = answer.opinions[there].as_ref().unwrap().nearest;
            &it.states.states[there].window(nearest).composition
        }));
        let parts: f64 = unknown.against_it.iter().map(|reason| reason.part).sum();
        assert!((parts - mean.distance(&alike).powi(2)).abs() < 1e-9);
    }

    #[test]
    fn about_one_window_in_twenty_is_called_unknown_that_is_not() {
        let mut random = fastrand::Rng::with_seed(22);
        let library = library(&mut random);
        let source = drawn(&mut random, &[(1_000, IDLE)], 500);
        let it = identify(&source, &library, 1_000).unwrap();
        let unknown = it.answers.iter().filter(|answer| answer.possible.is_empty()).count();
        assert!((20..=90).contains(&unknown), "{unknown} of 1,000");
        assert_eq!(it.stretches.len(), 1, "and no stretch of it");
        assert_eq!(it.stretches[0].state(), Some(0));
    }

    #[test]
    fn two_states_that_are_the_same_are_both_possible() {
        let mut random = fastrand::Rng::with_seed(23);
        let library = [
            learned(&mut random, "a", IDLE, 4),
            learned(&mut random, "b", IDLE, 4),
            learned(&mut random, "web", WEB, 4),
        ];
        let source = drawn(&mut random, &[(20, IDLE)], 500);
        let it = identify(&source, &library, 1_000).unwrap();
        let mut possible = it.stretches[0].possible.clone();
        possible.sort_unstable();
        assert_eq!(possible, [0, 1]);
    }

    #[test]
    fn what_is_far_is_not_named_and_times_have_decimals_enough() {
        let mut random = fastrand::Rng::with_seed(25);
        let library = library(&mut random);
        let mut it = identify(&drawn(&mut random, &[(3, IDLE)], 500), &library, 1_000).unwrap();
        let mut stretch = it.stretches[0].clone();
        for (possible, web, said, far) in [
            (vec![0, 1], 0.3, "idle", "web"),
            (vec![0, 1], 0.2, "idle or web", ""),
            (vec![1], 0.3, "web", ""),
            (vec![], 0.2, "unknown (nearest idle)", ""),
        ] {
            (stretch.possible, stretch.opinions) = (possible, vec![Some((0.1, 0.5)), Some((web, 0.5))]);
            assert_eq!((it.said(&stretch).as_str(), it.named(stretch.near_and_far().1, ", ").as_str()), (said, far));
        }
        assert_eq!(it.seconds_since(1), "0.0000010", "of a microsecond");
        for (ns, said) in
            [(250_000_000, "0.25"), (1_000_000_000, "1.0"), (60_000_000_000, "60.0"), (50_000_000, "0.050")]
        {
            it.begins = (0..=3).map(|window| Ns(window * ns)).collect();
            assert_eq!(it.seconds_since(1), said);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        let mut random = fastrand::Rng::with_seed(24);
        let library = library(&mut random);
        let source = drawn(&mut random, &[(3, IDLE)], 500);
        let of = |source: &Session, ns| identify(source, &library, ns).map(drop);
        assert!(matches!(of(&source, 4_000), Err(Error::Short { .. })));
        assert!(matches!(of(&source, 1_500), Err(Error::Length { .. })));
        let other = session(&[("a:x", &[5, 5, 5]), ("z:other", &[50, 50, 50])], &["a:y", "b:z", "c:rare"]);
        assert!(matches!(of(&other, 1_000), Err(Error::Coverage { what: What::Source, .. })));
        let narrow = session(&[("a:x", &[5, 5, 5])], &[]);
        assert!(
            matches!(of(&narrow, 1_000), Err(Error::Narrow { what: What::Session { .. }, .. })),
            "the library itself is sound"
        );
    }
}
