//! What `tp-perf monitor` and `top` know of learned states.

use super::observe::{comparable_within, may_compare_choice};
use super::seen::SeenOfTick;
use crate::counting::CountOptions;
use crate::engine::Kernel;
use crate::events::{Tick, WindowHits};
use crate::state::{self, ALPHA, Error, Follow, FollowMessage, Known, Learned, Length, Session, WatchedStates};
use crate::terminal::messages;
use crate::tracefs::Table;
use crate::units::nanoseconds;
use anyhow::ensure;

/// The library, prepared for windows of this length.
pub(super) fn read_states(
    kernel: &impl Kernel,
    states: &WatchedStates,
    options: &CountOptions,
) -> anyhow::Result<Known> {
    let read = states.library.states()?;
    messages::say_left_out(&read.left_out);
    for name in &states.against {
        // The error for a state that is missing or unusable names it.
        let sessions = match read.usable.iter().find(|state| state.name == *name) {
            Some(state) => state.sessions.len(),
            None => states.library.state(name)?.sessions.len(),
        };
        if sessions < 2 {
            return Err(Error::TooFewSessions { state: name.clone(), sessions, block: state::BLOCK }.into());
        }
    }
    let known = known_of(read.usable, &states.against, Length::Ns(nanoseconds(options.every)))?;
    may_compare_choice(&options.choice, &known)?;
    match options.budget {
        Some(budget) => Ok(comparable_within(kernel, &options.choice, budget, known)?.0),
        None => Ok(known),
    }
}

/// All states, or only the allowed ones if the others cannot be compared with them.
fn known_of(all: Vec<Learned>, against: &[String], length: Length) -> anyhow::Result<Known> {
    let allowed: Vec<Learned> = all.iter().filter(|state| against.contains(&state.name)).cloned().collect();
    match Known::of(all, Some(length)) {
        Ok(known) => Ok(known),
        Err(_) if !allowed.is_empty() => Ok(Known::of(allowed, Some(length))?),
        Err(error) => Err(error.into()),
    }
}

/// Follows the states of this machine.
pub(super) struct FollowedStates<'a> {
    seen: SeenOfTick,
    identify: Option<Follow<'a>>,
    check: Option<Follow<'a>>,
    /// A shorter window is not judged.
    least_ns: u64,
}

impl<'a> FollowedStates<'a> {
    /// Follows with this knowledge, which [`Known::to_follow`] has prepared.
    pub fn new(known: &'a Known, states: &WatchedStates, table: &Table, every: u64) -> anyhow::Result<Self> {
        if states.identify {
            ensure!(known.states().know_spread(), state::Error::NoSpread);
        }
        let identify = states.identify.then(|| Follow::identify(known, ALPHA)).transpose()?;
        let check = || Follow::check(known, &states.against, ALPHA, states.per_day, nanoseconds(states.silence));
        let check = (!states.against.is_empty()).then(check).transpose()?;
        let least_ns = state::least_of(every);
        Ok(FollowedStates { seen: SeenOfTick::of(known.names(), table), identify, check, least_ns })
    }

    /// What is to be reported after this window.
    pub fn window(&mut self, tick: &Tick<'_>, hits: &[WindowHits]) -> Vec<FollowMessage> {
        if tick.to.since(tick.from) < self.least_ns {
            return Vec::new();
        }
        let seen = self.seen.of_hits(tick, hits);
        let follows = self.identify.iter_mut().chain(&mut self.check);
        follows.flat_map(|follow| follow.window(tick.from, seen.clone())).collect()
    }
}

/// What is known of this machine before its first window.
pub(super) fn nothing_yet(
    origin: state::SessionOrigin,
    table: &Table,
    selection: &crate::tracefs::Selection,
    every: u64,
) -> Session {
    Session::without_windows(origin, table, selection, Length::Ns(every))
}
