//! Whether a source is as its states were learned: what is new, what has vanished, and whose share or rate has left its spread.
//!
//! The unit is a block of some windows in a row, because a single window says little. What a block of a new session may show of a
//! tracepoint is told by the blocks of the learned sessions: their mean, how they differ within a session, and how sessions differ. Rates
//! and shares are taken by their roots, at which counts differ about as much whether they are few or many. A block is out of the spread
//! if Student's t of it is less likely than once in as many tests as are made in the time in which one false alarm is allowed; few
//! sessions make few degrees of freedom (Satterthwaite, Biometrics Bulletin 2, 1946) and with that a wide spread. An alarm takes two
//! blocks in a row that are out on the same side, so that what happens once is none.
//!
//! Beside that, windows in a row whose composition is none of the states' at all are a finding: of all windows those that Benjamini
//! and Hochberg's procedure picks.

use super::conformal::too_low;
use super::identify::{Identification, Known};
use super::library::Learned;
use super::model::Seen;
use super::session::Session;
use super::windows::Length;
use super::{Composition, Error, Name};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// Windows of a block.
pub const BLOCK: usize = 10;
/// False alarms allowed in a day.
pub const PER_DAY: f64 = 1.0;
/// Of the windows that are called unlike all states as many may be so by chance.
const FALSE_DISCOVERIES: f64 = 0.05;
/// A block that lost a larger part of its events says nothing.
const MOST_LOST: f64 = 0.1;
/// Blocks in a row that an alarm takes.
const IN_A_ROW: usize = 2;

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
    pub fn of(
        source: &Session,
        states: Vec<Learned>,
        length: Option<Length>,
        alpha: f64,
        per_day: f64,
    ) -> Result<Self, Error> {
        let identification = Identification::of(source, Known::of(states, length)?, alpha)?;
        let Identification { length, names: known_names, states, windows, .. } = &identification;
        let length = *length;
        let block = BLOCK.min(windows.len() / IN_A_ROW);
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
        // What says nothing is no reason to say that all is well.
        let lossy = blocks.iter().filter(|block| block.is_lossy()).count();
        if !blocks.windows(IN_A_ROW).any(|row| row.iter().all(|block| !block.is_lossy())) {
            return Err(Error::TooLossy { lossy, blocks: blocks.len() });
        }
        let mut names: Vec<Name> = spreads.iter().flat_map(|spread| spread.hit.iter().copied()).collect();
        names.extend(blocks.iter().flat_map(|block| block.mean.roots()).map(|(name, _)| *name));
        names.sort_unstable();
        names.dedup();
        let tests = 2 * names.len();
        let seconds = windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9;
        let day = 86_400.0 * blocks.len() as f64 / seconds.max(1e-9);
        let level = (per_day / (day * tests.max(1) as f64)).min(alpha);

        let state_of = |index: usize| nearest(&identification, index * block..(index + 1) * block);
        let held: Vec<(usize, &Spread)> =
            (0..blocks.len()).map(state_of).map(|state| (state, &spreads[state])).collect();
        let mut findings = Vec::new();
        for name in names {
            let tracepoint = known_names.name(name).unwrap_or_default();
            let of_measure = [Measure::Rate, Measure::Share].map(|measure| {
                let tests: Vec<Option<Test>> = blocks
                    .iter()
                    .zip(&held)
                    .map(|(block, (_, spread))| (!block.is_lossy()).then(|| spread.test(block, name, measure)))
                    .collect();
                persisting(&tests, measure, level)
            });
            let finding = of_measure.into_iter().flatten().min_by(|a, b| a.test.p.total_cmp(&b.test.p));
            let Some(Persisting { measure, test, first, last }) = finding else { continue };
            let kind = match (test.learned[2] == 0.0, test.here == 0.0, measure) {
                (true, ..) => Kind::New,
                (_, true, _) => Kind::Vanished,
                (.., Measure::Rate) => Kind::Rate,
                (.., Measure::Share) => Kind::Share,
            };
            // What comes or goes is told by its rate.
            let told = if kind == Kind::Share { test } else { held[first].1.test(&blocks[first], name, Measure::Rate) };
            findings.push(Finding {
                kind,
                tracepoint: Some(tracepoint.to_owned()),
                state: states.states[held[first].0].name.clone(),
                from: first * block,
                to: (last + 1) * block,
                here: told.here,
                learned: Some(told.learned),
                p: test.p,
            });
        }
        findings.extend(unlike(&identification, block));
        findings.sort_by(|a, b| a.kind.cmp(&b.kind).then(a.p.total_cmp(&b.p)).then(a.tracepoint.cmp(&b.tracepoint)));
        Ok(Check { block, blocks: blocks.len() - lossy, lossy, tests, per_day, level, findings, identification })
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
    let least = BLOCK.min(IN_A_ROW * block);
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

/// Some windows in a row.
#[derive(Debug, Clone)]
struct Block {
    mean: Composition,
    /// Events by tracepoint, ascending.
    counts: Vec<(Name, f64)>,
    events: f64,
    lost: f64,
    seconds: f64,
}

/// What is measured of a tracepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Its events in a second.
    Rate,
    /// Its part of all events.
    Share,
}

