//! The table of tracepoints or groups.

use super::TopScreen;
use super::canvas::{BOLD, CURSOR, DIM, HEAD, LESS, MORE, TopCanvas, WARNING, bars};
use crate::events::Rung;
use crate::live::{LivePage, LiveRow, RowName, SortBy, View};
use crate::os::cpus::Cpu;
use crate::terminal::count::percent;
use crate::text::OneLine;
use crate::units::{Factor, Rate};

/// The line of the heads.
const Y: u16 = 3;
const OF_RATE: u16 = 12;
const OF_SHARE: u16 = 8;
const OF_CHANGE: u16 = 9;
const OF_RUNG: u16 = 10;
const OF_CPU: u16 = 10;
/// The least numbers of columns of a name and of the bars.
const LEAST_NAME: u16 = 18;
/// Names that are cut to so many columns can still be told apart.
const ENOUGH_OF_NAME: u16 = 26;
const LEAST_BARS: u16 = 10;
const MOST_BARS: u16 = 60;
/// A change with this surprise is coloured.
const NOTABLE: f64 = 6.0;

/// The places of the columns: the column behind each.
struct ColumnPlaces {
    name: u16,
    rate: u16,
    share: u16,
    change: u16,
    bars: Option<(u16, u16)>,
    rung: Option<u16>,
}

impl ColumnPlaces {
    fn of(width: u16, longest: u16, has_rungs: bool) -> Self {
        let numbers = OF_RATE + OF_SHARE + OF_CHANGE;
        let of_rung = if has_rungs && width >= LEAST_NAME + numbers + OF_RUNG { OF_RUNG } else { 0 };
        let rest = width.saturating_sub(numbers + of_rung);
        // Bars have room if names keep most of theirs.
        let beside_bars = rest.saturating_sub(2 + LEAST_BARS);
        let name = longest.min(if beside_bars >= ENOUGH_OF_NAME { beside_bars } else { rest });
        let of_bars = rest.saturating_sub(name + 2).min(MOST_BARS);
        let rate = name + OF_RATE;
        let (share, change) = (rate + OF_SHARE, rate + OF_SHARE + OF_CHANGE);
        let bars = (of_bars >= LEAST_BARS).then_some((change + 2, of_bars));
        let rung = (of_rung > 0).then(|| bars.map_or(change, |(from, width)| from + width) + 2);
        ColumnPlaces { name, rate, share, change, bars, rung }
    }
}

pub fn draw(screen: &TopScreen<'_>, view: &View, rows: &[LiveRow], cursor: Option<usize>, canvas: &mut TopCanvas<'_>) {
    let width = canvas.area.width;
    let at = view.at(screen.windows).unwrap_or(0);
    let names: Vec<String> = rows.iter().map(name).collect();
    let longest = names.iter().map(|name| canvas.width_of(name)).max().unwrap_or(0).max(LEAST_NAME);
    let has_rungs = rows.iter().any(|row| row.rung != Rung::Counted);
    let places = ColumnPlaces::of(width, longest, has_rungs);
    let cpus: Vec<Cpu> = match view.per_cpu {
        true => screen.facts.cpus.as_slice().to_vec(),
        false => Vec::new(),
    };
    let of_cpus = usize::from(width.saturating_sub(places.rate) / OF_CPU);
    draw_heads(screen, view, &places, &cpus[..cpus.len().min(of_cpus)], canvas);
    for (number, (row, name)) in rows.iter().zip(&names).enumerate() {
        let y = Y + 1 + number as u16;
        let style = if matches!(row.name, RowName::Group(_)) { BOLD } else { Default::default() };
        canvas.name(0, y, places.name, name, style);
        let mark = if row.is_incomplete() {
            "≥"
        } else if row.is_estimate {
            "~"
        } else {
            ""
        };
        let is_unknown = row.is_incomplete() && row.rate == 0.0;
        let rate = if is_unknown { "?".to_owned() } else { format!("{mark}{}", Rate(row.rate)) };
        canvas.right(places.rate, y, OF_RATE, &rate, Default::default());
        if view.per_cpu {
            for (place, cpu) in (1..).zip(cpus.iter().take(of_cpus)) {
                let rate = row.cpus.as_ref().map(|cpus| Rate(cpus.get(cpu).copied().unwrap_or(0.0)).to_string());
                canvas.right(
                    places.rate + place * OF_CPU,
                    y,
                    OF_CPU,
                    rate.as_deref().unwrap_or("?"),
                    Default::default(),
                );
            }
        } else {
            let share = if is_unknown { "?".to_owned() } else { percent(row.share) };
            canvas.right(places.share, y, OF_SHARE, &share, DIM);
            let (text, style) = change(row);
            canvas.right(places.change, y, OF_CHANGE, &text, style);
            if let Some((from, of_bars)) = places.bars {
                let recent = row.recent(screen.windows, at, usize::from(of_bars));
                let missing = of_bars - recent.len() as u16;
                canvas.text(from + missing, y, width, &bars(&recent), super::ACCENT);
            }
            if let Some(from) = places.rung
                && row.rung != Rung::Counted
            {
                let style = if row.rung == Rung::Detached { WARNING } else { DIM };
                canvas.text(from, y, width, row.rung.word(), style);
            }
        }
        if cursor == Some(number) {
            canvas.restyle(y, CURSOR);
        }
    }
}

