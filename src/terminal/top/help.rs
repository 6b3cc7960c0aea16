//! The help.

use super::canvas::{BOLD, DIM, TopCanvas};
use ratatui_core::style::Style;

const KEYS: [(&str, &str); 19] = [
    ("↑ ↓  PgUp PgDn", "choose a row to see who causes its hits"),
    ("p", "show processes, cgroups, or neither"),
    ("Tab  1 2 3", "tracepoints, groups, graph"),
    ("Enter", "open or close a group"),
    ("/", "show only names with all these words"),
    ("<  >", "sort by another column"),
    ("r", "reverse the order"),
    ("c", "show the hits on each CPU"),
    ("Space", "freeze the screen, or continue"),
    ("← →", "go to the previous or the next window"),
    ("m", "mark this window, or remove the mark"),
    ("w", "write all windows to a CSV file"),
    ("Esc", "clear the filter, the row, the freeze"),
    ("q  Ctrl-C", "quit"),
    ("change", "times the mean of the minute before"),
    ("new", "no hits in the minute before"),
    ("bars", "each row has its own scale"),
    ("rung", "how it is counted; blank: all the time"),
    ("×14", "14 processes of this name"),
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
    canvas.text(x + 2, y + height - 2, end, "~ estimated   ≥ at least   ? unknown   any key closes", DIM);
}
