//! How well a library tells its states apart, for people.

use super::layout::{Screen, TextCell, TextColumn, TextTable};
use super::width::Width;
use crate::state::{Evaluation, Learned, Repeated, Session, StateEvaluation, Told};
use crate::text::OneLine;
use crate::units::{Plural, Share};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};

/// A state's name takes up to this many columns before another column is left out.
const NAME: usize = 24;

const BOLD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Yellow.on_default();

/// Prints an evaluation on lines of `width` columns.
pub fn print_evaluation(
    evaluation: &Evaluation,
    library: &str,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    screen.prose(format_args!(
        "{BOLD}{}{BOLD:#}: {} of {}. Each was left out and judged as a new session, at level {}.",
        OneLine(library),
        Plural(evaluation.sessions as u64, "usable session"),
        Plural(evaluation.states.len() as u64, "state"),
        evaluation.alpha
    ))?;
    screen.blank()?;
    print_table(evaluation, screen)?;
    screen.blank()?;
    screen.prose(format_args!(
        "`right`, `set`, `unknown`, `wrong`: what tp-perf says of the sessions of a learned state; a set is several states. `found`: how \
         many it calls unknown if the state was never learned. `distance`: how far the sessions are from their own state (1 is \
         usual); the nearest other state has its distance behind it."
    ))?;
    for line in summary(evaluation) {
        screen.hanging("", "  ", OneLine(line))?;
    }
    let of_states = evaluation.states.iter().flat_map(|state| &state.advice);
    let advice: Vec<&String> = of_states.chain(&evaluation.advice).collect();
    if !advice.is_empty() {
        screen.blank()?;
        screen.prose(format_args!("{BOLD}To improve the library{BOLD:#}"))?;
    }
    advice.into_iter().try_for_each(|advice| screen.hanging("- ", "  ", OneLine(advice)))
}

fn print_table(evaluation: &Evaluation, screen: &mut Screen<'_>) -> io::Result<()> {
    let number = TextColumn::RIGHT;
    let mut table = TextTable::new([
        TextColumn::LEFT.cut_to(NAME),
        number,
        number,
        number,
        number,
        number,
        number,
        TextColumn::LEFT.optional(),
        number.optional(),
    ]);
    table.head(["state", "sessions", "right", "set", "unknown", "wrong", "found", "nearest other", "distance"]);
    for state in &evaluation.states {
        let StateEvaluation { known, never_learned: never, .. } = state;
        let is_bad = known.wrong_number() > 0 || never.unknown < never.of || state.sessions == 0;
        let nearest = state.nearest.as_ref().map(|(name, distance)| format!("{name} ({distance:.1})"));
        let cells = [
            OneLine(&state.state).into(),
            state.sessions.into(),
            known.right.into(),
            known.in_set.into(),
            known.unknown.into(),
            known.wrong_number().into(),
            if never.of > 0 { format!("{} of {}", never.unknown, never.of).into() } else { TextCell::default() },
            nearest.unwrap_or_default().into(),
            state.width.map(|width| format!("{width:.1}")).unwrap_or_default().into(),
        ];
        table.row(if is_bad { BAD } else { Style::new() }, cells);
    }
    screen.table(&table)
}

/// The figures of all states together, in sentences.
fn summary(evaluation: &Evaluation) -> Vec<String> {
    let mut lines = Vec::new();
    match evaluation.limit {
        Some(limit) => lines.push(format!("tp-perf rejects a state for a whole session at a distance above {limit:.1}")),
        None => lines.push(
            "the library does not show how much sessions of one state differ, so tp-perf names no state: every answer is unknown"
                .to_owned(),
        ),
    }
    let all = |told: fn(&StateEvaluation) -> &Told| {
        let told: Vec<&Told> = evaluation.states.iter().map(told).collect();
        let unknown: usize = told.iter().map(|told| told.unknown).sum();
        let of: usize = told.iter().map(|told| told.of).sum();
        (unknown, of, Share(unknown as f64 / of.max(1) as f64))
    };
    let ((unknown, of, share), (blocks, of_blocks, share_of_blocks)) =
        (all(|state| &state.known), all(|state| &state.known_blocks));
    if of > 0 && evaluation.limit.is_some() {
        lines.push(format!(
            "learned states: {unknown} of {of} sessions are called unknown ({share}), and {blocks} of {of_blocks} blocks of {} \
             ({share_of_blocks}); expect as much of new sessions like these",
            Plural(evaluation.block as u64, "window")
        ));
    }
    let (found, of, share) = all(|state| &state.never_learned);
    if of > 0 && evaluation.limit.is_some() {
        lines.push(format!("states never learned: {found} of {of} sessions are called unknown ({share})"));
    }
    for state in &evaluation.states {
        for (wrong, number) in &state.known.wrong {
            lines.push(format!("{} of {} would be called {wrong}", Plural(*number as u64, "session"), state.state));
        }
    }
    lines
}

/// Prints how good a state is, after sessions were added to it, with what is wrong with these sessions.
pub fn print_quality(
    quality: &StateEvaluation,
    repeated: &[Repeated],
    sessions: &[(String, Session)],
    state: &Learned,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let mut line = |text: String| screen.hanging("", "  ", format_args!("{}: {text}", state.name));
    for (place, session) in sessions {
        let dropped = session.windows - session.usable();
        if dropped > 0 {
            line(format!(
                "{BAD}{} of {} lost more than a tenth of their events and are not used{BAD:#} ({})",
                dropped,
                Plural(session.windows as u64, "window"),
                OneLine(place)
            ))?;
        }
    }
    for (place, session) in sessions {
        let Some(load) = session.load else { continue };
        if let Some(part) = load.stolen() {
            line(format!(
                "{BAD}the hypervisor took {} of the CPUs' time{BAD:#} ({}): its rates are too low; remove this session, and \
                 learn another one",
                Share(part),
                OneLine(place)
            ))?;
        }
        if let Some(cpus) = load.others(session.origin.cpus.len()) {
            line(format!(
                "{BAD}other programs kept {cpus:.2} CPUs busy{BAD:#} while COMMAND ran ({}): their hits are in the session; remove \
                 it, and learn another one without them",
                OneLine(place)
            ))?;
        }
    }
    let StateEvaluation { known, never_learned: never, .. } = quality;
    if known.of > 0 {
        let never = match never.of {
            0 => String::new(),
            of => format!("; as if never learned, {} of {of} unknown", never.unknown),
        };
        line(format!(
            "each session left out: {} right, {} in a set, {} unknown, {} wrong{never}",
            known.right,
            known.in_set,
            known.unknown,
            known.wrong_number()
        ))?;
    }
    if quality.is_brief {
        line("all sessions were recorded within one hour; learn the state at another time too".to_owned())?;
    }
    quality.advice.iter().try_for_each(|advice| line(OneLine(advice).to_string()))?;
    repeated.iter().try_for_each(|repeated| line(OneLine(repeated.sentence()).to_string()))
}