fn draw_heads(screen: &TopScreen<'_>, view: &View, places: &ColumnPlaces, cpus: &[Cpu], canvas: &mut TopCanvas<'_>) {
    let width = canvas.area.width;
    let more_cpus = screen.facts.cpus.len() - cpus.len();
    let arrow = |sort: SortBy| match (view.sort == sort, view.is_reversed == (sort == SortBy::Name)) {
        (false, _) => "",
        (true, true) => "↓",
        (true, false) => "↑",
    };
    canvas.restyle(Y, HEAD);
    let what = if view.page == LivePage::Groups { "group" } else { "tracepoint" };
    canvas.text(0, Y, places.name, &format!("{what}{}", arrow(SortBy::Name)), BOLD);
    canvas.right(places.rate, Y, OF_RATE, &format!("hits/s{}", arrow(SortBy::Rate)), BOLD);
    if view.per_cpu {
        for (place, cpu) in (1..).zip(cpus) {
            canvas.right(places.rate + place * OF_CPU, Y, OF_CPU, &format!("CPU {}", cpu.get()), BOLD);
        }
        if more_cpus > 0 {
            let from = places.rate + cpus.len() as u16 * OF_CPU;
            canvas.text(from + 1, Y, width, &format!("+{more_cpus} more"), DIM);
        }
        return;
    }
    canvas.right(places.share, Y, OF_SHARE, "share", BOLD);
    canvas.right(places.change, Y, OF_CHANGE, &format!("change{}", arrow(SortBy::Change)), BOLD);
    if let Some((from, of_bars)) = places.bars {
        screen.draw_span(view, from, of_bars, Y, canvas);
    }
    if let Some(from) = places.rung {
        canvas.text(from, Y, width, "rung", BOLD);
    }
}

/// The name of a row. Groups show whether they are open.
fn name(row: &LiveRow) -> String {
    let name = OneLine(row.name.name());
    match row.name {
        RowName::Group(_) => format!("{} {name}", if row.is_open { "▾" } else { "▸" }),
        RowName::Tracepoint(_) if row.is_below_group => format!("    {name}"),
        RowName::Tracepoint(_) => name.to_string(),
    }
}

/// The change against the previous minute, and its style.
fn change(row: &LiveRow) -> (String, ratatui_core::style::Style) {
    let Some(usual) = row.usual else { return (String::new(), DIM) };
    if row.is_incomplete() {
        return ("?".to_owned(), DIM);
    }
    let style = match row.surprise {
        NOTABLE.. => MORE,
        surprise if surprise <= -NOTABLE => LESS,
        _ => DIM,
    };
    let text = match (row.rate, usual) {
        (0.0, 0.0) => String::new(),
        (_, 0.0) => "new".to_owned(),
        (rate, usual) => Factor(rate / usual).to_string(),
    };
    (text, style)
}
