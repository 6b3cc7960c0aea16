//! Progress bars on stderr; none where stderr is no terminal.

use crate::capture::{Progress, StopRules};
use crate::units::{Grouped, Seconds};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// Drawn this often at most: each drawing wakes the terminal, which is recorded too.
const DRAWINGS_PER_SECOND: u8 = 4;

/// Shows a capture's progress.
pub struct TerminalProgress {
    rules: StopRules,
    quiet: bool,
    bar: Option<ProgressBar>,
}

impl TerminalProgress {
    /// For a capture with these rules. `quiet` shows nothing, notes neither.
    pub fn new(rules: StopRules, quiet: bool) -> Self {
        TerminalProgress { rules, quiet, bar: None }
    }

    /// While the kernel lets go of tracepoints.
    pub fn detaching(&mut self, done: usize, total: usize) {
        self.steps("detaching", "tracepoints", done as u64, total as u64);
    }

    fn steps(&mut self, what: &'static str, of: &'static str, done: u64, total: u64) {
        let bar = self.bar(|| {
            let bar = ProgressBar::new(total);
            bar.set_style(style("{prefix:>11} {wide_bar} {msg}"));
            bar.set_prefix(what);
            bar
        });
        if let Some(bar) = bar {
            bar.set_position(done.min(total));
            bar.set_message(format!("{} of {} {of}", Grouped(done), Grouped(total)));
        }
    }

    fn bar(&mut self, make: impl FnOnce() -> ProgressBar) -> Option<&ProgressBar> {
        if self.quiet {
            return None;
        }
        Some(self.bar.get_or_insert_with(|| {
            let bar = make();
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWINGS_PER_SECOND));
            bar
        }))
    }
}

impl Progress for TerminalProgress {
    fn attaching(&mut self, open: usize, total: usize) {
        self.steps("attaching", "events", open as u64, total as u64);
    }

    fn capturing(&mut self, samples: u64, elapsed: Duration) {
        let StopRules { events, duration } = self.rules;
        let bar = self.bar(|| match (events, duration) {
            (Some(events), _) => ProgressBar::new(events).with_style(style("  capturing {wide_bar} {msg}")),
            (None, Some(duration)) => {
                ProgressBar::new(duration.as_millis() as u64).with_style(style("  capturing {wide_bar} {msg}"))
            }
            (None, None) => ProgressBar::no_length().with_style(style("  capturing {spinner} {msg}")),
        });
        let Some(bar) = bar else { return };
        bar.set_position(match events {
            Some(events) => samples.min(events),
            None => elapsed.as_millis() as u64,
        });
        let stop = if events.is_none() && duration.is_none() { " (Ctrl-C stops)" } else { "" };
        bar.set_message(format!("{} events, {}{stop}", Grouped(samples), Seconds(elapsed)));
    }

    fn writing(&mut self, done: u64, total: u64) {
        self.steps("writing", "events", done, total);
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
        let print = || anstream::eprintln!("tp-perf: {message}");
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constant and tested")
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
            progress.writing(5, 5);
            progress.phase_ends();
            progress.detaching(3, 4);
            progress.note("a note");
        }
    }
}
