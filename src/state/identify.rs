//! Identifies the states of a source, by window and by stretch.

use super::answer::Answer;
use super::known::{Known, sessions, windows_of};
use super::model::{State, States};
use super::names::{Names, Seen};
use super::session::Session;
use super::stretch::{Judged, Stretch, phases};
use super::windows::Length;
use super::{Error, What};
use crate::memory::{Held, MemoryOf};
use crate::units::Ns;
use std::time::Duration;

/// The default significance level at which a state is rejected.
pub const ALPHA: f64 = 0.05;

/// The result of comparing a source with the known states.
#[derive(Debug, Clone)]
pub struct Identification {
    /// The length of the windows.
    pub length: Length,
    /// The significance level at which a state is rejected.
    pub alpha: f64,
    /// The part of the source's events that belong to tracepoints which all sessions captured.
    pub coverage: f64,
    /// The compared names.
    pub names: Names,
    /// The states.
    pub states: States,
    /// The time at which each window begins, by the source's clock, and then the time at which the last one
    /// ends.
    pub begins: Vec<Ns>,
    /// The source's windows.
    pub windows: Vec<Seen>,
    /// The answer for each window.
    pub answers: Vec<Answer>,
    /// The stretches in order. Together they cover all windows.
    pub stretches: Vec<Stretch>,
    /// The sessions of the library that are the source, or overlap it in time: (state, session).
    pub overlapping: Vec<(String, String)>,
}

/// The memory in bytes of a state's opinion on a window.
const OF_OPINION: u64 = 128;

impl Identification {
    /// Compares a source with the known states.
    ///
    /// # Errors
    /// Fails if the source is shorter than one window, if its windows cannot be joined to the wanted length,
    /// or if too few of its events belong to tracepoints that the sessions captured.
    pub fn of(source: &Session, known: Known, alpha: f64) -> Result<Self, Error> {
        let overlapping = known.overlapping(source);
        let Known { library, length, mut names, states, .. } = match known.names.are_captured_by(source) {
            true => known,
            // The source did not capture all names that the library hit. Learn again from the names it did
            // capture.
            false => known.under_names_of(source)?,
        };
        let rows =
            (source.windows as u64).saturating_mul(4 * names.len() as u64 + OF_OPINION * states.states.len() as u64);
        let _held = Held::take(MemoryOf::Sessions, rows)?;
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
        let judged = Judged { names: &names, states: &states, windows: &windows, answers: &answers, alpha };
        let stretches = judged.stretches(phases);
        Ok(Identification { length, alpha, coverage, names, states, begins, windows, answers, stretches, overlapping })
    }

    /// The time from the begin of the first window to the begin of this one. For the number of windows, the
    /// time to the end of the last.
    pub fn since(&self, window: usize) -> Duration {
        Duration::from_nanos(self.begins[window] - self.begins[0])
    }

    /// The same time in seconds, with as many decimals as windows of this length need.
    pub fn seconds_since(&self, window: usize) -> String {
        let mean = self.since(self.windows.len()).as_secs_f64() / self.windows.len().max(1) as f64;
        let decimals = match mean {
            mean if mean >= 1.0 => 1,
            // Subtracting a little keeps rounding from adding a decimal.
            mean => (-mean.max(1e-9).log10() - 1e-9).ceil() as usize + 1,
        };
        format!("{:.decimals$}", self.since(window).as_secs_f64())
    }

    /// A stretch's state in words: `apache`, `apache or nginx`, `unknown (nearest apache)`. It omits states
    /// that are much further away than the nearest.
    pub fn said(&self, stretch: &Stretch) -> String {
        match stretch.near_and_far().0 {
            [] => format!("unknown (nearest {})", self.states.states[stretch.nearest].name),
            near => self.named(near, " or "),
        }
    }

    /// How many windows of a stretch have the same state as the stretch, each judged alone.
    pub fn agreeing(&self, stretch: &Stretch) -> usize {
        let agrees = |answer: &&Answer| answer.not_rejected.first() == stretch.not_rejected.first();
        self.answers[stretch.from..stretch.to].iter().filter(agrees).count()
    }

    /// Events lost in a stretch.
    pub fn lost_in(&self, stretch: &Stretch) -> u64 {
        self.windows[stretch.from..stretch.to].iter().map(|seen| seen.lost).sum()
    }

    /// The limits of this identification, in sentences.
    pub fn bounds(&self) -> Vec<String> {
        let of_state = |state: &State| {
            // The combined p-value of many windows is twice their mean.
            if 2.0 * state.lowest().windows > self.alpha {
                Some(format!(
                    "{} has too few windows to be rejected at this level ({} are needed); learn a longer session",
                    state.name,
                    (2.0 / self.alpha).ceil()
                ))
            } else if state.sessions < 2 {
                Some(format!(
                    "{} is known from a single session, so a new session may look unlike it; learn at least one more",
                    state.name
                ))
            } else {
                None
            }
        };
        let of_overlap = |(state, session): &(String, String)| {
            format!(
                "the source is session {session} of {state}, or overlaps it in time; this answer does not show how well a \
                 new session is recognised"
            )
        };
        let overlaps = self.overlapping.iter().map(of_overlap);
        overlaps.chain(self.states.states.iter().filter_map(of_state)).collect()
    }

