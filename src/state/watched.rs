//! How a machine that is watched is compared with learned states.

use super::{Library, PER_DAY};
use std::time::Duration;

/// How the windows of this machine are compared with learned states.
#[derive(Debug, Clone)]
pub struct WatchedStates {
    /// The library of the states.
    pub library: Library,
    /// Report changes of state.
    pub identify: bool,
    /// The states in which the machine should be. Without any, there are no alarms.
    pub against: Vec<String>,
    /// The allowed false alarms in a day.
    pub per_day: f64,
    /// An alarm that comes again this soon after its end is not reported.
    pub silence: Duration,
}

impl WatchedStates {
    /// Reports the state, and raises no alarms.
    pub fn to_identify(library: Library) -> Self {
        WatchedStates { library, identify: true, against: Vec::new(), per_day: PER_DAY, silence: Duration::ZERO }
    }
}
