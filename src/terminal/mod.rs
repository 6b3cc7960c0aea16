//! Everything that people read: results on stdout, progress and messages on stderr.

mod check;
mod count;
mod count_by;
mod deviations;
mod doctor;
mod evaluation;
mod export;
mod fixes;
mod follow;
mod kernel;
mod layout;
#[cfg(feature = "monitor")]
mod lines;
mod list;
pub mod messages;
mod overhead;
mod progress;
mod report;
mod report_files;
mod report_processes;
mod report_states;
mod report_top;
mod rights;
mod root;
mod states;
mod stdout;
mod suggestion;
mod summary;
#[cfg(feature = "top")]
mod top;
mod width;

pub use check::print_check;
pub use count::{WindowLines, print_count, print_repeated};
pub use count_by::print_count_by;
pub use deviations::Extent;
pub use doctor::print_diagnoses;
pub use evaluation::{print_evaluation, print_quality};
pub use export::exported;
pub use follow::{FollowedFrom, print_followed, print_message};
#[cfg(feature = "monitor")]
pub use lines::JsonLines;
pub use list::{print_default_exclusions, print_list, write_list_json};
pub use overhead::print_overhead;
pub use progress::{TerminalProgress, erase_progress};
pub use report::print_report;
pub use report_files::{Unopened, how_to_open, newest_recording, no_states, written_files};
pub use states::{print_identification, print_learned, print_removed, print_state, print_states};
pub use stdout::{Stdout, print_on_stderr, width_of_stderr};
pub use suggestion::print_suggestion;
pub use summary::{SummaryOf, print_summary};
#[cfg(feature = "top")]
pub use top::{NotATerminal, TopFacts, TopScreen, TopTerminal, WhoShown};
pub use width::Width;
