//! The status of each tracepoint in a capture, and its reason.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The status of one tracepoint in a capture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It is opened, and its events are recorded.
    Captured,
    /// It is left out.
    Excluded(Exclusion),
    /// It was selected, but the kernel refused to open it.
    Refused {
        /// The kernel's error.
        reason: String,
    },
}

/// Why a tracepoint is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Exclusion {
    /// Its whole group is excluded by default.
    Group {
        /// The group.
        group: String,
    },
    /// It is excluded by default because it is hit too often.
    TooOften,
    /// `-x` excludes it.
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// `-t` is given, and does not select it.
    NotChosen,
    /// `-t` or `-x` of a replay excludes it.
    Replay,
    /// It was opened, but takes no samples of its own. A member of a sampled group is like that: only the
    /// samples of the group's leader have its count, without the times of its hits.
    NotSampled,
    /// Its counter adds up weights instead of hits, and only the counter was read.
    NotCounted,
    /// A reason in words, which another version of tp-perf wrote.
    Noted {
        /// The words, unchanged.
        words: String,
    },
}

/// The words for [`Exclusion::NotSampled`].
const NOT_SAMPLED: &str = "without samples of their own, as members of a sampled group";

/// The words for [`Exclusion::NotCounted`].
const NOT_COUNTED: &str = "the kernel's counter adds up nanoseconds instead of hits";

impl Status {
    /// Whether it is captured.
    pub fn is_captured(&self) -> bool {
        *self == Status::Captured
    }

    /// Whether it is excluded only because the default selection excludes it.
    pub fn is_excluded_by_default(&self) -> bool {
        matches!(self, Status::Excluded(Exclusion::Group { .. } | Exclusion::TooOften))
    }

    /// Whether the kernel refused it.
    pub fn is_refused(&self) -> bool {
        matches!(self, Status::Refused { .. })
    }

    /// Reads the words of version 0.1.0. [`Display`](fmt::Display) still shows the same words.
    pub fn of_words(words: &str) -> Self {
        let (status, reason) = words.split_once(": ").unwrap_or((words, words));
        if status == "refused" {
            return Status::Refused { reason: reason.to_owned() };
        }
        let after = |start| reason.strip_prefix(start).map(str::to_owned);
        Status::Excluded(match reason {
            "by default, hit too often" => Exclusion::TooOften,
            "not chosen by -t" => Exclusion::NotChosen,
            "by the replay's -t or -x" => Exclusion::Replay,
            NOT_SAMPLED => Exclusion::NotSampled,
            NOT_COUNTED => Exclusion::NotCounted,
            _ => match (after("by default, as all of group "), after("by -x ")) {
                (Some(group), _) => Exclusion::Group { group },
                (_, Some(pattern)) => Exclusion::Pattern { pattern },
                _ => Exclusion::Noted { words: reason.to_owned() },
            },
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Captured => f.write_str("captured"),
            Status::Excluded(why) => write!(f, "excluded: {why}"),
            Status::Refused { reason } => write!(f, "refused: {reason}"),
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exclusion::Group { group } => write!(f, "by default, as all of group {group}"),
            Exclusion::TooOften => f.write_str("by default, hit too often"),
            Exclusion::Pattern { pattern } => write!(f, "by -x {pattern}"),
            Exclusion::NotChosen => f.write_str("not chosen by -t"),
            Exclusion::Replay => f.write_str("by the replay's -t or -x"),
            Exclusion::NotSampled => f.write_str(NOT_SAMPLED),
            Exclusion::NotCounted => f.write_str(NOT_COUNTED),
            Exclusion::Noted { words } => f.write_str(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Status> {
        let text = || "a: *b".to_owned();
        let exclusions = [
            Exclusion::Group { group: text() },
            Exclusion::TooOften,
            Exclusion::Pattern { pattern: text() },
            Exclusion::NotChosen,
            Exclusion::Replay,
            Exclusion::NotSampled,
            Exclusion::NotCounted,
            Exclusion::Noted { words: "for a reason of its own".to_owned() },
        ];
        exclusions.into_iter().map(Status::Excluded).chain([Status::Refused { reason: text() }]).collect()
    }

    #[test]
    fn words_of_older_recordings_mean_what_they_meant() {
        for status in all() {
            assert_eq!(Status::of_words(&status.to_string()), status);
        }
    }

    #[test]
    fn a_status_comes_out_of_a_file_as_it_went_in() {
        for status in all().into_iter().chain([Status::Captured]) {
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status, "{json}");
        }
        let json = serde_json::to_string(&Status::Excluded(Exclusion::Pattern { pattern: "x*".to_owned() })).unwrap();
        assert_eq!(json, r#"{"status":"excluded","why":"pattern","pattern":"x*"}"#);
    }
}
