//! States for programs: JSON, CSV, and JUnit for CI.

use super::check::{Check, Finding, Kind};
use super::conformal::PValue;
use super::identify::Identification;
use super::junit::{Case, Failure, Suite};
use super::reasons::Reason;
use super::windows::Length;
use crate::recording::Tool;
use crate::units::{Count, Ns, Seconds, Share};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The version of the JSON forms. It grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    tool: Tool,
    source: &'a str,
    window: Length,
    alpha: f64,
    coverage: f64,
    library: LibraryForm<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<CheckForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    windows: Option<Vec<WindowForm<'a>>>,
    stretches: Vec<StretchForm<'a>>,
}

#[derive(Serialize)]
struct LibraryForm<'a> {
    tracepoints: usize,
    states: Vec<StateForm<'a>>,
}

#[derive(Serialize)]
struct StateForm<'a> {
    name: &'a str,
    sessions: usize,
    windows: usize,
    rate: f64,
    lowest_p: PValue,
}

#[derive(Serialize)]
struct WindowForm<'a> {
    begin_ns: Ns,
    ns: u64,
    events: u64,
    lost: u64,
    state: Option<&'a str>,
    states: Vec<&'a str>,
    opinions: Vec<OpinionForm<'a>>,
}

#[derive(Serialize)]
struct OpinionForm<'a> {
    state: &'a str,
    distance: f64,
    p: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_sessions: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intensity: Option<f64>,
}

#[derive(Serialize)]
struct StretchForm<'a> {
    from: usize,
    to: usize,
    begin_ns: Ns,
    end_ns: Ns,
    state: Option<&'a str>,
    states: Vec<&'a str>,
    nearest: &'a str,
    other: Option<&'a str>,
    intensity: f64,
    opinions: Vec<OpinionForm<'a>>,
    #[serde(rename = "for")]
    for_it: Vec<ReasonForm<'a>>,
    #[serde(rename = "against")]
    against_it: Vec<ReasonForm<'a>>,
    groups_for: Vec<ReasonForm<'a>>,
    groups_against: Vec<ReasonForm<'a>>,
}

#[derive(Serialize)]
struct ReasonForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tracepoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    share: f64,
    in_state: f64,
    in_other: f64,
    part: f64,
}

#[derive(Serialize)]
struct CheckForm<'a> {
    alarm: bool,
    block: usize,
    blocks: usize,
    blocks_of_an_alarm: usize,
    blocks_too_lossy: usize,
    tests_of_a_block: usize,
    false_alarms_per_day: f64,
    level: f64,
    /// Seconds, of states whose sessions are all of a short time.
    learned_within_s: BTreeMap<&'a str, f64>,
    findings: Vec<FindingForm<'a>>,
}

#[derive(Serialize)]
struct FindingForm<'a> {
    kind: Kind,
    tracepoint: Option<&'a str>,
    state: &'a str,
    from: usize,
    to: usize,
    here: f64,
    learned: Option<[f64; 3]>,
    p: f64,
}

/// Reasons of a stretch in JSON, each way; the rest are smaller.
const REASONS: usize = 10;

