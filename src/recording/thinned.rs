//! The summary's part about a recording with a budget.

use super::CostOfRecording;
use crate::events::thinning::OPENED_WITH;
use crate::tracefs::Tpid;
use crate::units::Ns;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a recording with a budget left out, and its cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetSummary {
    /// The budget, as a part of the time of all CPUs; null if the source is a log, which does not have it.
    pub budget: Option<f64>,
    /// The cost; null if the source does not have the end of the recording.
    pub cost: Option<CostOfRecording>,
    /// The stretches in which a tracepoint was not recorded hit by hit, by tpid and time.
    pub stretches: Vec<ThinnedStretch>,
}

impl BudgetSummary {
    /// The tracepoints that were detached for a part of the time. Nobody counted their hits then.
    pub fn detached(&self) -> BTreeSet<Tpid> {
        self.stretches.iter().filter(|stretch| stretch.is_detached()).map(|stretch| stretch.tpid).collect()
    }

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
    /// `group:name`. The stretches of a tracepoint share it: there can be many, and a name can be long.
    #[serde(serialize_with = "shared_name", deserialize_with = "read_name")]
    pub name: Arc<str>,
    /// One in this many hits was recorded; 0 if the tracepoint was detached.
    pub one_in: u64,
    /// Its begin, in nanoseconds from the first event.
    pub from_ns: Ns,
    /// Its end, in nanoseconds from the first event.
    pub to_ns: Ns,
}

impl ThinnedStretch {
    /// Whether the tracepoint was detached. Otherwise it was thinned.
    pub fn is_detached(&self) -> bool {
        self.one_in == 0
    }
}

fn shared_name<S: Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

fn read_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    Ok(String::deserialize(deserializer)?.into())
}
