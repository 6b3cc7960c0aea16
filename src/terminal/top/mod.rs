//! The screen of `tp-perf top`.
//!
//! ```text
//!   two lines: the machine and the time; the hits, the cost, the budget
//!   the page: a table of tracepoints or groups, or the graph
//!   who causes the hits of the row under the cursor
//!   one line: the keys, a message, or the filter
//! ```

mod canvas;
mod graph;
mod help;
mod input;
mod screen;
mod table;
mod who;

pub use screen::{NotATerminal, TopTerminal};

use crate::events::Ns;
use crate::live::{LivePage, LiveRow, LiveWindow, LiveWindows, View, WhoAnswer, WhoBy};
use crate::os::cpus::CpuList;
use crate::text::OneLine;
use crate::tracefs::Table;
use crate::units::{Elapsed, Grouped, Plural, Rate};
use canvas::{ACCENT, BOLD, DIM, TopCanvas, WARNING};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use std::time::Duration;

/// Who is shown only if so many lines are left for the table.
const LEAST_FOR_WHO: u16 = 8;

/// The lines around the table: the first two, a blank one, the heads, and the last one.
const AROUND: u16 = 5;

/// What does not change while it is shown.
#[derive(Debug, Clone)]
pub struct TopFacts {
    /// The name of the machine.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// The numbers of tracepoints that are counted, and that there are.
    pub tracepoints: (usize, usize),
    /// The CPUs.
    pub cpus: CpuList,
    /// The budget as a part of the time of all CPUs.
    pub budget: Option<f64>,
    /// Whether terminals show colours.
    pub has_colours: bool,
    /// Whether new windows come.
    pub is_live: bool,
}

/// Who causes the hits of the row under the cursor.
#[derive(Debug, Clone, Default)]
pub enum WhoShown {
    /// No row is under the cursor, or the user wants neither processes nor cgroups.
    #[default]
    Nothing,
    /// The answer comes soon.
    Waiting,
    /// The answer, the number of tracepoints that it is about, and their hits per second, if they are known.
    Answer(WhoAnswer, usize, Option<f64>),
    /// Why there is no answer.
    Failed(String),
}

/// What a screen shows.
pub struct TopScreen<'a> {
    /// What does not change.
    pub facts: &'a TopFacts,
    /// The windows.
    pub windows: &'a LiveWindows,
    /// All tracepoints.
    pub table: &'a Table,
    /// Who causes the hits.
    pub who: &'a WhoShown,
    /// tp-perf's own CPU time as a part of one CPU, if it is known.
    pub own: Option<f64>,
    /// The learned states in which the machine may be, if the user wants to know that: none if it is unknown, and `None` if it is too early
    /// to say.
    pub states: Option<Option<&'a [String]>>,
    /// The last note, such as that of a failure.
    pub note: Option<&'a str>,
}