fn document<'a>(it: &'a Identification, source: &'a str) -> Document<'a> {
    let states = &it.states.states;
    let name = |state: usize| states[state].name.as_str();
    let names = |possible: &[usize]| possible.iter().map(|state| name(*state)).collect();
    let stretches = it.stretches.iter().map(|stretch| StretchForm {
        from: stretch.from,
        to: stretch.to,
        begin_ns: it.begins[stretch.from],
        end_ns: it.begins[stretch.to],
        state: stretch.state().map(name),
        states: names(&stretch.possible),
        nearest: name(stretch.nearest),
        other: stretch.other.map(name),
        intensity: stretch.intensity,
        opinions: stretch
            .opinions
            .iter()
            .enumerate()
            .filter_map(|(state, opinion)| {
                let (distance, p) = (*opinion)?;
                Some(OpinionForm { state: name(state), distance, p, p_sessions: None, intensity: None })
            })
            .collect(),
        for_it: reasons(&stretch.for_it, false),
        against_it: reasons(&stretch.against_it, false),
        groups_for: reasons(&stretch.groups_for_it, true),
        groups_against: reasons(&stretch.groups_against_it, true),
    });
    Document {
        schema: SCHEMA,
        tool: Tool::this(),
        source,
        window: it.length,
        alpha: it.alpha,
        coverage: it.coverage,
        library: LibraryForm {
            tracepoints: it.names.len(),
            states: states
                .iter()
                .map(|state| StateForm {
                    name: &state.name,
                    sessions: state.sessions,
                    windows: state.windows().count(),
                    rate: state.rate,
                    lowest_p: state.lowest(),
                })
                .collect(),
        },
        check: None,
        windows: None,
        stretches: stretches.collect(),
    }
}

fn windows(it: &Identification) -> Vec<WindowForm<'_>> {
    let name = |state: usize| it.states.states[state].name.as_str();
    let windows = it.windows.iter().zip(&it.answers).enumerate().map(|(index, (seen, answer))| WindowForm {
        begin_ns: it.begins[index],
        ns: seen.ns,
        events: seen.composition.events(),
        lost: seen.lost,
        state: answer.possible.first().map(|state| name(*state)),
        states: answer.possible.iter().map(|state| name(*state)).collect(),
        opinions: answer
            .opinions
            .iter()
            .enumerate()
            .filter_map(|(state, opinion)| {
                let opinion = opinion.as_ref()?;
                Some(OpinionForm {
                    state: name(state),
                    distance: opinion.distance,
                    p: opinion.p.windows,
                    p_sessions: Some(opinion.p.sessions),
                    intensity: Some(opinion.intensity),
                })
            })
            .collect(),
    });
    windows.collect()
}

fn reasons(reasons: &[Reason], is_group: bool) -> Vec<ReasonForm<'_>> {
    reasons
        .iter()
        .take(REASONS)
        .map(|reason| ReasonForm {
            tracepoint: (!is_group).then_some(reason.name.as_str()),
            group: is_group.then_some(reason.name.as_str()),
            share: reason.here,
            in_state: reason.nearest,
            in_other: reason.other,
            part: reason.part,
        })
        .collect()
}

/// All there is, as one object.
pub fn write_json(it: &Identification, source: &str, out: &mut dyn Write) -> io::Result<()> {
    let document = Document { windows: Some(windows(it)), ..document(it, source) };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// A row for each window and state.
pub fn write_csv(it: &Identification, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
        "window",
        "begin_ns",
        "ns",
        "events",
        "lost",
        "stretch",
        "state",
        "distance",
        "p",
        "p_sessions",
        "intensity",
        "possible",
    ])?;
    for (index, (seen, answer)) in it.windows.iter().zip(&it.answers).enumerate() {
        let stretch = it.stretches.partition_point(|stretch| stretch.to <= index);
        for (state, opinion) in answer.opinions.iter().enumerate() {
            let Some(opinion) = opinion else { continue };
            csv.write_record([
                index.to_string(),
                it.begins[index].to_string(),
                seen.ns.to_string(),
                seen.composition.events().to_string(),
                seen.lost.to_string(),
                stretch.to_string(),
                it.states.states[state].name.clone(),
                format!("{:.6}", opinion.distance),
                format!("{:.6}", opinion.p.windows),
                format!("{:.6}", opinion.p.sessions),
                format!("{:.4}", opinion.intensity),
                answer.possible.contains(&state).to_string(),
            ])?;
        }
    }
    csv.flush()
}

