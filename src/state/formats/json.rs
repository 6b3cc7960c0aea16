//! The states of a source as one JSON object.

use crate::recording::Tool;
use crate::state::{Check, Evaluation, Identification, Length, Opinion, Reason, Seen, State, Stretch, Suggestion};
use crate::text::write_json_pretty;
use crate::units::Ns;
use serde::Serialize;
use std::io::{self, Write};

/// The version of the JSON forms. It grows when a field changes its meaning or is removed.
pub(super) const SCHEMA: u32 = 2;

/// How many reasons of each kind the JSON of a stretch has; the rest are smaller.
const REASONS: usize = 10;

#[derive(Serialize)]
struct StatesJson<'a> {
    schema: u32,
    tool: Tool,
    source: &'a str,
    window: Length,
    alpha: f64,
    coverage: f64,
    library: LibraryJson<'a>,
    not_excluded: Vec<NotExcludedJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<CheckJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Vec<WindowJson<'a>>>,
    stretches: Vec<StretchJson<'a>>,
}

#[derive(Serialize)]
struct LibraryJson<'a> {
    tracepoints: usize,
    states: &'a [State],
}

/// A state that is never an answer, because too little is known of it.
#[derive(Serialize)]
struct NotExcludedJson<'a> {
    state: &'a str,
    why: String,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    alarm: bool,
    headline: String,
    #[serde(flatten)]
    check: &'a Check,
}

#[derive(Serialize)]
struct WindowJson<'a> {
    begin_ns: Ns,
    #[serde(flatten)]
    seen: &'a Seen,
    state: Option<&'a str>,
    states: Vec<&'a str>,
    opinions: Vec<OfState<'a, Opinion>>,
}

#[derive(Serialize)]
struct StretchJson<'a> {
    from: usize,
    to: usize,
    begin_ns: Ns,
    end_ns: Ns,
    usable: usize,
    said: String,
    state: Option<&'a str>,
    states: Vec<&'a str>,
    nearest: Option<&'a str>,
    other: Option<&'a str>,
    intensity: f64,
    opinions: Vec<OfState<'a, Opinion>>,
    #[serde(rename = "for")]
    in_favour: Vec<OfTracepoint<'a>>,
    against: Vec<OfTracepoint<'a>>,
    #[serde(rename = "groups_for")]
    groups_in_favour: Vec<OfGroup<'a>>,
    groups_against: Vec<OfGroup<'a>>,
}

/// An opinion with the name of its state.
#[derive(Serialize)]
struct OfState<'a, T> {
    state: &'a str,
    #[serde(flatten)]
    opinion: &'a T,
}

#[derive(Serialize)]
struct OfTracepoint<'a> {
    tracepoint: &'a str,
    #[serde(flatten)]
    reason: &'a Reason,
}

#[derive(Serialize)]
struct OfGroup<'a> {
    group: &'a str,
    #[serde(flatten)]
    reason: &'a Reason,
}

/// Writes an identification with all its windows.
pub fn write_json(identification: &Identification, source: &str, out: &mut dyn Write) -> io::Result<()> {
    let states = Numbered::of(identification);
    let windows = identification.windows.iter().zip(&identification.answers).zip(&identification.begins);
    let windows = windows.map(|((seen, answer), begin_ns)| WindowJson {
        begin_ns: *begin_ns,
        seen,
        state: answer.states.first().map(|state| states.name(*state)),
        states: states.names(&answer.states),
        opinions: states.with(&answer.opinions),
    });
    let windows = Some(windows.collect());
    write(&StatesJson { windows, ..of_source(identification, source) }, out)
}

/// Writes a check, without its windows.
pub fn write_check_json(check: &Check, source: &str, out: &mut dyn Write) -> io::Result<()> {
    let form = CheckJson { alarm: !check.findings.is_empty(), headline: check.headline(), check };
    write(&StatesJson { check: Some(form), ..of_source(&check.identification, source) }, out)
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    schema: u32,
    tool: Tool,
    source: &'a str,
    error: &'a str,
}

