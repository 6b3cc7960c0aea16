//! Checks whether a source behaves as its states did when they were learned. It looks for tracepoints that
//! are new or have vanished, and for rates and shares outside their learned range.
//!
//! The unit of the test is a block of ten consecutive windows, because a single window varies too much. The
//! blocks of the learned sessions predict a tracepoint's value in a block of a new session: they give the
//! mean, the variation within a session, and the variation between sessions. Rates and shares are compared by
//! their square roots, because the variance of the root of a count hardly depends on the count. A block is
//! outside the learned range if its Student t is less likely than the level. The level allows one false alarm
//! (by default) among all tests of a day. Few sessions give few degrees of freedom (Satterthwaite, Biometrics
//! Bulletin 2, 1946), and so a wide range. An alarm needs six consecutive blocks that deviate in the same
//! direction, or all blocks of a shorter source. A deviation that passes within a minute raises no alarm. A
//! finding is dated to the windows at which it begins and ends, which are searched within its blocks.
//!
//! Ten consecutive windows that `identify` would call unlike all states are a finding of their own.

mod blocks;
pub(super) mod dating;
mod episode;
mod finding;
mod search;
pub(super) mod spread;
mod unlike;
mod words;

pub use episode::Episode;
pub use finding::{Finding, FindingKind};
pub use words::said_beside;

use super::identify::Identification;
use super::known::Known;
use super::library::Learned;
use super::model::States;
use super::session::Session;
use super::{Error, Name};
use blocks::Blocks;
use episode::episodes;
use search::Search;
use serde::{Serialize, Serializer};
use spread::Spread;
use std::collections::BTreeMap;
use std::time::Duration;
pub(super) use unlike::UNLIKE;
use unlike::unlike;

/// Windows in a block.
pub const BLOCK: usize = 10;
/// False alarms allowed in a day.
pub const PER_DAY: f64 = 1.0;
/// Consecutive blocks that an alarm needs. The first number is the usual one: a minute, if windows are a
/// second long. A short source needs all of its blocks, but at least the second number.
pub(super) const IN_A_ROW: usize = 6;
const LEAST_IN_A_ROW: usize = 2;
/// Sessions that span less time than this do not show everything that the system does in a day. What the
/// system does less often than once in that span was not learned.
const BRIEF: Duration = Duration::from_secs(3600);

/// The result of comparing a source with the states in which it should be. The library may have more states: they show how much
/// sessions differ, and which state the source looks like. Its serialized form is the part
/// that the JSON of a check adds to the JSON of an identification.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The states of its windows.
    #[serde(skip)]
    pub identification: Identification,
    /// The states in which the source should be, as indices.
    #[serde(skip)]
    pub allowed: Vec<usize>,
    /// Windows in a block.
    pub block: usize,
    /// Blocks that were compared with states.
    pub blocks: usize,
    /// Consecutive blocks that an alarm needs.
    #[serde(rename = "blocks_of_an_alarm")]
    pub in_a_row: usize,
    /// Blocks that lost too many events to be tested.
    #[serde(rename = "blocks_too_lossy")]
    pub lossy: usize,
    /// Tests made on each block.
    #[serde(rename = "tests_of_a_block")]
    pub tests: usize,
    /// False alarms allowed in a day.
    #[serde(rename = "false_alarms_per_day")]
    pub per_day: f64,
    /// A test whose p-value is above this level is within the learned range.
    pub level: f64,
    /// The states whose sessions all lie within a short time, each with that time. States whose sessions have
    /// no start time are not in it.
    #[serde(rename = "learned_within_s", serialize_with = "as_seconds_by_name")]
    pub brief: Vec<(String, Duration)>,
    /// The findings by kind, and within a kind the least likely first.
    pub findings: Vec<Finding>,
    /// The findings joined by time, in order of time.
    pub episodes: Vec<Episode>,
}

