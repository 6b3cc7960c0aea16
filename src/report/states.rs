//! The states of a source over time, for pictures and pages.

use crate::state::{Error, Identification, Known, Reason, Session, Stretch};
use crate::units::{OneLine, Seconds, Share, nanoseconds};

/// Tracepoints that are named for a stretch, each way.
const REASONS: usize = 3;

/// The states of a library that sources are held against.
#[derive(Debug, Clone)]
pub struct Identifier {
    /// What is known.
    pub known: Known,
    /// The level at which a state is rejected.
    pub alpha: f64,
}

impl Identifier {
    /// What is said of a source.
    pub fn identify(&self, session: &Session) -> Result<Identification, Error> {
        Identification::of(session, self.known.clone(), self.alpha)
    }
}

/// A stretch of one state, as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSpan {
    /// When it begins, in nanoseconds since the first event.
    pub from_ns: u64,
    /// When it ends.
    pub to_ns: u64,
    /// What is said of it.
    pub label: String,
    /// The number of the state among those that are known; `None` if it is unknown.
    pub state: Option<usize>,
}

/// The stretches as they are drawn, in time since the first event.
pub fn spans(it: &Identification) -> Vec<StateSpan> {
    let since = |window: usize| nanoseconds(it.since(window));
    it.stretches
        .iter()
        .map(|stretch| StateSpan {
            from_ns: since(stretch.from),
            to_ns: since(stretch.to),
            label: it.said(stretch),
            state: stretch.state(),
        })
        .collect()
}

/// Stretches that are named in one line.
const NAMED: usize = 6;

/// All stretches in one line: `apache for 32.0 s, unknown (nearest nginx) for 28.0 s`.
pub fn words(it: &Identification) -> String {
    let one = |stretch: &Stretch| {
        let lasts = it.since(stretch.to) - it.since(stretch.from);
        format!("{} for {}", it.said(stretch), Seconds(lasts))
    };
    let mut words: Vec<String> = it.stretches.iter().take(NAMED).map(one).collect();
    if it.stretches.len() > NAMED {
        words.push(format!("then {} more changes", it.stretches.len() - NAMED));
    }
    words.join(", ")
}

/// A stretch in words.
pub struct Row {
    /// When it begins, as in `12.0 s`.
    pub from: String,
    /// When it ends.
    pub to: String,
    /// The state, or that it is unknown.
    pub state: String,
    /// The distance to the nearest state.
    pub distance: String,
    /// The p-value of the nearest state.
    pub p: String,
    /// How many times the nearest state's usual rate.
    pub intensity: String,
    /// The tracepoints that speak for the nearest state.
    pub for_it: String,
    /// The tracepoints that speak against it.
    pub against_it: String,
}

/// All stretches in words.
pub fn rows(it: &Identification) -> Vec<Row> {
    let since = |window: usize| format!("{} s", it.seconds_since(window));
    let reasons = |reasons: &[Reason]| {
        let one =
            |reason: &Reason| format!("{} {} ({})", OneLine(&reason.name), Share(reason.here), Share(reason.nearest));
        reasons.iter().take(REASONS).map(one).collect::<Vec<_>>().join(", ")
    };
    it.stretches
        .iter()
        .map(|stretch| {
            let (distance, p) = stretch.opinions[stretch.nearest].unwrap_or_default();
            Row {
                from: since(stretch.from),
                to: since(stretch.to),
                state: it.said(stretch),
                distance: format!("{distance:.3}"),
                p: format!("{p:.3}"),
                intensity: format!("{:.2}", stretch.intensity),
                for_it: reasons(&stretch.for_it),
                against_it: reasons(&stretch.against_it),
            }
        })
        .collect()
}
