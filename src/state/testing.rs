//! Sessions and states for tests.

use super::library::Learned;
use super::session::{SCHEMA, Session, SessionOrigin, nothing_held};
use super::windows::Length;
use std::collections::BTreeMap;

/// A second in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

/// A session with windows of one microsecond.
pub fn session(counts: &[(&str, &[u64])], not_hit: &[&str]) -> Session {
    let split =
        |name: &str| name.split_once(':').map(|(group, name)| (group.to_owned(), vec![name.to_owned()])).unwrap();
    Session {
        schema: SCHEMA,
        tool: crate::recording::Tool { name: "tp-perf".to_owned(), version: "test".to_owned() },
        origin: SessionOrigin::default(),
        engine: None,
        load: None,
        window: Length::Ns(1_000),
        windows: counts[0].1.len(),
        ns: Vec::new(),
        lost: Vec::new(),
        counts: counts.iter().map(|(name, counts)| ((*name).to_owned(), counts.to_vec())).collect(),
        not_hit: not_hit.iter().map(|name| split(name)).collect(),
        left_out: BTreeMap::new(),
        held: nothing_held(),
    }
}

/// A session with windows of one second. Each window has this many events, drawn from these shares of
/// a:x, a:y, b:z and c:rare.
pub fn drawn(random: &mut fastrand::Rng, stretches: &[(usize, [u64; 4])], events: u64) -> Session {
    let names = ["a:x", "a:y", "b:z", "c:rare"];
    let mut rows = vec![Vec::new(); 4];
    for (windows, shares) in stretches {
        let all: u64 = shares.iter().sum();
        for _ in 0..*windows {
            let mut counts = [0u64; 4];
            for _ in 0..events {
                let mut at = random.u64(..all);
                let place = shares
                    .iter()
                    .position(|share| {
                        at < *share || {
                            at -= share;
                            false
                        }
                    })
                    .unwrap();
                counts[place] += 1;
            }
            rows.iter_mut().zip(counts).for_each(|(row, count)| row.push(count));
        }
    }
    let counts: Vec<(&str, &[u64])> = names.iter().copied().zip(rows.iter().map(Vec::as_slice)).collect();
    Session { window: Length::Ns(SECOND), ..session(&counts, &["d:never"]) }
}

/// A state with this many sessions, drawn from these shares.
pub fn learned(random: &mut fastrand::Rng, name: &str, shares: [u64; 4], sessions: usize) -> Learned {
    let sessions = (0..sessions).map(|index| (format!("s{index}"), drawn(random, &[(30, shares)], 500))).collect();
    Learned { name: name.to_owned(), sessions }
}
