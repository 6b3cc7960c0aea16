//! Identifies the states of a source, by window and by stretch.

use super::answer::Answer;
use super::known::{Known, sessions, windows_of};
use super::logs::Logs;
use super::model::{Judge, LEAST_WINDOWS, State, States};
use super::names::{Names, Seen};
use super::session::Session;
use super::stretch::{Judged, Stretch};
use super::windows::Length;
use super::{Error, What};
use crate::memory::{Held, MemoryOf};
use crate::units::{Ns, Plural};
use std::time::Duration;

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
    /// The answer for each window: that for the five windows around it, within its stretch.
    pub answers: Vec<Answer>,
    /// The stretches in order. Together they cover all windows.
    pub stretches: Vec<Stretch>,
    /// Sentences about sessions that overlap the source in time, or are of other machines.
    pub limits: Vec<String>,
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
        let limits = known.limits_of(source);
        let Known { library, length, mut names, mut states, .. } = known.beside(source)?;
        let rows =
            (source.windows as u64).saturating_mul(4 * names.len() as u64 + OF_OPINION * states.states.len() as u64);
        let _held = Held::take(MemoryOf::Sessions, rows)?;
        names.extend(source.counts.keys().cloned(), &library.iter().flat_map(sessions).collect::<Vec<_>>());
        let windows = windows_of(&names, source, length, &|| What::Source)?;
        if windows.is_empty() {
            return Err(Error::Short { length });
        }
        let coverage = names.coverage(source);
        states.widen(names.len());
        let begins = begins(source.origin.begin_ns, &windows);
        let logs = Logs::of(&windows, length, names.len());
        let judged = Judged { names: &names, states: &states, length, windows: &windows, logs: &logs, alpha };
        let (stretches, answers) = judged.stretches(&mut Judge::of(&states));
        Ok(Identification { length, alpha, coverage, names, states, begins, windows, answers, stretches, limits })
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

    /// A stretch's state in words: `apache`, `apache or nginx`, `unknown (nearest apache)`, `not judged`.
    pub fn said(&self, stretch: &Stretch) -> String {
        match (&stretch.answer.states[..], stretch.nearest()) {
            ([], None) => "not judged".to_owned(),
            ([], Some(nearest)) => format!("unknown (nearest {})", self.states.states[nearest].name),
            (states, _) => self.named(states, " or "),
        }
    }

    /// How many windows of a stretch have the same state as the stretch.
    pub fn agreeing(&self, stretch: &Stretch) -> usize {
        let agrees = |answer: &&Answer| answer.is_judged() && answer.states.first() == stretch.answer.states.first();
        self.answers[stretch.from..stretch.to].iter().filter(agrees).count()
    }

    /// Events lost in a stretch.
    pub fn lost_in(&self, stretch: &Stretch) -> u64 {
        self.windows[stretch.from..stretch.to].iter().map(|seen| seen.lost).sum()
    }

    /// The states that cannot be excluded, because too little is known of them, each with the reason. They are never an
    /// answer.
    pub fn not_excluded(&self) -> Vec<(&str, String)> {
        let of_state = |state: &State| match state.sessions {
            0 => Some(match &state.not_learned[..] {
                [only] => Plural(only.usable as u64, "usable window").to_string(),
                several => format!("no usable session of {}", several.len()),
            }),
            sessions if !self.states.know_spread() => Some(Plural(sessions as u64, "session").to_string()),
            _ => None,
        };
        self.states.states.iter().filter_map(|state| Some((state.name.as_str(), of_state(state)?))).collect()
    }

    /// The limits of this identification, in sentences.
    pub fn bounds(&self) -> Vec<String> {
        let mut bounds = self.limits.clone();
        let excluded = self.not_excluded();
        if !excluded.is_empty() && self.stretches.iter().any(|stretch| stretch.answer.states.is_empty()) {
            let states: Vec<String> = excluded.iter().map(|(state, why)| format!("{state} ({why})")).collect();
            bounds.push(format!("unknown, but these states cannot be excluded: {}", states.join(", ")));
        }
        if !self.states.know_spread() {
            bounds.push(
                "the library does not show how much sessions of one state differ, so tp-perf cannot name a state; learn two \
                 more sessions of a state, at other times"
                    .to_owned(),
            );
        }
        let is_undecided = |stretch: &&Stretch| {
            stretch.answer.is_judged() && stretch.answer.opinions.iter().flatten().all(|opinion| opinion.p.is_none())
        };
        if self.states.know_spread() && self.stretches.iter().any(|stretch| is_undecided(&stretch)) {
            bounds.push(
                "the sessions of a state differ so much in this library that tp-perf cannot reject any state, so it names none; find \
                 wrong sessions with `tp-perf states --evaluate`"
                    .to_owned(),
            );
        }
        for state in &self.states.states {
            bounds.extend(state.not_used());
            if state.sessions == 1 && self.states.know_spread() {
                bounds.push(format!(
                    "{} is known from a single session; how much its sessions differ is taken from the other states. Learn at \
                     least one more",
                    state.name
                ));
            }
        }
        if self.stretches.iter().any(|stretch| !stretch.answer.is_judged()) {
            bounds.push(format!(
                "a stretch is not judged if it has fewer than {LEAST_WINDOWS} usable windows, or if more than half of its \
                 windows lost more than a tenth of their events"
            ));
        }
        bounds
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
    use crate::state::Reason;
    use crate::state::library::Learned;
    use crate::state::testing::{SECOND, drawn, learned, session};
    use std::collections::BTreeMap;

    fn identify(source: &Session, library: &[Learned], ns: u64) -> Result<Identification, Error> {
        Identification::of(source, Known::of(library.to_vec(), Some(Length::Ns(ns)))?, 0.05)
    }

    const IDLE: [u64; 4] = [70, 20, 9, 1];
    const WEB: [u64; 4] = [10, 30, 60, 0];

    fn library(random: &mut fastrand::Rng) -> Vec<Learned> {
        vec![learned(random, "idle", IDLE, 5), learned(random, "web", WEB, 5)]
    }

    fn stretches(found: &Identification) -> Vec<(usize, usize, Vec<usize>)> {
        found.stretches.iter().map(|stretch| (stretch.from, stretch.to, stretch.answer.states.clone())).collect()
    }

    #[test]
    fn a_source_is_cut_into_its_states_and_what_nobody_knows_is_unknown() {
        let mut random = fastrand::Rng::with_seed(21);
        let library = library(&mut random);
        let source = drawn(&mut random, &[(20, IDLE), (15, WEB), (10, [20, 70, 5, 5]), (12, WEB)], 500);
        let found = identify(&source, &library, SECOND).unwrap();
        assert_eq!(found.windows.len(), 57);
        assert_eq!(stretches(&found), [(0, 20, vec![0]), (20, 35, vec![1]), (35, 45, vec![]), (45, 57, vec![1])]);
        let [idle, web, unknown, _] = &found.stretches[..] else { panic!() };
        assert!((idle.intensity - 1.0).abs() < 1e-9 && (web.nearest(), web.other) == (Some(1), Some(0)));
        assert!(web.in_favour[..2].iter().any(|reason| reason.name == "b:z"), "{:?}", web.in_favour);
        assert!(unknown.against[..2].iter().any(|reason| reason.name == "b:z"), "{:?}", unknown.against);
        // The parts add up to the squared distance, and the parts of a group to its part.
        let sum = |reasons: &[Reason]| reasons.iter().map(|reason| reason.part).sum::<f64>();
        assert!((sum(&unknown.against) - sum(&unknown.groups_against)).abs() < 1e-9);
        let distance = unknown.answer.opinions[unknown.nearest().unwrap()].unwrap().distance;
        assert!(
            (sum(&unknown.against).sqrt() / distance - 1.0).abs() < 0.2,
            "without leaving out sessions, nearly the same"
        );
        assert_eq!(
            found.said(unknown),
            format!("unknown (nearest {})", found.states.states[unknown.nearest().unwrap()].name)
        );
        // Sessions of tests have no times.
        assert!(found.bounds().iter().all(|bound| bound.starts_with("the source is session")), "{:?}", found.bounds());
    }

    /// Like `drawn`, with as many events as each stretch says.
    fn with_rates(random: &mut fastrand::Rng, stretches: &[(usize, u64)]) -> Session {
        let mut parts = stretches.iter().map(|(windows, events)| drawn(random, &[(*windows, IDLE)], *events));
        let mut all = parts.next().unwrap();
        for part in parts {
            all.windows += part.windows;
            for (name, counts) in &part.counts {
                all.counts.get_mut(name).unwrap().extend(counts);
            }
        }
        all
    }

    #[test]
    fn a_mean_does_not_hide_a_change_of_the_rate() {
        let mut random = fastrand::Rng::with_seed(29);
        let library = library(&mut random);
        // A storm of six seconds has the composition of idle.
        let storm = with_rates(&mut random, &[(27, 500), (6, 100_000), (27, 500)]);
        let found = identify(&storm, &library, SECOND).unwrap();
        let [before, storm, after] = &found.stretches[..] else { panic!("{:?}", stretches(&found)) };
        assert_eq!([before, storm, after].map(Stretch::state), [Some(0), None, Some(0)]);
        assert!((22..=27).contains(&storm.from) && (33..=38).contains(&storm.to), "{:?}", stretches(&found));
        // Its mean is that of idle, and no window is.
        let blocks: Vec<_> = (0..12).map(|n| (5, if n % 2 == 0 { 5_000 } else { 50 })).collect();
        let found = identify(&with_rates(&mut random, &blocks), &library, SECOND).unwrap();
        assert!(found.stretches.iter().all(|stretch| stretch.state().is_none()), "{:?}", stretches(&found));
        // The same rate all the time is one stretch.
        let found = identify(&with_rates(&mut random, &[(30, 500), (30, 500)]), &library, SECOND).unwrap();
        assert_eq!(stretches(&found), [(0, 60, vec![0])]);
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
        let found = identify(&source, &library, SECOND).unwrap();
        let mut states = found.stretches[0].answer.states.clone();
        states.sort_unstable();
        assert_eq!(states, [0, 1]);
    }

    /// Each of these changes leaves the shares of most tracepoints as they are.
    #[test]
    fn intensity_new_tracepoints_and_gone_ones_make_a_source_unknown() {
        let mut random = fastrand::Rng::with_seed(26);
        let library = library(&mut random);
        let mut of = |change: &dyn Fn(&mut Session)| {
            let mut source = drawn(&mut random, &[(20, IDLE)], 500);
            change(&mut source);
            let found = identify(&source, &library, SECOND).unwrap();
            let stretch = &found.stretches[0];
            (stretch.answer.states.clone(), stretch.against.iter().map(|reason| reason.name.clone()).next().unwrap())
        };
        assert_eq!(of(&|_| ()).0, [0]);
        let times = |by: u64| {
            move |source: &mut Session| {
                source.counts.values_mut().flatten().for_each(|count| *count *= by);
            }
        };
        assert_eq!(of(&times(291)).0, Vec::<usize>::new());
        assert_eq!(of(&times(5)).0, Vec::<usize>::new());
        let new = of(&|source| {
            source.counts.insert("d:never".to_owned(), vec![40; 20]);
            source.not_hit.clear();
        });
        assert_eq!(new, (Vec::new(), "d:never".to_owned()));
        let gone = of(&|source| source.counts.get_mut("b:z").unwrap().fill(0));
        assert_eq!(gone, (Vec::new(), "b:z".to_owned()));
    }

    #[test]
    fn windows_that_lost_much_say_nothing_and_sessions_of_them_are_not_learned() {
        let mut random = fastrand::Rng::with_seed(27);
        let mut library = library(&mut random);
        let lossy = |session: &mut Session, windows: usize| {
            session.lost = (0..session.windows).map(|window| if window < windows { 100 } else { 0 }).collect();
        };
        let (_, session) = &mut library[0].sessions[2];
        lossy(session, 16);
        let mut switch = learned(&mut random, "switch", [25, 25, 25, 25], 1);
        lossy(&mut switch.sessions[0].1, 18);
        library.push(switch);
        let mut source = drawn(&mut random, &[(20, [20, 70, 5, 5]), (20, IDLE)], 500);
        let found = identify(&source, &library, SECOND).unwrap();
        assert_eq!((stretches(&found)[0].2.len(), found.states.states[0].sessions), (0, 4));
        assert_eq!(found.not_excluded(), [("switch", "12 usable windows".to_owned())]);
        let bounds = found.bounds().join("; ");
        for said in [
            "cannot be excluded: switch (12 usable windows)",
            "session s2 of idle is not used: it has 14 usable windows, of 30",
        ] {
            assert!(bounds.contains(said), "{bounds}");
        }
        assert!(
            identify(&drawn(&mut random, &[(20, IDLE)], 500), &library, SECOND).unwrap().stretches[0].state()
                == Some(0)
        );
        // Too little of the source is left.
        lossy(&mut source, 36);
        let found = identify(&source, &library, SECOND).unwrap();
        assert!(found.stretches.iter().all(|stretch| stretch.nearest().is_none()), "{:?}", stretches(&found));
        assert_eq!(found.said(&found.stretches[0]), "not judged");
        for state in &mut library {
            state.sessions.iter_mut().for_each(|(_, session)| lossy(session, 30));
        }
        let nothing = identify(&source, &library, SECOND).unwrap();
        assert!(nothing.stretches[0].nearest().is_none() && nothing.not_excluded().len() == 3);
    }

    #[test]
    fn one_session_for_each_state_names_nothing() {
        let mut random = fastrand::Rng::with_seed(28);
        let mut library = [learned(&mut random, "idle", IDLE, 1), learned(&mut random, "web", WEB, 1)];
        let source = drawn(&mut random, &[(20, IDLE)], 500);
        let found = identify(&source, &library, SECOND).unwrap();
        assert_eq!(
            (stretches(&found), found.said(&found.stretches[0])),
            (vec![(0, 20, vec![])], "unknown (nearest idle)".to_owned())
        );
        assert_eq!(found.not_excluded().len(), 2);
        // Sessions of another state show how much sessions differ.
        library[1] = learned(&mut random, "web", WEB, 4);
        let found = identify(&source, &library, SECOND).unwrap();
        assert_eq!((found.said(&found.stretches[0]).as_str(), found.not_excluded().len()), ("idle", 0));
        let other = drawn(&mut random, &[(20, [20, 70, 5, 5])], 500);
        assert_eq!(stretches(&identify(&other, &library, SECOND).unwrap()), [(0, 20, vec![])]);
    }

    #[test]
    fn sessions_of_other_machines_are_among_the_limits() {
        let mut random = fastrand::Rng::with_seed(29);
        let mut library = library(&mut random);
        let mut source = drawn(&mut random, &[(20, IDLE)], 500);
        source.origin.kernel = Some("6.18".to_owned());
        source.origin.cpus = [0, 1].map(crate::os::cpus::Cpu::new).into();
        library
            .iter_mut()
            .flat_map(|state| &mut state.sessions)
            .for_each(|(_, session)| session.origin = source.origin.clone());
        // All of these sessions have one time.
        let limits = |library: &[Learned]| -> Vec<String> {
            let limits = identify(&source, library, SECOND).unwrap().limits.into_iter();
            limits.filter(|limit| !limit.starts_with("the source is session")).collect()
        };
        assert_eq!(limits(&library), Vec::<String>::new());
        library[0].sessions[1].1.origin.cpus.pop();
        library[1].sessions[2].1.origin.kernel = Some("6.12".to_owned());
        let said = limits(&library);
        assert!(
            said.len() == 2 && said[0].starts_with("1 session of the library captured a different number of CPUs"),
            "{said:?}"
        );
    }

    #[test]
    fn times_have_decimals_enough() {
        let mut random = fastrand::Rng::with_seed(25);
        let library = library(&mut random);
        let mut found = identify(&drawn(&mut random, &[(6, IDLE)], 500), &library, SECOND).unwrap();
        for (ns, said) in [
            (250_000_000, "0.25"),
            (1_000_000_000, "1.0"),
            (60_000_000_000, "60.0"),
            (50_000_000, "0.050"),
            (1_000, "0.0000010"),
        ] {
            found.begins = (0..=6).map(|window| Ns(window * ns)).collect();
            assert_eq!(found.seconds_since(1), said);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        let mut random = fastrand::Rng::with_seed(24);
        let library = library(&mut random);
        let source = drawn(&mut random, &[(3, IDLE)], 500);
        let of = |source: &Session, ns| identify(source, &library, ns).map(drop);
        assert!(matches!(of(&source, 4 * SECOND), Err(Error::Short { .. })));
        assert!(matches!(of(&source, SECOND * 3 / 2), Err(Error::Length { .. })));
        let seconds = |session: Session| Session { window: Length::Ns(SECOND), ..session };
        let other = seconds(session(&[("a:x", &[5, 5, 5]), ("z:other", &[50, 50, 50])], &["a:y", "b:z", "c:rare"]));
        assert!(matches!(of(&other, SECOND), Err(Error::Coverage { what: What::Source, .. })));
        let narrow = seconds(session(&[("a:x", &[5, 5, 5])], &[]));
        assert!(
            matches!(of(&narrow, SECOND), Err(Error::Narrow { what: What::Session { .. }, .. })),
            "the library itself is sound"
        );
        // Most events of one session belong to a tracepoint that no other session captured. That session is named, because no
        // other one captured fewer tracepoints.
        let mut odd = library.clone();
        let mut counts = odd[0].sessions[2].1.counts.clone();
        counts.insert("z:other".to_owned(), vec![1_000_000; 30]);
        odd[0].sessions[2].1 = Session { counts, not_hit: BTreeMap::new(), ..odd[0].sessions[2].1.clone() };
        let named = |library: Vec<Learned>| match Known::of(library, Some(Length::Ns(SECOND))).unwrap_err() {
            Error::Coverage { what: What::Session { state, name }, .. } => format!("{state} {name}"),
            error => panic!("{error}"),
        };
        assert_eq!(named(odd), "idle s2");
        let mut narrow = library.clone();
        narrow[1].sessions[0].1.counts.retain(|name, _| name == "a:x");
        assert_eq!(named(narrow), "web s0");
    }
}