impl Block {
    fn of(windows: &[Seen]) -> Self {
        let mut counts = BTreeMap::<Name, f64>::new();
        for Seen { composition, .. } in windows {
            for (name, root) in composition.roots() {
                *counts.entry(*name).or_default() += (root * root * composition.events() as f64).round();
            }
        }
        Block {
            mean: Composition::mean(windows.iter().map(|seen| &seen.composition)),
            counts: counts.into_iter().collect(),
            events: windows.iter().map(|seen| seen.composition.events()).sum::<u64>() as f64,
            lost: windows.iter().map(|seen| seen.lost).sum::<u64>() as f64,
            seconds: windows.iter().map(|seen| seen.ns).sum::<u64>() as f64 / 1e9,
        }
    }

    fn is_lossy(&self) -> bool {
        self.lost > MOST_LOST * (self.events + self.lost)
    }

    fn value(&self, name: Name, measure: Measure) -> f64 {
        let count =
            self.counts.binary_search_by_key(&name, |(name, _)| *name).map_or(0.0, |place| self.counts[place].1);
        match measure {
            // What was lost was of some tracepoint too.
            Measure::Rate => count * (self.events + self.lost) / self.events.max(1.0) / self.seconds.max(1e-9),
            Measure::Share => count / self.events.max(1.0),
        }
    }

    /// The variance that the root of a measure has by chance alone: that of the root of a count is a quarter.
    fn least_variance(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Rate => 0.25 / self.seconds.max(1e-9),
            Measure::Share => 0.25 / self.events.max(1.0),
        }
    }
}

/// The blocks of a state's sessions.
struct Spread {
    sessions: Vec<Vec<Block>>,
    /// The tracepoints with events in any of them.
    hit: Vec<Name>,
}

/// A block held against a spread.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Test {
    here: f64,
    learned: [f64; 3],
    /// Whether it is more than usual.
    is_more: bool,
    p: f64,
}

impl Spread {
    /// Of sessions cut into blocks of this many windows.
    ///
    /// # Errors
    /// How many sessions have blocks, if there are fewer than two.
    fn of(sessions: &[Vec<Seen>], block: usize) -> Result<Self, usize> {
        let blocks = |windows: &Vec<Seen>| {
            windows.chunks_exact(block).map(Block::of).filter(|block| !block.is_lossy()).collect::<Vec<_>>()
        };
        let sessions: Vec<Vec<Block>> = sessions.iter().map(blocks).filter(|blocks| !blocks.is_empty()).collect();
        if sessions.len() < 2 {
            return Err(sessions.len());
        }
        let hit = sessions.iter().flatten().flat_map(|block| block.counts.iter().map(|(name, _)| *name)).collect();
        Ok(Spread { sessions, hit })
    }

