//! The choice of processes.

use super::{CgroupPattern, Tid};
use crate::text::{Glob, globs};
use std::fmt;

/// Chooses the events of processes; by default of all.
#[derive(Debug, Clone, Default)]
pub struct ProcessFilter {
    /// Keep only these processes, and those that they start meanwhile; all if empty.
    pub pids: Vec<Tid>,
    /// Keep only threads with these names; all if empty.
    pub names: Vec<NamePattern>,
    /// Keep only these cgroups; all if empty.
    pub cgroups: Vec<CgroupPattern>,
}

impl ProcessFilter {
    /// Whether it leaves out processes.
    pub fn chooses(&self) -> bool {
        !self.pids.is_empty() || !self.names.is_empty() || !self.cgroups.is_empty()
    }
}

/// A glob over the names of threads.
#[derive(Debug, Clone)]
pub struct NamePattern {
    text: String,
    glob: Glob,
}

impl NamePattern {
    /// Reads a glob: `*`, `?`, `[a-z]`, `{one,two}`.
    ///
    /// # Errors
    /// The first mistake, in words.
    pub fn new(text: &str) -> Result<Self, String> {
        match Glob::new(text) {
            Ok(glob) => Ok(NamePattern { text: text.to_owned(), glob }),
            Err(mistake) => Err(format!("{mistake}; write a glob over names, as in `redis*`")),
        }
    }

    /// Reads globs with commas between them.
    ///
    /// # Errors
    /// The first mistake, in words.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        globs(text).map(NamePattern::new).collect()
    }

    /// Whether it matches this name.
    pub fn matches(&self, name: &str) -> bool {
        self.glob.matches(name)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
