//! Whether a source is as its states were learned: what is new, what has vanished, and whose share or rate has left its spread.
//!
//! The unit is a block of some windows in a row, because a single window says little. What a block of a new session may show of a
//! tracepoint is told by the blocks of the learned sessions: their mean, how they differ within a session, and how sessions differ. Rates
//! and shares are taken by their roots, at which counts differ about as much whether they are few or many. A block is out of the spread
//! if Student's t of it is less likely than once in as many tests as are made in the time in which one false alarm is allowed; few
//! sessions make few degrees of freedom (Satterthwaite, Biometrics Bulletin 2, 1946) and with that a wide spread. An alarm takes six
//! blocks in a row that are out on the same side, or all of a shorter source: what passes within a minute is none.
//!
//! Beside that, windows in a row whose composition is none of the states' at all are a finding: of all windows those that Benjamini
//! and Hochberg's procedure picks.

use super::conformal::too_low;
use super::identify::Identification;
use super::known::Known;
use super::library::Learned;
use super::model::Seen;
use super::session::Session;
use super::spread::{Block, MOST_LOST, Measure, Spread, Test, Usual};
use super::{Error, Name};
use std::time::Duration;

/// Windows of a block.
pub const BLOCK: usize = 10;
/// False alarms allowed in a day.
pub const PER_DAY: f64 = 1.0;
/// Of the windows that are called unlike all states as many may be so by chance.
const FALSE_DISCOVERIES: f64 = 0.05;
/// Blocks in a row that an alarm takes: at the most, which are a minute of windows of a second; and at the least.
const IN_A_ROW: usize = 6;
const LEAST_IN_A_ROW: usize = 2;
/// What a system does less often than its sessions are apart is not learned. From sessions within less time than this one cannot tell
/// what it does in a day.
const BRIEF: Duration = Duration::from_secs(3600);

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Windows that are unlike all that was learned.
    Composition,
    /// A tracepoint that was never hit.
    New,
    /// A tracepoint that is hit no more.
    Vanished,
    /// A tracepoint with more or fewer events in a second.
    Rate,
    /// A tracepoint with a larger or smaller part of the events.
    Share,
}

impl Kind {
    /// All kinds, in the order in which they are told.
    pub const ALL: [Kind; 5] = [Kind::Composition, Kind::New, Kind::Vanished, Kind::Rate, Kind::Share];

    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Composition => "windows unlike all that was learned",
            Kind::New => "new tracepoints",
            Kind::Vanished => "vanished tracepoints",
            Kind::Rate => "rates out of their spread",
            Kind::Share => "shares out of their spread",
        }
    }
}

/// Something that is not as it was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind it is of.
    pub kind: Kind,
    /// The tracepoint, `group:name`; none of a composition.
    pub tracepoint: Option<String>,
    /// The state that it is held against.
    pub state: String,
    /// The first window.
    pub from: usize,
    /// The window behind the last.
    pub to: usize,
    /// Events in a second in its first block; of a share the part of the events; of a composition the mean distance.
    pub here: f64,
    /// The lowest, the mean and the highest of the learned blocks; none of a composition.
    pub learned: Option<[f64; 3]>,
    /// How likely it is by chance, in one test.
    pub p: f64,
}

/// A source held against the states in which it should be.
#[derive(Debug, Clone)]
pub struct Check {
    /// What is said of its windows.
    pub identification: Identification,
    /// Windows of a block.
    pub block: usize,
    /// Blocks in a row that an alarm takes.
    pub in_a_row: usize,
    /// The states whose sessions are all of a short time, with that time, where it is known.
    pub brief: Vec<(String, Duration)>,
    /// Blocks that were held against states.
    pub blocks: usize,
    /// Blocks that lost too much to say anything.
    pub lossy: usize,
    /// Tests of each block.
    pub tests: usize,
    /// False alarms allowed in a day.
    pub per_day: f64,
    /// Below this p-value a test is out of the spread.
    pub level: f64,
    /// What was found, by kind and the least likely first.
    pub findings: Vec<Finding>,
}

