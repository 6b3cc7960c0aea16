//! States, for people.

use super::columns::{columns, cut, left};
use crate::state::{Check, FindingKind, Identification, Learned, Reason, Session, ShareRange};
use crate::state::{Stretch, StretchOpinion, said_beside};
use crate::units::{Grouped, OneLine, Plural, Rate, Share};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Stretches that are explained; the others stand in the table.
const EXPLAINED: usize = 8;
/// Tracepoints that are named for a stretch, each way.
const REASONS: usize = 3;
/// Findings of a kind that are named.
const FINDINGS: usize = 8;
/// Tracepoints of a state that are shown.
const TRACEPOINTS: usize = 12;

const BOLD: Style = Style::new().bold();
const UNKNOWN: Style = AnsiColor::Yellow.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// What was learned of a state, session by session, each with its file; and what it has now, if that is known.
pub fn print_learned(
    state: &str,
    paths: &[PathBuf],
    sessions: &[(String, Session)],
    now: Option<&Learned>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (path, (_, session)) in paths.iter().zip(sessions) {
        let events = session.events();
        let lost: u64 = session.lost.iter().sum();
        let but = if lost > 0 { format!(", {} more lost", Grouped(lost)) } else { String::new() };
        writeln!(
            out,
            "{state}: learned {} of {} with {} of {}{but} ({})",
            Plural(session.windows as u64, "window"),
            session.window,
            Plural(events, "event"),
            Plural(session.counts.len() as u64, "tracepoint"),
            OneLine(&path.display().to_string())
        )?;
    }
    let Some(Learned { sessions: known, .. }) = now else { return Ok(()) };
    writeln!(
        out,
        "{state}: {} now; with these, the lowest level that can reject the state for a whole session is {:.2}",
        Plural(known.len() as u64, "session"),
        1.0 / (known.len() as f64 + 1.0)
    )?;
    let this = &sessions[0].1;
    if let Some((name, _)) = known.iter().find(|(_, other)| other.origin.kernel != this.origin.kernel) {
        writeln!(out, "{state}: session {name} is of another kernel; only what both have will be compared")?;
    }
    if let Some((name, other)) = known.iter().find(|(_, other)| other.left_out != this.left_out) {
        writeln!(
            out,
            "{state}: session {name} captured {}, and this one {}; only what both have will be compared",
            Plural(other.captured_number() as u64, "tracepoint"),
            Plural(this.captured_number() as u64, "tracepoint")
        )?;
    }
    if let Some((name, other)) = known.iter().find(|(_, other)| other.window != this.window) {
        writeln!(
            out,
            "{state}: session {name} has windows of {}; they are compared in lengths that both can make",
            other.window
        )?;
    }
    Ok(())
}

/// How many sessions of a state were removed.
pub fn print_removed(state: &str, removed: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{state}: removed {}", Plural(removed as u64, "session"))
}

/// All states of a library.
pub fn print_states(states: &[Learned], library: &Path, out: &mut dyn Write) -> io::Result<()> {
    let wide = states.iter().map(|state| columns(&state.name)).max().unwrap_or(0).clamp(5, 24);
    writeln!(
        out,
        "{BOLD}{:<wide$} {:>8} {:>9} {:>12}  {:<10} kernel{BOLD:#}",
        "state", "sessions", "windows", "events/s", "window"
    )?;
    for Learned { name, sessions } in states {
        let windows: usize = sessions.iter().map(|(_, session)| session.windows).sum();
        let seconds: f64 = sessions.iter().map(|(_, session)| session.length_ns() as f64 / 1e9).sum();
        let events: f64 = sessions.iter().map(|(_, session)| session.events() as f64).sum();
        let rate = if seconds > 0.0 { Rate(events / seconds).to_string() } else { "-".to_owned() };
        let (lengths, kernels) =
            (different(sessions, |session| session.window.to_string()), different(sessions, kernel));
        writeln!(
            out,
            "{} {:>8} {:>9} {rate:>12}  {lengths:<10} {kernels}",
            left(name, wide),
            sessions.len(),
            Grouped(windows as u64)
        )?;
    }
    writeln!(out, "in {}", OneLine(&library.display().to_string()))
}

