//! What a library knows, ready to have sources held against it: under names that all sessions have, in windows of one length.

use super::library::Learned;
use super::model::{LEAST_COVERAGE, Names, Seen, States};
use super::session::Session;
use super::windows::Length;
use super::{Error, What};

/// Windows are this long if nothing else is asked for and all sessions can be put together to it.
pub const WINDOW: Length = Length::Ns(1_000_000_000);

/// A second, if all sessions can be put together to that; else the length that all have.
fn usual_length(lengths: &[Length]) -> Length {
    match lengths {
        [first, rest @ ..] if WINDOW.of(*first).is_none() && rest.iter().all(|length| length == first) => *first,
        _ => WINDOW,
    }
}

/// What is known of states, ready for sources.
#[derive(Debug, Clone)]
pub struct Known {
    pub(super) library: Vec<Learned>,
    pub(super) length: Length,
    pub(super) names: Names,
    pub(super) states: States,
}

impl Known {
    /// From a library. Without a `length` windows are of a second, or of the length that all sessions have.
    ///
    /// # Errors
    /// If windows cannot be made as long, or sessions have too little in common.
    pub fn of(library: Vec<Learned>, length: Option<Length>) -> Result<Self, Error> {
        let lengths: Vec<Length> = library.iter().flat_map(sessions).map(|session| session.window).collect();
        Self::by_names_of(library, length.unwrap_or_else(|| usual_length(&lengths)), None)
    }

    /// How long its windows are.
    pub fn length(&self) -> Length {
        self.length
    }

    pub(super) fn by_names_of(library: Vec<Learned>, length: Length, source: Option<&Session>) -> Result<Self, Error> {
        let names = Names::common(library.iter().flat_map(sessions).chain(source));
        if let Some(source) = source {
            // Whose fault it is if there is too little in common.
            windows_of(&names, source, length, &|| What::Source)?;
        }
        let mut states = Vec::new();
        for learned in &library {
            let mut of_state = Vec::new();
            for (name, session) in &learned.sessions {
                // With the source the names are fewer: then it is the source that is another.
                let what = || match source {
                    Some(_) => What::Source,
                    None => What::Session { state: learned.name.clone(), name: name.clone() },
                };
                of_state.push(windows_of(&names, session, length, &what)?);
            }
            if of_state.iter().all(Vec::is_empty) {
                return Err(Error::NoWindows { state: learned.name.clone(), length });
            }
            states.push((learned.name.clone(), of_state));
        }
        Ok(Known { library, length, names, states: States::learn(states) })
    }
}

/// The windows of a session under these names, if that is enough of it and they can be made as long.
pub(super) fn windows_of(
    names: &Names,
    session: &Session,
    length: Length,
    what: &dyn Fn() -> What,
) -> Result<Vec<Seen>, Error> {
    let coverage = names.coverage(session);
    if coverage < LEAST_COVERAGE {
        return Err(Error::Coverage { what: what(), coverage, names: names.len() });
    }
    let windows = names.windows(session, length);
    windows.ok_or_else(|| Error::Length { what: what(), has: session.window, wanted: length })
}

/// The session of a state.
pub(super) fn sessions(learned: &Learned) -> impl Iterator<Item = &Session> {
    learned.sessions.iter().map(|(_, session)| session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_as_long_as_all_can_be() {
        let of = |lengths: &[u64]| usual_length(&lengths.iter().map(|ns| Length::Ns(*ns)).collect::<Vec<_>>());
        assert_eq!(of(&[1_000_000_000, 100_000_000]), WINDOW);
        assert_eq!(of(&[3_000_000_000, 3_000_000_000]), Length::Ns(3_000_000_000));
        assert_eq!(of(&[3_000_000_000, 2_000_000_000]), WINDOW, "which the error then names");
    }
}