impl TopScreen<'_> {
    /// All rows.
    pub fn rows(&self, view: &View) -> Vec<LiveRow> {
        view.rows(self.windows, self.table)
    }

    /// The number of rows that a screen of this size has room for.
    pub fn height(&self, view: &View, height: u16) -> u16 {
        height.saturating_sub(AROUND + self.height_of_who(view, height))
    }

    /// Whether a screen of this height has room for who causes the hits.
    pub fn has_room_for_who(height: u16) -> bool {
        height >= AROUND + LEAST_FOR_WHO + who::LINES
    }

    fn height_of_who(&self, view: &View, height: u16) -> u16 {
        if view.who != WhoBy::Nobody && Self::has_room_for_who(height) { who::LINES } else { 0 }
    }

    /// Writes the span of the last windows above their columns: how long before now they begin, and `now`. Returns the column behind
    /// the begin.
    fn draw_span(&self, view: &View, from: u16, columns: u16, y: u16, canvas: &mut TopCanvas<'_>) -> u16 {
        let Some(at) = view.at(self.windows) else { return from };
        let shown: Vec<&LiveWindow> = self.windows.back_from(at).take(usize::from(columns)).collect();
        let newest = self.windows.get(self.windows.numbers().end - 1);
        let before = |time: Ns| newest.map_or(0.0, |newest| newest.to.since(time) as f64 / 1e9);
        let ago =
            |seconds: f64| format!("−{:.*} s", if seconds < 10.0 && !self.facts.is_live { 2 } else { 0 }, seconds);
        let end = match shown.first().map_or(0.0, |window| before(window.to)) {
            0.0 if self.facts.is_live => "now".to_owned(),
            0.0 => "end".to_owned(),
            seconds => ago(seconds),
        };
        let begin = shown.last().map_or(String::new(), |window| ago(before(window.from)));
        let behind = from + columns;
        let x = behind - shown.len() as u16;
        let last = behind - canvas.width_of(&end).min(columns);
        canvas.text(last, y, behind, &end, DIM);
        if x + canvas.width_of(&begin) < last { canvas.text(x, y, last, &begin, DIM) } else { x }
    }

    /// Draws the screen.
    pub fn draw(&self, view: &mut View, area: Rect, buffer: &mut Buffer) {
        let canvas = &mut TopCanvas { area, buffer, has_colours: self.facts.has_colours };
        let Rect { width, height, .. } = area;
        if width < 20 || height < 6 {
            canvas.text(0, 0, width, "too small", BOLD);
            return;
        }
        let rows = self.rows(view);
        self.draw_head(view, canvas);
        let page = self.height(view, height);
        let top = view.first(&rows, usize::from(page));
        let shown = &rows[top..rows.len().min(top + usize::from(page))];
        let cursor = view.cursor(&rows).and_then(|place| place.checked_sub(top));
        match view.page {
            LivePage::Graph => graph::draw(self, view, shown, cursor, canvas),
            LivePage::Tracepoints | LivePage::Groups => table::draw(self, view, shown, cursor, canvas),
        }
        if rows.is_empty() {
            let text = match (view.at(self.windows), view.filter.is_empty()) {
                (None, _) => "counting the first window…",
                (Some(_), false) => self.why_nothing_matches(view),
                (Some(_), true) => "no tracepoint was hit recently",
            };
            canvas.text(0, 4, width, text, DIM);
        }
        if self.height_of_who(view, height) > 0 {
            who::draw(self, view, height - 1 - who::LINES, canvas);
        }
        self.draw_foot(view, canvas);
        if view.shows_help {
            help::draw(canvas);
        }
    }

    fn draw_head(&self, view: &View, canvas: &mut TopCanvas<'_>) {
        let width = canvas.area.width;
        let TopFacts { hostname, kernel, tracepoints, cpus, .. } = self.facts;
        let at = view.at(self.windows);
        let window = at.and_then(|at| self.windows.get(at));
        let time = window.zip(self.windows.begin()).map(|(window, begin)| window.to.since(begin)).unwrap_or(0);
        let newest = self.windows.numbers().end.saturating_sub(1);
        let state = match (view.frozen_at, at) {
            _ if !self.facts.is_live => {
                let end =
                    self.windows.get(newest).zip(self.windows.begin()).map_or(0, |(end, begin)| end.to.since(begin));
                format!("{} of {}", Elapsed(Duration::from_nanos(time)), Elapsed(Duration::from_nanos(end)))
            }
            (Some(_), Some(at)) if at < newest => {
                let behind = self.windows.get(newest).zip(window).map_or(0, |(newest, at)| newest.to.since(at.to));
                format!("frozen, shows {} ago", Elapsed(Duration::from_nanos(behind)))
            }
            (Some(_), _) => "frozen".to_owned(),
            (None, None) => String::new(),
            (None, Some(_)) => format!("running {}", Elapsed(Duration::from_nanos(time))),
        };
        let state_width = canvas.width_of(&state);
        canvas.text(
            width.saturating_sub(state_width),
            0,
            width,
            &state,
            if view.frozen_at.is_some() && self.facts.is_live { WARNING } else { BOLD },
        );
        let room = width.saturating_sub(state_width + 1);
        let machine = [
            format!("  {}", OneLine(hostname)),
            format!("  Linux {}", OneLine(kernel)),
            format!("  {} of {} tracepoints", Grouped(tracepoints.0 as u64), Grouped(tracepoints.1 as u64)),
            format!("  {}", Plural(cpus.len() as u64, "CPU")),
        ];
        let x = canvas.text(0, 0, room, "tp-perf top", BOLD);
        canvas.parts(x, 0, room, &machine.map(|text| (text, DIM)));
        if let Some(window) = window {
            self.draw_window(view, window, canvas);
        }
    }

    /// The hits and the cost of a window.
    fn draw_window(&self, view: &View, window: &LiveWindow, canvas: &mut TopCanvas<'_>) {
        let mark = if window.hits.iter().any(|hits| hits.hits.is_none()) {
            "≥"
        } else if window.hits.iter().any(|hits| hits.is_estimate) {
            "~"
        } else {
            ""
        };
        let hits = format!("{mark}{} hits/s", Rate(window.total() / window.seconds()));
        let is_over = window.cost.zip(self.facts.budget).is_some_and(|(cost, budget)| cost > budget);
        // It is that of now, and not that of another time.
        let state = self.states.filter(|_| view.frozen_at.is_none()).map(|states| match states {
            None => ("  state: not known yet".to_owned(), DIM),
            Some([]) => ("  state: unknown".to_owned(), WARNING),
            Some(names) => (format!("  state: {}", OneLine(names.join(" or "))), ACCENT),
        });
        let filter = Some(&view.filter).filter(|filter| !filter.is_empty() && !view.is_typing);
        let parts = [
            state,
            filter.map(|filter| (format!("   rows with “{}”", OneLine(filter)), ACCENT)),
            window.cost.map(|cost| {
                (format!("  cost ~{:.2} % of all CPUs", 100.0 * cost), if is_over { WARNING } else { DIM })
            }),
            self.facts.budget.map(|budget| (format!(" (budget {} %)", 100.0 * budget), DIM)),
            self.own.map(|own| (format!("  tp-perf {:.1} % of a CPU", 100.0 * own), DIM)),
        ];
        let x = canvas.text(0, 1, canvas.area.width, &hits, BOLD);
        canvas.parts(x, 1, canvas.area.width, &parts.into_iter().flatten().collect::<Vec<_>>());
    }

    fn why_nothing_matches(&self, view: &View) -> &'static str {
        let is_wanted = |name: &str| view.filter.split_whitespace().all(|word| name.contains(&word.to_lowercase()));
        match self.table.tracepoints().iter().any(|tracepoint| is_wanted(&tracepoint.full_name().to_lowercase())) {
            true => "no tracepoint with these words was hit recently, or it is not counted (`tp-perf list`)",
            false => "no tracepoint has these words in its name; Esc clears the filter",
        }
    }

    fn draw_foot(&self, view: &View, canvas: &mut TopCanvas<'_>) {
        let Rect { width, height, .. } = canvas.area;
        let y = height - 1;
        if view.is_typing {
            let x = canvas.text(0, y, width, "/", ACCENT);
            let x = canvas.text(x, y, width, &OneLine(&view.filter).to_string(), BOLD);
            let x = canvas.text(x, y, width, "▏", ACCENT);
            canvas.text(x, y, width, "  Enter keeps the filter, Esc clears it", DIM);
        } else if let Some(text) = view.message.as_deref().or(self.note) {
            canvas.text(0, y, width, &OneLine(text).to_string(), ACCENT);
        } else {
            const KEYS: [(&str, &str); 10] = [
                ("?", "help"),
                ("q", "quit"),
                ("↑↓", "choose"),
                ("Tab", "view"),
                ("/", "filter"),
                ("<>", "sort"),
                ("Space", "freeze"),
                ("←→", "time"),
                ("c", "CPUs"),
                ("w", "CSV"),
            ];
            let mut x = 0;
            for (key, what) in KEYS {
                if x + (key.chars().count() + what.len() + 3) as u16 > width {
                    break;
                }
                x = canvas.text(x, y, width, key, BOLD);
                x = canvas.text(x, y, width, &format!(" {what}  "), DIM);
            }
        }
    }
}

/// A number of processes, if it is more than one: `×14`.
fn times(number: usize) -> String {
    if number > 1 { format!("×{}", Grouped(number as u64)) } else { String::new() }
}

#[cfg(test)]
mod tests;
