//! The summary's part about a recording with a budget.

use super::CostOfRecording;
use crate::events::thinning::OPENED_WITH;
use crate::tracefs::Tpid;
use crate::units::Ns;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a recording with a budget left out, and its cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetSummary {
    /// The budget, as a part of the time of all CPUs.
    pub budget: f64,
    /// The cost; null if the capture was killed.
    pub cost: Option<CostOfRecording>,
    /// The stretches in which a tracepoint was not recorded hit by hit, by tpid and time.
    pub stretches: Vec<ThinnedStretch>,
}

impl BudgetSummary {
    /// The number of tracepoints that were thinned or detached, except in the first milliseconds.
    pub fn thinned_tracepoints(&self) -> usize {
        let stretches = self.stretches.iter().filter(|stretch| stretch.one_in != OPENED_WITH);
        stretches.map(|stretch| stretch.tpid).collect::<BTreeSet<_>>().len()
    }
}

/// A stretch of a recording in which a tracepoint was thinned or detached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThinnedStretch {
    /// The tpid.
    pub tpid: Tpid,
    /// `group:name`.
    pub name: String,
    /// One in this many hits was recorded; 0 if the tracepoint was detached.
    pub one_in: u64,
    /// Its begin, in nanoseconds from the first event.
    pub from_ns: Ns,
    /// Its end, in nanoseconds from the first event.
    pub to_ns: Ns,
}
