//! How well a library tells its states apart, from the library alone.
//!
//! Each session is left out and judged as a new one would be, once with the other sessions of its state, and
//! once without its state. The first shows how often a known state is named, the second how often a state
//! that was never learned is called unknown.

use super::answer::Answer;
use super::known::{Known, sessions};
use super::model::{Judge, LEAST_WINDOWS, SessionModel, States};
use super::session::Session;
use crate::units::Plural;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// With fewer sessions in the whole library, a state is rejected only if a session is very far away.
const ENOUGH_IN_ALL: usize = 20;
/// With fewer sessions, a state's own differences are hardly known.
const ENOUGH: usize = 3;
/// Sessions within this time do not show what the system does less often.
const BRIEF: Duration = Duration::from_secs(3600);

/// What a library can tell apart. Its serialized form is the JSON of `states --evaluate`.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// The significance level.
    pub alpha: f64,
    /// All usable sessions.
    pub sessions: usize,
    /// Windows that are judged together at least.
    pub block: usize,
    /// Whether the library shows how much sessions of one state differ. If not, no state can be named.
    pub knows_spread: bool,
    /// The distance D beyond which a whole session is rejected.
    pub limit: Option<f64>,
    /// By state.
    pub states: Vec<StateEvaluation>,
    /// States that cannot be told apart: an answer names both.
    pub twins: Vec<[String; 2]>,
    /// Sessions that two states have: (state, session) twice, and why.
    pub repeated: Vec<Repeated>,
    /// What to do to improve it, besides the advice about single states.
    pub advice: Vec<String>,
}

/// What is known about one state.
#[derive(Debug, Clone, Serialize)]
pub struct StateEvaluation {
    /// Its name.
    pub state: String,
    /// Its usable sessions.
    pub sessions: usize,
    /// Their usable windows.
    pub windows: usize,
    /// Why sessions cannot be used, in sentences.
    pub not_used: Vec<String>,
    /// Its sessions, each left out and judged.
    pub known: Told,
    /// The same in blocks of five windows.
    pub known_blocks: Told,
    /// Its sessions, judged as if the state had never been learned.
    pub never_learned: Told,
    /// The median distance D of its sessions, each left out, from the state: 1 is usual. `None` for a single session.
    pub width: Option<f64>,
    /// The nearest other state, and the median distance of its sessions from that state.
    pub nearest: Option<(String, f64)>,
    /// The sessions that are rejected, or nearer to another state, each with its distance from its own.
    pub contradicting: Vec<(String, f64)>,
    /// Whether all its sessions are from within an hour.
    pub is_brief: bool,
    /// What to do to improve it, the most urgent first.
    pub advice: Vec<String>,
}

/// What tp-perf says of some sessions or blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// How many.
    pub of: usize,
    /// Those named by the true state alone.
    pub right: usize,
    /// Those named by a set with the true state.
    pub in_set: usize,
    /// Those called unknown.
    pub unknown: usize,
    /// Those with a wrong name or set, by what tp-perf said.
    pub wrong: BTreeMap<String, usize>,
}

/// Two sessions that count as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeated {
    /// A state and its session.
    pub one: [String; 2],
    /// Another session, perhaps of another state.
    pub other: [String; 2],
    /// Whether all counts are the same. If not, the sessions overlap in time.
    pub is_copy: bool,
}

impl Told {
    fn add(&mut self, answer: &Answer, truth: &str, states: &States) {
        let names: Vec<&str> = answer.states.iter().map(|state| states.states[*state].name.as_str()).collect();
        self.of += 1;
        match &names[..] {
            [] => self.unknown += 1,
            [only] if *only == truth => self.right += 1,
            several if several.contains(&truth) => self.in_set += 1,
            wrong => *self.wrong.entry(wrong.join(" or ")).or_default() += 1,
        }
    }

    /// Adds the numbers of others.
    pub fn and(mut self, others: &Told) -> Told {
        self.of += others.of;
        self.right += others.right;
        self.in_set += others.in_set;
        self.unknown += others.unknown;
        others.wrong.iter().for_each(|(wrong, number)| *self.wrong.entry(wrong.clone()).or_default() += number);
        self
    }

