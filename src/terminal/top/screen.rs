//! The terminal as a screen: it goes back to its old state at the end, whatever the end is.

use super::input;
use crate::live::Key;
use crate::os::signals::writing_to_others;
use anstream::ColorChoice;
use nix::sys::signal::{Signal, raise};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui_crossterm::crossterm::{cursor, execute};
use std::io::{self, IsTerminal, Stdin, Stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic;
use std::sync::Once;

/// There is no terminal to show a screen on.
#[derive(Debug, thiserror::Error)]
#[error("`tp-perf top` needs a terminal; `tp-perf count --every 1s` writes to a pipe or a file")]
pub struct NotATerminal;

/// The terminal as a screen.
pub struct TopTerminal {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    stdin: Stdin,
    /// The size at the last look.
    last_size: (u16, u16),
}

impl TopTerminal {
    /// Checks that there is a terminal.
    ///
    /// # Errors
    /// If stdin or stdout is not a terminal, or one that cannot move its cursor.
    pub fn check() -> Result<(), NotATerminal> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb { Ok(()) } else { Err(NotATerminal) }
    }

    /// Whether the user wants colours.
    pub fn has_colours() -> bool {
        anstream::AutoStream::choice(&io::stdout()) != ColorChoice::Never
    }

    /// Takes over the terminal.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |facts| {
                // Otherwise nobody could read the message.
                let _ = restore();
                before(facts);
            }));
        });
        let terminal = take_over().and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match terminal {
            Ok(terminal) => {
                let mut terminal = TopTerminal { terminal, stdin: io::stdin(), last_size: (0, 0) };
                terminal.last_size = terminal.size();
                Ok(terminal)
            }
            Err(error) => {
                let _ = restore();
                Err(error)
            }
        }
    }

    /// The size: columns and lines.
    pub fn size(&self) -> (u16, u16) {
        self.terminal.size().map_or((80, 24), |size| (size.width, size.height))
    }

    /// Draws a screen. Only what has changed is written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        writing_to_others(|| self.terminal.draw(|frame| draw(frame.area(), frame.buffer_mut())).map(drop))
    }

    /// A descriptor that polls readable when there are keys.
    pub fn wake_descriptor(&self) -> BorrowedFd<'_> {
        self.stdin.as_fd()
    }

    /// The keys that wait, and whether the size has changed.
    ///
    /// # Errors
    /// If the terminal cannot be read, for example because it is gone.
    pub fn keys(&mut self) -> io::Result<(Vec<Key>, bool)> {
        let keys = input::keys(self.stdin.as_fd())?;
        let size = self.size();
        let is_resized = std::mem::replace(&mut self.last_size, size) != size;
        Ok((keys, is_resized))
    }

    /// Stops this process as a job of the shell, with the terminal as it was. Returns when the job goes on.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore()?;
        raise(Signal::SIGTSTP)?;
        take_over()?;
        self.terminal.clear()
    }
}

impl Drop for TopTerminal {
    fn drop(&mut self) {
        let _ = restore();
    }
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    writing_to_others(|| execute!(io::stdout(), EnterAlternateScreen, cursor::Hide))
}

fn restore() -> io::Result<()> {
    let shown = writing_to_others(|| execute!(io::stdout(), LeaveAlternateScreen, cursor::Show));
    disable_raw_mode().and(shown)
}
