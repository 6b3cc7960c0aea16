//! The options of `monitor`.

use crate::alarms::Rule;
use crate::capture::flight::{FlightFolder, LastLimits};
use crate::control::Manner;
use crate::counting::CountOptions;
use crate::history::Keep;
use crate::metrics::ServerAddress;
use crate::processes::CountBy;
use crate::state::WatchedStates;
use std::path::PathBuf;
use std::time::Duration;

/// What to monitor, and where the results go.
#[derive(Debug, Clone)]
pub struct MonitorRequest {
    /// How to count.
    pub count: CountOptions,
    /// How much tp-perf shows, and whether it waits for the detach.
    pub manner: Manner,
    /// Only check the options.
    pub only_check: bool,
    /// The folder of the history, and how much of it is kept.
    pub history: Option<(PathBuf, Keep)>,
    /// Where metrics are served.
    pub metrics: Vec<ServerAddress>,
    /// The file for metrics.
    pub textfile: Option<PathBuf>,
    /// The learned states.
    pub states: Option<WatchedStates>,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The command that an alarm runs, and for how long it may.
    pub on_alarm: Option<(String, Duration)>,
    /// The flight recorder.
    pub flight: Option<FlightRequest>,
}

impl MonitorRequest {
    /// Where recordings go, if some are wanted.
    pub fn flight_folder(&self) -> Option<&FlightFolder> {
        self.flight.as_ref()?.folder.as_ref()
    }

    /// Whether hits are also counted by process or by cgroup.
    pub fn by(&self) -> Option<CountBy> {
        self.flight.as_ref()?.by
    }
}

/// How events are recorded beside the counts.
#[derive(Debug, Clone)]
pub struct FlightRequest {
    /// How much is kept.
    pub limits: LastLimits,
    /// Where recordings go, and how many of them stay. `None` if no recording is wanted, only the hits `by` process or cgroup.
    pub folder: Option<FlightFolder>,
    /// Count the hits by process or by cgroup.
    pub by: Option<CountBy>,
    /// The part of the time of all CPUs that recording may take. `None` records each hit, whatever it costs.
    pub budget: Option<f64>,
}