fn as_seconds_by_name<S: Serializer>(brief: &[(String, Duration)], serializer: S) -> Result<S::Ok, S::Error> {
    let by_name: BTreeMap<&str, f64> = brief.iter().map(|(state, span)| (state.as_str(), span.as_secs_f64())).collect();
    by_name.serialize(serializer)
}

impl Check {
    /// Compares each block of a source with the nearest of these states.
    ///
    /// # Errors
    /// Fails as [`Identification::of`] does, and if one of these states has fewer than two sessions of at least one
    /// block.
    pub fn of(source: &Session, known: Known, against: &[String], alpha: f64, per_day: f64) -> Result<Self, Error> {
        let is_allowed = |name: &String| against.contains(name);
        let brief = known.library.iter().filter(|state| is_allowed(&state.name)).filter_map(brief).collect();
        let identification = Identification::of(source, known, alpha)?;
        let block = BLOCK.min(identification.windows.len() / LEAST_IN_A_ROW);
        if block == 0 {
            return Err(Error::Short { length: identification.length });
        }
        let states = &identification.states.states;
        let allowed: Vec<usize> = (0..states.len()).filter(|state| is_allowed(&states[*state].name)).collect();
        let spreads = spreads(&identification.states, &allowed, block)?;
        let blocks = Blocks::of(&identification, &allowed, block)?;
        let names = names(&spreads, &blocks);
        let tests = 2 * names.len();
        let level = (per_day / (blocks.in_a_day(&identification) * tests.max(1) as f64)).min(alpha);
        let in_a_row = blocks.held.len().min(IN_A_ROW);

        let search = Search {
            identification: &identification,
            allowed: &allowed,
            spreads: &spreads,
            blocks: &blocks,
            level,
            in_a_row,
        };
        let mut findings: Vec<Finding> = names.into_iter().filter_map(|name| search.of_tracepoint(name)).collect();
        findings.extend(unlike(&identification, &allowed, block));
        findings.sort_by(|a, b| a.kind.cmp(&b.kind).then(a.p.total_cmp(&b.p)).then(a.tracepoint.cmp(&b.tracepoint)));
        let episodes = episodes(&identification, &findings, block);
        let (blocks, lossy) = (blocks.held.len(), blocks.lossy());
        Ok(Check {
            allowed,
            block,
            in_a_row,
            brief,
            blocks,
            lossy,
            tests,
            per_day,
            level,
            findings,
            episodes,
            identification,
        })
    }
}

/// The state and the time that its sessions span, if that time is short.
fn brief(state: &Learned) -> Option<(String, Duration)> {
    Some((state.name.clone(), state.span().filter(|span| *span < BRIEF)?))
}

/// The learned spread of each of these states.
pub(super) fn spreads(states: &States, allowed: &[usize], block: usize) -> Result<Vec<Spread>, Error> {
    let spread = |state: &super::State| {
        Spread::of(state.parts().iter().map(|part| &part.windows[..]), block)
            .map_err(|sessions| Error::TooFewSessions { state: state.name.clone(), sessions, block })
    };
    allowed.iter().map(|state| spread(&states.states[*state])).collect()
}

