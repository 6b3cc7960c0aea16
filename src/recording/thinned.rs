//! The summary's part about a recording with a budget.

use super::CostOfRecording;
use crate::events::thinning::OPENED_WITH;
use crate::tracefs::Tpid;
use crate::units::Ns;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a recording with a budget left out, and its cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetSummary {
    /// The budget, as a part of the time of all CPUs; null if the source is a log, which does not have it.
    pub budget: Option<f64>,
    /// The cost; null if the source does not have the end of the recording.
    pub cost: Option<CostOfRecording>,
    /// The stretches in which a tracepoint was not recorded hit by hit, by tpid and time. In JSON, they stand below their
    /// tracepoint, because there can be many, and a name can be long.
    #[serde(rename = "tracepoints", serialize_with = "by_tracepoint", deserialize_with = "of_tracepoints")]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThinnedStretch {
    /// The tpid.
    pub tpid: Tpid,
    /// `group:name`, which the stretches of a tracepoint share.
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

/// A tracepoint in JSON, with its stretches.
#[derive(Serialize, Deserialize)]
struct WithStretches<'a> {
    tpid: Tpid,
    name: Cow<'a, str>,
    stretches: Vec<ThinnedPart>,
}

#[derive(Serialize, Deserialize)]
struct ThinnedPart {
    one_in: u64,
    from_ns: Ns,
    to_ns: Ns,
}

fn by_tracepoint<S: Serializer>(stretches: &[ThinnedStretch], serializer: S) -> Result<S::Ok, S::Error> {
    let part = |it: &ThinnedStretch| ThinnedPart { one_in: it.one_in, from_ns: it.from_ns, to_ns: it.to_ns };
    let of_one = stretches.chunk_by(|one, other| one.tpid == other.tpid);
    let with_stretches = of_one.filter_map(|its| {
        let first = its.first()?;
        let name = Cow::Borrowed(first.name.as_ref());
        Some(WithStretches { tpid: first.tpid, name, stretches: its.iter().map(part).collect() })
    });
    serializer.collect_seq(with_stretches)
}

fn of_tracepoints<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ThinnedStretch>, D::Error> {
    let mut stretches = Vec::new();
    for WithStretches { tpid, name, stretches: parts } in Vec::<WithStretches<'_>>::deserialize(deserializer)? {
        let name: Arc<str> = name.into();
        let stretch = |ThinnedPart { one_in, from_ns, to_ns }| {
            let name = Arc::clone(&name);
            ThinnedStretch { tpid, name, one_in, from_ns, to_ns }
        };
        stretches.extend(parts.into_iter().map(stretch));
    }
    Ok(stretches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn in_json_each_tracepoint_has_its_name_once() {
        let stretch = |tpid, name: &str, one_in, from| ThinnedStretch {
            tpid: Tpid::new(tpid),
            name: name.into(),
            one_in,
            from_ns: Ns(from),
            to_ns: Ns(from + 5),
        };
        let stretches = vec![stretch(3, "a:b", 17, 0), stretch(3, "a:b", 0, 10), stretch(7, "a:c", 257, 2)];
        let summary = BudgetSummary { budget: Some(0.05), cost: None, stretches };
        let written = serde_json::to_value(&summary).unwrap();
        let part = |one_in, from| json!({ "one_in": one_in, "from_ns": from, "to_ns": from + 5 });
        let expected = json!([
            { "tpid": 3, "name": "a:b", "stretches": [part(17, 0), part(0, 10)] },
            { "tpid": 7, "name": "a:c", "stretches": [part(257, 2)] },
        ]);
        assert_eq!(written["tracepoints"], expected);
        assert_eq!(serde_json::from_value::<BudgetSummary>(written).unwrap(), summary);
    }
}
