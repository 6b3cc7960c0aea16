//! The results of a check in sentences.

use super::{Check, Finding, FindingKind};
use crate::state::Reason;
use crate::units::{Plural, Rate, Seconds, Share};

/// How many tracepoints a finding about a composition names.
const REASONS: usize = 3;
/// A tracepoint that differs less than this part of what the first one does is no reason.
const LEAST_PART: f64 = 0.05;

/// The limits of a check, in sentences.
pub fn said_beside(check: &Check) -> Vec<String> {
    let mut said = Vec::new();
    let coverage = check.identification.coverage;
    if coverage < 1.0 {
        said.push(format!(
            "only {} of the source's events belong to tracepoints that all sessions captured; the rest were not checked",
            Share(coverage)
        ));
    }
    if !check.identification.states.know_spread() {
        said.push(
            "the library does not show how much sessions of one state differ, so only single tracepoints were checked; learn more \
             sessions"
                .to_owned(),
        );
    }
    let behind = check.identification.windows.len() % check.block;
    if behind > 0 {
        said.push(format!(
            "the last {} a block and {} not checked by tracepoint",
            match behind {
                1 => "window does not fill".to_owned(),
                number => format!("{number} windows do not fill"),
            },
            if behind == 1 { "was" } else { "were" }
        ));
    }
    if check.lossy > 0 {
        said.push(format!("{} lost too many events to be checked", Plural(check.lossy as u64, "block")));
    }
    for (state, span) in &check.brief {
        said.push(format!(
            "all sessions of {state} were recorded within {}. Work that is rarer than that was not learned and may raise an alarm; \
             learn the state at other times too",
            Seconds(*span)
        ));
    }
    said
}

impl Finding {
    /// The finding in a sentence.
    pub fn sentence(&self, check: &Check) -> String {
        let since = |window: usize| check.identification.seconds_since(window);
        let when = format!("from {} to {} s", since(self.from), since(self.to));
        let what = self.tracepoint.as_deref().unwrap_or("all");
        let rate = |value: f64| format!("{}/s", Rate(value));
        let share = |value: f64| Share(value).to_string();
        let (text, value): (_, &dyn Fn(f64) -> String) = match self.kind {
            FindingKind::Composition => {
                let looks = self.looks_like.as_ref().map_or_else(String::new, |state| format!("looks like {state}; "));
                let least = self.because.first().map_or(0.0, |first| LEAST_PART * first.part);
                let because = self.because.iter().take(REASONS).filter(|reason| reason.part >= least);
                let because: Vec<String> = because.map(Reason::words).collect();
                return format!(
                    "{when}: {looks}{:.1} times as far from {} as its sessions usually are: {}",
                    self.here,
                    self.state,
                    because.join(", ")
                );
            }
            FindingKind::New => ("new, ", &rate),
            FindingKind::Vanished => ("gone, ", &rate),
            FindingKind::Rate => ("rate ", &rate),
            FindingKind::Share => ("share ", &share),
        };
        let learned = self.learned.map_or_else(String::new, |[lowest, mean, highest]| {
            format!("; learned for {}: {} ({} to {})", self.state, value(mean), value(lowest), value(highest))
        });
        format!("{what} {when}: {text}{}{learned}", value(self.here))
    }
}