impl Check {
    /// Holds a source against states: each block against the one that is nearest.
    ///
    /// # Errors
    /// As [`Identification::of`]; and if a state has fewer than two sessions, or they are shorter than a block.
    pub fn of(source: &Session, known: Known, alpha: f64, per_day: f64) -> Result<Self, Error> {
        let span = |state: &Learned| Some((state.name.clone(), state.span().filter(|span| *span < BRIEF)?));
        let brief = known.library.iter().filter_map(span).collect();
        let identification = Identification::of(source, known, alpha)?;
        let Identification { length, names: known_names, states, windows, .. } = &identification;
        let length = *length;
        let block = BLOCK.min(windows.len() / LEAST_IN_A_ROW);
        if block == 0 {
            return Err(Error::Short { length });
        }
        let spreads = states
            .states
            .iter()
            .map(|state| {
                // The halves of an only session are no two.
                let sessions = if state.sessions < 2 { Err(state.sessions) } else { Spread::of(state.parts(), block) };
                sessions.map_err(|sessions| Error::TooFewSessions { state: state.name.clone(), sessions, block })
            })
            .collect::<Result<Vec<Spread>, Error>>()?;

        let blocks: Vec<Block> = windows.chunks_exact(block).map(Block::of).collect();
        let telling: Vec<usize> = (0..blocks.len()).filter(|index| !blocks[*index].is_lossy()).collect();
        let lossy = blocks.len() - telling.len();
        // What says nothing is no reason to say that all is well.
        if telling.len() < LEAST_IN_A_ROW {
            return Err(Error::TooLossy { lossy, blocks: blocks.len() });
        }
        let in_a_row = telling.len().min(IN_A_ROW);
        let mut names: Vec<Name> = spreads.iter().flat_map(|spread| spread.hit.iter().copied()).collect();
        names.extend(blocks.iter().flat_map(|block| block.mean.roots()).map(|(name, _)| *name));
        names.sort_unstable();
        names.dedup();
        let tests = 2 * names.len();
        let seconds = windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9;
        let day = 86_400.0 * blocks.len() as f64 / seconds.max(1e-9);
        let level = (per_day / (day * tests.max(1) as f64)).min(alpha);

        let nearest_to = |index: usize| nearest(&identification, index * block..(index + 1) * block);
        let held: Vec<(usize, usize)> = telling.into_iter().map(|index| (index, nearest_to(index))).collect();
        let mut findings = Vec::new();
        for name in names {
            let tracepoint = known_names.name(name).unwrap_or_default();
            let of_measure = [Measure::Rate, Measure::Share].map(|measure| {
                let usual: Vec<Usual> = spreads.iter().map(|spread| spread.of_tracepoint(name, measure)).collect();
                let test = |&(index, state): &(usize, usize)| {
                    let test = usual[state].test(&blocks[index]);
                    Tested { index, state, measure, test }
                };
                let tested: Vec<Tested> = held.iter().map(test).collect();
                persisting(&tested, level, in_a_row)
            });
            let finding = of_measure.into_iter().flatten().min_by(|a, b| a.least.test.p.total_cmp(&b.least.test.p));
            let Some(Persisting { first, last, least: Tested { state, measure, test, .. } }) = finding else {
                continue;
            };
            let kind = match (test.learned[2] == 0.0, test.here == 0.0, measure) {
                (true, ..) => Kind::New,
                (_, true, _) => Kind::Vanished,
                (.., Measure::Rate) => Kind::Rate,
                (.., Measure::Share) => Kind::Share,
            };
            // What comes or goes is told by its rate.
            let rate = || spreads[state].of_tracepoint(name, Measure::Rate).test(&blocks[first]);
            let told = if kind == Kind::Share { test } else { rate() };
            findings.push(Finding {
                kind,
                tracepoint: Some(tracepoint.to_owned()),
                state: states.states[state].name.clone(),
                from: first * block,
                to: (last + 1) * block,
                here: told.here,
                learned: Some(told.learned),
                p: test.p,
            });
        }
        findings.extend(unlike(&identification, block));
        findings.sort_by(|a, b| a.kind.cmp(&b.kind).then(a.p.total_cmp(&b.p)).then(a.tracepoint.cmp(&b.tracepoint)));
        let blocks = blocks.len() - lossy;
        Ok(Check { block, in_a_row, brief, blocks, lossy, tests, per_day, level, findings, identification })
    }
}

/// The state that windows are nearest to.
fn nearest(identification: &Identification, windows: std::ops::Range<usize>) -> usize {
    let answers = &identification.answers[windows];
    let distance = |state: usize| -> f64 {
        answers.iter().map(|answer| answer.opinions[state].as_ref().map_or(1.0, |opinion| opinion.distance)).sum()
    };
    let states = 0..identification.states.states.len();
    states.min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap_or(0)
}