    fn test(&self, block: &Block, name: Name, measure: Measure) -> Test {
        let values: Vec<Vec<f64>> = self
            .sessions
            .iter()
            .map(|blocks| blocks.iter().map(|block| block.value(name, measure)).collect())
            .collect();
        let here = block.value(name, measure);
        let all = || values.iter().flatten().copied();
        let (lowest, highest) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
        let mean = all().sum::<f64>() / all().count() as f64;
        let roots: Vec<Vec<f64>> =
            values.iter().map(|blocks| blocks.iter().map(|value| value.sqrt()).collect()).collect();
        let expected = Expected::of(&roots, block.least_variance(measure));
        let t = (here.sqrt() - expected.mean) / expected.variance.sqrt();
        let p = StudentsT::new(0.0, 1.0, expected.freedom).map_or(1.0, |student| 2.0 * student.sf(t.abs()));
        Test { here, learned: [lowest, mean, highest], is_more: t > 0.0, p }
    }
}

/// What a block of a new session is expected to be.
struct Expected {
    mean: f64,
    variance: f64,
    /// Degrees of freedom of the variance.
    freedom: f64,
}

impl Expected {
    /// From the values of the blocks of each session. `least`: the variance that a block has in any case.
    fn of(sessions: &[Vec<f64>], least: f64) -> Self {
        let number = sessions.len() as f64;
        let means: Vec<f64> = sessions.iter().map(|blocks| blocks.iter().sum::<f64>() / blocks.len() as f64).collect();
        let mean = means.iter().sum::<f64>() / number;
        let of_means = means.iter().map(|its| (its - mean).powi(2)).sum::<f64>() / (number - 1.0);
        let squares: f64 = sessions
            .iter()
            .zip(&means)
            .flat_map(|(blocks, mean)| blocks.iter().map(move |value| (value - mean).powi(2)))
            .sum();
        let blocks: f64 = sessions.iter().map(|blocks| blocks.len() as f64).sum();
        let within_freedom = blocks - number;
        let within = if within_freedom > 0.0 { squares / within_freedom } else { 0.0 };
        // The means of sessions differ also because blocks do.
        let between = (of_means - within * number / blocks).max(0.0);
        let (between, within) = (between * (1.0 + 1.0 / number), (within * (1.0 + 1.0 / blocks)).max(least));
        let variance = between + within;
        let of_within =
            if within_freedom > 0.0 { within.powi(2) / within_freedom } else { within.powi(2) / (number - 1.0) };
        let freedom = variance.powi(2) / (between.powi(2) / (number - 1.0) + of_within);
        Expected { mean, variance, freedom: freedom.max(1.0) }
    }
}

/// Blocks in a row that are out of the spread on one side.
struct Persisting {
    measure: Measure,
    /// That of the block which is least out of it.
    test: Test,
    first: usize,
    last: usize,
}

