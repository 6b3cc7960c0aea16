//! Patterns over `group:name`, and the nearest names to one that matches nothing.

use super::glob::Glob;
use super::{Error, Table, Tracepoint};
use std::fmt;

/// A glob over `group:name`; without a colon it is a tracepoint's name in any group.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    glob: Glob,
}

impl Pattern {
    /// Reads a glob: `*`, `?`, `[a-z]`, `{one,two}`.
    pub fn new(text: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::BadPattern { pattern: text.to_owned(), reason };
        if text.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        let full = if text.contains(':') { text.to_owned() } else { format!("*:{text}") };
        let glob = Glob::new(&full).map_err(|mistake| bad(mistake.to_string()))?;
        Ok(Pattern { text: text.to_owned(), glob })
    }

    /// Whether the tracepoint is meant.
    pub fn matches(&self, tracepoint: &Tracepoint) -> bool {
        self.glob.matches(&tracepoint.full_name())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// That the pattern matches something.
///
/// # Errors
/// [`Error::NoMatch`], with the nearest names.
pub fn check_matches(table: &Table, pattern: &Pattern) -> Result<(), Error> {
    if table.tracepoints().iter().any(|tracepoint| pattern.matches(tracepoint)) {
        return Ok(());
    }
    let pattern = pattern.to_string();
    Err(Error::NoMatch { nearest: nearest(table, &pattern), pattern })
}

/// Up to three names that are like the pattern, best first.
fn nearest(table: &Table, pattern: &str) -> Vec<String> {
    /// Below this similarity a name is no help but noise.
    const ALIKE: f64 = 0.75;
    let letters = |text: &str| text.replace(['*', '?', '[', ']', '{', '}'], "");
    let wanted = letters(pattern);
    let (wanted_group, wanted_name) = wanted.split_once(':').unwrap_or(("", &wanted));
    let mut scored: Vec<(f64, String)> = table
        .tracepoints()
        .iter()
        .map(|tracepoint| {
            // Without a name the group alone is what was mistyped; then its first tracepoint stands for it.
            let score = match (wanted_group, wanted_name) {
                ("", name) => strsim::jaro_winkler(name, &tracepoint.name),
                (group, "") => strsim::jaro_winkler(group, &tracepoint.group),
                _ => strsim::jaro_winkler(&wanted, &tracepoint.full_name()),
            };
            let shown = if wanted_name.is_empty() { format!("{}:*", tracepoint.group) } else { tracepoint.full_name() };
            (score, shown)
        })
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}