/// Writes the error of a source that stands among others.
pub fn write_error_json(source: &str, error: &str, out: &mut dyn Write) -> io::Result<()> {
    write_json_pretty(&ErrorJson { schema: SCHEMA, tool: Tool::this(), source, error }, out)
}

#[derive(Serialize)]
struct OfLibrary<'a, T> {
    schema: u32,
    tool: Tool,
    library: &'a str,
    #[serde(flatten)]
    found: &'a T,
}

/// Writes the evaluation of a library.
pub fn write_evaluation_json(evaluation: &Evaluation, library: &str, out: &mut dyn Write) -> io::Result<()> {
    write_json_pretty(&OfLibrary { schema: SCHEMA, tool: Tool::this(), library, found: evaluation }, out)
}

/// Writes the tracepoints that suffice for a library.
pub fn write_suggestion_json(suggestion: &Suggestion, library: &str, out: &mut dyn Write) -> io::Result<()> {
    write_json_pretty(&OfLibrary { schema: SCHEMA, tool: Tool::this(), library, found: suggestion }, out)
}

fn write(form: &StatesJson<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_json_pretty(form, out)
}

/// The part that both forms have in common.
fn of_source<'a>(identification: &'a Identification, source: &'a str) -> StatesJson<'a> {
    let Identification { length, alpha, coverage, names, states, stretches, .. } = identification;
    StatesJson {
        schema: SCHEMA,
        tool: Tool::this(),
        source,
        window: *length,
        alpha: *alpha,
        coverage: *coverage,
        library: LibraryJson { tracepoints: names.len(), states: &states.states },
        not_excluded: identification
            .not_excluded()
            .into_iter()
            .map(|(state, why)| NotExcludedJson { state, why })
            .collect(),
        check: None,
        windows: None,
        stretches: stretches.iter().map(|stretch| of_stretch(identification, stretch)).collect(),
    }
}

fn of_stretch<'a>(identification: &'a Identification, stretch: &'a Stretch) -> StretchJson<'a> {
    let states = Numbered::of(identification);
    let of_tracepoints = |reasons: &'a [Reason]| {
        reasons.iter().take(REASONS).map(|reason| OfTracepoint { tracepoint: &reason.name, reason }).collect()
    };
    let of_groups = |reasons: &'a [Reason]| {
        reasons.iter().take(REASONS).map(|reason| OfGroup { group: &reason.name, reason }).collect()
    };
    StretchJson {
        from: stretch.from,
        to: stretch.to,
        begin_ns: identification.begins[stretch.from],
        end_ns: identification.begins[stretch.to],
        usable: stretch.usable,
        said: identification.said(stretch),
        state: stretch.state().map(|state| states.name(state)),
        states: states.names(&stretch.answer.states),
        nearest: stretch.nearest().map(|state| states.name(state)),
        other: stretch.other.map(|state| states.name(state)),
        intensity: stretch.intensity,
        opinions: states.with(&stretch.answer.opinions),
        in_favour: of_tracepoints(&stretch.in_favour),
        against: of_tracepoints(&stretch.against),
        groups_in_favour: of_groups(&stretch.groups_in_favour),
        groups_against: of_groups(&stretch.groups_against),
    }
}

/// Gives the names of states that are otherwise known by number.
#[derive(Clone, Copy)]
struct Numbered<'a>(&'a [State]);

impl<'a> Numbered<'a> {
    fn of(identification: &'a Identification) -> Self {
        Numbered(&identification.states.states)
    }

    fn name(self, state: usize) -> &'a str {
        &self.0[state].name
    }

    fn names(self, states: &[usize]) -> Vec<&'a str> {
        states.iter().map(|state| self.name(*state)).collect()
    }

    /// The opinions, each with the name of its state.
    fn with<T>(self, opinions: &'a [Option<T>]) -> Vec<OfState<'a, T>> {
        let all = self.0.iter().zip(opinions);
        all.filter_map(|(state, opinion)| Some(OfState { state: &state.name, opinion: opinion.as_ref()? })).collect()
    }
}