/// One state.
pub fn print_state(state: &Learned, out: &mut dyn Write) -> io::Result<()> {
    let Learned { name, sessions } = state;
    writeln!(out, "{BOLD}{name}{BOLD:#}: {}", Plural(sessions.len() as u64, "session"))?;
    writeln!(out)?;
    writeln!(
        out,
        "{BOLD}{:<22} {:>8} {:<8} {:>14} {:>10} {:>11}  kernel{BOLD:#}",
        "session", "windows", "of", "events", "lost", "tracepoints"
    )?;
    for (file, session) in sessions {
        writeln!(
            out,
            "{file:<22} {:>8} {:<8} {:>14} {:>10} {:>11}  {}",
            Grouped(session.windows as u64),
            session.window.to_string(),
            Grouped(session.events()),
            Grouped(session.lost.iter().sum()),
            Grouped(session.captured_number() as u64),
            kernel(session)
        )?;
    }
    writeln!(out)?;
    writeln!(out, "{BOLD}{:<44} {:>8}  share over windows, the lowest and the highest{BOLD:#}", "tracepoint", "mean")?;
    for ShareRange { name, mean, lowest, highest } in state.shares().iter().take(TRACEPOINTS) {
        writeln!(
            out,
            "{} {:>8}  {} to {}",
            left(&cut(&OneLine(name).to_string(), 44), 44),
            Share(*mean).to_string(),
            Share(*lowest),
            Share(*highest)
        )?;
    }
    if sessions.len() < 2 {
        writeln!(out)?;
        writeln!(
            out,
            "One session does not tell how sessions differ: learn it again, started anew (`tp-perf learn {name}`)."
        )?;
    }
    Ok(())
}

fn kernel(session: &Session) -> String {
    session.origin.kernel.as_deref().map_or("unknown".to_owned(), |kernel| OneLine(kernel).to_string())
}

/// What sessions have, if it is the same for all.
fn different(sessions: &[(String, Session)], of: impl Fn(&Session) -> String) -> String {
    let first = sessions.first().map(|(_, session)| of(session)).unwrap_or_default();
    if sessions.iter().all(|(_, session)| of(session) == first) { first } else { "several".to_owned() }
}

/// Which states a source was in, on so many columns.
pub fn print_identification(
    identification: &Identification,
    source: &str,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sessions: usize = identification.states.states.iter().map(|state| state.sessions).sum();
    let first = format!(
        "{BOLD}{}{BOLD:#}: {} of {}, held against {} ({}) at level {}",
        OneLine(source),
        Plural(identification.windows.len() as u64, "window"),
        identification.length,
        Plural(identification.states.states.len() as u64, "state"),
        Plural(sessions as u64, "session"),
        identification.alpha
    );
    writeln!(out, "{}", textwrap::fill(&first, width.max(40)))?;
    if identification.coverage < 1.0 {
        writeln!(
            out,
            "{} of its events are of tracepoints that all sessions captured; the rest is not compared",
            Share(identification.coverage)
        )?;
    }
    writeln!(out)?;
    // All but the state is 57 columns wide, and the name of one takes what is left.
    let wide = width.saturating_sub(57).clamp(20, 40);
    writeln!(
        out,
        "{BOLD}{:>9} {:>9}  {:<wide$} {:>8} {:>6}  {:>9}  agree{BOLD:#}",
        "from", "to", "state", "distance", "p", "intensity"
    )?;
    for stretch in &identification.stretches {
        let StretchOpinion { distance, p } = stretch.opinions[stretch.nearest].unwrap_or_default();
        let state = cut(&identification.said(stretch), wide);
        let (padding, style) = (" ".repeat(wide.saturating_sub(columns(&state))), style(stretch));
        let (agree, lost) = (identification.agreeing(stretch), identification.lost_in(stretch));
        let lossy = if lost > 0 { format!(", {} lost", Plural(lost, "event")) } else { String::new() };
        writeln!(
            out,
            "{:>7} s {:>7} s  {style}{state}{style:#}{padding} {distance:>8.3} {p:>6.3}  {:>9}  {} of {}{lossy}",
            identification.seconds_since(stretch.from),
            identification.seconds_since(stretch.to),
            format!("{:.2}×", stretch.intensity),
            agree,
            stretch.windows()
        )?;
    }
    for stretch in identification.stretches.iter().take(EXPLAINED) {
        explain(identification, stretch, width, out)?;
    }
    if identification.stretches.len() > EXPLAINED {
        writeln!(out)?;
        writeln!(out, "The first {EXPLAINED} stretches are explained here; --format json has them all.")?;
    }
    let bounds = identification.bounds();
    if !bounds.is_empty() {
        writeln!(out)?;
    }
    for bound in bounds {
        writeln!(out, "{}", textwrap::fill(&bound, width.max(40)))?;
    }
    Ok(())
}

