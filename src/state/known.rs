//! A library's knowledge, prepared for comparisons. All its sessions have the same names and windows of the
//! same length.

use super::library::Learned;
use super::model::{NamedWindows, NotLearned, StateWindows, States};
use super::names::{Names, Seen};
use super::session::Session;
use super::windows::Length;
use super::{Error, What};
use crate::memory::{Held, MemoryOf};
use crate::units::{Ns, Plural};
use std::collections::BTreeSet;

/// The default length of windows, if the windows of all sessions can be joined to it.
pub const WINDOW: Length = Length::Ns(1_000_000_000);

/// The memory in bytes of a session's moments and of a profile, for each name.
const OF_SESSION: u64 = 64;

/// A second, if the windows of all sessions can be joined to that, or else the length that all sessions
/// share.
fn usual_length(lengths: &[Length]) -> Length {
    match lengths {
        [first, rest @ ..] if WINDOW.of(*first).is_none() && rest.iter().all(|length| length == first) => *first,
        _ => WINDOW,
    }
}

/// The known states, ready to be compared with sources.
#[derive(Debug, Clone)]
pub struct Known {
    pub(super) library: Vec<Learned>,
    pub(super) length: Length,
    pub(super) names: Names,
    pub(super) states: States,
    /// The memory of the comparison.
    _held: Held,
}

impl Known {
    /// Prepares a library. Without `length`, windows last a second, or as long as those of all sessions.
    ///
    /// # Errors
    /// Fails if windows cannot be joined to this length, or if the sessions have too few names in common.
    pub fn of(library: Vec<Learned>, length: Option<Length>) -> Result<Self, Error> {
        let lengths: Vec<Length> = library.iter().flat_map(sessions).map(|session| session.window).collect();
        let names = Names::common(library.iter().flat_map(sessions));
        let captured = captured_numbers(&library);
        Self::under(names, library, length.unwrap_or_else(|| usual_length(&lengths)), 0).map_err(|error| match error {
            // If a session captured fewer tracepoints than this one, the names in common are few because of that session.
            Error::Coverage { what, coverage, names } => {
                let this = captured.iter().find(|(of, _)| *of == what).map_or(0, |(_, number)| *number);
                let narrower = captured.into_iter().filter(|(_, number)| *number < this);
                let narrowest = narrower.min_by_key(|(_, number)| *number);
                Error::Coverage { what: narrowest.map_or(what, |(narrowest, _)| narrowest), coverage, names }
            }
            error => error,
        })
    }

    /// The same library, with only these tracepoints.
    ///
    /// # Errors
    /// If it takes too much memory.
    pub fn only(self, tracepoints: &[String]) -> Result<Self, Error> {
        let chosen: BTreeSet<&str> = tracepoints.iter().map(String::as_str).collect();
        Self::under(self.names.chosen(|name| chosen.contains(name)), self.library, self.length, 0)
    }

    /// The same library without the hottest of the tracepoints that are counted, such that no learned state has more than this
    /// many hits a second of them; and these hottest tracepoints, the hottest first.
    ///
    /// # Errors
    /// If it takes too much memory.
    pub fn within_hits(self, per_second: f64, is_counted: impl Fn(&str) -> bool) -> Result<(Self, Vec<String>), Error> {
        let hot = self.too_hot(per_second, is_counted);
        if hot.is_empty() {
            return Ok((self, hot));
        }
        let left_out: BTreeSet<&str> = hot.iter().map(String::as_str).collect();
        let names = self.names.affordable(|name| !left_out.contains(name));
        Ok((Self::under(names, self.library, self.length, 0)?, hot))
    }

