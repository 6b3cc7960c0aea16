//! Progress bars on stderr, if that is a terminal.

use super::messages;
use crate::capture::StopRules;
use crate::control::Progress;
use crate::units::{Grouped, Plural, Seconds};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// At most this many drawings a second. Each one wakes the terminal, and a capture records that too.
const DRAWINGS_PER_SECOND: u8 = 4;

/// Shows a capture's progress.
pub struct TerminalProgress {
    rules: StopRules,
    quiet: bool,
    /// The name of the replaying phase.
    reading: &'static str,
    bar: Option<ProgressBar>,
}

impl TerminalProgress {
    /// The progress of a capture with these rules. `quiet` shows neither progress nor notes.
    pub fn new(rules: StopRules, quiet: bool) -> Self {
        TerminalProgress { rules, quiet, reading: "writing", bar: None }
    }

    /// The progress of a replay.
    pub fn of_replay(quiet: bool) -> Self {
        TerminalProgress { reading: "replaying", ..Self::new(StopRules::default(), quiet) }
    }

    fn steps(&mut self, what: &'static str, of: &'static str, done: u64, total: u64) {
        self.show(what, Some(total), done.min(total), format!("{} of {} {of}", Grouped(done), Grouped(total)));
    }

    /// Shows how far a phase is. `total` is its end, if known.
    fn show(&mut self, phase: &'static str, total: Option<u64>, done: u64, message: String) {
        if self.quiet {
            return;
        }
        let is_new = self.bar.is_none();
        let bar = self.bar.get_or_insert_with(|| match total {
            Some(total) => hidden(Some(total), "{prefix:>11} [{wide_bar}] {msg}"),
            None => hidden(None, "{prefix:>11} {spinner} {msg}"),
        });
        bar.set_prefix(phase);
        bar.set_message(message);
        bar.set_position(done);
        if is_new {
            // The first step is the first thing to draw.
            if io::stderr().is_terminal() {
                bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(
                    Box::<ProgressLine>::default(),
                    DRAWINGS_PER_SECOND,
                ));
            }
            bar.tick();
        }
    }
}

fn hidden(total: Option<u64>, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the templates are constant and tested");
    ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_style(style.progress_chars("#>-"))
}

/// The line of stderr's terminal that the progress is drawn on.
///
/// A terminal shows Ctrl-C as `^C` after the progress. If a bar filled the whole line, `^C` would be on the next line, and only
/// that line would be cleared.
#[derive(Debug, Default)]
struct ProgressLine {
    /// The bytes to write to stderr at the next flush.
    text: Mutex<String>,
}

/// Columns that stay free, as room for two `^C`.
const FREE: usize = 5;
/// Erases the line that the cursor is on.
const ERASE: &str = "\r\x1b[2K";

/// Whether a line is drawn.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Erases a progress line, for an exit that does not end the progress.
pub fn erase_progress() {
    if IS_DRAWN.swap(false, Ordering::Relaxed) {
        // If stderr cannot be written, nothing is drawn.
        let _ = io::stderr().write_all(ERASE.as_bytes());
    }
}

impl ProgressLine {
    fn move_cursor(&self, by: usize, direction: char) -> io::Result<()> {
        if by > 0 { self.add(&format!("\x1b[{by}{direction}")) } else { Ok(()) }
    }

    fn add(&self, text: &str) -> io::Result<()> {
        if let Ok(mut added) = self.text.lock() {
            added.push_str(text);
        }
        Ok(())
    }
}

impl TermLike for ProgressLine {
    fn width(&self) -> u16 {
        u16::try_from(super::width_of_stderr().columns().saturating_sub(FREE)).unwrap_or(u16::MAX).max(1)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.move_cursor(lines, 'A')
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.move_cursor(lines, 'B')
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.move_cursor(columns, 'C')
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.move_cursor(columns, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text).and_then(|()| self.add("\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add(ERASE)
    }

    fn flush(&self) -> io::Result<()> {
        let Ok(mut text) = self.text.lock() else { return Ok(()) };
        // Bytes that end with an erased line leave no line drawn.
        IS_DRAWN.store(!text.is_empty() && !text.ends_with(ERASE), Ordering::Relaxed);
        io::stderr().write_all(text.as_bytes())?;
        text.clear();
        Ok(())
    }
}

impl Progress for TerminalProgress {
    fn is_shown(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    fn attaching(&mut self, open: usize, total: usize) {
        self.steps("attaching", "events", open as u64, total as u64);
    }

    fn capturing(&mut self, samples: u64, elapsed: Duration) {
        let StopRules { events, duration } = self.rules;
        let stop = if events.is_none() && duration.is_none() { " (Ctrl-C stops)" } else { "" };
        let message = format!("{} events, {}{stop}", Grouped(samples), Seconds(elapsed));
        let milliseconds = |duration: Duration| duration.as_millis() as u64;
        match (events, duration) {
            (Some(events), _) => self.show("capturing", Some(events), samples.min(events), message),
            (None, Some(duration)) => {
                self.show("capturing", Some(milliseconds(duration)), milliseconds(elapsed.min(duration)), message);
            }
            (None, None) => self.show("capturing", None, milliseconds(elapsed), message),
        }
    }

    fn counting(&mut self, hits: u64, elapsed: Duration) {
        let stop = if self.rules.duration.is_none() { " (Ctrl-C stops)" } else { "" };
        let message = format!("{} hits, {}{stop}", Grouped(hits), Seconds(elapsed));
        let milliseconds = |duration: Duration| duration.as_millis() as u64;
        let total = self.rules.duration.map(milliseconds);
        self.show(
            "counting",
            total,
            total.map_or(milliseconds(elapsed), |total| total.min(milliseconds(elapsed))),
            message,
        );
    }

    fn replaying(&mut self, events: u64, read: u64, length: Option<u64>) {
        let length = length.map(|length| length.max(read));
        self.show(self.reading, length, read, Plural(events, "event").to_string());
    }

    fn measuring(&mut self, done: usize, total: usize) {
        self.steps("measuring", "runs", done as u64, total as u64);
        if let Some(bar) = &self.bar {
            // The next drawing comes after the run, so that drawing does not disturb the run.
            bar.force_draw();
        }
    }

    fn detaching(&mut self, done: usize, total: usize) {
        self.steps("detaching", "tracepoints", done as u64, total as u64);
    }

    fn phase_ends(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn note(&mut self, message: &str) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| messages::say(message)),
            None => messages::say(message),
        }
    }

    fn note_failure(&mut self, what: &str, cause: &(dyn Error + 'static)) {
        self.note(&format!("{what}: {}", messages::sentence(cause)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_a_sound_template() {
        let rules = [
            StopRules::default(),
            StopRules { events: Some(10), duration: None },
            StopRules { events: None, duration: Some(Duration::from_secs(1)) },
        ];
        for rules in rules {
            let mut progress = TerminalProgress::new(rules, false);
            progress.attaching(1, 2);
            progress.phase_ends();
            progress.capturing(20, Duration::from_secs(2));
            progress.phase_ends();
            progress.counting(20, Duration::from_secs(2));
            progress.phase_ends();
            progress.replaying(5, 120, Some(240));
            progress.phase_ends();
            progress.replaying(5, 120, None);
            progress.phase_ends();
            progress.detaching(3, 4);
            progress.measuring(1, 2);
            progress.note("a note");
        }
    }
}
