//! The cost of a recording with a budget.

use crate::engine::RecordCost;
use serde::{Deserialize, Serialize};

/// The cost of a recording with a budget. All parts are parts of the time of all CPUs, between 0 and 1. Those of the
/// recording are estimates: the hits of each tracepoint, times the cost of a hit, plus tp-perf's own CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostOfRecording {
    /// The budget.
    pub budget: f64,
    /// The cost of a hit.
    pub hit: RecordCost,
    /// The cost of the whole recording.
    pub part: f64,
    /// The cost of the most expensive window of a quarter of a second.
    pub most: f64,
    /// The number of windows.
    pub windows: u64,
    /// The number of windows whose cost exceeded the budget.
    pub over: u64,
    /// How often a tracepoint moved to another rung.
    pub steps: u64,
}