fn style(stretch: &Stretch) -> Style {
    if stretch.not_rejected.is_empty() { UNKNOWN } else { GOOD }
}

fn explain(identification: &Identification, stretch: &Stretch, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let name = |state: usize| identification.states.states[state].name.as_str();
    let style = style(stretch);
    writeln!(out)?;
    writeln!(
        out,
        "{style}{}{style:#}, {} to {} s: like {} at {:.2} times its usual rate",
        identification.said(stretch),
        identification.seconds_since(stretch.from),
        identification.seconds_since(stretch.to),
        name(stretch.nearest),
        stretch.intensity
    )?;
    let nearest = name(stretch.nearest);
    let (_, far) = stretch.near_and_far();
    if !far.is_empty() {
        writeln!(out, "  more than twice as far, and not rejected either: {}", identification.named(far, ", "))?;
    }
    if let (Some(other), false) = (stretch.other, stretch.in_favour.is_empty()) {
        writeln!(out, "  for {nearest}, against {}:", name(other))?;
        let with_other = |reason: &Reason| format!("; in {} {}", name(other), Share(reason.other));
        lines(&stretch.in_favour, nearest, with_other, width, out)?;
        groups(&stretch.groups_in_favour, out)?;
    }
    if !stretch.against.is_empty() {
        writeln!(out, "  against {nearest}:")?;
        lines(&stretch.against, nearest, |_| String::new(), width, out)?;
        groups(&stretch.groups_against, out)?;
    }
    Ok(())
}

/// A line for each of the first tracepoints, their names as long as there is room for.
fn lines(
    reasons: &[Reason],
    nearest: &str,
    behind: impl Fn(&Reason) -> String,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let said = |reason: &Reason| {
        format!("{} here; in {nearest} {}{}", Share(reason.here), Share(reason.nearest), behind(reason))
    };
    let said: Vec<(&Reason, String)> = reasons.iter().take(REASONS).map(|reason| (reason, said(reason))).collect();
    let longest = said.iter().map(|(_, said)| columns(said)).max().unwrap_or(0);
    let wide = width.saturating_sub(longest + 5).clamp(20, 48);
    for (reason, said) in said {
        let name = left(&cut(&OneLine(&reason.name).to_string(), wide), wide);
        writeln!(out, "    {name} {said}")?;
    }
    Ok(())
}

/// By how much each group adds to what was said.
fn groups(groups: &[Reason], out: &mut dyn Write) -> io::Result<()> {
    let all: f64 = groups.iter().map(|group| group.part).sum();
    if all <= 0.0 {
        return Ok(());
    }
    let parts: Vec<String> = groups
        .iter()
        .take(REASONS)
        .map(|group| format!("{} {:.0} %", OneLine(&group.name), 100.0 * group.part / all))
        .collect();
    writeln!(out, "    by group: {}", parts.join(", "))
}

/// Whether a source is as it was learned, on so many columns.
pub fn print_check(check: &Check, source: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let identification = &check.identification;
    let states: Vec<&str> = identification.states.states.iter().map(|state| state.name.as_str()).collect();
    let (style, verdict) = match check.findings.is_empty() {
        true => (GOOD, "as learned"),
        false => (BAD, "not as learned"),
    };
    let first = format!(
        "{BOLD}{}{BOLD:#}: {style}{verdict}{style:#}, held against {} ({} of {}, in blocks of {}, of which an alarm takes {} in a row)",
        OneLine(source),
        states.join(" and "),
        Plural(identification.windows.len() as u64, "window"),
        identification.length,
        check.block,
        check.in_a_row
    );
    for said in [first].into_iter().chain(said_beside(check)) {
        writeln!(out, "{}", textwrap::fill(&said, width.max(40)))?;
    }
    for kind in FindingKind::ALL {
        let findings: Vec<_> = check.findings.iter().filter(|finding| finding.kind == kind).collect();
        if findings.is_empty() {
            continue;
        }
        writeln!(out)?;
        writeln!(out, "{BOLD}{}{BOLD:#}: {}", kind.words(), findings.len())?;
        let options = textwrap::Options::new(width.max(40)).initial_indent("  ").subsequent_indent("    ");
        for finding in findings.iter().take(FINDINGS) {
            writeln!(out, "{}", textwrap::fill(&OneLine(&finding.sentence(check)).to_string(), &options))?;
        }
        if findings.len() > FINDINGS {
            writeln!(out, "  and {} more (--format json has them all)", findings.len() - FINDINGS)?;
        }
    }
    Ok(())
}