    /// The hottest tracepoints, the hottest first, without which no learned state has more than this many hits a second.
    fn too_hot(&self, per_second: f64, is_counted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut states: Vec<Vec<f64>> = self.states.states.iter().map(|state| state.rates(self.names.len())).collect();
        for (place, name) in self.names.all().iter().enumerate() {
            if !is_counted(name) {
                states.iter_mut().for_each(|rates| rates[place] = 0.0);
            }
        }
        let mut hot = Vec::new();
        let sum = |rates: &[f64]| rates.iter().sum::<f64>();
        while let Some(busiest) = states.iter().max_by(|one, other| sum(one).total_cmp(&sum(other)))
            && sum(busiest) > per_second
            && let Some((hottest, _)) = busiest.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1))
        {
            hot.push(self.names.all()[hottest].clone());
            states.iter_mut().for_each(|rates| rates[hottest] = 0.0);
        }
        hot
    }

    /// The library for a comparison with a source. If the source did not capture all names that the library hit, the states
    /// are learned again from the names that it did capture.
    ///
    /// # Errors
    /// Fails if the source and the sessions have too few names in common.
    pub(super) fn beside(self, source: &Session) -> Result<Self, Error> {
        if self.names.are_captured_by(source) {
            return Ok(self);
        }
        if self.names.are_chosen() {
            let captured = source.captured();
            let missing = self.names.all().iter().filter(|name| !captured.has(name)).count();
            return Err(Error::FewMissing { missing, of: self.names.len() });
        }
        let names = match self.names.are_affordable() {
            true => {
                let captured = source.captured();
                self.names.selected(|name| captured.has(name))
            }
            false => Names::common(self.library.iter().flat_map(sessions).chain([source])),
        };
        // If too little is in common, check the source first, so that the error names it.
        windows_of(&names, source, self.length, &|| What::Source)?;
        Self::under(names, self.library, self.length, source.windows).map_err(|error| match error {
            Error::Coverage { what, coverage, .. } => Error::Narrow { what, coverage },
            error => error,
        })
    }

    /// The library for following a source, of which only some windows are there yet, or none. Each tracepoint that the source
    /// captures may be hit later.
    ///
    /// # Errors
    /// Fails if the source and the sessions have too few names in common.
    pub fn to_follow(self, source: &Session) -> Result<Self, Error> {
        let mut known = self.beside(source)?;
        let not_hit = source.not_hit.iter();
        let not_hit = not_hit.flat_map(|(group, names)| names.iter().map(move |name| format!("{group}:{name}")));
        let captured = source.counts.keys().cloned().chain(not_hit);
        known.names.extend(captured, &known.library.iter().flat_map(sessions).collect::<Vec<_>>());
        known.states.widen(known.names.len());
        Ok(known)
    }

    /// Checks before a capture that its selection can be compared, by the events of the learned sessions. `is_selected`
    /// gets a tracepoint as `group:name`.
    ///
    /// # Errors
    /// [`Error::Narrow`] if the selection leaves out too many events of a session.
    pub fn may_compare(&self, is_selected: impl Fn(&str) -> bool) -> Result<(), Error> {
        let names = self.names.selected(is_selected);
        for learned in &self.library {
            for (name, session) in &learned.sessions {
                names.require_coverage(session).map_err(|coverage| {
                    let what = What::Session { state: learned.name.clone(), name: name.clone() };
                    Error::Narrow { what, coverage }
                })?;
            }
        }
        Ok(())
    }

    /// The limits of a comparison with a source, in sentences: sessions that overlap it in time, or are of another machine.
    pub fn limits_of(&self, source: &Session) -> Vec<String> {
        let overlapping = self.library.iter().flat_map(|learned| {
            let is_it = |(_, session): &&(String, Session)| session.is_of_the_time_of(source);
            learned.sessions.iter().filter(is_it).map(|(name, _)| format!(
                "the source is session {name} of {}, or overlaps it in time; this answer does not show how well a new session is \
                 recognised",
                learned.name
            ))
        });
        overlapping.chain(self.other_machines(source)).collect()
    }

    /// Sentences about sessions of machines that differ from that of the source.
    fn other_machines(&self, source: &Session) -> Vec<String> {
        let number = |differs: &dyn Fn(&Session) -> bool| {
            self.library.iter().flat_map(sessions).filter(|session| differs(session)).count() as u64
        };
        let cpus = source.origin.cpus.len();
        let is_of_other_cpus = |session: &Session| ![0, cpus].contains(&session.origin.cpus.len()) && cpus > 0;
        let kernel = source.origin.kernel.as_ref();
        let is_of_other_kernel = |session: &Session| {
            kernel.is_some() && session.origin.kernel.is_some() && session.origin.kernel.as_ref() != kernel
        };
        let mut said = Vec::new();
        if let of @ 1.. = number(&is_of_other_cpus) {
            said.push(format!(
                "{} of the library captured a different number of CPUs than the source ({cpus}); rates are compared as they are, so a \
                 known state may look unknown",
                Plural(of, "session")
            ));
        }
        if let of @ 1.. = number(&is_of_other_kernel) {
            said.push(format!(
                "{} of the library {} from another kernel than the source; only tracepoints of both are compared",
                Plural(of, "session"),
                if of == 1 { "is" } else { "are" }
            ));
        }
        said
    }

    /// Restricts a library to names, for a comparison with a source of this many windows.
    fn under(names: Names, library: Vec<Learned>, length: Length, windows: usize) -> Result<Self, Error> {
        let known = library.iter().flat_map(sessions);
        let (sessions, rows) =
            known.fold((0, windows), |(sessions, rows), session| (sessions + 1, rows + session.windows));
        // A row has a number of four bytes for each name. Each session has its moments, and the profile of its state without
        // it.
        let of_name = 4 * rows as u64 + OF_SESSION * sessions;
        let _held = Held::take(MemoryOf::Sessions, of_name.saturating_mul(names.len() as u64 + 16))?;
        let of_state = |learned: &Learned| windows_of_state(&names, learned, length);
        let states = library.iter().map(of_state).collect::<Result<_, Error>>()?;
        let states = States::learn(states, length, names.len());
        Ok(Known { library, length, names, states, _held })
    }

    /// The length of the windows.
    pub fn length(&self) -> Length {
        self.length
    }

    /// The windows of a source, ready to be followed, each with its begin by the source's clock.
    ///
    /// # Errors
    /// Fails if too few of its events are compared, or if its windows cannot be joined to this length.
    pub fn windows_of(&self, source: &Session) -> Result<Vec<(Ns, Seen)>, Error> {
        let windows = windows_of(&self.names, source, self.length, &|| What::Source)?;
        let begins = windows.iter().scan(source.origin.begin_ns, |end, seen| {
            let begin = *end;
            *end = end.saturating_add(seen.ns);
            Some(begin)
        });
        Ok(begins.collect::<Vec<_>>().into_iter().zip(windows).collect())
    }

    /// The compared names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The states.
    pub fn states(&self) -> &States {
        &self.states
    }
}

