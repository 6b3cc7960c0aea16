//! The graph: a row for each tracepoint, a column for each window.

use super::TopScreen;
use super::canvas::{ACCENT, BOLD, CURSOR, DIM, TopCanvas};
use crate::live::{LiveRow, View};
use crate::text::OneLine;
use crate::units::Rate;
use ratatui_core::style::{Color, Style};

/// The line of the heads.
const Y: u16 = 3;
/// The most columns of names.
const MOST_NAME: u16 = 32;
/// Colours from few to many, of the 256 that terminals have. Their lightness grows.
const RAMP: [u8; 9] = [17, 18, 25, 31, 36, 71, 107, 149, 226];
/// The same without colours.
const SHADES: [char; 9] = ['.', ':', '-', '=', '+', 'o', '*', '#', '@'];

pub fn draw(screen: &TopScreen<'_>, view: &View, rows: &[LiveRow], cursor: Option<usize>, canvas: &mut TopCanvas<'_>) {
    let width = canvas.area.width;
    let longest = rows.iter().map(|row| canvas.width_of(row.name.name())).max().unwrap_or(0);
    let of_names = longest.min(MOST_NAME).min(width / 2);
    let from = of_names + 1;
    let columns = usize::from(width.saturating_sub(from));
    let at = view.at(screen.windows).unwrap_or(0);
    let recent: Vec<Vec<Option<f64>>> = rows.iter().map(|row| row.recent(screen.windows, at, columns)).collect();
    let most = recent.iter().flatten().flatten().copied().fold(0.0, f64::max);
    let scale = |rate: f64| (rate.ln_1p() / most.ln_1p().max(f64::MIN_POSITIVE) * RAMP.len() as f64).ceil();
    draw_times(screen, view, from, columns, most, canvas);
    for (number, (row, recent)) in rows.iter().zip(recent).enumerate() {
        let y = Y + 1 + number as u16;
        let is_chosen = cursor == Some(number);
        canvas.name(
            0,
            y,
            of_names,
            &OneLine(row.name.name()).to_string(),
            if is_chosen { CURSOR } else { Style::new() },
        );
        let first = width - recent.len() as u16;
        for (x, rate) in (first..).zip(recent) {
            let (text, style) = match rate {
                None => ('?', DIM),
                Some(0.0) => (' ', Style::new()),
                Some(rate) => {
                    let level = (scale(rate) as usize).clamp(1, RAMP.len()) - 1;
                    match canvas.has_colours {
                        true => (' ', Style::new().bg(Color::Indexed(RAMP[level]))),
                        false => (SHADES[level], Style::new()),
                    }
                }
            };
            canvas.text(x, y, width, text.encode_utf8(&mut [0; 4]), style);
        }
    }
}

/// The times, the marks, and the meaning of the colours.
fn draw_times(screen: &TopScreen<'_>, view: &View, from: u16, columns: usize, most: f64, canvas: &mut TopCanvas<'_>) {
    let width = canvas.area.width;
    canvas.text(0, Y, from, "tracepoint", BOLD);
    let Some(at) = view.at(screen.windows) else { return };
    let behind = screen.draw_span(view, from, columns as u16, Y, canvas);
    let shown = screen.windows.back_from(at).take(columns).count() as u16;
    let scale = format!("logarithmic, up to {} hits/s", Rate(most));
    // In the gap on either side of the begin.
    let x = if from + canvas.width_of(&scale) < width - shown { from } else { behind + 3 };
    canvas.parts(x, Y, width.saturating_sub(5), &[(scale, DIM)]);
    for mark in view.marks.iter().filter(|mark| **mark <= at && at - **mark < columns as u64) {
        let back = u16::try_from(at - mark).unwrap_or(u16::MAX);
        canvas.text(width.saturating_sub(1 + back), Y, width, "▼", ACCENT);
    }
}
