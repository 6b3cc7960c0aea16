//! States, for people.

use super::deviations::{Extent, print_deviations};
use super::layout::{Screen, TextCell, TextColumn, TextTable};
use super::width::Width;
use crate::state::{Identification, Learned, Reason, Session, SessionEngine, ShareRange, Stretch};
use crate::text::OneLine;
use crate::units::{Factor, Grouped, Plural, Probability, Rate, Share};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// At most this many stretches are explained. The table has all.
const EXPLAINED: usize = 8;
/// At most this many tracepoints are named for a state.
const REASONS: usize = 3;
/// At most this many tracepoints of a state are shown.
const TRACEPOINTS: usize = 12;
/// A state's name and a kernel's take up to this many columns before another column is left out.
const NAME: usize = 24;

const BOLD: Style = Style::new().bold();
const UNKNOWN: Style = AnsiColor::Yellow.on_default();
const GOOD: Style = AnsiColor::Green.on_default();

/// Prints each learned session with its file, and how many sessions the state has now, if that is known. Lines have `width`
/// columns.
pub fn print_learned(
    state: &str,
    paths: &[PathBuf],
    sessions: &[(String, Session)],
    now: Option<&Learned>,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let mut line = |text: String| screen.hanging("", "  ", format_args!("{state}: {text}"));
    for (path, (_, session)) in paths.iter().zip(sessions) {
        let lost: u64 = session.lost.iter().sum();
        let lossy = if lost > 0 { format!(", {} more lost", Grouped(lost)) } else { String::new() };
        line(format!(
            "learned {} of {} with {} of {}{lossy} ({})",
            Plural(session.windows as u64, "window"),
            session.window,
            Plural(session.events(), "event"),
            Plural(session.counts.len() as u64, "tracepoint"),
            OneLine(&path.display().to_string())
        ))?;
    }
    let Some(Learned { sessions: known, .. }) = now else { return Ok(()) };
    line(format!("the state has {} now", Plural(known.len() as u64, "session")))?;
    let this = &sessions[0].1;
    if let Some((name, other)) = known.iter().find(|(_, other)| other.engine.is_some() && other.engine != this.engine)
        && let (Some(other), Some(engine)) = (other.engine, this.engine)
    {
        line(format!(
            "session {name} was {}, this one was {}: their counts differ where samples were lost or withheld",
            other.word(),
            engine.word()
        ))?;
    }
    if let Some((name, _)) = known.iter().find(|(_, other)| other.origin.kernel != this.origin.kernel) {
        line(format!("session {name} comes from another kernel; only tracepoints of both kernels are compared"))?;
    }
    if let Some((name, other)) = known.iter().find(|(_, other)| other.left_out != this.left_out) {
        line(format!(
            "session {name} captured {}, and this one {}; only tracepoints of both are compared",
            Plural(other.captured_number() as u64, "tracepoint"),
            Plural(this.captured_number() as u64, "tracepoint")
        ))?;
    }
    if let Some((name, other)) = known.iter().find(|(_, other)| other.window != this.window) {
        line(format!(
            "session {name} has windows of {}; tp-perf compares sessions in a window length that both can have",
            other.window
        ))?;
    }
    Ok(())
}

/// Prints how many sessions of a state were removed.
pub fn print_removed(state: &str, removed: usize, width: impl Into<Width>, out: &mut dyn Write) -> io::Result<()> {
    Screen::new(width, out).prose(format_args!("{state}: removed {}", Plural(removed as u64, "session")))
}

/// Prints all states of a library on lines of `width` columns.
pub fn print_states(
    states: &[Learned],
    library: &Path,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let [state, kernel_column] = [TextColumn::LEFT.cut_to(NAME), TextColumn::LEFT.cut_to(10)];
    let mut table = TextTable::new([
        state,
        TextColumn::RIGHT,
        TextColumn::RIGHT,
        TextColumn::RIGHT.optional(),
        TextColumn::LEFT,
        kernel_column,
    ]);
    table.head(["state", "sessions", "windows", "events/s", "window", "kernel"]);
    for Learned { name, sessions } in states {
        let windows: usize = sessions.iter().map(|(_, session)| session.windows).sum();
        let seconds: f64 = sessions.iter().map(|(_, session)| session.length_ns() as f64 / 1e9).sum();
        let events: f64 = sessions.iter().map(|(_, session)| session.events() as f64).sum();
        let rate = if seconds > 0.0 { Rate(events / seconds).to_string() } else { "-".to_owned() };
        let lengths = different(sessions, |session| session.window.to_string());
        let (sessions, kernels) = (sessions.len(), different(sessions, kernel));
        let windows = Grouped(windows as u64).into();
        table.row(Style::new(), [name.into(), sessions.into(), windows, rate.into(), lengths.into(), kernels.into()]);
    }
    screen.table(&table)?;
    screen.prose(format_args!("in {}", OneLine(&library.display().to_string())))
}