/// How many tracepoints each session captured.
fn captured_numbers(library: &[Learned]) -> Vec<(What, usize)> {
    let of_session = |state: &str, name: &str, session: &Session| {
        (What::Session { state: state.to_owned(), name: name.to_owned() }, session.captured_number())
    };
    let of_state = |learned: &Learned| {
        let all = learned.sessions.iter().map(|(name, session)| of_session(&learned.name, name, session));
        all.collect::<Vec<_>>()
    };
    library.iter().flat_map(of_state).collect()
}

/// The windows of each session of a state, restricted to these names. A session that repeats another one of the state is left
/// out: it does not show how much sessions differ.
fn windows_of_state(names: &Names, learned: &Learned, length: Length) -> Result<StateWindows, Error> {
    let (mut windows, mut repeated) = (Vec::<NamedWindows>::new(), Vec::new());
    let mut used = Vec::<(&str, &Session)>::new();
    for (name, session) in &learned.sessions {
        let what = || What::Session { state: learned.name.clone(), name: name.clone() };
        let of_session = windows_of(names, session, length, &what)?;
        match used.iter().find(|(_, earlier)| session.repeats(earlier)) {
            Some((earlier, _)) => repeated.push(NotLearned {
                session: name.clone(),
                usable: of_session.iter().filter(|seen| seen.is_usable()).count(),
                windows: of_session.len(),
                repeats: Some((*earlier).to_owned()),
            }),
            None => {
                used.push((name, session));
                windows.push((name.clone(), of_session));
            }
        }
    }
    match windows.iter().all(|(_, windows)| windows.is_empty()) {
        true => Err(Error::NoWindows { state: learned.name.clone(), length }),
        false => Ok(StateWindows { name: learned.name.clone(), sessions: windows, repeated }),
    }
}

/// The windows of a session, restricted to these names.
///
/// # Errors
/// Fails if too few of its events have these names, or if its windows cannot be joined to this length.
pub(super) fn windows_of(
    names: &Names,
    session: &Session,
    length: Length,
    what: &dyn Fn() -> What,
) -> Result<Vec<Seen>, Error> {
    names.require_coverage(session).map_err(|coverage| Error::Coverage {
        what: what(),
        coverage,
        names: names.len(),
    })?;
    let windows = names.windows(session, length);
    windows.ok_or_else(|| Error::Length { what: what(), has: session.window, wanted: length })
}