/// The least likely run of blocks that are out of the spread on one side for as long as an alarm takes.
fn persisting(tests: &[Option<Test>], measure: Measure, level: f64) -> Option<Persisting> {
    let side = |test: &Option<Test>| test.filter(|test| test.p <= level).map(|test| test.is_more);
    let mut first = 0;
    let mut found: Option<Persisting> = None;
    for run in tests.chunk_by(|a, b| side(a) == side(b)) {
        let last = first + run.len() - 1;
        if side(&run[0]).is_some() && run.len() >= IN_A_ROW {
            let test = run.iter().flatten().copied().max_by(|a, b| a.p.total_cmp(&b.p)).expect("a run has blocks");
            if found.as_ref().is_none_or(|found| test.p < found.test.p) {
                found = Some(Persisting { measure, test, first, last });
            }
        }
        first = last + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::identify::tests::{drawn, learned};

    const IDLE: [u64; 4] = [70, 20, 10, 0];

    /// Windows are of a microsecond here, so that a day has far too many of them.
    const PER_DAY: f64 = 1e8;

    fn check(source: &Session, states: &[Learned]) -> Check {
        Check::of(source, states.to_vec(), Some(Length::Ns(1_000)), 0.05, PER_DAY).unwrap()
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
        let new = check(&drawn(&mut random, &[(20, IDLE), (25, [65, 20, 10, 5])], 500), &states);
        let rare = new.findings.iter().find(|finding| finding.tracepoint.as_deref() == Some("c:rare")).unwrap();
        assert_eq!((rare.kind, rare.from, rare.to, rare.learned), (Kind::New, 20, 40, Some([0.0; 3])));
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
    fn what_happens_once_is_no_alarm() {
        let mut random = fastrand::Rng::with_seed(33);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let once = check(&drawn(&mut random, &[(20, IDLE), (5, [60, 20, 10, 10]), (25, IDLE)], 500), &states);
        assert_eq!(kinds(&once), vec![]);
    }

    #[test]
    fn each_block_is_held_against_the_nearest_state() {
        let mut random = fastrand::Rng::with_seed(34);
        let web = [10, 30, 60, 0];
        let states = [learned(&mut random, "idle", IDLE, 5), learned(&mut random, "web", web, 5)];
        assert_eq!(kinds(&check(&drawn(&mut random, &[(20, IDLE), (20, web)], 500), &states)), vec![]);
        assert!(!check(&drawn(&mut random, &[(20, IDLE), (20, web)], 500), &states[..1]).findings.is_empty());
    }

    /// Sessions that differ much allow much, and few of them allow more.
    #[test]
    fn the_spread_is_wide_where_sessions_differ() {
        let blocks = |of: &[f64]| of.iter().map(|mean| vec![mean - 0.1, *mean, mean + 0.1]).collect::<Vec<_>>();
        let alike = Expected::of(&blocks(&[5.0, 5.0, 5.0, 5.0]), 1e-6);
        assert!((alike.mean, alike.freedom) == (5.0, 8.0), "{} {}", alike.mean, alike.freedom);
        assert!((alike.variance - 0.01 * (1.0 + 1.0 / 12.0)).abs() < 1e-9);
        let apart = Expected::of(&blocks(&[3.0, 5.0, 4.0, 8.0]), 1e-6);
        assert!(apart.variance > 4.0 && (3.0..3.1).contains(&apart.freedom), "{} {}", apart.variance, apart.freedom);
        // What was always the same may still be what chance makes of it.
        assert_eq!(Expected::of(&[vec![0.0; 3], vec![0.0; 3]], 0.25).variance, 0.25);
    }

    #[test]
    fn one_session_does_not_tell_how_sessions_differ() {
        let mut random = fastrand::Rng::with_seed(35);
        let states = [learned(&mut random, "idle", IDLE, 1)];
        let source = drawn(&mut random, &[(40, IDLE)], 500);
        let of = |states: &[Learned], source: &Session| {
            Check::of(source, states.to_vec(), Some(Length::Ns(1_000)), 0.05, PER_DAY)
        };
        assert!(matches!(of(&states, &source), Err(Error::TooFewSessions { .. })));
        let states = [learned(&mut random, "idle", IDLE, 3)];
        assert!(matches!(of(&states, &drawn(&mut random, &[(1, IDLE)], 500)), Err(Error::Short { .. })));
    }

    #[test]
    fn blocks_with_losses_say_nothing() {
        let mut random = fastrand::Rng::with_seed(36);
        let states = [learned(&mut random, "idle", IDLE, 5)];
        let mut source = drawn(&mut random, &[(20, IDLE), (20, [40, 20, 10, 30])], 500);
        source.lost = (0..40).map(|window| if window < 20 { 0 } else { 200 }).collect();
        let it = check(&source, &states);
        assert_eq!((it.blocks, it.lossy, kinds(&it)), (2, 2, vec![]));
        source.lost = vec![200; 40];
        let nothing = Check::of(&source, states.to_vec(), Some(Length::Ns(1_000)), 0.05, PER_DAY);
        assert!(matches!(nothing, Err(Error::TooLossy { lossy: 4, blocks: 4 })), "and not that all is well");
        // A few lost make no rate another.
        let mut source = drawn(&mut random, &[(40, IDLE)], 460);
        source.lost = vec![40; 40];
        assert_eq!(kinds(&check(&source, &states)), vec![]);
    }
}