    /// Joins the names of states.
    pub fn named(&self, states: &[usize], between: &str) -> String {
        states.iter().map(|state| self.states.states[*state].name.as_str()).collect::<Vec<_>>().join(between)
    }
}

fn begins(first: Ns, windows: &[Seen]) -> Vec<Ns> {
    let ends = windows.iter().scan(first, |begin, seen| {
        *begin = begin.saturating_add(seen.ns);
        Some(*begin)
    });
    std::iter::once(first).chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::composition::Composition;
    use crate::state::library::Learned;
    use crate::state::reasons::Reason;
    use crate::state::stretch::StretchOpinion;
    use crate::state::testing::{drawn, learned, session};

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
        let found = identify(&source, &library, 1_000).unwrap();
        assert_eq!(found.windows.len(), 57);
        let stretches: Vec<_> =
            found.stretches.iter().map(|stretch| (stretch.from, stretch.to, stretch.state())).collect();
        assert_eq!(stretches, [(0, 20, Some(0)), (20, 35, Some(1)), (35, 45, None), (45, 57, Some(1))]);
        let [idle, web, unknown, _] = &found.stretches[..] else { panic!() };
        assert!((idle.intensity - 1.0).abs() < 1e-9 && (web.nearest, web.other) == (1, Some(0)));
        let most: Vec<_> = web.in_favour.iter().take(2).map(|reason| reason.name.as_str()).collect();
        assert_eq!(most, ["a:x", "b:z"], "what idle has, and what web has: {:?}", web.in_favour);
        assert!(unknown.against[..2].iter().any(|reason| reason.name == "a:y"), "{:?}", unknown.against);
        let of_group =
            |reasons: &[Reason], group: &str| reasons.iter().find(|reason| reason.name == group).unwrap().part;
        let a: f64 =
            unknown.against.iter().filter(|reason| reason.name.starts_with("a:")).map(|reason| reason.part).sum();
        assert!((of_group(&unknown.groups_against, "a") - a).abs() < 1e-12);
        // The parts add up to the squared distance of the means.
        let (here, there) = (&found.windows[35..45], unknown.nearest);
        let mean = Composition::mean(here.iter().map(|seen| &seen.composition));
        let alike = Composition::mean(found.answers[35..45].iter().map(|answer| {
            let nearest = answer.opinions[there].as_ref().unwrap().nearest;
            &found.states.states[there].window(nearest).composition
        }));
        let parts: f64 = unknown.against.iter().map(|reason| reason.part).sum();
        assert!((parts - mean.distance(&alike).powi(2)).abs() < 1e-9);
    }

    #[test]
    fn about_one_window_in_twenty_is_called_unknown_that_is_not() {
        let mut random = fastrand::Rng::with_seed(22);
        let library = library(&mut random);
        let source = drawn(&mut random, &[(1_000, IDLE)], 500);
        let found = identify(&source, &library, 1_000).unwrap();
        let unknown = found.answers.iter().filter(|answer| answer.not_rejected.is_empty()).count();
        assert!((20..=90).contains(&unknown), "{unknown} of 1,000");
        assert_eq!(found.stretches.len(), 1, "rejected windows do not split the stretch");
        assert_eq!(found.stretches[0].state(), Some(0));
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
        let found = identify(&source, &library, 1_000).unwrap();
        let mut not_rejected = found.stretches[0].not_rejected.clone();
        not_rejected.sort_unstable();
        assert_eq!(not_rejected, [0, 1]);
    }

    #[test]
    fn what_is_far_is_not_named_and_times_have_decimals_enough() {
        let mut random = fastrand::Rng::with_seed(25);
        let library = library(&mut random);
        let mut found = identify(&drawn(&mut random, &[(3, IDLE)], 500), &library, 1_000).unwrap();
        let mut stretch = found.stretches[0].clone();
        for (not_rejected, web, said, far) in [
            (vec![0, 1], 0.3, "idle", "web"),
            (vec![0, 1], 0.2, "idle or web", ""),
            (vec![1], 0.3, "web", ""),
            (vec![], 0.2, "unknown (nearest idle)", ""),
        ] {
            (stretch.not_rejected, stretch.opinions) =
                (not_rejected, [0.1, web].map(|distance| Some(StretchOpinion { distance, p: 0.5 })).into());
            assert_eq!(
                (found.said(&stretch).as_str(), found.named(stretch.near_and_far().1, ", ").as_str()),
                (said, far)
            );
        }
        assert_eq!(found.seconds_since(1), "0.0000010", "windows of a microsecond");
        for (ns, said) in
            [(250_000_000, "0.25"), (1_000_000_000, "1.0"), (60_000_000_000, "60.0"), (50_000_000, "0.050")]
        {
            found.begins = (0..=3).map(|window| Ns(window * ns)).collect();
            assert_eq!(found.seconds_since(1), said);
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