/// Windows in a row that are unlike all states: ten or more, or all of two blocks that are shorter. Those that lost much say nothing.
fn unlike(identification: &Identification, block: usize) -> Vec<Finding> {
    let least = BLOCK.min(LEAST_IN_A_ROW * block);
    let best = |(answer, seen): (&super::Answer, &Seen)| match seen.weight() < 1.0 - MOST_LOST {
        true => 1.0,
        false => answer.opinions.iter().flatten().map(|opinion| opinion.p.windows).fold(0.0, f64::max),
    };
    let p_values: Vec<f64> = identification.answers.iter().zip(&identification.windows).map(best).collect();
    let is_unlike = too_low(&p_values, FALSE_DISCOVERIES);
    let mut findings = Vec::new();
    let mut from = 0;
    for run in is_unlike.chunk_by(|a, b| a == b) {
        let to = from + run.len();
        if run[0] && run.len() >= least {
            let state = nearest(identification, from..to);
            let distances =
                identification.answers[from..to].iter().filter_map(|answer| answer.opinions[state].as_ref());
            findings.push(Finding {
                kind: Kind::Composition,
                tracepoint: None,
                state: identification.states.states[state].name.clone(),
                from,
                to,
                here: distances.map(|opinion| opinion.distance).sum::<f64>() / run.len() as f64,
                learned: None,
                p: p_values[from..to].iter().copied().fold(0.0, f64::max),
            });
        }
        from = to;
    }
    findings
}

/// A block held against the state that it is nearest to.
#[derive(Clone, Copy)]
struct Tested {
    index: usize,
    state: usize,
    measure: Measure,
    test: Test,
}

/// Blocks in a row that are out of the spread of one state on one side.
struct Persisting {
    first: usize,
    last: usize,
    /// The one that is least out of it.
    least: Tested,
}

