//! Who causes the hits of the row under the cursor.

use super::canvas::{BOLD, DIM, HEAD, TopCanvas, WARNING};
use super::{TopScreen, WhoShown, times};
use crate::live::{RowName, View, WhoAnswer, WhoBy};
use crate::terminal::count::percent;
use crate::text::OneLine;
use crate::units::{Elapsed, Grouped, Plural, Rate};

/// The lines: a head, and the first rows.
pub const LINES: u16 = 6;
const OF_SHARE: u16 = 8;
const OF_INTERVAL: u16 = 13;
const OF_RATE: u16 = 12;
/// Narrower screens have no intervals.
const WITH_INTERVAL: u16 = 70;

/// Draws it from a line on.
pub fn draw(screen: &TopScreen<'_>, view: &View, y: u16, canvas: &mut TopCanvas<'_>) {
    let width = canvas.area.width;
    canvas.restyle(y, HEAD);
    let Some(name) = view.chosen() else {
        canvas.text(0, y, width, "processes", BOLD);
        canvas.text(0, y + 1, width, "Choose a row with ↑ and ↓ to see which processes hit it", DIM);
        return;
    };
    let by = if view.who == WhoBy::Cgroup { "cgroups" } else { "processes" };
    let of = match (name, screen.who) {
        (RowName::Group(_), WhoShown::Answer(_, tracepoints, _)) => {
            format!("{} of ", Plural(*tracepoints as u64, "tracepoint"))
        }
        _ => String::new(),
    };
    let x = canvas.text(0, y, width, &format!("{by} that hit {of}{}", OneLine(name.name())), BOLD);
    match screen.who {
        WhoShown::Nothing | WhoShown::Waiting => {
            canvas.text(0, y + 1, width, "taking samples…", DIM);
        }
        WhoShown::Failed(why) => {
            canvas.text(0, y + 1, width, &OneLine(why).to_string(), WARNING);
        }
        WhoShown::Answer(answer, ..) if answer.samples == 0 => {
            let text = match answer.is_exact {
                true => "no event in this window".to_owned(),
                false => format!("no sample in {}", Elapsed(answer.time)),
            };
            canvas.text(0, y + 1, width, &text, DIM);
        }
        WhoShown::Answer(answer, _, rate) => {
            let from = match (answer.is_exact, width >= WITH_INTERVAL) {
                (true, _) => format!("   {} in this window", Plural(answer.samples, "event")),
                (false, has_interval) => {
                    let what = if has_interval { "95 % intervals" } else { "estimated" };
                    format!("   {what} from {} in {}", Plural(answer.samples, "sample"), Elapsed(answer.time))
                }
            };
            let lost = if answer.lost > 0 { format!(", {} lost", Grouped(answer.lost)) } else { String::new() };
            canvas.parts(x, y, width, &[(from, DIM), (lost, WARNING)]);
            draw_answer(answer, *rate, y + 1, canvas);
        }
    }
}

fn draw_answer(answer: &WhoAnswer, rate: Option<f64>, y: u16, canvas: &mut TopCanvas<'_>) {
    let width = canvas.area.width;
    let has_interval = width >= WITH_INTERVAL && !answer.is_exact;
    let mark = if answer.is_exact { "" } else { "~" };
    for (y, row) in (y..y + LINES - 1).zip(&answer.rows) {
        let mut x = OF_SHARE;
        canvas.right(x, y, OF_SHARE, &format!("{mark}{}", percent(row.share)), BOLD);
        if has_interval {
            x += OF_INTERVAL;
            let interval = row.interval.map(|(low, high)| format!("{:.0}–{:.0} %", 100.0 * low, 100.0 * high));
            canvas.right(x, y, OF_INTERVAL, interval.as_deref().unwrap_or("?"), DIM);
        }
        x += OF_RATE;
        let rate = rate.map(|rate| format!("{mark}{}/s", Rate(rate * row.share)));
        canvas.right(x, y, OF_RATE, rate.as_deref().unwrap_or_default(), DIM);
        x = canvas.text(x + 2, y, width, &OneLine(&row.words).to_string(), BOLD);
        let number = times(row.processes);
        x = canvas.text(x + u16::from(!number.is_empty()), y, width, &number, DIM);
        if let Some(mostly) = &row.mostly {
            canvas.name(x + 2, y, width.saturating_sub(x + 2), &OneLine(mostly).to_string(), DIM);
        }
    }
}
