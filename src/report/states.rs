//! The states of a source over time, for plots and pages.

use crate::control::{Progress, Signals, unless_stopped};
use crate::source::Place;
use crate::state::{Error, Identification, Known, Reason, Session, Stretch};
use crate::text::OneLine;
use crate::units::{Probability, Rate, Seconds, nanoseconds};
use serde::{Serialize, Serializer};

/// How many tracepoints are named as reasons for a state, and against it.
const REASONS: usize = 3;

/// The states of a library, to compare sources with.
#[derive(Debug, Clone)]
pub struct Identifier {
    /// The known states.
    pub known: Known,
    /// The significance level at which a state is rejected.
    pub alpha: f64,
    /// Whether the user asked for states, and so hears why a source has none.
    pub is_asked: bool,
}

impl Identifier {
    /// Identifies the states of a source. `None` as soon as the user asks to stop, or has asked before.
    pub fn identify(&self, session: Session, signals: &mut Signals) -> Option<Result<Identification, Error>> {
        let (known, alpha) = (self.known.clone(), self.alpha);
        unless_stopped(signals, move || Identification::of(&session, known, alpha))
    }
}

/// The states, if they were identified. Otherwise a user who asked for them reads why not.
pub(super) fn told(
    identified: Option<Result<Option<Identification>, Error>>,
    is_asked: bool,
    place: &Place,
    progress: &mut dyn Progress,
) -> Option<Identification> {
    match identified? {
        Ok(Some(states)) => Some(states),
        _ if !is_asked => None,
        Ok(None) => {
            progress.note(&format!("{place}: its states are not identified, because you stopped tp-perf"));
            None
        }
        Err(reason) => {
            progress.note_failure(&format!("{place}: its states cannot be identified"), &reason);
            None
        }
    }
}

/// A stretch of one state, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateSpan {
    /// Its start, in nanoseconds since the first event.
    pub from_ns: u64,
    /// Its end, in nanoseconds since the first event.
    pub to_ns: u64,
    /// The state in words.
    #[serde(rename = "said")]
    pub label: String,
    /// The number of the state in the library. `None` if the state is unknown.
    #[serde(rename = "is_unknown", serialize_with = "is_unknown")]
    pub state: Option<usize>,
}

fn is_unknown<S: Serializer>(state: &Option<usize>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(state.is_none())
}

/// The stretches, ready to be drawn. Times count from the first event.
pub fn spans(identification: &Identification) -> Vec<StateSpan> {
    let since = |window: usize| nanoseconds(identification.since(window));
    identification
        .stretches
        .iter()
        .map(|stretch| StateSpan {
            from_ns: since(stretch.from),
            to_ns: since(stretch.to),
            label: identification.said(stretch),
            state: stretch.state(),
        })
        .collect()
}

/// The most stretches that one line names.
const NAMED: usize = 6;

/// All stretches in one line: `apache for 32.0 s, unknown (nearest nginx) for 28.0 s`.
pub fn words(identification: &Identification) -> String {
    let one = |stretch: &Stretch| {
        let lasts = identification.since(stretch.to) - identification.since(stretch.from);
        format!("{} for {}", identification.said(stretch), Seconds(lasts))
    };
    let mut words: Vec<String> = identification.stretches.iter().take(NAMED).map(one).collect();
    if identification.stretches.len() > NAMED {
        words.push(format!("then {} more changes", identification.stretches.len() - NAMED));
    }
    words.join(", ")
}

/// A stretch in words.
pub struct StretchRow {
    /// Its start, as in `12.0 s`.
    pub from: String,
    /// Its end.
    pub to: String,
    /// The state, or `unknown`.
    pub state: String,
    /// The distance from the nearest state.
    pub distance: String,
    /// The p-value of the nearest state.
    pub p: String,
    /// The rate, relative to the usual rate of the nearest state.
    pub intensity: String,
    /// The tracepoints that speak for the nearest state.
    pub in_favour: String,
    /// The tracepoints that speak against it.
    pub against: String,
}

/// All stretches in words.
pub fn rows(identification: &Identification) -> Vec<StretchRow> {
    let since = |window: usize| format!("{} s", identification.seconds_since(window));
    let reasons = |reasons: &[Reason]| {
        let one =
            |reason: &Reason| format!("{} {}/s ({}/s)", OneLine(&reason.name), Rate(reason.here), Rate(reason.nearest));
        reasons.iter().take(REASONS).map(one).collect::<Vec<_>>().join(", ")
    };
    identification
        .stretches
        .iter()
        .map(|stretch| {
            let opinion = stretch.nearest().and_then(|state| stretch.answer.opinions[state]);
            StretchRow {
                from: since(stretch.from),
                to: since(stretch.to),
                state: identification.said(stretch),
                distance: opinion.map_or_else(String::new, |opinion| format!("{:.1}", opinion.distance)),
                p: opinion.and_then(|opinion| opinion.p).map_or_else(String::new, |p| Probability(p).to_string()),
                intensity: format!("{:.2}", stretch.intensity),
                in_favour: reasons(&stretch.in_favour),
                against: reasons(&stretch.against),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Filter;
    use crate::report::example_states;
    use crate::source::Place;
    use crate::state;
    use std::io::Write;

    #[test]
    fn a_signal_ends_the_identification() {
        let identifier = Identifier { known: example_states(), alpha: state::ALPHA, is_asked: true };
        let (mut signals, mut senders) = Signals::pair().unwrap();
        let length = Some(identifier.known.length());
        let session = state::read(&Place::Example, &Filter::default(), length, &mut signals, &mut ()).unwrap();
        assert!(matches!(identifier.identify(session.clone(), &mut signals), Some(Ok(_))));
        senders.terminate.write_all(b"t").unwrap();
        assert!(identifier.identify(session, &mut signals).is_none());
    }
}