/// The least likely run of blocks that are out of the spread on one side for as long as an alarm takes. Blocks that are left out, because
/// they say nothing, end no run.
fn persisting(tested: &[Tested], level: f64, in_a_row: usize) -> Option<Persisting> {
    let side = |Tested { state, test, .. }: &Tested| (test.p <= level).then_some((test.is_more, *state));
    let out = tested.chunk_by(|a, b| side(a) == side(b)).filter(|run| side(&run[0]).is_some() && run.len() >= in_a_row);
    let persisting = out.map(|run| Persisting {
        first: run[0].index,
        last: run[run.len() - 1].index,
        least: *run.iter().max_by(|a, b| a.test.p.total_cmp(&b.test.p)).expect("a run has blocks"),
    });
    persisting.min_by(|a, b| a.least.test.p.total_cmp(&b.least.test.p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::identify::tests::{drawn, learned};
    use crate::state::library::Learned;
    use crate::state::windows::Length;
    use crate::units::Ns;

    const IDLE: [u64; 4] = [70, 20, 10, 0];

    /// Windows are of a microsecond here, so that a day has far too many of them.
    const PER_DAY: f64 = 1e8;

    fn check(source: &Session, states: &[Learned]) -> Check {
        Check::of(source, Known::of(states.to_vec(), Some(Length::Ns(1_000))).unwrap(), 0.05, PER_DAY).unwrap()
    }

    fn kinds(check: &Check) -> Vec<(Kind, Option<&str>)> {
        check.findings.iter().map(|finding| (finding.kind, finding.tracepoint.as_deref())).collect()
    }

    #[test]
    fn what_is_as_it_was_is_no_alarm() {
        let mut random = fastrand::Rng::with_seed(31);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        for _ in 0..20 {
            let it = check(&drawn(&mut random, &[(40, IDLE)], 500), &states);
            assert_eq!((it.block, it.blocks, it.tests, kinds(&it)), (10, 4, 6, vec![]));
        }
    }

    #[test]
    fn what_is_new_has_vanished_or_changed_is_found() {
        let mut random = fastrand::Rng::with_seed(32);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let new = check(&drawn(&mut random, &[(20, IDLE), (65, [65, 20, 10, 5])], 500), &states);
        let rare = new.findings.iter().find(|finding| finding.tracepoint.as_deref() == Some("c:rare")).unwrap();
        assert_eq!((rare.kind, rare.from, rare.to, rare.learned), (Kind::New, 20, 80, Some([0.0; 3])));
        let vanished = check(&drawn(&mut random, &[(40, [80, 20, 0, 0])], 500), &states);
        assert!(kinds(&vanished).contains(&(Kind::Vanished, Some("b:z"))), "{:?}", kinds(&vanished));
        // Twice as much of everything: each rate is another, and no share is.
        let twice = check(&drawn(&mut random, &[(40, IDLE)], 1_000), &states);
        let found = kinds(&twice);
        assert!(found.len() == 3 && found.iter().all(|(kind, _)| *kind == Kind::Rate), "{found:?}");
        // The shares of all, at the same rate.
        let shares = check(&drawn(&mut random, &[(40, [30, 20, 50, 0])], 500), &states);
        assert!(kinds(&shares).contains(&(Kind::Composition, None)), "{:?}", kinds(&shares));
    }

    #[test]
    fn what_passes_is_no_alarm() {
        let mut random = fastrand::Rng::with_seed(33);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let mut found = |windows| {
            let source = drawn(&mut random, &[(20, IDLE), (windows, [67, 20, 10, 3]), (25, IDLE)], 500);
            let it = check(&source, &states);
            (it.in_a_row, it.findings.iter().any(|finding| finding.tracepoint.as_deref() == Some("c:rare")))
        };
        assert_eq!((found(5), found(25), found(50), found(60)), ((5, false), (6, false), (6, false), (6, true)));
    }

    #[test]
    fn sessions_of_a_short_time_are_told() {
        let mut random = fastrand::Rng::with_seed(37);
        let mut state = learned(&mut random, "idle", IDLE, 3);
        let source = drawn(&mut random, &[(40, IDLE)], 500);
        assert_eq!(check(&source, &[state.clone()]).brief, [], "nobody says when they were");
        for (index, minute) in [(0, "00"), (1, "07"), (2, "07")] {
            let (_, session) = &mut state.sessions[index];
            session.origin.started = Some(format!("2026-11-26T01:{minute}:00.5Z"));
            session.origin.begin_ns = Ns(60_000_000_000 * (1 + index as u64));
        }
        // The last begins a minute after the one of the same capture, and has 40 windows of a microsecond.
        let windows = state.sessions[2].1.windows as u64;
        let span = Duration::from_secs(480) + Duration::from_micros(windows);
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

    #[test]
    fn blocks_of_two_states_are_no_run() {
        let run = |blocks: [(usize, usize); 4]| {
            let tested = blocks.iter().zip([0.9, 1e-9, 1e-7, 0.9]).map(|((index, state), p)| Tested {
                index: *index,
                state: *state,
                measure: Measure::Rate,
                test: Test { here: 2.0, learned: [1.0; 3], is_more: true, p },
            });
            let found = persisting(&tested.collect::<Vec<_>>(), 1e-6, 2);
            found.map(|found| (found.first, found.last, found.least.test.p))
        };
        assert_eq!(run([(0, 0), (1, 0), (2, 0), (3, 1)]), Some((1, 2, 1e-7)));
        assert_eq!(run([(0, 0), (1, 0), (2, 1), (3, 1)]), None);
        assert_eq!(run([(0, 0), (1, 0), (3, 0), (4, 0)]), Some((1, 3, 1e-7)), "across one that says nothing");
    }

    #[test]
    fn one_session_does_not_tell_how_sessions_differ() {
        let mut random = fastrand::Rng::with_seed(35);
        let states = [learned(&mut random, "idle", IDLE, 1)];
        let source = drawn(&mut random, &[(40, IDLE)], 500);
        let of = |states: &[Learned], source: &Session| {
            Check::of(source, Known::of(states.to_vec(), Some(Length::Ns(1_000))).unwrap(), 0.05, PER_DAY)
        };
        assert!(matches!(of(&states, &source), Err(Error::TooFewSessions { .. })));
        let states = [learned(&mut random, "idle", IDLE, 3)];
        assert!(matches!(of(&states, &drawn(&mut random, &[(1, IDLE)], 500)), Err(Error::Short { .. })));
    }

    #[test]
    fn blocks_with_losses_say_nothing() {
        let mut random = fastrand::Rng::with_seed(36);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let mut source = drawn(&mut random, &[(60, IDLE), (20, [40, 20, 10, 30])], 500);
        source.lost = (0..80).map(|window| if window < 60 { 0 } else { 200 }).collect();
        let it = check(&source, &states);
        assert_eq!((it.blocks, it.lossy, kinds(&it)), (6, 2, vec![]));
        source.lost = vec![200; 80];
        let nothing = Check::of(&source, Known::of(states.to_vec(), Some(Length::Ns(1_000))).unwrap(), 0.05, PER_DAY);
        assert!(matches!(nothing, Err(Error::TooLossy { lossy: 8, blocks: 8 })), "and not that all is well");
        // A few lost make no rate another.
        let mut source = drawn(&mut random, &[(40, IDLE)], 460);
        source.lost = vec![40; 40];
        assert_eq!(kinds(&check(&source, &states)), vec![]);
    }
}