    /// Those with a wrong name.
    pub fn wrong_number(&self) -> usize {
        self.wrong.values().sum()
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    crate::stats::median(values.iter().copied())
}

impl Evaluation {
    /// Evaluates a library at a level.
    pub fn of(known: &Known, alpha: f64) -> Self {
        let states = &known.states;
        let by_state: Vec<StateEvaluation> =
            (0..states.states.len()).map(|state| of_state(known, state, alpha)).collect();
        let longest = states.states.iter().flat_map(|state| state.parts()).map(|part| part.logs.len()).max();
        let calibrated = longest.filter(|_| states.know_spread()).map(|windows| states.calibration(windows));
        let pairs = (0..states.states.len()).flat_map(|one| (0..one).map(move |other| (other, one)));
        let name = |state: usize| states.states[state].name.clone();
        let twins = pairs
            .filter(|(one, other)| longest.is_some_and(|windows| states.are_twins(*one, *other, windows)))
            .map(|(one, other)| [name(one), name(other)])
            .collect();
        let mut evaluation = Evaluation {
            alpha,
            sessions: by_state.iter().map(|state| state.sessions).sum(),
            block: LEAST_WINDOWS,
            knows_spread: states.know_spread(),
            limit: calibrated.map(|calibration| calibration.limit(alpha)),
            states: by_state,
            twins,
            repeated: repeated(known),
            advice: Vec::new(),
        };
        evaluation.advice = evaluation.advice();
        evaluation
    }

    /// The sessions of known states that are called unknown, as a part of all.
    pub fn false_unknown(&self) -> Option<f64> {
        let all: usize = self.states.iter().map(|state| state.known.of).sum();
        (all > 0).then(|| self.states.iter().map(|state| state.known.unknown).sum::<usize>() as f64 / all as f64)
    }

    /// One state of a library.
    pub fn of_state(known: &Known, name: &str, alpha: f64) -> Option<StateEvaluation> {
        let index = known.states.states.iter().position(|state| state.name == name)?;
        Some(of_state(known, index, alpha))
    }

    fn advice(&self) -> Vec<String> {
        let mut advice: Vec<String> = self.repeated.iter().map(Repeated::sentence).collect();
        for [one, other] in &self.twins {
            advice.push(format!(
                "{one} and {other} cannot be told apart, so an answer names both; if the difference does not matter, learn them as \
                 one state"
            ));
        }
        let brief: Vec<&str> =
            self.states.iter().filter(|state| state.is_brief).map(|state| state.state.as_str()).collect();
        if !brief.is_empty() {
            advice.push(format!(
                "all sessions were recorded within one hour: {}; learn them at another time too",
                brief.join(", ")
            ));
        }
        if self.sessions < ENOUGH_IN_ALL {
            advice.push(format!(
                "the library has {}; with {ENOUGH_IN_ALL}, tp-perf knows better how far a session may be from its state",
                Plural(self.sessions as u64, "usable session")
            ));
        }
        advice
    }
}

impl Repeated {
    /// Whether one of the two is one of these sessions of a state.
    pub fn is_of(&self, state: &str, sessions: &[&str]) -> bool {
        [&self.one, &self.other].iter().any(|[its, session]| its == state && sessions.contains(&session.as_str()))
    }

