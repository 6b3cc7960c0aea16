//! The formats of a report for programs and documents, one file each.

mod csv;
mod json;
mod latex;
mod markdown;

pub use csv::{write_csv, write_process_csv};
pub use json::write_json;
pub use latex::write_latex;
pub use markdown::write_markdown;
