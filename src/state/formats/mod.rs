//! The output of `identify`, `check`, and `states --evaluate` for programs, one file for each format.

mod csv;
mod json;
mod junit;
mod suite;

pub use csv::{write_csv, write_csv_header};
pub use json::{write_check_json, write_error_json, write_evaluation_json, write_json};
pub use junit::write_junit;
pub use suite::Suite;