/// The sessions of a state.
pub(super) fn sessions(learned: &Learned) -> impl Iterator<Item = &Session> {
    learned.sessions.iter().map(|(_, session)| session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::session;

    #[test]
    fn the_session_that_captured_little_is_named_and_no_other() {
        let whole = || session(&[("a:x", &[5, 5]), ("a:y", &[50, 50])], &["b:z"]);
        let mut library = vec![
            Learned {
                name: "a".to_owned(),
                sessions: vec![("first".to_owned(), whole()), ("second".to_owned(), whole())],
            },
            Learned { name: "b".to_owned(), sessions: vec![("narrow".to_owned(), session(&[("a:x", &[5, 5])], &[]))] },
        ];
        let error = Known::of(library.clone(), Some(Length::Ns(1_000))).unwrap_err();
        let Error::Coverage { what: What::Session { state, name }, .. } = &error else { panic!("{error}") };
        assert_eq!((state.as_str(), name.as_str()), ("b", "narrow"));
        library.pop();
        assert!(Known::of(library, Some(Length::Ns(1_000))).is_ok());
    }

    #[test]
    fn a_selection_that_leaves_out_most_events_is_refused_before_a_capture() {
        let library = || {
            let session = session(&[("a:x", &[5, 5]), ("a:y", &[50, 50])], &["b:z"]);
            vec![Learned { name: "a".to_owned(), sessions: vec![("first".to_owned(), session)] }]
        };
        let known = Known::of(library(), Some(Length::Ns(1_000))).unwrap();
        assert!(known.may_compare(|_| true).is_ok());
        assert!(known.may_compare(|name| name == "a:y").is_ok(), "ten of eleven events");
        let error = known.may_compare(|name| name == "a:x").unwrap_err();
        assert!(matches!(error, Error::Narrow { what: What::Session { .. }, .. }), "{error}");
    }

    #[test]
    fn a_budget_leaves_out_the_hottest_tracepoints_and_no_others() {
        // In hits of a microsecond.
        let session =
            |[x, y, z]: [u64; 3]| session(&[("a:x", &[x; 5]), ("a:y", &[y; 5]), ("b:z", &[z; 5])], &["b:never"]);
        let (busy, calm) = (session([50, 5, 20]), session([1, 30, 1]));
        let learned = |name: &str, session: &Session| {
            let sessions = (0..2).map(|number| {
                let mut session = session.clone();
                session.origin.begin_ns = Ns(number * 1_000_000);
                (format!("s{number}"), session)
            });
            Learned { name: name.to_owned(), sessions: sessions.collect() }
        };
        let library = vec![learned("busy", &busy), learned("calm", &calm)];
        let known = || Known::of(library.clone(), Some(Length::Ns(1_000))).unwrap();
        let left_out = |per_microsecond: f64| known().within_hits(per_microsecond * 1e6, |_| true).unwrap().1;
        assert_eq!(left_out(75.0), [""; 0]);
        assert_eq!(left_out(74.0), ["a:x"]);
        assert_eq!(left_out(24.0), ["a:x", "a:y"]);
        assert_eq!(left_out(0.0), ["a:x", "a:y", "b:z"]);
        // What is not counted costs nothing.
        assert_eq!(known().within_hits(24.0e6, |name| name != "a:x").unwrap().1, ["a:y"]);
        // What is left need not have most of the events, and new tracepoints are compared.
        let (affordable, _) = known().within_hits(24.0e6, |_| true).unwrap();
        let mut source = busy.clone();
        ["a:x", "a:y"].iter().for_each(|name| drop(source.counts.remove(*name)));
        let followed = affordable.clone().to_follow(&source).unwrap();
        assert_eq!(followed.names().all(), ["b:z", "b:never"]);
        source.counts.remove("b:z");
        assert_eq!(affordable.to_follow(&source).unwrap().names().all(), ["b:never"]);
    }

    #[test]
    fn windows_are_as_long_as_all_can_be() {
        let of = |lengths: &[u64]| usual_length(&lengths.iter().map(|ns| Length::Ns(*ns)).collect::<Vec<_>>());
        assert_eq!(of(&[1_000_000_000, 100_000_000]), WINDOW);
        assert_eq!(of(&[3_000_000_000, 3_000_000_000]), Length::Ns(3_000_000_000));
        assert_eq!(of(&[3_000_000_000, 2_000_000_000]), WINDOW, "the error then names this length");
    }
}