    /// What is wrong, and the command that removes the second session.
    pub fn sentence(&self) -> String {
        let Repeated { one: [state, session], other: [other_state, other_session], is_copy } = self;
        format!(
            "sessions {session} of {state} and {other_session} of {other_state} {}; remove one: \
             `tp-perf states remove {other_state} {other_session}`",
            if *is_copy { "have the same counts" } else { "overlap in time" }
        )
    }
}

impl StateEvaluation {
    fn advice(&self) -> Vec<String> {
        let Self { state, sessions, .. } = self;
        let mut advice = self.not_used.clone();
        if *sessions < ENOUGH {
            let more = Plural((ENOUGH - sessions) as u64, "more session");
            advice.push(format!("learn {more} of {state}, at another time"));
        }
        for (session, distance) in &self.contradicting {
            advice.push(format!(
                "session {session} of {state} is unlike its other sessions (distance {distance:.1}); if it shows the state, learn two \
                 more, and if not, remove it"
            ));
        }
        if let Some((wrong, number)) = self.never_learned.wrong.iter().max_by_key(|(_, number)| **number) {
            advice.push(format!(
                "if {state} had not been learned, {} would read as {wrong}",
                Plural(*number as u64, "session")
            ));
        }
        advice
    }
}

/// Evaluates one state.
fn of_state(known: &Known, index: usize, alpha: f64) -> StateEvaluation {
    let states = &known.states;
    let state = &states.states[index];
    let (mut told, mut blocks, mut never) = (Told::default(), Told::default(), Told::default());
    let (mut widths, mut contradicting) = (Vec::new(), Vec::new());
    let mut from_others: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let without_state = states.leave_out(index, None);
    for (number, part) in state.parts().iter().enumerate() {
        let answer = whole(&without_state, part, alpha);
        if without_state.know_spread() {
            never.add(&answer, &state.name, &without_state);
        }
        for (other, opinion) in without_state.states.iter().zip(&answer.opinions) {
            let known = states.states.iter().find(|state| state.name == other.name);
            from_others
                .entry(known.map_or("", |state| &state.name))
                .or_default()
                .extend(opinion.map(|opinion| opinion.distance));
        }
        if state.sessions < 2 {
            continue;
        }
        let without_session = states.leave_out(index, Some(number));
        if !without_session.know_spread() {
            continue;
        }
        let answer = whole(&without_session, part, alpha);
        told.add(&answer, &state.name, &without_session);
        let mut judge = Judge::of(&without_session);
        let block = LEAST_WINDOWS.min(part.windows.len());
        for first in (0..=part.windows.len() - block).step_by(block) {
            let answer = Answer::of(&mut judge, &part.logs, &(first..first + block), alpha);
            if answer.is_judged() {
                blocks.add(&answer, &state.name, &without_session);
            }
        }
        if let Some(opinion) = answer.opinions[index] {
            widths.push(opinion.distance);
            if opinion.is_rejected(alpha) || answer.order.first() != Some(&index) {
                contradicting.push((part.name.clone(), opinion.distance));
            }
        }
    }
    let medians =
        from_others.into_iter().filter_map(|(name, mut values)| Some((name.to_owned(), median(&mut values)?)));
    let mut evaluation = StateEvaluation {
        state: state.name.clone(),
        sessions: state.sessions,
        windows: state.parts().iter().map(|part| part.logs.len()).sum(),
        not_used: state.not_used(),
        known: told,
        known_blocks: blocks,
        never_learned: never,
        width: median(&mut widths),
        nearest: medians.min_by(|a, b| a.1.total_cmp(&b.1)),
        contradicting,
        is_brief: state.sessions > 1 && known.library[index].span().is_some_and(|span| span < BRIEF),
        advice: Vec::new(),
    };
    evaluation.advice = evaluation.advice();
    evaluation
}

/// The answer for a whole session.
fn whole(states: &States, part: &SessionModel, alpha: f64) -> Answer {
    Answer::of(&mut Judge::of(states), &part.logs, &(0..part.windows.len()), alpha)
}

/// The sessions of different states that are copies of each other, or overlap in time.
pub fn repeated(known: &Known) -> Vec<Repeated> {
    let all: Vec<([String; 2], &Session)> = known
        .library
        .iter()
        .flat_map(|learned| {
            let names = learned.sessions.iter().map(|(name, _)| [learned.name.clone(), name.clone()]);
            names.zip(sessions(learned)).collect::<Vec<_>>()
        })
        .collect();
    let mut repeated = Vec::new();
    for (index, (other, session)) in all.iter().enumerate() {
        for (one, earlier) in &all[..index] {
            // A session that repeats another one of its state is not used at all.
            if one[0] != other[0] && session.repeats(earlier) {
                let is_copy = session.is_copy_of(earlier);
                repeated.push(Repeated { one: one.clone(), other: other.clone(), is_copy });
            }
        }
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Length;
    use crate::state::library::Learned;
    use crate::state::testing::{SECOND, learned};

    const IDLE: [u64; 4] = [70, 20, 9, 1];
    const WEB: [u64; 4] = [10, 30, 60, 0];

    fn evaluate(library: &[Learned]) -> Evaluation {
        let library = library.iter().cloned().map(with_own_times).collect();
        Evaluation::of(&Known::of(library, Some(Length::Ns(SECOND))).unwrap(), 0.05)
    }

    /// Sessions of tests have no times; these have one each.
    fn with_own_times(mut learned: Learned) -> Learned {
        for (index, (_, session)) in learned.sessions.iter_mut().enumerate() {
            session.origin.started = Some(format!("2026-11-2{index}T01:00:00Z"));
            session.origin.hostname = Some(learned.name.clone());
        }
        learned
    }

    #[test]
    fn states_that_differ_are_told_apart_and_the_same_state_twice_is_not() {
        let mut random = fastrand::Rng::with_seed(41);
        let apart = [learned(&mut random, "idle", IDLE, 5), learned(&mut random, "web", WEB, 5)];
        let good = evaluate(&apart);
        for state in &good.states {
            assert_eq!((state.sessions, state.windows, state.known.of, state.known.wrong_number()), (5, 150, 5, 0));
            assert!(state.known.right >= 4 && state.known_blocks.of == 30, "{state:?}");
            assert_eq!((state.never_learned.of, state.never_learned.unknown), (5, 5), "{state:?}");
            assert!(state.nearest.as_ref().unwrap().1 > good.limit.unwrap());
        }
        assert!(good.twins.is_empty() && good.repeated.is_empty() && good.knows_spread);
        let same = [apart[0].clone(), learned(&mut random, "quiet", IDLE, 5), apart[1].clone()];
        let same = evaluate(&same);
        assert_eq!(same.twins, [["idle".to_owned(), "quiet".to_owned()]]);
        assert!(same.states[0].known.in_set >= 4, "{:?}", same.states[0]);
        assert!(same.states[0].never_learned.wrong.contains_key("quiet"), "{:?}", same.states[0]);
        assert!(same.advice.iter().any(|advice| advice.contains("cannot be told apart")), "{:?}", same.advice);
    }

    #[test]
    fn a_session_that_two_states_have_is_named() {
        let mut random = fastrand::Rng::with_seed(43);
        let idle = learned(&mut random, "idle", IDLE, 3);
        let mut web = learned(&mut random, "web", WEB, 3);
        web.sessions.push(("copy".to_owned(), idle.sessions[1].1.clone()));
        let found = evaluate(&[idle, web]);
        let said: Vec<String> = found.repeated.iter().map(Repeated::sentence).collect();
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("sessions s1 of idle and copy of web have the same counts; remove one"),
            "{said:?}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_library_is_named() {
        let mut random = fastrand::Rng::with_seed(42);
        let mut idle = learned(&mut random, "idle", IDLE, 5);
        let copy = idle.sessions[1].1.clone();
        idle.sessions.push(("copy".to_owned(), copy));
        let mut web = learned(&mut random, "web", WEB, 4);
        web.sessions[3] = ("odd".to_owned(), learned(&mut random, "", [20, 70, 5, 5], 1).sessions.remove(0).1);
        let mut lossy = learned(&mut random, "lossy", [25, 25, 25, 25], 1);
        lossy.sessions[0].1.lost = vec![400; 30];
        let found = evaluate(&[idle, lossy, web]);
        assert!(found.repeated.is_empty(), "{:?}", found.repeated);
        let of_states = found.states.iter().flat_map(|state| state.advice.clone());
        let advice = of_states.chain(found.advice.clone()).collect::<Vec<_>>().join("\n");
        for said in [
            "session copy of idle is not used, because it repeats session s1",
            "session s0 of lossy is not used: it has 0 usable windows, of 30",
            "learn 3 more sessions of lossy",
            "session odd of web is unlike its other sessions",
            "the library has 9 usable sessions",
        ] {
            assert!(advice.contains(said), "{said}: {advice}");
        }
        assert_eq!((found.states[1].sessions, found.states[1].known.of, found.states[1].width), (0, 0, None));
    }

    #[test]
    fn one_session_for_each_state_shows_nothing() {
        let mut random = fastrand::Rng::with_seed(43);
        let found = evaluate(&[learned(&mut random, "idle", IDLE, 1), learned(&mut random, "web", WEB, 1)]);
        assert!(!found.knows_spread && found.limit.is_none() && found.false_unknown().is_none());
        assert_eq!(found.states[0].known, Told::default());
        assert!(found.states[0].advice.iter().any(|advice| advice == "learn 2 more sessions of idle, at another time"));
    }
}
