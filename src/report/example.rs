//! The states that belong to the built-in example: the same machine when it was idle, and when it built the same project.

use crate::state::{Known, Learned, Session};

/// For each state its name, and its sessions by name, as `fixtures/make-example` puts them together. Each session is from a
/// capture of its own: `identify` rejects a state if the example is further from it than every session.
const STATES: &[u8] = include_bytes!("../../fixtures/example-states.json.zst");

/// What is known of the states of the example.
pub fn example_states() -> Known {
    let unpacked = zstd::decode_all(STATES).expect("the built-in states are whole");
    let states: Vec<(String, Vec<(String, Session)>)> =
        serde_json::from_slice(&unpacked).expect("the built-in states are sessions");
    let learned: Vec<Learned> = states.into_iter().map(|(name, sessions)| Learned { name, sessions }).collect();
    // The example is short, so its windows are as short as those of its sessions.
    let window = learned.iter().flat_map(|state| &state.sessions).map(|(_, session)| session.window).next();
    Known::of(learned, window).expect("the built-in states can be compared")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Signals;
    use crate::report::{Identifier, ReportOptions, labels, read};
    use crate::source::Place;
    use crate::state::ALPHA;

    #[test]
    fn the_example_is_idle_and_then_a_build_and_its_accounting_balances() {
        let identifier = Identifier { known: example_states(), alpha: ALPHA, is_asked: true };
        let places = vec![Place::Example];
        let names = labels(&places);
        let options = ReportOptions { identifier: Some(identifier), ..ReportOptions::of(places) };
        let (mut signals, _senders) = Signals::pair().unwrap();
        let report = read(&options, names, &mut signals, &mut ()).unwrap();
        let [source] = &report.sources[..] else { panic!("there is one example") };
        let spans: Vec<&str> = source.state_spans.iter().map(|span| span.label.as_str()).collect();
        assert_eq!(spans, ["idle", "build"]);
        assert_eq!(source.state_spans[1].from_ns, 3_000_000_000);
        let events = &source.summary.events;
        assert!(events.lost > 0 && events.unaccounted == Some(0), "{events:?}");
        assert_eq!(source.summary.hostname.as_deref(), Some("example"));
    }

    #[test]
    fn the_example_is_small() {
        let recording = include_bytes!("../../fixtures/example.perf.zst").len();
        assert!(recording + STATES.len() < 1_000_000);
    }
}