/// The tracepoints to test: all that fired in the sessions or in the source.
fn names(spreads: &[Spread], blocks: &Blocks) -> Vec<Name> {
    let here = blocks.all.iter().flat_map(|block| block.mean.roots()).map(|(name, _)| *name);
    let mut names: Vec<Name> = spreads.iter().flat_map(|spread| spread.hit.iter().copied()).chain(here).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::{SECOND, drawn, learned};
    use crate::state::{FindingKind, Length};

    const IDLE: [u64; 4] = [70, 20, 10, 0];

    /// The sources are short, so a test may be wrong more often than usual.
    const PER_DAY: f64 = 100.0;

    fn of(source: &Session, states: &[Learned]) -> Result<Check, Error> {
        let names: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
        Check::of(source, Known::of(states.to_vec(), Some(Length::Ns(SECOND))).unwrap(), &names, 0.05, PER_DAY)
    }

    fn check(source: &Session, states: &[Learned]) -> Check {
        of(source, states).unwrap()
    }

    fn kinds(check: &Check) -> Vec<(FindingKind, Option<&str>)> {
        check.findings.iter().map(|finding| (finding.kind, finding.tracepoint.as_deref())).collect()
    }

    #[test]
    fn what_is_as_it_was_is_no_alarm() {
        let mut random = fastrand::Rng::with_seed(31);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        for _ in 0..20 {
            let checked = check(&drawn(&mut random, &[(40, IDLE)], 500), &states);
            assert_eq!((checked.block, checked.blocks, checked.tests, kinds(&checked)), (10, 4, 6, vec![]));
        }
    }

    #[test]
    fn what_is_new_has_vanished_or_changed_is_found() {
        let mut random = fastrand::Rng::with_seed(32);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let new = check(&drawn(&mut random, &[(20, IDLE), (65, [65, 20, 10, 5])], 500), &states);
        let rare = new.findings.iter().find(|finding| finding.tracepoint.as_deref() == Some("c:rare")).unwrap();
        assert_eq!((rare.kind, rare.from, rare.to, rare.learned), (FindingKind::New, 20, 85, Some([0.0; 3])));
        // The change begins and ends within blocks.
        let within = check(&drawn(&mut random, &[(14, IDLE), (69, [65, 20, 10, 5]), (17, IDLE)], 500), &states);
        let rare = within.findings.iter().find(|finding| finding.tracepoint.as_deref() == Some("c:rare")).unwrap();
        assert_eq!((rare.kind, rare.from, rare.to), (FindingKind::New, 14, 83));
        assert!((20.0..30.0).contains(&rare.here), "5 % of 500: {}", rare.here);
        let gone = check(&drawn(&mut random, &[(14, IDLE), (66, [80, 20, 0, 0])], 500), &states);
        let gone = gone.findings.iter().find(|finding| finding.tracepoint.as_deref() == Some("b:z")).unwrap();
        assert_eq!((gone.kind, gone.from, gone.to, gone.here), (FindingKind::Vanished, 14, 80, 0.0));
        let vanished = check(&drawn(&mut random, &[(40, [80, 20, 0, 0])], 500), &states);
        assert!(kinds(&vanished).contains(&(FindingKind::Vanished, Some("b:z"))), "{:?}", kinds(&vanished));
        // Everything doubles: every rate changes, and no share does.
        let twice = check(&drawn(&mut random, &[(40, IDLE)], 1_000), &states);
        let found = kinds(&twice);
        assert!(found.len() == 4 && found[1..].iter().all(|(kind, _)| *kind == FindingKind::Rate), "{found:?}");
        // The shares change, and the total rate does not.
        let shares = check(&drawn(&mut random, &[(40, [30, 20, 50, 0])], 500), &states);
        assert!(kinds(&shares).contains(&(FindingKind::Composition, None)), "{:?}", kinds(&shares));
    }

    #[test]
    fn what_passes_is_no_alarm() {
        let mut random = fastrand::Rng::with_seed(33);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let mut found = |windows| {
            let source = drawn(&mut random, &[(20, IDLE), (windows, [67, 20, 10, 3]), (25, IDLE)], 500);
            let checked = check(&source, &states);
            (checked.in_a_row, checked.findings.iter().any(|finding| finding.tracepoint.as_deref() == Some("c:rare")))
        };
        assert_eq!((found(5), found(25), found(50), found(60)), ((5, false), (6, false), (6, false), (6, true)));
    }

    #[test]
    fn sessions_of_a_short_time_are_told() {
        let mut random = fastrand::Rng::with_seed(37);
        let mut state = learned(&mut random, "idle", IDLE, 3);
        let source = drawn(&mut random, &[(40, IDLE)], 500);
        assert_eq!(check(&source, &[state.clone()]).brief, [], "the sessions have no start times");
        for (index, minute) in [(0, "00"), (1, "07"), (2, "07")] {
            let (_, session) = &mut state.sessions[index];
            session.origin.started = Some(format!("2026-11-26T01:{minute}:00.5Z"));
            session.origin.begin_ns = crate::units::Ns(60_000_000_000 * (1 + index as u64));
        }
        // The last session begins a minute after the other one of its capture.
        let windows = state.sessions[2].1.windows as u64;
        let span = Duration::from_secs(480) + Duration::from_secs(windows);
        assert_eq!(check(&source, &[state.clone()]).brief, [("idle".to_owned(), span)]);
        state.sessions[0].1.origin.started = Some("2026-11-25T23:59:59Z".to_owned());
        assert_eq!(check(&source, &[state]).brief, []);
    }

    #[test]
    fn each_block_is_held_against_the_nearest_state() {
        let mut random = fastrand::Rng::with_seed(34);
        let web = [10, 30, 60, 0];
        let states = [learned(&mut random, "idle", IDLE, 5), learned(&mut random, "web", web, 5)];
        assert_eq!(kinds(&check(&drawn(&mut random, &[(20, IDLE), (20, web)], 500), &states)), vec![]);
        assert!(!check(&drawn(&mut random, &[(20, IDLE), (20, web)], 500), &states[..1]).findings.is_empty());
    }

    /// The other states of a library show how much sessions differ, and what the source looks like.
    #[test]
    fn other_states_help_and_are_not_allowed() {
        let mut random = fastrand::Rng::with_seed(38);
        let web = [10, 30, 60, 0];
        let states = [learned(&mut random, "idle", IDLE, 2), learned(&mut random, "web", web, 4)];
        let against = |source: &Session, states: &[Learned]| {
            let known = Known::of(states.to_vec(), Some(Length::Ns(SECOND))).unwrap();
            Check::of(source, known, &["idle".to_owned()], 0.05, PER_DAY).unwrap()
        };
        let source = drawn(&mut random, &[(40, web)], 500);
        let found = against(&source, &states);
        let composition = found.findings.iter().find(|finding| finding.kind == FindingKind::Composition).unwrap();
        assert_eq!((composition.state.as_str(), composition.looks_like.as_deref()), ("idle", Some("web")));
        assert!(composition.because.iter().any(|reason| reason.name == "b:z"), "{composition:?}");
        assert_eq!(kinds(&against(&drawn(&mut random, &[(40, IDLE)], 500), &states)), vec![]);
        // Two sessions alone do not show how much sessions differ.
        let alone = against(&source, &states[..1]);
        assert!(said_beside(&alone).iter().any(|said| said.contains("does not show how much sessions")));
    }

    #[test]
    fn one_session_does_not_tell_how_sessions_differ() {
        let mut random = fastrand::Rng::with_seed(35);
        let states = [learned(&mut random, "idle", IDLE, 1)];
        let source = drawn(&mut random, &[(40, IDLE)], 500);
        assert!(matches!(of(&source, &states), Err(Error::TooFewSessions { .. })));
        let states = [learned(&mut random, "idle", IDLE, 3)];
        assert!(matches!(of(&drawn(&mut random, &[(1, IDLE)], 500), &states), Err(Error::Short { .. })));
    }

    #[test]
    fn blocks_with_losses_say_nothing() {
        let mut random = fastrand::Rng::with_seed(36);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let mut source = drawn(&mut random, &[(60, IDLE), (20, [40, 20, 10, 30])], 500);
        source.lost = (0..80).map(|window| if window < 60 { 0 } else { 200 }).collect();
        let checked = check(&source, &states);
        assert_eq!((checked.blocks, checked.lossy, kinds(&checked)), (6, 2, vec![]));
        source.lost = vec![200; 80];
        let nothing = of(&source, &states);
        assert!(
            matches!(nothing, Err(Error::TooLossy { lossy: 8, blocks: 8 })),
            "a check that tested nothing must not pass"
        );
        // A few lost events do not change a rate.
        let mut source = drawn(&mut random, &[(40, IDLE)], 460);
        source.lost = vec![40; 40];
        assert_eq!(kinds(&check(&source, &states)), vec![]);
    }
}
