//! The states that belong to the built-in example: the same machine when it was idle, and when it built the same project.

use crate::state::{Known, Learned, Session};

/// For each state its name, and its sessions by name, as `fixtures/make-example` puts them together.
const STATES: &[u8] = include_bytes!("../../fixtures/example-states.json.zst");

/// What is known of the states of the example.
pub fn example_states() -> Known {
    let unpacked = zstd::decode_all(STATES).expect("the built-in states are whole");
    let states: Vec<(String, Vec<(String, Session)>)> =
        serde_json::from_slice(&unpacked).expect("the built-in states are sessions");
    let learned = states.into_iter().map(|(name, sessions)| Learned { name, sessions });
    Known::of(learned.collect(), None).expect("the built-in states can be compared")
}
