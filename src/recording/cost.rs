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
    /// The number of windows. 0 if the recording was too short for one; its cost says little then.
    pub windows: u64,
    /// The number of windows whose cost exceeded the budget.
    pub over: u64,
    /// Those of them that came after the second window. tp-perf needs two windows to act.
    pub over_later: u64,
    /// How often a tracepoint moved to another rung.
    pub steps: u64,
    /// The number of tracepoints that were detached.
    pub detached: u64,
}

impl CostOfRecording {
    /// Of a recording that has not started.
    pub fn new(budget: f64, hit: RecordCost) -> Self {
        CostOfRecording { budget, hit, part: 0.0, most: 0.0, windows: 0, over: 0, over_later: 0, steps: 0, detached: 0 }
    }
}
