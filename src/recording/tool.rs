//! The program that writes recordings.

use serde::{Deserialize, Serialize};

/// The program that wrote the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The name: `tp-perf`, or another writer.
    pub name: String,
    /// The version.
    pub version: String,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}
