//! The output of `identify`, `check`, and `states --evaluate` for programs, one file for each format.

mod csv;
mod follow;
mod json;
mod junit;
mod suite;

pub use csv::{write_csv, write_csv_header};
pub use follow::{follow_begin_json, follow_end_json, follow_error_json, follow_message_json};
pub use json::{write_check_json, write_error_json, write_evaluation_json, write_json, write_suggestion_json};
pub use junit::write_junit;
pub use suite::Suite;
