//! Results on stdout.

use super::width::Width;
use crate::os::signals::writing_to_others;
use crate::os::stdout::stdout;
use crate::text::Visible;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// The output for results.
#[derive(Debug, Default)]
pub struct Stdout {
    /// The kept output, in a test.
    kept: Option<Vec<u8>>,
}

impl Stdout {
    /// Keeps the output instead of printing it: for tests.
    pub fn keeping() -> Self {
        Stdout { kept: Some(Vec::new()) }
    }

    /// The output that was kept.
    pub fn kept(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Prints text for people. Colours reach only a terminal.
    pub fn print(&mut self, text: &[u8]) -> io::Result<()> {
        if let Some(kept) = &mut self.kept {
            return anstream::StripStream::new(kept).write_all(text);
        }
        let mut stdout = anstream::AutoStream::auto(stdout()?.lock());
        writing_to_others(|| stdout.write_all(text).and_then(|()| stdout.flush()))
    }

    /// Prints data for programs unchanged. On a terminal, makes control characters visible, so the terminal does not obey them.
    pub fn print_data(&mut self, data: &[u8]) -> io::Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(data);
            return Ok(());
        }
        let mut stdout = stdout()?.lock();
        writing_to_others(|| {
            match stdout.is_terminal() {
                true => write!(stdout, "{}", Visible(String::from_utf8_lossy(data))),
                false => stdout.write_all(data),
            }
            .and_then(|()| stdout.flush())
        })
    }

    /// The width of the terminal. Unlimited where there is none.
    pub fn width(&self) -> Width {
        if self.kept.is_some() {
            return Width::UNLIMITED;
        }
        width_of(io::stdout())
    }
}

/// The width of a terminal. Unlimited where there is none.
fn width_of(stream: impl AsFd) -> Width {
    terminal_size::terminal_size_of(stream)
        .map_or(Width::UNLIMITED, |(terminal_size::Width(columns), _)| usize::from(columns).into())
}

/// The width of the terminal that stderr goes to. Unlimited where there is none.
pub fn width_of_stderr() -> Width {
    width_of(io::stderr())
}

/// Prints text for people on stderr, when stdout is in use.
pub fn print_on_stderr(text: &[u8]) -> io::Result<()> {
    writing_to_others(|| anstream::stderr().lock().write_all(text))
}