/// Prints one state on lines of `width` columns.
pub fn print_state(state: &Learned, width: impl Into<Width>, out: &mut dyn Write) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let Learned { name, sessions } = state;
    screen.prose(format_args!("{BOLD}{name}{BOLD:#}: {}", Plural(sessions.len() as u64, "session")))?;
    screen.blank()?;
    print_sessions(sessions, screen)?;
    screen.blank()?;
    let mut table = TextTable::new([TextColumn::NAME, TextColumn::RIGHT, TextColumn::RIGHT, TextColumn::RIGHT]);
    table.head(["share of a window's events", "mean", "lowest", "highest"]);
    for ShareRange { name, mean, lowest, highest } in state.shares().iter().take(TRACEPOINTS) {
        let [mean, lowest, highest] = [*mean, *lowest, *highest].map(|share| Share(share).into());
        table.row(Style::new(), [OneLine(name).into(), mean, lowest, highest]);
    }
    screen.table(&table)?;
    if sessions.len() < 2 {
        screen.blank()?;
        screen.prose(format_args!(
            "One session does not show how much sessions differ. Start anew and learn the state again: `tp-perf learn {name}`"
        ))?;
    }
    Ok(())
}

fn print_sessions(sessions: &[(String, Session)], screen: &mut Screen<'_>) -> io::Result<()> {
    let has_lost = sessions.iter().any(|(_, session)| session.lost.iter().any(|lost| *lost > 0));
    let mut table = TextTable::new([
        TextColumn::LEFT,
        TextColumn::RIGHT,
        TextColumn::LEFT,
        TextColumn::RIGHT,
        TextColumn::RIGHT,
        TextColumn::RIGHT,
        TextColumn::LEFT.optional(),
        TextColumn::LEFT.optional(),
    ]);
    let has_engine = sessions.iter().any(|(_, session)| session.engine.is_some());
    let [lost, engine] = [(has_lost, "lost"), (has_engine, "engine")].map(|(has, head)| if has { head } else { "" });
    table.head(["session", "windows", "of", "events", lost, "tracepoints", engine, "kernel"]);
    for (file, session) in sessions {
        let lost = session.lost.iter().sum();
        let cells = [
            file.into(),
            Grouped(session.windows as u64).into(),
            session.window.into(),
            Grouped(session.events()).into(),
            if has_lost { Grouped(lost).into() } else { TextCell::default() },
            Grouped(session.captured_number() as u64).into(),
            session.engine.map(SessionEngine::word).unwrap_or_default().into(),
            kernel(session).into(),
        ];
        table.row(Style::new(), cells);
    }
    screen.table(&table)
}

fn kernel(session: &Session) -> String {
    session.origin.kernel.as_deref().map_or("unknown".to_owned(), |kernel| OneLine(kernel).to_string())
}

/// The value that all sessions have, or `several`.
fn different(sessions: &[(String, Session)], of: impl Fn(&Session) -> String) -> String {
    let first = sessions.first().map(|(_, session)| of(session)).unwrap_or_default();
    if sessions.iter().all(|(_, session)| of(session) == first) { first } else { "several".to_owned() }
}

/// Prints which states a source was in, on lines of `width` columns.
pub fn print_identification(
    identification: &Identification,
    source: &str,
    extent: Extent,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let sessions: usize = identification.states.states.iter().map(|state| state.sessions).sum();
    screen.prose(format_args!(
        "{BOLD}{}{BOLD:#}: {} of {}, compared with {} ({}) at level {}",
        OneLine(source),
        Plural(identification.windows.len() as u64, "window"),
        identification.length,
        Plural(identification.states.states.len() as u64, "state"),
        Plural(sessions as u64, "session"),
        identification.alpha
    ))?;
    if identification.coverage < 1.0 {
        screen.prose(format_args!(
            "{} of its events belong to tracepoints that all sessions captured; the others are not compared",
            Share(identification.coverage)
        ))?;
    }
    screen.blank()?;
    print_stretches(identification, screen)?;
    for stretch in identification.stretches.iter().take(extent.most(EXPLAINED)) {
        explain(identification, stretch, extent, screen)?;
    }
    if identification.stretches.len() > extent.most(EXPLAINED) {
        screen.blank()?;
        screen.prose(format_args!(
            "Only the first {EXPLAINED} stretches are explained here; `--verbose` explains all."
        ))?;
    }
    let bounds = identification.bounds();
    if !bounds.is_empty() {
        screen.blank()?;
    }
    bounds.iter().try_for_each(|bound| screen.hanging("", "  ", OneLine(bound)))
}

