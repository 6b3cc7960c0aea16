//! The screen of `tp-perf top` with its keys, whatever it shows.

use crate::control::Progress;
use crate::live::{self, KeyRequest, LiveRow, LiveWindows, View};
use crate::terminal::{TopFacts, TopScreen, TopTerminal, WhoShown};
use crate::tracefs::Table;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use std::cell::RefCell;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::rc::Rc;
use std::time::SystemTime;

/// The notes of a run. The screen shows the last one.
#[derive(Clone, Default)]
pub(super) struct ScreenNotes(Rc<RefCell<Option<String>>>);

impl Progress for ScreenNotes {
    fn note(&mut self, message: &str) {
        *self.0.borrow_mut() = Some(message.to_owned());
    }

    fn note_failure(&mut self, what: &str, cause: &(dyn Error + 'static)) {
        self.note(&format!("{what}: {cause}"));
    }
}

/// The screen: what is shown, and what the user has chosen.
pub(super) struct ShownScreen {
    /// What does not change.
    pub facts: TopFacts,
    pub table: Table,
    pub windows: LiveWindows,
    pub view: View,
    pub terminal: TopTerminal,
    /// Who causes the hits of the chosen row.
    pub who: WhoShown,
    /// The learned states in which the machine may be, if the user wants to know that.
    pub states: Option<Option<Vec<String>>>,
    pub notes: ScreenNotes,
    /// tp-perf's own CPU time as a part of one CPU, if it is known.
    pub own: Option<f64>,
    /// Whether the user wants to quit.
    pub quits: bool,
    /// The error that ended it, if there was one.
    pub failed: Option<io::Error>,
}

impl ShownScreen {
    pub fn new(facts: TopFacts, table: Table, windows: LiveWindows, terminal: TopTerminal) -> Self {
        ShownScreen {
            facts,
            table,
            windows,
            view: View::default(),
            terminal,
            who: WhoShown::Nothing,
            states: None,
            notes: ScreenNotes::default(),
            own: None,
            quits: false,
            failed: None,
        }
    }

    pub fn draw(&mut self) {
        let ShownScreen { view, terminal, facts, windows, table, who, states, own, notes, .. } = self;
        let notes = notes.0.borrow();
        let states = states.as_ref().map(Option::as_deref);
        let screen = TopScreen { facts, windows, table, who, states, own: *own, note: notes.as_deref() };
        let drawn = terminal.draw(|area: Rect, buffer: &mut Buffer| screen.draw(view, area, buffer));
        drop(notes);
        self.note_failure(drawn);
    }

    fn note_failure(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
            self.quits = true;
        }
    }

    /// The rows of the screen, and how many of them have room.
    pub fn rows(&self) -> (Vec<LiveRow>, usize) {
        let ShownScreen { view, facts, windows, table, who, .. } = self;
        let (_, height) = self.terminal.size();
        let screen = TopScreen { facts, windows, table, who, states: None, own: None, note: None };
        (screen.rows(view), usize::from(screen.height(view, height)))
    }

    /// Whether the screen has room for who causes the hits.
    pub fn has_room_for_who(&self) -> bool {
        TopScreen::has_room_for_who(self.terminal.size().1)
    }

    /// Takes the keys that wait. Returns whether the screen changes.
    pub fn take_keys(&mut self) -> bool {
        let (keys, is_resized) = match self.terminal.keys() {
            Ok(keys) => keys,
            Err(error) => {
                self.note_failure(Err(error));
                return false;
            }
        };
        for key in &keys {
            let (rows, height) = self.rows();
            match self.view.key(*key, &rows, height, &self.windows) {
                KeyRequest::None => {}
                KeyRequest::Quit => self.quits = true,
                KeyRequest::Suspend => {
                    let resumed = self.terminal.suspend();
                    self.note_failure(resumed);
                }
                KeyRequest::Write => self.view.message = Some(self.write()),
            }
            self.notes.0.borrow_mut().take();
        }
        !keys.is_empty() || is_resized
    }

    /// Writes the windows into a new file. Returns a message.
    fn write(&self) -> String {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let path = format!("tp-perf-top-{}.csv", now.replace(['-', ':'], ""));
        let write = || {
            let bytes = live::csv(&self.windows, &self.table, &self.view.marks)?;
            let mut file = File::create_new(&path)?;
            file.write_all(&bytes).inspect_err(|_| drop(fs::remove_file(&path)))
        };
        match write() {
            Ok(()) => format!("wrote {path}"),
            Err(error) => format!("failed to write {path}: {error}"),
        }
    }
}
