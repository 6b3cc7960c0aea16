//! Patterns over `group:name`, and the nearest names for a pattern that matches nothing.

use super::{Error, Table, Tracepoint};
use crate::text::{Glob, globs};
use std::fmt;

/// Bytes of a pattern. No name is nearly as long.
const LONGEST: usize = 1000;

/// A glob over `group:name`. Without a colon, it matches a tracepoint's name in any group. The name of a group matches the whole
/// group.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    glob: Glob,
}

impl Pattern {
    /// Reads a glob: `*`, `?`, `[a-z]`, `{one,two}`.
    ///
    /// # Errors
    /// [`Error::BadPattern`], with the first mistake.
    pub fn new(text: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::BadPattern { pattern: text.to_owned(), reason };
        if text.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        if text.len() > LONGEST {
            let begin: String = text.chars().take(20).collect();
            let reason = format!("it is longer than {LONGEST} bytes");
            return Err(Error::BadPattern { pattern: format!("{begin}…"), reason });
        }
        let full = if text.contains(':') { text.to_owned() } else { format!("*:{text}") };
        let glob = Glob::new(&full).map_err(|mistake| bad(mistake.to_string()))?;
        Ok(Pattern { text: text.to_owned(), glob })
    }

    /// Reads patterns with commas between them: `sched:*,block:*`. A comma within braces belongs to its pattern.
    ///
    /// # Errors
    /// [`Error::BadPattern`] for the first pattern that cannot be read.
    pub fn list(text: &str) -> Result<Vec<Self>, Error> {
        globs(text).map(Pattern::new).collect()
    }

    /// Whether the pattern matches this tracepoint.
    pub fn matches(&self, tracepoint: &Tracepoint) -> bool {
        self.text == tracepoint.group || self.glob.matches(&tracepoint.full_name())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Checks that the pattern matches a tracepoint of the table.
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

/// Up to three names that are similar to the pattern, the most similar first.
fn nearest(table: &Table, pattern: &str) -> Vec<String> {
    /// A less similar name does not help.
    const ALIKE: f64 = 0.75;
    let wanted = pattern.replace(['*', '?', '[', ']', '{', '}'], "");
    // Few letters are like too many names, and many like none.
    if !(3..=100).contains(&wanted.len()) {
        return Vec::new();
    }
    let (wanted_group, wanted_name) = wanted.split_once(':').unwrap_or(("", &wanted));
    let scores = |tracepoint: &Tracepoint| {
        let of_group = |group| (strsim::jaro_winkler(group, &tracepoint.group), format!("{}:*", tracepoint.group));
        match (wanted_group, wanted_name) {
            // A bare word is the name of a tracepoint or of a group.
            ("", word) => {
                vec![(strsim::jaro_winkler(word, &tracepoint.name), tracepoint.full_name()), of_group(word)]
            }
            (group, "") => vec![of_group(group)],
            _ => vec![(strsim::jaro_winkler(&wanted, &tracepoint.full_name()), tracepoint.full_name())],
        }
    };
    let mut scored: Vec<(f64, String)> = table.tracepoints().iter().flat_map(scores).collect();
    scored.retain(|(score, _)| *score >= ALIKE);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str) -> Vec<&'static str> {
        let names = [("block", "block_rq_issue"), ("sched", "sched_switch"), ("sched_ext", "dump"), ("task", "sched")];
        let entries = names.iter().zip(1..).map(|((group, name), id)| (group.to_string(), name.to_string(), id));
        let table = Table::from_entries(entries.collect());
        let patterns = Pattern::list(pattern).unwrap();
        let is_matched = |(group, name): &&(&str, &str)| {
            let is_it = |tracepoint: &&Tracepoint| tracepoint.group == *group && tracepoint.name == *name;
            let tracepoint = table.tracepoints().iter().find(is_it).unwrap();
            patterns.iter().any(|pattern| pattern.matches(tracepoint))
        };
        names.iter().filter(is_matched).map(|(_, name)| *name).collect()
    }

    #[test]
    fn a_bare_word_names_a_tracepoint_or_a_group() {
        assert_eq!(matched("sched_switch"), ["sched_switch"]);
        assert_eq!(matched("sched"), ["sched_switch", "sched"], "the group, and the tracepoint of that name");
        assert_eq!(matched("sched*"), ["sched_switch", "sched"], "a glob without a colon is over names");
        assert_eq!(matched("sched*:*"), ["sched_switch", "dump"]);
    }

    #[test]
    fn commas_separate_patterns_but_not_within_braces() {
        assert_eq!(matched("block:*,dump"), ["block_rq_issue", "dump"]);
        assert_eq!(matched("{block,sched}:*"), ["block_rq_issue", "sched_switch"]);
        assert_eq!(matched("{block,sched_ext}:*,task"), ["block_rq_issue", "dump", "sched"]);
        for text in ["", "a,", ",a", "a,,b", "a,{b", &"a".repeat(1_001)] {
            assert!(Pattern::list(text).is_err(), "{text:?}");
        }
    }
}