/// A row for each stretch.
fn print_stretches(identification: &Identification, screen: &mut Screen<'_>) -> io::Result<()> {
    let has_lost = identification.stretches.iter().any(|stretch| identification.lost_in(stretch) > 0);
    let number = TextColumn::RIGHT;
    let mut table = TextTable::new([
        number,
        number,
        TextColumn::LEFT.cut_to(NAME),
        number,
        number,
        number.optional(),
        number.optional(),
        number,
    ]);
    table.head(["from", "to", "state", "distance", "p", "intensity", "agree", if has_lost { "lost" } else { "" }]);
    for stretch in &identification.stretches {
        let opinion = stretch.nearest().and_then(|state| stretch.answer.opinions[state]);
        let p = opinion.and_then(|opinion| opinion.p).map(|p| Probability(p).to_string());
        let seconds = |window| format!("{} s", identification.seconds_since(window));
        let cells = [
            seconds(stretch.from).into(),
            seconds(stretch.to).into(),
            TextCell::styled(identification.said(stretch), style(stretch)),
            opinion.map(|opinion| format!("{:.1}", opinion.distance)).unwrap_or_default().into(),
            p.unwrap_or_default().into(),
            Factor(stretch.intensity).to_string().into(),
            format!("{} of {}", identification.agreeing(stretch), stretch.windows()).into(),
            if has_lost { Grouped(identification.lost_in(stretch)).into() } else { TextCell::default() },
        ];
        table.row(Style::new(), cells);
    }
    screen.table(&table)
}

fn style(stretch: &Stretch) -> Style {
    if stretch.answer.states.is_empty() { UNKNOWN } else { GOOD }
}

/// Explains a stretch: a known state by the tracepoints that only it has so, an unknown one by those that differ from the
/// nearest state.
fn explain(
    identification: &Identification,
    stretch: &Stretch,
    extent: Extent,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let name = |state: usize| identification.states.states[state].name.as_str();
    let style = style(stretch);
    let [from, to] = [stretch.from, stretch.to].map(|window| identification.seconds_since(window));
    let title = format!("{style}{}{style:#}, {from} to {to} s", identification.said(stretch));
    screen.blank()?;
    let Some((state, opinion)) = stretch.nearest().and_then(|state| Some((state, stretch.answer.opinions[state]?)))
    else {
        return screen.hanging(
            "",
            "  ",
            format_args!("{title}: {} of {}", Plural(stretch.usable as u64, "usable window"), stretch.windows()),
        );
    };
    let nearest = name(state);
    let why = match (stretch.few_agree, opinion.score, stretch.state()) {
        (Some([agree, judged]), ..) => {
            format!("its mean looks like {nearest}, but only {agree} of its {judged} windows do")
        }
        (None, Some(score), None) => format!("{nearest} is rejected for {}", score.words()),
        (None, None, None) => format!("{nearest} cannot be excluded"),
        _ => format!("like {nearest}"),
    };
    let intensity = format!("with {} its usual rate", Factor(stretch.intensity));
    screen.hanging("", "  ", format_args!("{title}: {why}, {intensity}"))?;
    if stretch.state().is_none() {
        return print_deviations(nearest, &stretch.deviations(), extent, screen);
    }
    let (Some(other), false) = (stretch.other, stretch.in_favour.is_empty()) else { return Ok(()) };
    let title = format!("closer to {nearest} than to {}", name(other));
    let [in_state, in_other] = [nearest, name(other)].map(|name| format!("in {name}"));
    let reasons = &stretch.in_favour[..stretch.in_favour.len().min(extent.most(REASONS))];
    print_reasons(&title, [&in_state, &in_other], reasons, screen, |reason| {
        [reason.nearest, reason.other].map(|rate| Rate(rate).to_string())
    })?;
    print_groups(&stretch.groups_in_favour, screen)
}

/// A row for each of these tracepoints, with the rate here and two more columns.
fn print_reasons(
    title: &str,
    columns: [&str; 2],
    reasons: &[Reason],
    screen: &mut Screen<'_>,
    cells: impl Fn(&Reason) -> [String; 2],
) -> io::Result<()> {
    let number = TextColumn::RIGHT.at_least(7).cut_to(NAME / 2);
    let mut table = TextTable::new([TextColumn::NAME.at_least(30), number, number, number]).indented(2);
    table.head([title, "here/s", columns[0], columns[1]]);
    for reason in reasons {
        let name = format!("  {}", OneLine(&reason.name)).into();
        let [first, second] = cells(reason).map(TextCell::from);
        table.row(Style::new(), [name, Rate(reason.here).to_string().into(), first, second]);
    }
    screen.table(&table)
}

/// How much each group contributes to the reasons.
fn print_groups(groups: &[Reason], screen: &mut Screen<'_>) -> io::Result<()> {
    let all: f64 = groups.iter().map(|group| group.part).sum();
    if all <= 0.0 {
        return Ok(());
    }
    let parts: Vec<String> = groups
        .iter()
        .take(REASONS)
        .map(|group| format!("{} {:.0} %", OneLine(&group.name), 100.0 * group.part / all))
        .collect();
    screen.hanging("    ", "      ", format_args!("by group: {}", parts.join(", ")))
}
