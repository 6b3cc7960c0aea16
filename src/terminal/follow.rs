//! The messages of `identify --follow` and `check --follow`, for people.

use super::deviations::{Extent, print_deviations};
use super::layout::Screen;
use super::width::Width;
use crate::state::{AlarmKind, Factors, FollowMessage, Known, Onset};
use crate::text::OneLine;
use crate::units::{Elapsed, Ns, Plural};
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const UNKNOWN: Style = AnsiColor::Yellow.on_default();

/// The groups that the line of a state names.
const GROUPS: usize = 3;

/// What is followed, which decides how times are shown.
#[derive(Debug, Clone, Copy)]
pub enum FollowedFrom {
    /// This machine: times are those of the day, in UTC.
    Machine,
    /// A source: times count from its begin.
    Source {
        /// The begin of its first window.
        begin: Ns,
    },
}

impl FollowedFrom {
    /// The wall-clock time of a message about this machine. `None` for a source.
    pub fn time(self, now: SystemTime) -> Option<SystemTime> {
        matches!(self, FollowedFrom::Machine).then_some(now)
    }

    /// A moment in words. `at` is the present.
    fn moment(self, moment: Ns, at: Ns, now: SystemTime) -> String {
        match self {
            FollowedFrom::Source { begin } => format!("{:.1} s", moment.since(begin) as f64 / 1e9),
            FollowedFrom::Machine => {
                let ago = Duration::from_nanos(at.since(moment));
                let time = now.checked_sub(ago).unwrap_or(now);
                let text = humantime::format_rfc3339_seconds(time).to_string();
                text.replace('T', " ")
            }
        }
    }

    /// The same without the day.
    fn short(self, moment: Ns, at: Ns, now: SystemTime) -> String {
        let text = self.moment(moment, at, now);
        match self {
            FollowedFrom::Source { .. } => text,
            FollowedFrom::Machine => text.split(' ').next_back().unwrap_or_default().to_owned(),
        }
    }
}

/// Prints what is followed. `limits` are those of [`Known::limits_of`].
pub fn print_followed(
    source: &str,
    known: &Known,
    against: &[String],
    limits: &[String],
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let states: Vec<&str> = match against {
        [] => known.states().states.iter().map(|state| state.name.as_str()).collect(),
        against => against.iter().map(String::as_str).collect(),
    };
    let tracepoints = Plural(known.names().len() as u64, "tracepoint");
    screen.hanging(
        "",
        "  ",
        format_args!(
            "{BOLD}{}{BOLD:#}: compared with {}, window by window ({tracepoints}, windows of {})",
            OneLine(source),
            OneLine(states.join(", ")),
            known.length()
        ),
    )?;
    if !known.states().know_spread() {
        screen.hanging(
            "",
            "  ",
            "The library does not show how much sessions of one state differ, so tp-perf cannot judge whole windows; learn two \
             more sessions of a state, at other times.",
        )?;
    }
    limits.iter().try_for_each(|limit| screen.hanging("", "  ", OneLine(limit)))
}

/// Prints a message. `now` is the present, in which this machine is followed.
pub fn print_message(
    message: &FollowMessage,
    from: FollowedFrom,
    now: SystemTime,
    extent: Extent,
    width: impl Into<Width>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = &mut Screen::new(width, out);
    let at = message.at_ns();
    let time = from.moment(at, at, now);
    let since = |moment: Ns| from.short(moment, at, now);
    let elapsed = |ns: u64| Elapsed(Duration::from_nanos(ns));
    match message {
        FollowMessage::State(turn) => {
            let name = match (&turn.states[..], &turn.nearest) {
                ([], Some(nearest)) => format!("{UNKNOWN}unknown{UNKNOWN:#} (nearest {})", OneLine(nearest)),
                ([], None) => format!("{UNKNOWN}unknown{UNKNOWN:#}"),
                (states, _) => format!("{BOLD}{}{BOLD:#}", OneLine(states.join(" or "))),
            };
            let factors = Factors(&turn.groups, GROUPS).to_string();
            let because = if factors.is_empty() { factors } else { format!(": {}", OneLine(factors)) };
            screen.hanging("", "    ", format_args!("{time}  {name} since {}{because}", since(turn.since_ns)))?;
            match (extent, &turn.nearest) {
                (Extent::Full, Some(nearest)) if !turn.groups.is_empty() => {
                    print_deviations(nearest, &turn.groups, extent, screen)
                }
                _ => Ok(()),
            }
        }
        FollowMessage::Alarm(alarm) => {
            let what = match (alarm.by, &alarm.looks_like[..], &alarm.nearest) {
                (AlarmKind::Tracepoints, ..) => {
                    format!("tracepoints are outside their learned range in {}", alarm.state)
                }
                (_, [], Some(nearest)) => format!("unlike all states of the library (nearest {nearest})"),
                (_, [], None) => "unlike all states of the library".to_owned(),
                (_, states, _) => format!("looks like {}", states.join(" or ")),
            };
            let times = if alarm.raised > 1 { format!(" (raised {} times)", alarm.raised) } else { String::new() };
            let since = match alarm.onset {
                Onset::Step => format!("since {}", since(alarm.since_ns)),
                Onset::Drift { over_ns } => {
                    format!("after a slow change since {} (over {})", since(alarm.since_ns), elapsed(over_ns))
                }
            };
            screen.hanging(
                "",
                "    ",
                format_args!("{time}  {BAD}alarm {}{BAD:#}{times}: {} {since}", alarm.number, OneLine(what)),
            )?;
            print_deviations(&alarm.state, &alarm.groups, extent, screen)?;
            let evidence = match (alarm.by, alarm.distance.unwrap_or(f64::NAN)) {
                (AlarmKind::Windows, distance) => format!(
                    "{} in a row (each for five windows), {distance:.1} times as far from {} as its sessions usually are",
                    Plural(alarm.in_a_row as u64, "answer"),
                    alarm.state
                ),
                (AlarmKind::Tracepoints, _) => {
                    format!("{} in a row (of ten windows each)", Plural(alarm.in_a_row as u64, "block"))
                }
            };
            screen.hanging(
                "  ",
                "    ",
                format_args!("evidence: {}; reported {} after that", OneLine(evidence), elapsed(alarm.delay_ns())),
            )
        }
        FollowMessage::AllClear(clear) => screen.hanging(
            "",
            "    ",
            format_args!(
                "{time}  {GOOD}all clear{GOOD:#} after alarm {}: as learned since {}; the alarm lasted {}",
                clear.number,
                since(clear.since_ns),
                elapsed(clear.lasted_ns)
            ),
        ),
    }
}