/// A check as one object, without its windows.
pub fn write_check_json<'a>(check: &'a Check, source: &'a str, out: &mut dyn Write) -> io::Result<()> {
    let finding = |finding: &'a Finding| FindingForm {
        kind: finding.kind,
        tracepoint: finding.tracepoint.as_deref(),
        state: &finding.state,
        from: finding.from,
        to: finding.to,
        here: finding.here,
        learned: finding.learned,
        p: finding.p,
    };
    let form = CheckForm {
        alarm: !check.findings.is_empty(),
        block: check.block,
        blocks: check.blocks,
        blocks_of_an_alarm: check.in_a_row,
        blocks_too_lossy: check.lossy,
        tests_of_a_block: check.tests,
        false_alarms_per_day: check.per_day,
        level: check.level,
        learned_within_s: check.brief.iter().map(|(state, span)| (state.as_str(), span.as_secs_f64())).collect(),
        findings: check.findings.iter().map(finding).collect(),
    };
    let document = Document { check: Some(form), windows: None, ..document(&check.identification, source) };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// A check as JUnit's XML, as CI systems read it: a test case for each kind of finding.
pub fn write_junit(check: &Check, source: &str, out: &mut dyn Write) -> io::Result<()> {
    let case = |kind: Kind| {
        let findings = check.findings.iter().filter(|finding| finding.kind == kind);
        let sentences: Vec<String> = findings.map(|finding| finding.sentence(check)).collect();
        let message = match &sentences[..] {
            [] => return Case { name: kind.words(), failure: None },
            [only] => only.clone(),
            more => format!("{} findings", more.len()),
        };
        let kind_name = format!("{kind:?}").to_lowercase();
        let failure = Failure { kind: kind_name, message, description: sentences.join("\n") };
        Case { name: kind.words(), failure: Some(failure) }
    };
    let cases = Kind::ALL.map(case).into();
    Suite { tool: "tp-perf check", name: source, cases, output: said_beside(check).join("\n") }.write(out)
}

/// What bounds what a check says, in sentences.
pub fn said_beside(check: &Check) -> Vec<String> {
    let mut said = Vec::new();
    let coverage = check.identification.coverage;
    if coverage < 1.0 {
        said.push(format!(
            "only {} of its events are of tracepoints that all captured; of the rest nothing is known, and nothing is said",
            Share(coverage)
        ));
    }
    let behind = check.identification.windows.len() % check.block;
    if behind > 0 {
        said.push(format!(
            "the last {} no block: of their tracepoints nothing is said",
            match behind {
                1 => "window makes".to_owned(),
                number => format!("{number} windows make"),
            }
        ));
    }
    if check.lossy > 0 {
        said.push(format!("{} lost too many events to say anything", Count(check.lossy as u64, "block")));
    }
    for (state, span) in &check.brief {
        said.push(format!(
            "all sessions of {state} are from within {}: what this system does less often was not learned, and may be an alarm; \
             learn it at other times too",
            Seconds(*span)
        ));
    }
    said
}

impl Finding {
    /// What is found, in a sentence.
    pub fn sentence(&self, check: &Check) -> String {
        let since = |window: usize| check.identification.seconds_since(window);
        let when = format!("from {} to {} s", since(self.from), since(self.to));
        let what = self.tracepoint.as_deref().unwrap_or("all");
        let rate = |value: f64| format!("{}/s", crate::units::Rate(value));
        let share = |value: f64| Share(value).to_string();
        let (text, value): (_, &dyn Fn(f64) -> String) = match self.kind {
            Kind::Composition => {
                return format!(
                    "{when}: unlike all that was learned; the nearest is {}, at a distance of {:.3}",
                    self.state, self.here
                );
            }
            Kind::New => ("never seen", &rate),
            Kind::Vanished => ("gone", &rate),
            Kind::Rate => ("another rate", &rate),
            Kind::Share => ("another share", &share),
        };
        let learned = self.learned.map_or_else(String::new, |[lowest, mean, highest]| {
            format!("; in {} {} ({} to {})", self.state, value(mean), value(lowest), value(highest))
        });
        format!("{what} {when}: {text}, {}{learned}", value(self.here))
    }
}
