//! The page.
use super::Report;

/// The page of a report.
pub fn page(_report: &Report) -> String {
    String::new()
}
