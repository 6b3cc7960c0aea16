//! The help.

use super::canvas::{BOLD, DIM, TopCanvas};
use ratatui_core::style::Style;

const KEYS: [(&str, &str); 16] = [
    ("↑ ↓  PgUp PgDn", "choose a row: who causes its hits"),
    ("p", "show processes, cgroups, or nobody"),
    ("Tab  1 2 3", "tracepoints, groups, graph"),
    ("Enter", "open or close a group"),
    ("/", "show only names with these words"),
    ("< >", "sort by another column"),
    ("r", "reverse the order"),
    ("c", "show each CPU"),
    ("Space", "freeze, and go on"),
    ("← →", "go back and forth in time"),
    ("m", "mark a moment, or remove the mark"),
    ("w", "write the windows into a CSV file"),
    ("Esc", "take back the filter, the row, the time"),
    ("q  Ctrl-C", "quit"),
    ("", ""),
    ("change", "compared with the minute before"),
];

pub fn draw(canvas: &mut TopCanvas<'_>) {
    let area = canvas.area;
    let (width, height) = ((area.width).min(60), (area.height).min(KEYS.len() as u16 + 4));
    let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
    canvas.frame(x, y, width, height, " Keys ");
    let end = x + width - 1;
    for (line, (key, what)) in (y + 1..y + height - 2).zip(KEYS) {
        canvas.text(x + 2, line, end, key, BOLD);
        canvas.text(x + 19, line, end, what, Style::new());
    }
    canvas.text(x + 2, y + height - 2, end, "~ estimated   ≥ at least   ? unknown   any key goes on", DIM);
}
